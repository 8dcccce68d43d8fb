/* Records: what is packed comes out again, to the last byte of a box; what breaks a rule neither goes in nor comes out.
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "base/err.h"
#include "box/record.h"
#include "tests/unit/box_support.h"

#define BULK_FIXED 125 /* of a body, before the name */

static uint8_t text[TM_BOX_TEXT_LEN], long_text[TM_BOX_TEXT_LEN + 1], hash[32], capability[TM_BOX_CAPABILITY_LEN];

static int set_up(void **state)
{
  struct tm_box_writer w;

  (void)state;
  memset(long_text, 'x', sizeof long_text);
  support_bytes(hash, sizeof hash, 1);
  tm_box_writer_init(&w, hash, 0);
  tm_box_capability(&w, capability);
  return 0;
}

static struct tm_record make_text(uint32_t number, size_t len)
{
  return (struct tm_record){
      .type = TM_RECORD_TEXT, .number = number, .sent_s = 0x0102030405060708, .text = long_text, .text_len = len};
}

static struct tm_record make_file(uint32_t number, const char *name, size_t len)
{
  return (struct tm_record){.type = TM_RECORD_BULK,
                            .number = number,
                            .sent_s = 77,
                            .kind = TM_BULK_FILE,
                            .size = 100000,
                            .hash = hash,
                            .capability = capability,
                            .name = name,
                            .name_len = len};
}

static struct tm_record make_ack(uint32_t number)
{
  return (struct tm_record){.type = TM_RECORD_ACK, .number = number};
}

static void begin(struct tm_record_writer *w)
{
  memset(text, 0x55, sizeof text);
  tm_record_begin(w, text);
}

/* Puts one and reads it back. */
static void check_alone(const struct tm_record *in, struct tm_record *out)
{
  struct tm_record_writer w;
  size_t at = 0;

  begin(&w);
  assert_int_equal(tm_record_put(&w, in), TM_OK);
  assert_int_equal(w.at, tm_record_len(in));
  tm_record_finish(&w);
  assert_int_equal(tm_record_next(text, &at, out), TM_OK);
  assert_int_equal(at, tm_record_len(in));
  assert_int_equal(out->type, in->type);
  assert_int_equal(out->number, in->number);
  assert_int_equal(out->sent_s, in->sent_s);
  assert_int_equal(out->text_len, in->text_len);
  assert_int_equal(out->kind, in->kind);
  assert_int_equal(out->size, in->size);
  assert_int_equal(out->name_len, in->name_len);
  assert_true(sodium_is_zero(text + at, sizeof text - at));
}

static void test_text(void **state)
{
  static const size_t len[] = {1, 2, 255, 256, TM_TEXT_INLINE_MAX - 1, TM_TEXT_INLINE_MAX};
  struct tm_record out;

  (void)state;
  for (size_t i = 0; i < sizeof len / sizeof len[0]; i++) {
    struct tm_record in = make_text(0x01020304, len[i]);

    check_alone(&in, &out);
    assert_memory_equal(out.text, long_text, len[i]);
    assert_memory_equal(text, "\1", 1);
    assert_int_equal(text[1] << 8 | text[2], 12 + len[i]);
    assert_memory_equal(text + 3, "\1\2\3\4\1\2\3\4\5\6\7\10", 12);
    assert_ptr_equal(out.text, text + 15);
  }
  assert_int_equal(TM_TEXT_INLINE_MAX, 1417);
}

static void test_bulk(void **state)
{
  static const size_t len[] = {1, 2, TM_BULK_NAME_MAX};
  static const uint64_t size[] = {1, TM_BULK_SIZE_MAX};
  struct tm_record out;

  (void)state;
  for (size_t i = 0; i < sizeof len / sizeof len[0]; i++)
    for (size_t j = 0; j < 2; j++) {
      struct tm_record in = make_file(5, (const char *)long_text, len[i]);

      in.size = size[j];
      check_alone(&in, &out);
      assert_memory_equal(out.name, long_text, len[i]);
      assert_memory_equal(out.hash, hash, sizeof hash);
      assert_memory_equal(out.capability, capability, sizeof capability);
      assert_int_equal(text[0], 2);
      assert_int_equal(text[1] << 8 | text[2], BULK_FIXED + len[i]);
      assert_int_equal(text[15], 2);
      assert_ptr_equal(out.hash, text + 24);
      assert_ptr_equal(out.capability, text + 56);
      assert_ptr_equal(out.name, text + 128);
    }
}

