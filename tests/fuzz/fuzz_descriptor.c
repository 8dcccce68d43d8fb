/*
 * Descriptors: the input is judged as a note, and as a text that the relay of the corpus signs, under whatever name the
 * text gives it. What is accepted must be what the writer makes of it, byte for byte, unless it has optional lines.
 */
#include "config.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "directory/descriptor.h"
#include "directory/note.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static const uint8_t seed[TM_NOTE_SEED_LEN] = "the only relay there is in here";

static void require(bool truth)
{
  if (!truth)
    abort();
}

/* The name behind the first "relay ", if it can be a signer's. */
static bool signer_of(const char *text, size_t len, struct tm_note_signer *signer)
{
  char name[TM_NOTE_NAME_MAX + 1];
  const char *at = memmem(text, len, "\nrelay ", 7);
  const char *end;

  if (at == NULL)
    return false;
  at += 7;
  end = memchr(at, '\n', len - (size_t)(at - text));
  if (end == NULL || (size_t)(end - at) >= sizeof name)
    return false;
  memcpy(name, at, (size_t)(end - at));
  name[end - at] = '\0';
  return tm_note_signer_make(signer, name, seed) == TM_OK;
}

static void check_accepted(const struct tm_descriptor *d, const char *note, size_t len)
{
  char *again;
  size_t again_len;

  require(tm_descriptor_relay(d)->n_keys >= 1);
  if (memmem(note, len, "opt-", 4) != NULL)
    return;
  require(tm_descriptor_make(&again, &again_len, tm_descriptor_relay(d), tm_descriptor_published(d), seed) == TM_OK);
  require(again_len == len && memcmp(again, note, len) == 0);
  free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
  const char *text = (const char *)data;
  struct tm_descriptor *d;
  struct tm_note_signer signer;
  char *note;
  size_t note_len;

  require(sodium_init() >= 0);
  if (tm_descriptor_open(&d, data, len, NULL) == TM_OK)
    tm_descriptor_free(d);
  if (memmem(data, len, "\n\n", 2) != NULL || !signer_of(text, len, &signer))
    return 0;
  if (tm_note_sign(&signer, text, len, &note, &note_len) != TM_OK)
    return 0;
  if (tm_descriptor_open(&d, note, note_len, NULL) == TM_OK) {
    check_accepted(d, note, note_len);
    tm_descriptor_free(d);
  }
  free(note);
  return 0;
}
