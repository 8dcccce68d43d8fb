#include "config.h"

#include <string.h>

#include "base/wire.h"
#include "sphinx/ct.h"
#include "sphinx/sphinx.h"

#include "box/record.h"

#define HASH_LEN 32
#define TEXT_FIXED_LEN 12                                              /* number, sent */
#define BULK_FIXED_LEN (12 + 1 + 8 + HASH_LEN + TM_BOX_CAPABILITY_LEN) /* up to the name */
#define ACK_LEN 4

/* Bytes of a UTF-8 sequence by its first one; 0: none begins so. */
static size_t sequence_len(uint8_t lead)
{
  if (lead < 0x80)
    return 1;
  if (lead < 0xc2)
    return 0;
  if (lead < 0xe0)
    return 2;
  if (lead < 0xf0)
    return 3;
  return lead < 0xf5 ? 4 : 0;
}

/*
 * One code point of strict UTF-8 (RFC 3629: shortest form, no surrogates, nothing over U+10FFFF) at text + *at; moves
 * on. False: there is none.
 */
static bool next_code_point(const uint8_t *text, size_t len, size_t *at, uint32_t *code)
{
  static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000};
  uint8_t lead = text[*at];
  size_t n = sequence_len(lead);
  uint32_t c;

  if (n == 0 || n > len - *at)
    return false;
  c = n == 1 ? lead : lead & (0xffu >> (n + 1));
  for (size_t i = 1; i < n; i++) {
    uint8_t b = text[*at + i];

    if ((b & 0xc0) != 0x80)
      return false;
    c = c << 6 | (b & 0x3f);
  }
  if (c < least[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
    return false;
  *at += n;
  *code = c;
  return true;
}

bool tm_record_text_ok(const uint8_t *text, size_t len)
{
  uint32_t code;

  for (size_t at = 0; at < len;)
    if (!next_code_point(text, len, &at, &code))
      return false;
  return len > 0;
}

/* What a name must not hold: separators, control characters, and what turns or breaks the line it is shown in. */
static bool forbidden_in_name(uint32_t c)
{
  return c == '/' || c < 0x20 || (c >= 0x7f && c <= 0x9f) || (c >= 0x2028 && c <= 0x202e) ||
         (c >= 0x2066 && c <= 0x2069);
}

bool tm_record_name_ok(const char *name, size_t len)
{
  const uint8_t *text = (const uint8_t *)name;
  uint32_t code;

  if (len == 0 || len > TM_BULK_NAME_MAX)
    return false;
  if (name[0] == '.' && (len == 1 || (len == 2 && name[1] == '.')))
    return false;
  for (size_t at = 0; at < len;)
    if (!next_code_point(text, len, &at, &code) || forbidden_in_name(code))
      return false;
  return true;
}

/* The rules that both sides keep; the length of the whole is looked after by the caller. */
static int check_bulk(const struct tm_record *r)
{
  static const uint8_t from_zero[8];

  if (r->size == 0 || r->size > TM_BULK_SIZE_MAX ||
      memcmp(r->capability + TM_BOX_CAPABILITY_LEN - 8, from_zero, 8) != 0)
    return TM_E_SYNTAX;
  /* As in tm_box_reader_init; here, so that nobody keeps an announcement that can't be followed. */
  TM_CT_PUBLIC(r->capability, 32);
  if (tm_sphinx_point_check(r->capability) != TM_SPHINX_OK)
    return TM_E_SYNTAX;
  switch (r->kind) {
  case TM_BULK_TEXT:
    return r->name_len == 0 ? TM_OK : TM_E_SYNTAX;
  case TM_BULK_FILE:
    return tm_record_name_ok(r->name, r->name_len) ? TM_OK : TM_E_SYNTAX;
  default:
    return TM_E_SYNTAX;
  }
}

static int check_record(const struct tm_record *r)
{
  switch (r->type) {
  case TM_RECORD_TEXT:
    if (r->number == 0 || r->text_len > TM_TEXT_INLINE_MAX)
      return TM_E_SYNTAX;
    return tm_record_text_ok(r->text, r->text_len) ? TM_OK : TM_E_SYNTAX;
  case TM_RECORD_BULK:
    return r->number > 0 ? check_bulk(r) : TM_E_SYNTAX;
  case TM_RECORD_ACK:
    return TM_OK;
  default:
    return TM_E_SYNTAX;
  }
}

/* ---- writing ---- */

void tm_record_begin(struct tm_record_writer *w, uint8_t text[static TM_BOX_TEXT_LEN])
{
  w->text = text;
  w->at = 0;
}

size_t tm_record_len(const struct tm_record *record)
{
  switch (record->type) {
  case TM_RECORD_TEXT:
    return TM_RECORD_HEAD_LEN + TEXT_FIXED_LEN + record->text_len;
  case TM_RECORD_BULK:
    return TM_RECORD_HEAD_LEN + BULK_FIXED_LEN + record->name_len;
  case TM_RECORD_ACK:
    return TM_RECORD_HEAD_LEN + ACK_LEN;
  default:
    return 0;
  }
}

int tm_record_put(struct tm_record_writer *w, const struct tm_record *record)
{
  struct tm_writer out = tm_writer_init(w->text + w->at, TM_BOX_TEXT_LEN - w->at);
  size_t len = tm_record_len(record);
  int err = check_record(record);

  if (err != TM_OK)
    return err;
  if (len > TM_BOX_TEXT_LEN - w->at)
    return TM_E_FULL;
  tm_write_u8(&out, (uint8_t)record->type);
  tm_write_u16(&out, (uint16_t)(len - TM_RECORD_HEAD_LEN));
  tm_write_u32(&out, record->number);
  if (record->type == TM_RECORD_TEXT) {
    tm_write_u64(&out, record->sent_s);
    tm_write_bytes(&out, record->text, record->text_len);
  } else if (record->type == TM_RECORD_BULK) {
    tm_write_u64(&out, record->sent_s);
    tm_write_u8(&out, (uint8_t)record->kind);
    tm_write_u64(&out, record->size);
    tm_write_bytes(&out, record->hash, HASH_LEN);
    tm_write_bytes(&out, record->capability, TM_BOX_CAPABILITY_LEN);
    tm_write_bytes(&out, record->name, record->name_len);
  }
  w->at += len;
  return TM_OK;
}

void tm_record_finish(struct tm_record_writer *w)
{
  memset(w->text + w->at, 0, TM_BOX_TEXT_LEN - w->at);
  w->at = TM_BOX_TEXT_LEN;
}

/* ---- reading ---- */

static void read_text(struct tm_reader *in, struct tm_record *r)
{
  r->sent_s = tm_read_u64(in);
  r->text_len = tm_reader_left(in);
  r->text = tm_read_view(in, r->text_len);
}

static void read_bulk(struct tm_reader *in, struct tm_record *r)
{
  r->sent_s = tm_read_u64(in);
  r->kind = (enum tm_bulk_kind)tm_read_u8(in);
  r->size = tm_read_u64(in);
  r->hash = tm_read_view(in, HASH_LEN);
  r->capability = tm_read_view(in, TM_BOX_CAPABILITY_LEN);
  r->name_len = tm_reader_left(in);
  r->name = (const char *)tm_read_view(in, r->name_len);
}

/* The body of one record. */
static int read_body(uint8_t type, const uint8_t *body, size_t len, struct tm_record *r)
{
  struct tm_reader in = tm_reader_init(body, len);

  if (type > TM_RECORD_ACK)
    return TM_E_UNKNOWN;
  r->type = (enum tm_record_type)type;
  r->number = tm_read_u32(&in);
  if (r->type == TM_RECORD_TEXT)
    read_text(&in, r);
  else if (r->type == TM_RECORD_BULK)
    read_bulk(&in, r);
  if (tm_reader_end(&in) != TM_OK)
    return TM_E_SYNTAX;
  return check_record(r);
}

int tm_record_next(const uint8_t text[static TM_BOX_TEXT_LEN], size_t *at, struct tm_record *record)
{
  struct tm_reader in = tm_reader_init(text + *at, TM_BOX_TEXT_LEN - *at);
  struct tm_record r = {0};
  const uint8_t *body;
  uint8_t type;
  uint16_t len;
  int err;

  *record = r;
  if (tm_reader_left(&in) == 0 || text[*at] == TM_RECORD_END)
    return tm_read_zeros(&in, tm_reader_left(&in)) ? TM_E_NOT_FOUND : TM_E_SYNTAX;
  type = tm_read_u8(&in);
  len = tm_read_u16(&in);
  body = tm_read_view(&in, len);
  if (body == NULL)
    return TM_E_SYNTAX;
  err = read_body(type, body, len, &r);
  if (err != TM_OK)
    return err;
  *record = r;
  *at += TM_RECORD_HEAD_LEN + (size_t)len;
  return TM_OK;
}
