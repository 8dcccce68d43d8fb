#include "config.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "base/codec.h"
#include "sphinx/sphinx.h"

#include "directory/note.h"

#define ALGORITHM_ED25519 0x01
#define SIGNATURE_LEN crypto_sign_BYTES
#define BLOB_MAX 1024 /* what a signature by a stranger may have, decoded */
#define DASH "\xe2\x80\x94 "
#define DASH_LEN (sizeof DASH - 1)
#define LINE_MAX_LEN (DASH_LEN + TM_NOTE_NAME_MAX + 1 + TM_BASE64_LEN(BLOB_MAX))
#define PRIVATE "PRIVATE+KEY+"
#define PRIVATE_LEN (sizeof PRIVATE - 1)

/* One signature line, pointing into the note. */
struct line {
  const char *name;
  size_t name_len;
  uint8_t blob[BLOB_MAX];
  size_t blob_len;
};

static bool name_is_good(const char *name, size_t len)
{
  if (len == 0 || len > TM_NOTE_NAME_MAX)
    return false;
  for (size_t i = 0; i < len; i++)
    if (name[i] <= ' ' || name[i] > '~' || name[i] == '+')
      return false;
  return true;
}

static void set_key(struct tm_note_key *key, const char *name, size_t len, const uint8_t *pub)
{
  static const uint8_t between[2] = {0x0a, ALGORITHM_ED25519};
  crypto_hash_sha256_state hash;
  uint8_t digest[crypto_hash_sha256_BYTES];

  memset(key, 0, sizeof *key);
  memcpy(key->name, name, len);
  memcpy(key->key, pub, sizeof key->key);
  crypto_hash_sha256_init(&hash);
  crypto_hash_sha256_update(&hash, (const uint8_t *)name, len);
  crypto_hash_sha256_update(&hash, between, sizeof between);
  crypto_hash_sha256_update(&hash, pub, sizeof key->key);
  crypto_hash_sha256_final(&hash, digest);
  memcpy(key->id, digest, sizeof key->id);
}

int tm_note_key_make(struct tm_note_key *key, const char *name, const uint8_t pub[static TM_NOTE_KEY_LEN])
{
  size_t len = strlen(name);

  memset(key, 0, sizeof *key);
  if (!name_is_good(name, len))
    return TM_E_SYNTAX;
  if (tm_sphinx_point_check(pub) != TM_SPHINX_OK)
    return TM_E_POINT;
  set_key(key, name, len, pub);
  return TM_OK;
}

int tm_note_signer_make(struct tm_note_signer *signer, const char *name, const uint8_t seed[static TM_NOTE_SEED_LEN])
{
  uint8_t secret[crypto_sign_SECRETKEYBYTES];
  uint8_t pub[crypto_sign_PUBLICKEYBYTES];
  size_t len = strlen(name);

  memset(signer, 0, sizeof *signer);
  if (!name_is_good(name, len))
    return TM_E_SYNTAX;
  crypto_sign_seed_keypair(pub, secret, seed);
  set_key(&signer->pub, name, len, pub);
  memcpy(signer->seed, seed, sizeof signer->seed);
  sodium_memzero(secret, sizeof secret);
  return TM_OK;
}

/* "name+hhhhhhhh+base64(0x01 | 32 bytes)", but whether the id fits. Errors: TM_E_SYNTAX. */
static int parse_key(const char *text, size_t len, size_t *name_len, uint8_t id[static TM_NOTE_KEY_ID_LEN],
                     uint8_t bytes[static TM_NOTE_KEY_LEN])
{
  uint8_t blob[1 + TM_NOTE_KEY_LEN];
  const char *plus = memchr(text, '+', len);
  size_t blob_len;
  int err = TM_E_SYNTAX;

  if (plus == NULL)
    return TM_E_SYNTAX;
  *name_len = (size_t)(plus - text);
  len -= *name_len + 1;
  if (!name_is_good(text, *name_len) || len < 9 || plus[9] != '+' ||
      tm_hex_decode(plus + 1, 8, id, TM_NOTE_KEY_ID_LEN) != TM_OK)
    return TM_E_SYNTAX;
  if (tm_base64_decode(plus + 10, len - 9, blob, sizeof blob, &blob_len) == TM_OK && blob_len == sizeof blob &&
      blob[0] == ALGORITHM_ED25519) {
    memcpy(bytes, blob + 1, TM_NOTE_KEY_LEN);
    err = TM_OK;
  }
  sodium_memzero(blob, sizeof blob);
  return err;
}