static void test_bulk_text(void **state)
{
  struct tm_record in = make_file(5, NULL, 0), out;

  (void)state;
  in.kind = TM_BULK_TEXT;
  check_alone(&in, &out);
  assert_int_equal(out.name_len, 0);
}

static void test_ack(void **state)
{
  struct tm_record in = make_ack(0), out;

  (void)state;
  check_alone(&in, &out);
  in = make_ack(UINT32_MAX);
  check_alone(&in, &out);
  assert_memory_equal(text, "\3\0\4\377\377\377\377", 7);
}

/* Three kinds in one box, and not one byte left. */
static void test_full(void **state)
{
  struct tm_record ack = make_ack(1), file = make_file(2, "a.txt", 5), rest, out, one = make_text(4, 1);
  struct tm_record_writer w, before;
  uint8_t copy[TM_BOX_TEXT_LEN];
  size_t at = 0, left;

  (void)state;
  begin(&w);
  assert_int_equal(tm_record_put(&w, &ack), TM_OK);
  assert_int_equal(tm_record_put(&w, &file), TM_OK);
  left = TM_BOX_TEXT_LEN - w.at;
  rest = make_text(3, left - 15 + 1);
  memcpy(copy, text, sizeof copy);
  before = w;
  assert_int_equal(tm_record_put(&w, &rest), TM_E_FULL);
  assert_memory_equal(copy, text, sizeof copy);
  assert_memory_equal(&w, &before, sizeof w);
  rest.text_len--;
  assert_int_equal(tm_record_put(&w, &rest), TM_OK);
  assert_int_equal(w.at, TM_BOX_TEXT_LEN);
  memcpy(copy, text, sizeof copy);
  assert_int_equal(tm_record_put(&w, &one), TM_E_FULL);
  assert_int_equal(tm_record_put(&w, &ack), TM_E_FULL);
  assert_memory_equal(copy, text, sizeof copy);
  tm_record_finish(&w);
  assert_memory_equal(copy, text, sizeof copy);
  assert_int_equal(tm_record_next(text, &at, &out), TM_OK);
  assert_int_equal(out.type, TM_RECORD_ACK);
  assert_int_equal(tm_record_next(text, &at, &out), TM_OK);
  assert_int_equal(out.type, TM_RECORD_BULK);
  assert_int_equal(tm_record_next(text, &at, &out), TM_OK);
  assert_int_equal(out.type, TM_RECORD_TEXT);
  assert_int_equal(out.text_len, left - 15);
  for (int i = 0; i < 2; i++)
    assert_int_equal(tm_record_next(text, &at, &out), TM_E_NOT_FOUND);
}

static void test_empty(void **state)
{
  struct tm_record_writer w;
  struct tm_record out;
  size_t at = 0;

  (void)state;
  begin(&w);
  tm_record_finish(&w);
  assert_true(sodium_is_zero(text, sizeof text));
  assert_int_equal(tm_record_next(text, &at, &out), TM_E_NOT_FOUND);
}

static void refuse(const struct tm_record *in)
{
  struct tm_record_writer w;
  uint8_t copy[TM_BOX_TEXT_LEN];

  begin(&w);
  memcpy(copy, text, sizeof copy);
  assert_int_equal(tm_record_put(&w, in), TM_E_SYNTAX);
  assert_int_equal(w.at, 0);
  assert_memory_equal(copy, text, sizeof copy);
}

