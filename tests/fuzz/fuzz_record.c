/*
 * Records, as a reader finds them in a box of its contact: each that comes out keeps the rules, and all of them packed
 * again give the same text.
 */
#include "config.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "box/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void require(bool truth)
{
  if (!truth)
    abort();
}

/* Pointers stay inside the text. */
static bool inside(const uint8_t *text, const void *p, size_t len)
{
  const uint8_t *at = p;

  return at >= text && at + len <= text + TM_BOX_TEXT_LEN;
}

static void check(const uint8_t *text, const struct tm_record *r)
{
  if (r->type == TM_RECORD_TEXT)
    require(r->number > 0 && inside(text, r->text, r->text_len) && tm_record_text_ok(r->text, r->text_len));
  if (r->type != TM_RECORD_BULK)
    return;
  require(r->number > 0 && r->size >= 1 && r->size <= TM_BULK_SIZE_MAX);
  require(inside(text, r->hash, 32) && inside(text, r->capability, TM_BOX_CAPABILITY_LEN));
  require(r->kind == TM_BULK_TEXT ? r->name_len == 0 : tm_record_name_ok(r->name, r->name_len));
  require(memchr(r->name, '/', r->name_len) == NULL && memchr(r->name, '\0', r->name_len) == NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
  uint8_t *text = calloc(1, TM_BOX_TEXT_LEN), again[TM_BOX_TEXT_LEN];
  struct tm_record_writer w;
  struct tm_record r;
  size_t at = 0;
  int err;

  if (text == NULL)
    abort();
  memcpy(text, data, len < TM_BOX_TEXT_LEN ? len : TM_BOX_TEXT_LEN);
  tm_record_begin(&w, again);
  while ((err = tm_record_next(text, &at, &r)) == TM_OK) {
    check(text, &r);
    require(tm_record_put(&w, &r) == TM_OK && w.at == at);
  }
  require(r.type == TM_RECORD_END && at <= TM_BOX_TEXT_LEN);
  if (err == TM_E_NOT_FOUND) {
    tm_record_finish(&w);
    require(memcmp(again, text, sizeof again) == 0);
  }
  free(text);
  return 0;
}