int tm_note_key_parse(struct tm_note_key *key, const char *text, size_t len)
{
  uint8_t id[TM_NOTE_KEY_ID_LEN];
  uint8_t pub[TM_NOTE_KEY_LEN];
  struct tm_note_key found;
  size_t name_len;

  memset(key, 0, sizeof *key);
  if (parse_key(text, len, &name_len, id, pub) != TM_OK)
    return TM_E_SYNTAX;
  set_key(&found, text, name_len, pub);
  if (memcmp(found.id, id, sizeof id) != 0)
    return TM_E_SYNTAX;
  if (tm_sphinx_point_check(pub) != TM_SPHINX_OK)
    return TM_E_POINT;
  *key = found;
  return TM_OK;
}

static void format_key(const struct tm_note_key *key, const uint8_t bytes[static TM_NOTE_KEY_LEN],
                       char text[static TM_NOTE_VERIFIER_LEN])
{
  uint8_t blob[1 + TM_NOTE_KEY_LEN];
  char hex[TM_HEX_LEN(TM_NOTE_KEY_ID_LEN)];
  char base64[TM_BASE64_LEN(sizeof blob)];

  blob[0] = ALGORITHM_ED25519;
  memcpy(blob + 1, bytes, TM_NOTE_KEY_LEN);
  tm_hex_encode(key->id, sizeof key->id, hex);
  tm_base64_encode(blob, sizeof blob, base64);
  snprintf(text, TM_NOTE_VERIFIER_LEN, "%s+%s+%s", key->name, hex, base64);
  sodium_memzero(blob, sizeof blob);
  sodium_memzero(base64, sizeof base64);
}

void tm_note_key_format(const struct tm_note_key *key, char text[static TM_NOTE_VERIFIER_LEN])
{
  format_key(key, key->key, text);
}

int tm_note_signer_parse(struct tm_note_signer *signer, const char *text, size_t len)
{
  uint8_t id[TM_NOTE_KEY_ID_LEN];
  uint8_t seed[TM_NOTE_SEED_LEN] = {0};
  char name[TM_NOTE_NAME_MAX + 1];
  size_t name_len;
  int err = TM_E_SYNTAX;

  memset(signer, 0, sizeof *signer);
  if (len > PRIVATE_LEN && memcmp(text, PRIVATE, PRIVATE_LEN) == 0)
    err = parse_key(text + PRIVATE_LEN, len - PRIVATE_LEN, &name_len, id, seed);
  if (err == TM_OK) {
    memcpy(name, text + PRIVATE_LEN, name_len);
    name[name_len] = '\0';
    err = tm_note_signer_make(signer, name, seed);
  }
  if (err == TM_OK && memcmp(signer->pub.id, id, sizeof id) != 0) {
    sodium_memzero(signer, sizeof *signer);
    err = TM_E_SYNTAX;
  }
  sodium_memzero(seed, sizeof seed);
  return err;
}

void tm_note_signer_format(const struct tm_note_signer *signer, char text[static TM_NOTE_SIGNER_LEN])
{
  memcpy(text, PRIVATE, PRIVATE_LEN);
  format_key(&signer->pub, signer->seed, text + PRIVATE_LEN);
}

/* ---- notes ---- */

/* Where the signature lines begin: behind the last blank line. 0: there is no blank line behind a text. */
static size_t find_signatures(const char *bytes, size_t len)
{
  for (size_t i = len; i >= 3; i--)
    if (bytes[i - 1] == '\n' && bytes[i - 2] == '\n')
      return i;
  return 0;
}

/* Reads the line at *at and moves behind it. Errors: TM_E_SYNTAX. */
static int read_line(const char *bytes, size_t len, size_t *at, struct line *line)
{
  const char *start = bytes + *at;
  const char *end = memchr(start, '\n', len - *at);
  const char *space;

  if (end == NULL || (size_t)(end - start) > LINE_MAX_LEN || (size_t)(end - start) < DASH_LEN ||
      memcmp(start, DASH, DASH_LEN) != 0)
    return TM_E_SYNTAX;
  line->name = start + DASH_LEN;
  space = memchr(line->name, ' ', (size_t)(end - line->name));
  if (space == NULL)
    return TM_E_SYNTAX;
  line->name_len = (size_t)(space - line->name);
  if (!name_is_good(line->name, line->name_len) ||
      tm_base64_decode(space + 1, (size_t)(end - space) - 1, line->blob, sizeof line->blob, &line->blob_len) != TM_OK ||
      line->blob_len <= TM_NOTE_KEY_ID_LEN)
    return TM_E_SYNTAX;
  *at += (size_t)(end - start) + 1;
  return TM_OK;
}

static bool line_is_by(const struct line *line, const struct tm_note_key *key)
{
  return line->name_len == strlen(key->name) && memcmp(line->name, key->name, line->name_len) == 0 &&
         memcmp(line->blob, key->id, sizeof key->id) == 0;
}

static bool line_verifies(const struct line *line, const struct tm_note_key *key, const char *text, size_t len)
{
  return line->blob_len == TM_NOTE_KEY_ID_LEN + SIGNATURE_LEN &&
         crypto_sign_verify_detached(line->blob + TM_NOTE_KEY_ID_LEN, (const uint8_t *)text, len, key->key) == 0;
}