static void test_bad_fields(void **state)
{
  struct tm_record r;

  (void)state;
  r = make_text(0, 1);
  refuse(&r);
  r = make_text(1, 0);
  refuse(&r);
  r = make_text(1, TM_TEXT_INLINE_MAX + 1);
  refuse(&r);
  r = make_file(0, "a", 1);
  refuse(&r);
  r = make_file(1, "a", 1);
  r.size = 0;
  refuse(&r);
  r.size = TM_BULK_SIZE_MAX + 1;
  refuse(&r);
  r = make_file(1, "a", 1);
  r.kind = 0;
  refuse(&r);
  r.kind = 3;
  refuse(&r);
  r.kind = TM_BULK_TEXT; /* has no name */
  refuse(&r);
  r = make_file(1, (const char *)long_text, TM_BULK_NAME_MAX + 1);
  refuse(&r);
  r = make_file(1, "a", 1);
  capability[TM_BOX_CAPABILITY_LEN - 1] = 1; /* a bulk sequence begins at 0 */
  refuse(&r);
  capability[TM_BOX_CAPABILITY_LEN - 1] = 0;
  r.capability = (const uint8_t[TM_BOX_CAPABILITY_LEN]){1}; /* the identity is no root point */
  refuse(&r);
  r.type = TM_RECORD_END;
  refuse(&r);
  assert_int_equal(tm_record_len(&r), 0);
  r.type = 4;
  refuse(&r);
}

/* ---- UTF-8 and names ---- */

static bool text_ok(const char *s, size_t len) { return tm_record_text_ok((const uint8_t *)s, len); }
#define TEXT_OK(s) text_ok((s), sizeof(s) - 1)
#define NAME_OK(s) tm_record_name_ok((s), sizeof(s) - 1)

static void test_utf8(void **state)
{
  (void)state;
  assert_false(TEXT_OK(""));
  assert_true(TEXT_OK("plain"));
  assert_true(TEXT_OK("\0"));
  assert_true(TEXT_OK("\x7f"));
  assert_true(TEXT_OK("\xc2\x80"));
  assert_true(TEXT_OK("\xdf\xbf"));
  assert_true(TEXT_OK("\xe0\xa0\x80"));
  assert_true(TEXT_OK("\xed\x9f\xbf"));
  assert_true(TEXT_OK("\xee\x80\x80"));
  assert_true(TEXT_OK("\xef\xbf\xbf"));
  assert_true(TEXT_OK("\xf0\x90\x80\x80"));
  assert_true(TEXT_OK("\xf4\x8f\xbf\xbf"));
  assert_false(TEXT_OK("\x80"));
  assert_false(TEXT_OK("a\xbf"));
  assert_false(TEXT_OK("\xc0\x80")); /* not the shortest form */
  assert_false(TEXT_OK("\xc1\xbf"));
  assert_false(TEXT_OK("\xe0\x9f\xbf"));
  assert_false(TEXT_OK("\xf0\x8f\xbf\xbf"));
  assert_false(TEXT_OK("\xed\xa0\x80")); /* surrogates */
  assert_false(TEXT_OK("\xed\xbf\xbf"));
  assert_false(TEXT_OK("\xf4\x90\x80\x80")); /* over U+10FFFF */
  assert_false(TEXT_OK("\xf5\x80\x80\x80"));
  assert_false(TEXT_OK("\xff"));
  assert_false(TEXT_OK("\xc3")); /* cut off */
  assert_false(TEXT_OK("\xe2\x82"));
  assert_false(TEXT_OK("\xf0\x9f\x98"));
  assert_false(text_ok("\xc3\xa4", 1)); /* what would continue it does not belong to it */
  assert_false(text_ok("\xe2\x82\xac", 2));
  assert_false(text_ok("\xf0\x9f\x98\x80", 3));
  assert_false(TEXT_OK("\xc3(")); /* not continued */
  assert_false(TEXT_OK("\xe2\x82("));
  assert_false(TEXT_OK("\xf0\x9f\x98\xc3"));
}

