/*
 * Documents: the input is judged as a note, as a trust file, and as a text that the only authority signs, so that
 * changed texts reach the parser. What is accepted must be what the writer makes of it, byte for byte, unless it has
 * optional lines.
 */
#include "config.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "directory/assemble.h"
#include "directory/document.h"
#include "directory/note.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

#define NOW UINT64_C(1795492800) /* 2026-11-24T04:00:00Z, as in the corpus */

static struct tm_note_signer signer;
static struct tm_trust *trust;

static void require(bool truth)
{
  if (!truth)
    abort();
}

static void start(void)
{
  static const uint8_t seed[TM_NOTE_SEED_LEN] = "the only authority of this test";
  char text[TM_NOTE_VERIFIER_LEN];

  require(sodium_init() >= 0);
  require(tm_note_signer_make(&signer, "fuzz", seed) == TM_OK);
  tm_note_key_format(&signer.pub, text);
  require(tm_trust_parse(&trust, text, strlen(text)) == TM_OK);
}

static void check_accepted(const struct tm_document *doc, const char *text, size_t len)
{
  struct tm_document_draft draft = {
    .network = tm_document_network(doc),
    .valid_from = tm_document_valid_from(doc),
    .valid_until = tm_document_valid_until(doc),
    .params = *tm_document_params(doc),
    .relays = tm_document_relay(doc, 0),
    .n = tm_document_relays(doc),
  };
  struct tm_fault fault;
  char *again;
  size_t again_len;

  require(draft.valid_from <= NOW && NOW < draft.valid_until);
  for (size_t i = 0; i < draft.n; i++)
    require(tm_document_find(doc, draft.relays[i].identity) == &draft.relays[i]);
  if (memmem(text, len, "opt-", 4) != NULL)
    return;
  require(tm_document_assemble(&draft, &again, &again_len, &fault) == TM_OK);
  require(again_len == len && memcmp(again, text, len) == 0);
  free(again);
}

static void try_text(const char *text, size_t len)
{
  struct tm_document *doc;
  char *note;
  size_t note_len;
  size_t good;

  if (tm_note_sign(&signer, text, len, &note, &note_len) != TM_OK)
    return;
  if (tm_document_open(&doc, trust, note, note_len, NOW, &good) == TM_OK) {
    require(good == 1);
    require(note_len > len);
    check_accepted(doc, text, len);
    tm_document_free(doc);
  }
  free(note);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
  struct tm_document *doc = NULL;
  struct tm_trust *other = NULL;

  if (trust == NULL)
    start();
  if (len == 0)
    return 0;
  if (tm_document_open(&doc, trust, data, len, NOW, NULL) == TM_OK)
    tm_document_free(doc);
  if (tm_trust_parse(&other, (const char *)data, len) == TM_OK) {
    require(tm_trust_needed(other) <= tm_trust_count(other));
    tm_trust_free(other);
  }
  if (memmem(data, len, "\n\n", 2) == NULL)
    try_text((const char *)data, len);
  return 0;
}