int tm_note_open(const char *bytes, size_t len, const struct tm_note_key keys[], size_t n, size_t *text_len,
                 uint32_t *signers)
{
  struct line line;
  size_t start = find_signatures(bytes, len);
  uint32_t good = 0;
  bool bad = false;
  size_t at = start;

  *text_len = 0;
  *signers = 0;
  if (start == 0 || start == len || n > TM_NOTE_KEYS_MAX)
    return TM_E_SYNTAX;
  for (size_t lines = 0; at < len; lines++) {
    if (lines == TM_NOTE_SIGNATURES_MAX)
      return TM_E_TOO_BIG;
    if (read_line(bytes, len, &at, &line) != TM_OK)
      return TM_E_SYNTAX;
    for (size_t i = 0; i < n; i++) {
      if (!line_is_by(&line, &keys[i]))
        continue;
      if (line_verifies(&line, &keys[i], bytes, start - 1))
        good |= 1u << i;
      else
        bad = true;
    }
  }
  *signers = good;
  if (bad)
    return TM_E_SIGNATURE;
  *text_len = start - 1;
  return TM_OK;
}

int tm_note_next(const char *bytes, size_t len, size_t *at, char name[static TM_NOTE_NAME_MAX + 1],
                 uint8_t id[static TM_NOTE_KEY_ID_LEN])
{
  struct line line;

  if (*at < len && bytes[*at] == '\n')
    ++*at;
  if (*at >= len || read_line(bytes, len, at, &line) != TM_OK)
    return TM_E_NOT_FOUND;
  memcpy(name, line.name, line.name_len);
  name[line.name_len] = '\0';
  memcpy(id, line.blob, TM_NOTE_KEY_ID_LEN);
  return TM_OK;
}

static void sign_text(const struct tm_note_signer *signer, const char *text, size_t len, char *line, size_t cap)
{
  uint8_t pub[crypto_sign_PUBLICKEYBYTES];
  uint8_t secret[crypto_sign_SECRETKEYBYTES];
  uint8_t blob[TM_NOTE_KEY_ID_LEN + SIGNATURE_LEN];
  char base64[TM_BASE64_LEN(sizeof blob)];

  crypto_sign_seed_keypair(pub, secret, signer->seed);
  memcpy(blob, signer->pub.id, TM_NOTE_KEY_ID_LEN);
  crypto_sign_detached(blob + TM_NOTE_KEY_ID_LEN, NULL, (const uint8_t *)text, len, secret);
  sodium_memzero(secret, sizeof secret);
  tm_base64_encode(blob, sizeof blob, base64);
  snprintf(line, cap, DASH "%s %s\n", signer->pub.name, base64);
}

/* Copies the signature lines from at on, without those of that key. Errors: TM_E_SYNTAX, TM_E_TOO_BIG. */
static int copy_others(const struct tm_note_key *key, const char *bytes, size_t len, size_t at, char *out,
                       size_t *out_len)
{
  struct line line;

  for (size_t lines = 0; at < len; ) {
    size_t start = at;
    if (read_line(bytes, len, &at, &line) != TM_OK)
      return TM_E_SYNTAX;
    if (line_is_by(&line, key))
      continue;
    if (++lines == TM_NOTE_SIGNATURES_MAX)
      return TM_E_TOO_BIG;
    memcpy(out + *out_len, bytes + start, at - start);
    *out_len += at - start;
  }
  return TM_OK;
}

int tm_note_sign(const struct tm_note_signer *signer, const char *bytes, size_t len, char **out, size_t *out_len)
{
  char line[DASH_LEN + TM_NOTE_NAME_MAX + 1 + TM_BASE64_LEN(TM_NOTE_KEY_ID_LEN + SIGNATURE_LEN) + 1];
  size_t start = find_signatures(bytes, len);
  size_t text_len = start > 0 ? start - 1 : len;
  char *note;
  int err = TM_OK;

  *out = NULL;
  *out_len = 0;
  if (text_len < 2 || bytes[text_len - 1] != '\n' || bytes[0] == '\n')
    return TM_E_SYNTAX;
  note = malloc(len + 1 + sizeof line);
  if (note == NULL)
    return TM_E_NOMEM;
  sign_text(signer, bytes, text_len, line, sizeof line);
  memcpy(note, bytes, text_len);
  note[text_len++] = '\n';
  *out_len = text_len;
  if (start > 0)
    err = copy_others(&signer->pub, bytes, len, start, note, out_len);
  if (err != TM_OK) {
    free(note);
    *out_len = 0;
    return err;
  }
  memcpy(note + *out_len, line, strlen(line) + 1);
  *out_len += strlen(line);
  *out = note;
  return TM_OK;
}