/* Every code point, encoded by the book, is taken exactly if it is a scalar value. */
static void test_utf8_all(void **state)
{
  (void)state;
  for (uint32_t c = 0x800; c < 0x120000; c++) {
    uint8_t s[4];
    size_t n = 3;

    if (c < 0x10000) {
      s[0] = (uint8_t)(0xe0 | c >> 12);
      s[1] = (uint8_t)(0x80 | (c >> 6 & 63));
      s[2] = (uint8_t)(0x80 | (c & 63));
    } else {
      s[0] = (uint8_t)(0xf0 | c >> 18);
      s[1] = (uint8_t)(0x80 | (c >> 12 & 63));
      s[2] = (uint8_t)(0x80 | (c >> 6 & 63));
      s[3] = (uint8_t)(0x80 | (c & 63));
      n = 4;
    }
    if (tm_record_text_ok(s, n) != (c <= 0x10ffff && (c < 0xd800 || c > 0xdfff)))
      fail_msg("code point %x", c);
  }
}

static void test_names(void **state)
{
  (void)state;
  assert_true(NAME_OK("a"));
  assert_true(NAME_OK("report 2.pdf"));
  assert_true(NAME_OK("..."));
  assert_true(NAME_OK(".a"));
  assert_true(NAME_OK("..a"));
  assert_true(NAME_OK("a.."));
  assert_true(NAME_OK("\xc3\xa4\xe2\x82\xac"));
  assert_true(NAME_OK("\xc2\xa0"));
  assert_false(NAME_OK(""));
  assert_false(NAME_OK("."));
  assert_false(NAME_OK(".."));
  assert_false(NAME_OK("../x"));
  assert_false(NAME_OK("a/b"));
  assert_false(NAME_OK("/"));
  assert_false(NAME_OK("/a"));
  assert_false(NAME_OK("a/"));
  assert_false(NAME_OK("a\0b"));
  assert_false(NAME_OK("a\xff"));
  assert_false(NAME_OK("a\nb"));
  assert_false(NAME_OK("\x1b[31m"));
  for (int c = 0; c < 0x20; c++) {
    const char s[2] = {'a', (char)c};

    assert_false(tm_record_name_ok(s, 2));
  }
  assert_false(NAME_OK("a\x7f"));
  for (int c = 0x80; c <= 0x9f; c++) {
    const char s[2] = {(char)0xc2, (char)c};

    assert_false(tm_record_name_ok(s, 2));
  }
  assert_false(NAME_OK("gpj\xe2\x80\xae.exe")); /* U+202E turns what follows */
  assert_false(NAME_OK("a\xe2\x80\xa8"));       /* U+2028 */
  assert_true(NAME_OK("a\xe2\x80\xa7"));
  assert_true(NAME_OK("a\xe2\x80\xaf"));
  assert_false(NAME_OK("a\xe2\x81\xa6"));
  assert_false(NAME_OK("a\xe2\x81\xa9"));
  assert_true(NAME_OK("a\xe2\x81\xaa"));
}

/* ---- reading what others wrote ---- */

/* Finishes the text that holds n bytes, and reads it. */
static int read_raw(const char *bytes, size_t n)
{
  struct tm_record out;
  size_t at = 0;
  int err;

  memset(text, 0, sizeof text);
  memcpy(text, bytes, n);
  memset(&out, 0x55, sizeof out);
  err = tm_record_next(text, &at, &out);
  if (err != TM_OK) {
    assert_int_equal(at, 0);
    assert_true(out.type == 0 && out.text == NULL && out.name == NULL && out.hash == NULL && out.capability == NULL);
  }
  return err;
}
#define READ_RAW(s) read_raw((s), sizeof(s) - 1)

static void test_raw(void **state)
{
  (void)state;
  assert_int_equal(READ_RAW("\3\0\4\0\0\0\1"), TM_OK);
  assert_int_equal(READ_RAW("\3\0\3\0\0\1"), TM_E_SYNTAX);
  assert_int_equal(READ_RAW("\3\0\5\0\0\0\1\0"), TM_E_SYNTAX);
  assert_int_equal(READ_RAW("\3\0\0"), TM_E_SYNTAX);
  assert_int_equal(READ_RAW("\4\0\0"), TM_E_UNKNOWN);
  assert_int_equal(READ_RAW("\377\0\0"), TM_E_UNKNOWN);
  assert_int_equal(READ_RAW("\4\377\377"), TM_E_SYNTAX);                      /* runs over the end */
  assert_int_equal(READ_RAW("\0\1"), TM_E_SYNTAX);                            /* not zero behind the end */
  assert_int_equal(READ_RAW("\1\0\14\0\0\0\1\0\0\0\0\0\0\0\0"), TM_E_SYNTAX); /* empty text */
  assert_int_equal(READ_RAW("\1\0\15\0\0\0\1\0\0\0\0\0\0\0\0x"), TM_OK);
  assert_int_equal(READ_RAW("\1\0\15\0\0\0\0\0\0\0\0\0\0\0\0x"), TM_E_SYNTAX); /* number 0 */
  assert_int_equal(READ_RAW("\1\0\15\0\0\0\1\0\0\0\0\0\0\0\0\377"), TM_E_SYNTAX);
  assert_int_equal(READ_RAW("\1\0\13\0\0\0\1\0\0\0\0\0\0\0"), TM_E_SYNTAX);
}

