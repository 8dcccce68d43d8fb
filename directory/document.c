#include "config.h"

#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "directory/note.h"
#include "directory/parse.h"
#include "directory/trust.h"

#include "directory/document.h"

static size_t count_bits(uint32_t bits)
{
  size_t n = 0;

  for (; bits != 0; bits &= bits - 1)
    n++;
  return n;
}

/* Signatures first: on TM_OK the text may be believed as far as the authorities are. */
static int check_signatures(const struct tm_trust *trust, const char *bytes, size_t len, size_t *text_len, size_t *good)
{
  uint32_t signers;
  int err = tm_note_open(bytes, len, tm_trust_keys(trust), tm_trust_count(trust), text_len, &signers);

  *good = count_bits(signers);
  if (err != TM_OK)
    return err;
  return *good >= tm_trust_needed(trust) ? TM_OK : TM_E_SIGNATURE;
}

static int keep_bytes(struct tm_document *doc, const void *bytes, size_t len, size_t text_len)
{
  doc->bytes = malloc(len);
  if (doc->bytes == NULL)
    return TM_E_NOMEM;
  memcpy(doc->bytes, bytes, len);
  doc->len = len;
  crypto_generichash(doc->digest, sizeof doc->digest, doc->bytes, len, NULL, 0);
  crypto_generichash(doc->text_digest, sizeof doc->text_digest, doc->bytes, text_len, NULL, 0);
  return TM_OK;
}

int tm_document_open(struct tm_document **out, const struct tm_trust *trust, const void *bytes, size_t len,
                     uint64_t now_s, size_t *good)
{
  struct tm_document *doc = NULL;
  struct tm_fault fault;
  size_t signers = 0;
  size_t text_len = 0;
  int err = TM_E_TOO_BIG;

  *out = NULL;
  if (len <= TM_DOCUMENT_MAX)
    err = check_signatures(trust, bytes, len, &text_len, &signers);
  if (good != NULL)
    *good = signers;
  if (err == TM_OK)
    err = tm_document_parse(&doc, bytes, text_len, &fault);
  if (err == TM_OK && now_s < doc->valid_from)
    err = TM_E_NOT_YET;
  if (err == TM_OK && now_s >= doc->valid_until)
    err = TM_E_EXPIRED;
  if (err == TM_OK)
    err = keep_bytes(doc, bytes, len, text_len);
  if (err != TM_OK) {
    tm_document_free(doc);
    return err;
  }
  *out = doc;
  return TM_OK;
}

void tm_document_free(struct tm_document *doc)
{
  if (doc == NULL)
    return;
  free(doc->relays);
  free(doc->keys);
  free(doc->by_identity);
  free(doc->bytes);
  free(doc);
}

const struct tm_params *tm_document_params(const struct tm_document *doc) { return &doc->params; }
const char *tm_document_network(const struct tm_document *doc) { return doc->network; }
uint64_t tm_document_valid_from(const struct tm_document *doc) { return doc->valid_from; }
uint64_t tm_document_valid_until(const struct tm_document *doc) { return doc->valid_until; }
const uint8_t *tm_document_digest(const struct tm_document *doc) { return doc->digest; }
const uint8_t *tm_document_text_digest(const struct tm_document *doc) { return doc->text_digest; }
size_t tm_document_relays(const struct tm_document *doc) { return doc->n_relays; }

const uint8_t *tm_document_bytes(const struct tm_document *doc, size_t *len)
{
  *len = doc->len;
  return doc->bytes;
}

const struct tm_relay_info *tm_document_relay(const struct tm_document *doc, size_t i)
{
  return i < doc->n_relays ? &doc->relays[i] : NULL;
}

const struct tm_relay_info *tm_document_find(const struct tm_document *doc, const uint8_t identity[static 32])
{
  size_t low = 0;
  size_t high = doc->n_relays;

  while (low < high) {
    size_t middle = low + (high - low) / 2;
    int order = memcmp(doc->by_identity[middle]->identity, identity, 32);
    if (order == 0)
      return doc->by_identity[middle];
    if (order < 0)
      low = middle + 1;
    else
      high = middle;
  }
  return NULL;
}

const struct tm_mix_key *tm_relay_key(const struct tm_relay_info *relay, uint64_t epoch)
{
  size_t low = 0;
  size_t high = relay->n_keys;

  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (relay->keys[middle].epoch == epoch)
      return &relay->keys[middle];
    if (relay->keys[middle].epoch < epoch)
      low = middle + 1;
    else
      high = middle;
  }
  return NULL;
}
