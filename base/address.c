#include "config.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <string.h>

#include "base/err.h"

#include "base/address.h"

static int check_port(const char *text, size_t len)
{
  unsigned port = 0;

  if (len == 0 || len > 5 || text[0] == '0')
    return TM_E_SYNTAX;
  for (size_t i = 0; i < len; i++) {
    if (text[i] < '0' || text[i] > '9')
      return TM_E_SYNTAX;
    port = port * 10 + (unsigned)(text[i] - '0');
  }
  return port <= 65535 ? TM_OK : TM_E_SYNTAX;
}

static int check_host(int family, const char *text, size_t len)
{
  char host[TM_ADDRESS_TEXT_MAX + 1];
  char again[INET6_ADDRSTRLEN];
  struct in6_addr addr; /* room for either */

  if (len == 0 || len >= sizeof host)
    return TM_E_SYNTAX;
  memcpy(host, text, len);
  host[len] = '\0';
  if (strlen(host) != len || (family == AF_INET6 && strchr(host, '.') != NULL))
    return TM_E_SYNTAX;
  if (inet_pton(family, host, &addr) != 1 || inet_ntop(family, &addr, again, sizeof again) == NULL)
    return TM_E_SYNTAX;
  return strcmp(host, again) == 0 ? TM_OK : TM_E_SYNTAX;
}

int tm_address_check(const char *text, size_t len)
{
  size_t colon = len;
  int err;

  if (len > TM_ADDRESS_TEXT_MAX)
    return TM_E_SYNTAX;
  while (colon > 0 && text[colon - 1] != ':')
    colon--;
  if (colon < 2)
    return TM_E_SYNTAX;
  if (text[0] != '[')
    err = check_host(AF_INET, text, colon - 1);
  else if (colon < 4 || text[colon - 2] != ']')
    err = TM_E_SYNTAX;
  else
    err = check_host(AF_INET6, text + 1, colon - 3);
  return err != TM_OK ? err : check_port(text + colon, len - colon);
}
