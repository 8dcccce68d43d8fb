#include "config.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <string.h>

#include "link/link.h"

#define HOST_MAX 64

/* One to five digits without a leading zero, up to 65535. */
static int parse_port(const char *text, uint16_t *port)
{
  uint32_t value = 0;
  size_t len = strlen(text);

  if (len < 1 || len > 5 || (len > 1 && text[0] == '0'))
    return TM_E_SYNTAX;
  for (size_t i = 0; i < len; i++) {
    if (text[i] < '0' || text[i] > '9')
      return TM_E_SYNTAX;
    value = value * 10 + (uint32_t)(text[i] - '0');
  }
  if (value > 65535)
    return TM_E_SYNTAX;
  *port = (uint16_t)value;
  return TM_OK;
}

static int parse_v6(const char *host, uint16_t port, struct sockaddr_storage *addr, socklen_t *addr_len)
{
  struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};

  if (inet_pton(AF_INET6, host, &in6.sin6_addr) != 1)
    return TM_E_SYNTAX;
  memcpy(addr, &in6, sizeof in6);
  *addr_len = sizeof in6;
  return TM_OK;
}

static int parse_v4(const char *host, uint16_t port, struct sockaddr_storage *addr, socklen_t *addr_len)
{
  struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port)};

  if (inet_pton(AF_INET, host, &in.sin_addr) != 1)
    return TM_E_SYNTAX;
  memcpy(addr, &in, sizeof in);
  *addr_len = sizeof in;
  return TM_OK;
}

int tm_link_address_parse(const char *text, struct sockaddr_storage *addr, socklen_t *addr_len)
{
  char host[HOST_MAX];
  const char *colon = strrchr(text, ':');
  bool v6 = text[0] == '[';
  size_t len;
  uint16_t port;

  memset(addr, 0, sizeof *addr);
  *addr_len = 0;
  if (colon == NULL || parse_port(colon + 1, &port) != TM_OK)
    return TM_E_SYNTAX;
  len = (size_t)(colon - text);
  if (v6) {
    if (len < 2 || text[len - 1] != ']')
      return TM_E_SYNTAX;
    text++;
    len -= 2;
  }
  if (len >= sizeof host)
    return TM_E_SYNTAX;
  memcpy(host, text, len);
  host[len] = '\0';
  return v6 ? parse_v6(host, port, addr, addr_len) : parse_v4(host, port, addr, addr_len);
}
