/*
 * Addresses as text: what the check accepts, a link can dial, and it is the one text of that address. What a link
 * reads without it, from anybody's text, stays within bounds.
 */
#include "config.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/address.h"
#include "link/link.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void require(bool truth)
{
  if (!truth)
    abort();
}

/* The text that an address has. */
static void format(const struct sockaddr_storage *addr, char text[static TM_ADDRESS_TEXT_MAX + 1])
{
  const struct sockaddr_in *in = (const struct sockaddr_in *)addr;
  const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)addr;
  bool v6 = addr->ss_family == AF_INET6;
  char host[INET6_ADDRSTRLEN];

  require(inet_ntop(addr->ss_family, v6 ? (const void *)&in6->sin6_addr : (const void *)&in->sin_addr, host, sizeof host) != NULL);
  snprintf(text, TM_ADDRESS_TEXT_MAX + 1, v6 ? "[%s]:%u" : "%s:%u", host, ntohs(v6 ? in6->sin6_port : in->sin_port));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
  char *text = malloc(len + 1);
  char again[TM_ADDRESS_TEXT_MAX + 1];
  struct sockaddr_storage addr;
  socklen_t addr_len;
  bool checked;
  int err;

  if (text == NULL)
    abort();
  if (len > 0)
    memcpy(text, data, len);
  checked = tm_address_check((const char *)data, len) == TM_OK; /* in place: it may not read the byte behind */
  text[len] = '\0';
  err = tm_link_address_parse(text, &addr, &addr_len);
  require(err == TM_OK || err == TM_E_SYNTAX);
  require((err == TM_OK) == (addr_len > 0) && addr_len <= sizeof addr);
  require(!checked || err == TM_OK);
  if (err == TM_OK) {
    format(&addr, again);
    require(!checked || (strlen(again) == len && memcmp(again, text, len) == 0));
  }
  free(text);
  return 0;
}
