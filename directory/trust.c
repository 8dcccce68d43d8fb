#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "directory/trust.h"

_Static_assert(TM_DOCUMENT_AUTHORITIES_MAX <= TM_NOTE_KEYS_MAX, "a note is checked against all authorities at once");

struct tm_trust {
  size_t n;
  struct tm_note_key keys[TM_DOCUMENT_AUTHORITIES_MAX];
};

static int add(struct tm_trust *trust, const char *line, size_t len)
{
  struct tm_note_key key;

  if (tm_note_key_parse(&key, line, len) != TM_OK)
    return TM_E_SYNTAX;
  for (size_t i = 0; i < trust->n; i++)
    if (strcmp(trust->keys[i].name, key.name) == 0 || memcmp(trust->keys[i].key, key.key, sizeof key.key) == 0)
      return TM_E_EXISTS;
  if (trust->n == TM_DOCUMENT_AUTHORITIES_MAX)
    return TM_E_TOO_BIG;
  trust->keys[trust->n++] = key;
  return TM_OK;
}

static int read_lines(struct tm_trust *trust, const char *text, size_t len)
{
  while (len > 0) {
    const char *end = memchr(text, '\n', len);
    size_t line = end != NULL ? (size_t)(end - text) : len;
    int err = line == 0 || text[0] == '#' ? TM_OK : add(trust, text, line);
    if (err != TM_OK)
      return err;
    line += end != NULL;
    text += line;
    len -= line;
  }
  return trust->n > 0 ? TM_OK : TM_E_NOT_FOUND;
}

int tm_trust_parse(struct tm_trust **out, const char *text, size_t len)
{
  struct tm_trust *trust;
  int err;

  *out = NULL;
  if (len > TM_TRUST_MAX)
    return TM_E_TOO_BIG;
  trust = calloc(1, sizeof *trust);
  if (trust == NULL)
    return TM_E_NOMEM;
  err = read_lines(trust, text, len);
  if (err != TM_OK) {
    free(trust);
    return err;
  }
  *out = trust;
  return TM_OK;
}

void tm_trust_free(struct tm_trust *trust) { free(trust); }

size_t tm_trust_count(const struct tm_trust *trust) { return trust->n; }

size_t tm_trust_needed(const struct tm_trust *trust) { return trust->n * 2 / 3 + 1; }

const struct tm_note_key *tm_trust_keys(const struct tm_trust *trust) { return trust->keys; }
