#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "base/clock.h"
#include "directory/note.h"
#include "directory/relay_text.h"

#include "directory/descriptor.h"

#define HEAD "tidemill descriptor 1"

struct tm_descriptor {
  uint64_t published;
  struct tm_relay_info relay;
  struct tm_mix_key keys[TM_DOCUMENT_KEYS_MAX];
};

static int read_text(struct tm_descriptor *d, const char *bytes, size_t len, struct tm_fault *fault)
{
  struct tm_text text;
  struct tm_span value;
  unsigned line = 0;
  int err = tm_text_init(&text, bytes, len, HEAD, fault);

  if (err == TM_OK)
    err = tm_text_take(&text, "published", true, &value, &line);
  if (err == TM_OK && tm_span_time(value, &d->published) != TM_OK)
    err = tm_fault_set(fault, line, TM_E_SYNTAX, "a time looks like 2026-11-24T04:00:00Z");
  if (err == TM_OK)
    err = tm_relay_text_read(&text, &d->relay, d->keys, TM_DOCUMENT_KEYS_MAX, &line);
  if (err == TM_OK && !tm_text_at_end(&text))
    err = tm_fault_set(fault, text.line, TM_E_SYNTAX, "text behind the last \"end\"");
  return err;
}

/* The key stands in the text that it signs, so the text is read first; it is believed only when the signature is good.
 */
static int read_note(struct tm_descriptor *d, const char *bytes, size_t len, struct tm_fault *fault)
{
  struct tm_note_key key;
  uint32_t signers;
  size_t text_len;
  int err = tm_note_open(bytes, len, NULL, 0, &text_len, &signers);

  if (err != TM_OK)
    return tm_fault_set(fault, 0, err, "not a signed note: the text, a blank line and signature lines are due");
  err = read_text(d, bytes, text_len, fault);
  if (err == TM_OK)
    err = tm_note_key_make(&key, d->relay.name, d->relay.identity);
  if (err == TM_OK)
    err = tm_note_open(bytes, len, &key, 1, &text_len, &signers);
  if (err == TM_OK && signers != 1)
    err = TM_E_SIGNATURE;
  return err == TM_E_SIGNATURE ? tm_fault_set(fault, 0, err, "not signed by the identity that it names") : err;
}

int tm_descriptor_open(struct tm_descriptor **out, const void *bytes, size_t len, struct tm_fault *fault)
{
  struct tm_fault ignored;
  struct tm_descriptor *d;
  int err;

  *out = NULL;
  if (fault == NULL)
    fault = &ignored;
  memset(fault, 0, sizeof *fault);
  if (len > TM_DESCRIPTOR_MAX)
    return tm_fault_set(fault, 0, TM_E_TOO_BIG, "longer than %d bytes", TM_DESCRIPTOR_MAX);
  d = calloc(1, sizeof *d);
  if (d == NULL)
    return TM_E_NOMEM;
  err = read_note(d, bytes, len, fault);
  if (err != TM_OK) {
    free(d);
    return err;
  }
  *out = d;
  return TM_OK;
}

void tm_descriptor_free(struct tm_descriptor *descriptor) { free(descriptor); }

const struct tm_relay_info *tm_descriptor_relay(const struct tm_descriptor *descriptor) { return &descriptor->relay; }

uint64_t tm_descriptor_published(const struct tm_descriptor *descriptor) { return descriptor->published; }

static int write_text(const struct tm_relay_info *relay, uint64_t published_s, char **text, size_t *len)
{
  char time[TM_TIME_TEXT_LEN];
  FILE *out = open_memstream(text, len);
  int failed;

  if (out == NULL)
    return TM_E_NOMEM;
  tm_time_format(published_s, time);
  fprintf(out, HEAD "\npublished %s\n", time);
  tm_relay_text_write(out, relay);
  failed = ferror(out);
  return fclose(out) != 0 || failed ? TM_E_NOMEM : TM_OK;
}

int tm_descriptor_make(char **out, size_t *len, const struct tm_relay_info *relay, uint64_t published_s,
                       const uint8_t seed[static 32])
{
  struct tm_note_signer signer;
  struct tm_descriptor *again = NULL;
  char *text = NULL;
  size_t text_len = 0;
  int err = tm_note_signer_make(&signer, relay->name, seed);

  *out = NULL;
  *len = 0;
  if (err == TM_OK)
    err = write_text(relay, published_s, &text, &text_len);
  if (err == TM_OK)
    err = tm_note_sign(&signer, text, text_len, out, len);
  if (err == TM_OK)
    err = tm_descriptor_open(&again, *out, *len, NULL);
  if (err != TM_OK) {
    free(*out);
    *out = NULL;
    *len = 0;
  }
  tm_descriptor_free(again);
  free(text);
  sodium_memzero(&signer, sizeof signer);
  return err;
}