/* The last bytes of a box: a record that just fits, one that does not, heads without room. */
static void test_end_of_text(void **state)
{
  struct tm_record out;
  size_t at;

  (void)state;
  for (size_t room = 0; room <= 8; room++) {
    size_t pad = TM_BOX_TEXT_LEN - room - 15;

    memset(text, 'x', sizeof text);
    memset(text, 0, 15);
    text[0] = TM_RECORD_TEXT;
    text[1] = (uint8_t)((12 + pad) >> 8);
    text[2] = (uint8_t)(12 + pad);
    text[6] = 1;
    at = 0;
    assert_int_equal(tm_record_next(text, &at, &out), TM_OK);
    assert_int_equal(at, TM_BOX_TEXT_LEN - room);
    /* An acknowledgement of 7 bytes fits if there is room for it. */
    memset(text + at, 0, room);
    if (room > 0)
      text[at] = TM_RECORD_ACK;
    if (room > 2)
      text[at + 2] = 4;
    assert_int_equal(tm_record_next(text, &at, &out), room == 0 ? TM_E_NOT_FOUND : room < 7 ? TM_E_SYNTAX : TM_OK);
    at = TM_BOX_TEXT_LEN - room;
    memset(text + at, 0, room);
    assert_int_equal(tm_record_next(text, &at, &out), TM_E_NOT_FOUND);
  }
}

/* Every bit of a BULK record that a rule covers. */
static void test_bulk_bits(void **state)
{
  struct tm_record in = make_file(1, "n", 1), out;
  uint8_t good[TM_BOX_TEXT_LEN];
  size_t len = tm_record_len(&in), refused = 0;
  struct tm_record_writer w;

  (void)state;
  begin(&w);
  assert_int_equal(tm_record_put(&w, &in), TM_OK);
  tm_record_finish(&w);
  memcpy(good, text, sizeof good);
  for (size_t bit = 0; bit < 8 * sizeof text; bit++) {
    size_t byte = bit / 8, at = 0;
    int err;

    memcpy(text, good, sizeof text);
    text[byte] ^= (uint8_t)(1 << bit % 8);
    do
      err = tm_record_next(text, &at, &out);
    while (err == TM_OK);
    /* Free are number, time, size within its limit, hash, and the capability but for its root point and index. */
    if (byte < 3 || byte == 15 || (byte >= 120 && byte < 128) || byte >= len)
      assert_int_not_equal(err, TM_E_NOT_FOUND);
    if ((byte >= 24 && byte < 56) || (byte >= 88 && byte < 120))
      assert_int_equal(err, TM_E_NOT_FOUND);
    refused += err != TM_E_NOT_FOUND;
  }
  assert_true(refused > 8 * (TM_BOX_TEXT_LEN - len));
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_text),       cmocka_unit_test(test_bulk), cmocka_unit_test(test_bulk_text),
      cmocka_unit_test(test_ack),        cmocka_unit_test(test_full), cmocka_unit_test(test_empty),
      cmocka_unit_test(test_bad_fields), cmocka_unit_test(test_utf8), cmocka_unit_test(test_utf8_all),
      cmocka_unit_test(test_names),      cmocka_unit_test(test_raw),  cmocka_unit_test(test_end_of_text),
      cmocka_unit_test(test_bulk_bits),
  };

  return cmocka_run_group_tests_name("record", tests, set_up, NULL);
}
