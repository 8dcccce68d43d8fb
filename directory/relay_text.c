#include "config.h"

#include <inttypes.h>
#include <string.h>

#include "base/address.h"
#include "base/codec.h"
#include "sphinx/sphinx.h"

#include "directory/relay_text.h"

_Static_assert(TM_ADDRESS_MAX == TM_ADDRESS_TEXT_MAX, "one limit for addresses");

static const struct {
  const char *name;
  enum tm_role role;
} roles[] = {{"entry", TM_ROLE_ENTRY}, {"mix", TM_ROLE_MIX}, {"store", TM_ROLE_STORE}};

#define ROLES (sizeof roles / sizeof roles[0])

static int fail(struct tm_text *text, unsigned line, int err, const char *what)
{
  return tm_fault_set(text->fault, line, err, "%s", what);
}

static int read_name(struct tm_text *text, struct tm_relay_info *relay, unsigned *line)
{
  struct tm_span value;
  int err = tm_text_take(text, "relay", true, &value, line);

  if (err != TM_OK)
    return err;
  if (!tm_name_is_good(value.at, value.len))
    return fail(text, *line, TM_E_SYNTAX,
                "a relay's name is a letter, then letters, digits and hyphens, in lower case, at most 31");
  memcpy(relay->name, value.at, value.len);
  return TM_OK;
}

static int read_identity(struct tm_text *text, struct tm_relay_info *relay)
{
  struct tm_span value;
  unsigned line = 0;
  int err = tm_text_take(text, "identity", true, &value, &line);

  if (err != TM_OK)
    return err;
  if (tm_hex_decode(value.at, value.len, relay->identity, sizeof relay->identity) != TM_OK)
    return fail(text, line, TM_E_SYNTAX, "an identity is 64 digits of lower-case hex");
  if (tm_sphinx_point_check(relay->identity) != TM_SPHINX_OK)
    return fail(text, line, TM_E_POINT, "the identity is not a point of the prime-order subgroup");
  return TM_OK;
}

static int read_address(struct tm_text *text, struct tm_relay_info *relay)
{
  struct tm_span value;
  unsigned line = 0;
  int err = tm_text_take(text, "address", true, &value, &line);

  if (err != TM_OK)
    return err;
  if (tm_address_check(value.at, value.len) != TM_OK)
    return fail(text, line, TM_E_SYNTAX,
                "an address is numeric with a port, like 192.0.2.1:4711 or [2001:db8::1]:4711");
  memcpy(relay->address, value.at, value.len);
  return TM_OK;
}

/* One or more of the table's names, in the table's order. */
static int read_roles(struct tm_text *text, struct tm_relay_info *relay)
{
  struct tm_span value;
  struct tm_span word;
  unsigned line = 0;
  size_t i = 0;
  int err = tm_text_take(text, "roles", true, &value, &line);

  if (err != TM_OK)
    return err;
  while (tm_span_word(&value, &word)) {
    size_t found = 0;
    while (found < ROLES && !tm_span_is(word, roles[found].name))
      found++;
    if (found == ROLES)
      return fail(text, line, TM_E_UNKNOWN, "unknown role: there are entry, mix and store");
    if (found < i)
      return fail(text, line, TM_E_SYNTAX, "roles stand once each, in the order entry mix store");
    relay->roles |= (unsigned)roles[found].role;
    i = found + 1;
  }
  return TM_OK;
}

static int read_layer(struct tm_text *text, struct tm_relay_info *relay)
{
  struct tm_span value;
  uint64_t layer = 0;
  unsigned line = 0;
  int err;

  if ((relay->roles & TM_ROLE_MIX) == 0)
    return TM_OK;
  err = tm_text_take(text, "layer", true, &value, &line);
  if (err != TM_OK)
    return err;
  if (tm_span_decimal(value, TM_DOCUMENT_LAYERS, &layer) != TM_OK || layer == 0)
    return fail(text, line, TM_E_SYNTAX, "a layer is 1, 2 or 3");
  relay->layer = (unsigned)layer;
  return TM_OK;
}

static int read_key(struct tm_text *text, struct tm_mix_key *key)
{
  struct tm_span value;
  struct tm_span epoch;
  unsigned line = 0;
  int err = tm_text_take(text, "mix-key", true, &value, &line);

  if (err != TM_OK)
    return err;
  if (!tm_span_word(&value, &epoch) || tm_span_decimal(epoch, TM_EPOCH_MAX, &key->epoch) != TM_OK ||
      tm_hex_decode(value.at, value.len, key->point, sizeof key->point) != TM_OK)
    return fail(text, line, TM_E_SYNTAX, "a mix key is its epoch and 64 digits of lower-case hex");
  if (tm_sphinx_point_check(key->point) != TM_SPHINX_OK)
    return fail(text, line, TM_E_POINT, "the mix key is not a point of the prime-order subgroup");
  return TM_OK;
}

static int read_keys(struct tm_text *text, struct tm_relay_info *relay, struct tm_mix_key *keys, size_t cap)
{
  relay->keys = keys;
  do {
    size_t n = relay->n_keys;
    unsigned line = text->line;
    struct tm_mix_key key;
    int err;
    err = read_key(text, &key);
    if (err != TM_OK)
      return err;
    if (n == cap || n == TM_DOCUMENT_KEYS_MAX)
      return fail(text, line, TM_E_TOO_BIG, "too many mix keys");
    if (n > 0 && key.epoch <= keys[n - 1].epoch)
      return fail(text, line, TM_E_SYNTAX, "mix keys stand by ascending epoch, one for each");
    keys[relay->n_keys++] = key;
  } while (tm_text_at(text, "mix-key"));
  return TM_OK;
}

int tm_relay_text_read(struct tm_text *text, struct tm_relay_info *relay, struct tm_mix_key *keys, size_t cap,
                       unsigned *line)
{
  struct tm_span value;
  int err;

  memset(relay, 0, sizeof *relay);
  err = read_name(text, relay, line);
  if (err == TM_OK)
    err = read_identity(text, relay);
  if (err == TM_OK)
    err = read_address(text, relay);
  if (err == TM_OK)
    err = read_roles(text, relay);
  if (err == TM_OK)
    err = read_layer(text, relay);
  if (err == TM_OK)
    err = read_keys(text, relay, keys, cap);
  return err != TM_OK ? err : tm_text_take(text, "end", false, &value, NULL);
}

void tm_relay_text_write(FILE *out, const struct tm_relay_info *relay)
{
  char hex[TM_HEX_LEN(32)];

  tm_hex_encode(relay->identity, sizeof relay->identity, hex);
  fprintf(out, "relay %s\nidentity %s\naddress %s\nroles", relay->name, hex, relay->address);
  for (size_t i = 0; i < ROLES; i++)
    if ((relay->roles & (unsigned)roles[i].role) != 0)
      fprintf(out, " %s", roles[i].name);
  fputc('\n', out);
  if (relay->layer != 0)
    fprintf(out, "layer %u\n", relay->layer);
  for (size_t i = 0; i < relay->n_keys; i++) {
    tm_hex_encode(relay->keys[i].point, sizeof relay->keys[i].point, hex);
    fprintf(out, "mix-key %" PRIu64 " %s\n", relay->keys[i].epoch, hex);
  }
  fputs("end\n", out);
}
