/* Documents and parameters: what must be refused, and with which error. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "base/codec.h"
#include "directory/assemble.h"
#include "directory/document.h"
#include "directory/params.h"
#include "directory/parse.h"

#include "directory_fixture.h"

static struct fixture fixture;
static char *text; /* the fixture's document, unsigned */
static size_t text_len;
static struct tm_trust *trust; /* in four */

static int setup(void **state)
{
  struct tm_fault fault;

  (void)state;
  fixture_init(&fixture);
  trust = fixture_trust(4);
  return tm_document_assemble(&fixture.draft, &text, &text_len, &fault);
}

static int teardown(void **state)
{
  (void)state;
  tm_trust_free(trust);
  free(text);
  return 0;
}

/* Opens a text after three of four authorities have signed it. */
static int open_text(const char *t, size_t len, uint64_t now, struct tm_document **doc)
{
  size_t note_len;
  char *note = fixture_sign(t, len, 0, 3, &note_len);
  size_t good = 99;
  int err = tm_document_open(doc, trust, note, note_len, now, &good);

  assert_true((err == TM_OK) == (*doc != NULL));
  if (note_len <= TM_DOCUMENT_MAX)
    assert_int_equal(good, 3);
  free(note);
  return err;
}

static int try_text(const char *t, size_t len)
{
  struct tm_document *doc;
  int err = open_text(t, len, FIXTURE_NOW, &doc);

  tm_document_free(doc);
  return err;
}

/* The fixture's text with the first `from` replaced by `to`. */
static int try_replaced(const char *from, const char *to)
{
  const char *at = strstr(text, from);
  size_t before;
  char *changed;
  int err;

  assert_non_null(at);
  before = (size_t)(at - text);
  changed = malloc(text_len + strlen(to) + 1);
  memcpy(changed, text, before);
  strcpy(changed + before, to);
  strcat(changed, at + strlen(from));
  err = try_text(changed, strlen(changed));
  free(changed);
  return err;
}

static void test_opens(void **state)
{
  struct tm_document *doc;
  const uint8_t *bytes;
  uint8_t digest[32];
  size_t len;

  (void)state;
  assert_int_equal(open_text(text, text_len, FIXTURE_NOW, &doc), TM_OK);
  assert_string_equal(tm_document_network(doc), "test");
  assert_true(tm_document_valid_from(doc) == FIXTURE_NOW);
  assert_true(tm_document_valid_until(doc) == FIXTURE_NOW + 3600);
  assert_memory_equal(tm_document_params(doc), &fixture.draft.params, sizeof fixture.draft.params);
  assert_int_equal(tm_document_relays(doc), FIXTURE_RELAYS);
  assert_null(tm_document_relay(doc, FIXTURE_RELAYS));
  bytes = tm_document_bytes(doc, &len);
  assert_memory_equal(bytes, text, text_len);
  crypto_generichash(digest, sizeof digest, bytes, len, NULL, 0);
  assert_memory_equal(tm_document_digest(doc), digest, sizeof digest);
  tm_document_free(doc);
}

/* Signature lines that somebody adds or leaves out make another file of it, and the same document. */
static void test_text_digest(void **state)
{
  struct tm_note_signer stranger;
  struct tm_document *doc[3];
  uint8_t digest[32];
  size_t len[3];
  char *note[3];

  (void)state;
  note[0] = fixture_sign(text, text_len, 0, 3, &len[0]);
  note[1] = fixture_sign(text, text_len, 0, 4, &len[1]);
  assert_int_equal(tm_note_signer_make(&stranger, "client-17", (const uint8_t *)"a mark, thirty-two bytes of seed"), TM_OK);
  assert_int_equal(tm_note_sign(&stranger, note[0], len[0], &note[2], &len[2]), TM_OK);
  crypto_generichash(digest, sizeof digest, (const uint8_t *)text, text_len, NULL, 0);
  for (size_t i = 0; i < 3; i++) {
    assert_int_equal(tm_document_open(&doc[i], trust, note[i], len[i], FIXTURE_NOW, NULL), TM_OK);
    assert_memory_equal(tm_document_text_digest(doc[i]), digest, sizeof digest);
    assert_true(i == 0 || memcmp(tm_document_digest(doc[i]), tm_document_digest(doc[i - 1]), sizeof digest) != 0);
  }
  for (size_t i = 0; i < 3; i++) {
    tm_document_free(doc[i]);
    free(note[i]);
  }
}

static void test_relays(void **state)
{
  struct tm_document *doc;
  const struct tm_relay_info *found;
  uint8_t stranger[32] = {0};

  (void)state;
  assert_int_equal(open_text(text, text_len, FIXTURE_NOW, &doc), TM_OK);
  for (size_t i = 0; i < FIXTURE_RELAYS; i++) {
    const struct tm_relay_info *mine = &fixture.relays[i];
    found = tm_document_find(doc, mine->identity);
    assert_non_null(found);
    assert_string_equal(found->name, mine->name);
    assert_string_equal(found->address, mine->address);
    assert_int_equal(found->roles, mine->roles);
    assert_int_equal(found->layer, mine->layer);
    assert_int_equal(found->n_keys, FIXTURE_KEYS);
    for (size_t k = 0; k < FIXTURE_KEYS; k++) {
      const struct tm_mix_key *key = tm_relay_key(found, mine->keys[k].epoch);
      assert_non_null(key);
      assert_memory_equal(key->point, mine->keys[k].point, 32);
    }
    assert_null(tm_relay_key(found, mine->keys[0].epoch - 1));
    assert_null(tm_relay_key(found, mine->keys[1].epoch + 1));
  }
  assert_null(tm_document_find(doc, stranger));
  memset(stranger, 0xff, sizeof stranger);
  assert_null(tm_document_find(doc, stranger));
  tm_document_free(doc);
}

static void test_thresholds(void **state)
{
  static const struct {
    unsigned n, needed;
  } rows[] = {{1, 1}, {2, 2}, {3, 3}, {4, 3}, {5, 4}, {6, 5}, {7, 5}, {9, 7}, {32, 22}};

  (void)state;
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    struct tm_trust *t = fixture_trust(rows[i].n);
    struct tm_document *doc;
    size_t len;
    size_t good;
    char *note;
    assert_int_equal(tm_trust_count(t), rows[i].n);
    assert_int_equal(tm_trust_needed(t), rows[i].needed);
    assert_true(3 * rows[i].needed > 2 * rows[i].n && 3 * (rows[i].needed - 1) <= 2 * rows[i].n);
    note = fixture_sign(text, text_len, 0, rows[i].needed, &len);
    assert_int_equal(tm_document_open(&doc, t, note, len, FIXTURE_NOW, &good), TM_OK);
    assert_int_equal(good, rows[i].needed);
    tm_document_free(doc);
    free(note);
    /* One fewer, made up for by strangers. */
    note = fixture_sign(text, text_len, 1, rows[i].needed - 1, &len);
    if (rows[i].needed > 1) {
      char *more;
      size_t more_len;
      more = fixture_sign(note, len, 40, 3, &more_len);
      assert_int_equal(tm_document_open(&doc, t, more, more_len, FIXTURE_NOW, &good), TM_E_SIGNATURE);
      assert_int_equal(good, rows[i].needed - 1);
      assert_null(doc);
      free(more);
    }
    free(note);
    tm_trust_free(t);
  }
}

static void test_duplicate_signer(void **state)
{
  struct tm_document *doc;
  size_t len;
  size_t good;
  char *note = fixture_sign(text, text_len, 0, 2, &len);
  char *twice = malloc(len * 3);

  (void)state;
  memcpy(twice, note, len);
  for (int i = 0; i < 2; i++) {
    memcpy(twice + len, note + text_len + 1, strlen(note + text_len + 1));
    len += strlen(note + text_len + 1);
  }
  assert_int_equal(tm_document_open(&doc, trust, twice, len, FIXTURE_NOW, &good), TM_E_SIGNATURE);
  assert_int_equal(good, 2);
  free(twice);
  free(note);
}

static void test_bad_signatures(void **state)
{
  struct tm_document *doc;
  size_t len;
  size_t good;
  char *note = fixture_sign(text, text_len, 0, 4, &len);
  char *at;

  (void)state;
  at = strstr(note, "network test");
  at[8] = 'r';
  assert_int_equal(tm_document_open(&doc, trust, note, len, FIXTURE_NOW, &good), TM_E_SIGNATURE);
  assert_int_equal(good, 0);
  at[8] = 't';
  assert_int_equal(tm_document_open(&doc, trust, note, len, FIXTURE_NOW, NULL), TM_OK);
  tm_document_free(doc);
  /* Three good ones do not make up for one known key that does not verify. */
  at = strstr(note, "authority-3 ") + strlen("authority-3 ") + 30;
  *at = *at == 'A' ? 'B' : 'A';
  assert_int_equal(tm_document_open(&doc, trust, note, len, FIXTURE_NOW, &good), TM_E_SIGNATURE);
  assert_int_equal(good, 3);
  /* Signatures are judged before the text. */
  note[0] = 'T';
  assert_int_equal(tm_document_open(&doc, trust, note, len, FIXTURE_NOW, &good), TM_E_SIGNATURE);
  free(note);
}

static void test_validity(void **state)
{
  struct tm_document *doc;

  (void)state;
  assert_int_equal(open_text(text, text_len, FIXTURE_NOW - 1, &doc), TM_E_NOT_YET);
  assert_int_equal(open_text(text, text_len, FIXTURE_NOW + 3599, &doc), TM_OK);
  tm_document_free(doc);
  assert_int_equal(open_text(text, text_len, FIXTURE_NOW + 3600, &doc), TM_E_EXPIRED);
  assert_int_equal(open_text(text, text_len, UINT64_MAX, &doc), TM_E_EXPIRED);
  assert_int_equal(open_text(text, text_len, 0, &doc), TM_E_NOT_YET);
  assert_int_equal(try_replaced("valid-until 2026-11-24T05:00:00Z", "valid-until 2026-11-24T04:00:00Z"), TM_E_SYNTAX);
  assert_int_equal(try_replaced("valid-until 2026-11-24T05:00:00Z", "valid-until 2027-11-24T05:00:00Z"), TM_E_SYNTAX);
  assert_int_equal(try_replaced("valid-until 2026-11-24T05:00:00Z", "valid-until 2026-11-31T05:00:00Z"), TM_E_SYNTAX);
  assert_int_equal(try_replaced("valid-from 2026-11-24T04:00:00Z", "valid-from 2026-11-24 04:00:00"), TM_E_SYNTAX);
  assert_int_equal(try_replaced("epoch 20781", "epoch 20782"), TM_E_SYNTAX);
}

static void test_fields(void **state)
{
  (void)state;
  assert_int_equal(try_replaced("network test\n", "network test\nopt-motto all is well\n"), TM_OK);
  assert_int_equal(try_replaced("end\n", "opt-x 1\nopt-x 1\nend\nopt-y\n"), TM_OK);
  assert_int_equal(try_replaced("tidemill document 1\n", "opt-x 1\ntidemill document 1\n"), TM_E_SYNTAX);
  assert_int_equal(try_replaced("network test\n", "network test\nopt-567890123456789012345678901 1\n"), TM_OK);
  assert_int_equal(try_replaced("network test\n", "network test\nopt-5678901234567890123456789012 1\n"), TM_E_SYNTAX);
  assert_int_equal(try_replaced("network test\n", "network test\nopt- 1\n"), TM_E_UNKNOWN);
  assert_int_equal(try_replaced("network test\n", "network test\nopt-X 1\n"), TM_E_SYNTAX);
  assert_int_equal(try_replaced("network test\n", "network test\nopt-x  1\n"), TM_E_SYNTAX);
  assert_int_equal(try_replaced("network test\n", "network test\nopt-x 1 2\n"), TM_OK);
  assert_int_equal(try_replaced("network test\n", "network test\nopt-x 1  2\n"), TM_E_SYNTAX);
  assert_int_equal(try_replaced("network test\n", "network test\nopt-x 1 \n"), TM_E_SYNTAX);
  assert_int_equal(try_replaced("network test\n", "network test\nmotto 1\n"), TM_E_UNKNOWN);
  assert_int_equal(try_replaced("end\n", "colour red\nend\n"), TM_E_UNKNOWN);
  assert_int_equal(try_replaced("roles entry\n", "roles entry exit\n"), TM_E_UNKNOWN);
  assert_int_equal(try_replaced("document 1\n", "document 2\n"), TM_E_UNKNOWN);
  assert_int_equal(try_replaced("document 1\n", "document 1 2\n"), TM_E_UNKNOWN);
  assert_int_equal(try_replaced("document 1\n", "document\n"), TM_E_UNKNOWN);
  assert_int_equal(try_replaced("tidemill document 1\n", "tidemill descriptor 1\n"), TM_E_UNKNOWN);
  assert_int_equal(try_replaced("tidemill document 1\n", "network test\n"), TM_E_SYNTAX);
  assert_int_equal(try_replaced("network test\n", ""), TM_E_SYNTAX);
  assert_int_equal(try_replaced("network test\n", "network test\nnetwork test\n"), TM_E_SYNTAX);
  assert_int_equal(try_replaced("network test\n", "network\n"), TM_E_SYNTAX);
  assert_int_equal(try_replaced("network test\n", "network Test\n"), TM_E_SYNTAX);
  assert_int_equal(try_replaced("end\n", "end of it\n"), TM_E_SYNTAX);
  assert_int_equal(try_replaced("end\n", ""), TM_E_SYNTAX);
  assert_int_equal(try_replaced("end\n", "end\nend\n"), TM_E_SYNTAX);
}

static void test_bytes(void **state)
{
  char *copy = malloc(text_len + 1);
  char *at = strstr(text, "param epoch_s");
  size_t i = (size_t)(at - text) + 3;

  (void)state;
  assert_int_equal(try_replaced("network test\n", "network test\r\n"), TM_E_SYNTAX);
  assert_int_equal(try_replaced("network test\n", "network test \n"), TM_E_SYNTAX);
  assert_int_equal(try_replaced("network test\n", " network test\n"), TM_E_SYNTAX);
  assert_int_equal(try_replaced("network test\n", "network  test\n"), TM_E_SYNTAX);
  assert_int_equal(try_replaced("network test\n", "network\ttest\n"), TM_E_SYNTAX);
  assert_int_equal(try_replaced("network test\n", "opt-x t\xc3\xa9st\nnetwork test\n"), TM_E_SYNTAX);
  assert_int_equal(try_replaced("network test\n", "opt-x t\x7fst\nnetwork test\n"), TM_E_SYNTAX);
  for (int byte = 0; byte < 256; byte++) {
    if (byte == text[i])
      continue;
    memcpy(copy, text, text_len);
    copy[i] = (char)byte;
    assert_int_not_equal(try_text(copy, text_len), TM_OK);
  }
  memcpy(copy, text, text_len);
  copy[i] = '\0';
  assert_int_equal(try_text(copy, text_len), TM_E_SYNTAX);
  free(copy);
}

/* Every text that ends early is refused, though it is signed; and never read beyond its end. */
static void test_truncated(void **state)
{
  (void)state;
  for (size_t len = 0; len < text_len; len++) {
    char *cut = malloc(len > 0 ? len : 1);
    struct tm_document *doc;
    struct tm_fault fault;
    memcpy(cut, text, len);
    assert_int_equal(tm_document_parse(&doc, cut, len, &fault), TM_E_SYNTAX);
    assert_null(doc);
    assert_true(fault.what[0] != '\0');
    free(cut);
  }
}

static void test_truncated_note(void **state)
{
  size_t len;
  char *note = fixture_sign(text, text_len, 0, 3, &len);

  (void)state;
  for (size_t cut = 0; cut < len; cut++) {
    char *part = malloc(cut > 0 ? cut : 1);
    struct tm_document *doc;
    int err;
    memcpy(part, note, cut);
    err = tm_document_open(&doc, trust, part, cut, FIXTURE_NOW, NULL);
    assert_true(err == TM_E_SYNTAX || err == TM_E_SIGNATURE);
    free(part);
  }
  free(note);
}

static void test_oversize(void **state)
{
  size_t cap = TM_DOCUMENT_MAX + 4096;
  char *big = malloc(cap);
  struct tm_document *doc;
  size_t signatures;
  size_t len = text_len;
  char *note;

  (void)state;
  note = fixture_sign(text, text_len, 0, 3, &signatures);
  signatures -= text_len;
  free(note);
  memcpy(big, text, text_len);
  while (len < TM_DOCUMENT_MAX - signatures) {
    size_t left = TM_DOCUMENT_MAX - signatures - len;
    size_t line = left > 2000 ? 1000 : left > 1000 ? left / 2 : left;
    memset(big + len, 'x', line);
    memcpy(big + len, "opt-x ", 6);
    big[len + line - 1] = '\n';
    len += line;
  }
  assert_int_equal(try_text(big, len), TM_OK); /* exactly TM_DOCUMENT_MAX */
  big[len - 1] = 'x';
  big[len] = '\n';
  assert_int_equal(try_text(big, len + 1), TM_E_TOO_BIG);
  memset(big, 'a', cap);
  assert_int_equal(tm_document_open(&doc, trust, big, cap, FIXTURE_NOW, NULL), TM_E_TOO_BIG);
  free(big);
}

/* Line length, number of relays and of keys. */
static void test_limits(void **state)
{
  char line[TM_TEXT_LINE_MAX + 64];
  char *many = malloc(text_len + (TM_DOCUMENT_RELAYS_MAX + 1) * 8 + 1);
  struct tm_mix_key keys[TM_DOCUMENT_KEYS_MAX + 1];
  struct fixture f;
  struct tm_fault fault;
  size_t len;
  char *out;

  (void)state;
  memset(line, 'x', sizeof line);
  memcpy(line, "opt-x ", 6);
  strcpy(line + TM_TEXT_LINE_MAX, "\nnetwork test\n");
  assert_int_equal(try_replaced("network test\n", line), TM_OK);
  strcpy(line + TM_TEXT_LINE_MAX, "x\nnetwork test\n");
  assert_int_equal(try_replaced("network test\n", line), TM_E_SYNTAX);
  memcpy(many, text, text_len);
  len = text_len;
  for (size_t i = 0; i <= TM_DOCUMENT_RELAYS_MAX; i++, len += 8)
    memcpy(many + len, "relay x\n", 8);
  assert_int_equal(try_text(many, len), TM_E_TOO_BIG);
  free(many);
  fixture_init(&f);
  for (unsigned i = 0; i <= TM_DOCUMENT_KEYS_MAX; i++) {
    keys[i].epoch = 20781 + i;
    fixture_point(1000 + i, keys[i].point);
  }
  f.relays[0].keys = keys;
  f.relays[0].n_keys = TM_DOCUMENT_KEYS_MAX;
  assert_int_equal(tm_document_assemble(&f.draft, &out, &len, &fault), TM_OK);
  free(out);
  f.relays[0].n_keys++;
  assert_int_equal(tm_document_assemble(&f.draft, &out, &len, &fault), TM_E_TOO_BIG);
  assert_null(out);
}

static void param_line(size_t i, const char *value, char *line)
{
  char standard[TM_PARAM_VALUE_MAX];

  tm_params_format(&fixture.draft.params, i, standard);
  sprintf(line, "param %s %s\n", tm_params_at(i)->name, value != NULL ? value : standard);
}

static int try_value(size_t i, const char *value)
{
  char from[128];
  char to[128];

  param_line(i, NULL, from);
  param_line(i, value, to);
  return try_replaced(from, to);
}

static void test_params(void **state)
{
  char from[128];
  char to[300];
  char value[32];

  (void)state;
  for (size_t i = 0; i < tm_params_count(); i++) {
    const struct tm_param *p = tm_params_at(i);
    param_line(i, NULL, from);
    assert_int_equal(try_replaced(from, ""), TM_E_SYNTAX);
    snprintf(to, sizeof to, "%s%s", from, from);
    assert_int_not_equal(try_replaced(from, to), TM_OK);
    if (p->words != NULL) {
      assert_int_equal(try_value(i, "1"), TM_E_SYNTAX);
      continue;
    }
    snprintf(value, sizeof value, "%u", p->max + 1);
    assert_int_equal(try_value(i, value), TM_E_SYNTAX);
    if (p->min > 0) {
      snprintf(value, sizeof value, "%u", p->min - 1);
      assert_int_equal(try_value(i, value), TM_E_SYNTAX);
    }
    snprintf(value, sizeof value, "0%u", p->standard);
    assert_int_equal(try_value(i, value), TM_E_SYNTAX);
    snprintf(value, sizeof value, "%u x", p->standard);
    assert_int_equal(try_value(i, value), TM_E_SYNTAX);
    snprintf(value, sizeof value, "-%u", p->standard);
    assert_int_equal(try_value(i, value), TM_E_SYNTAX);
    assert_int_equal(try_value(i, "4294967296"), TM_E_SYNTAX);
    assert_int_equal(try_value(i, "18446744073709551617"), TM_E_SYNTAX);
  }
  assert_int_equal(try_replaced("param slot_ms 30000\n", "param slot_ms 30000\nparam speed 1\n"), TM_E_UNKNOWN);
  assert_int_equal(try_replaced("param work_bits 13\n", "param work_bits 13\nparam speed 1\n"),
                   TM_E_UNKNOWN);
  assert_int_equal(try_replaced("param strategy poisson\n", "param strategy timed-pool\n"), TM_OK);
  assert_int_equal(try_replaced("param strategy poisson\n", "param strategy stop-and-go\n"), TM_E_SYNTAX);
}

static void test_param_conflicts(void **state)
{
  struct tm_params p;

  (void)state;
  tm_params_standard(&p);
  assert_null(tm_params_conflict(&p));
  assert_int_equal(try_replaced("param key_grace_s 3600\n", "param key_grace_s 86400\n"), TM_OK);
  p.epoch_s = p.key_grace_s - 1;
  assert_non_null(tm_params_conflict(&p));
  assert_int_equal(try_replaced("param loop_ms 200\n", "param loop_ms 9\n"), TM_E_SYNTAX);
  assert_int_equal(try_replaced("param loop_ms 200\n", "param loop_ms 10\n"), TM_OK);
  assert_int_equal(try_replaced("param loop_ms 200\n", "param loop_ms 0\n"), TM_OK);
  assert_int_equal(try_replaced("param dummy_ms 500\n", "param dummy_ms 1\n"), TM_E_SYNTAX);
  assert_int_equal(try_replaced("param dummy_ms 500\n", "param dummy_ms 0\n"), TM_OK);
  assert_int_equal(try_replaced("param link_us 0\n", "param link_us 99\n"), TM_E_SYNTAX);
  assert_int_equal(try_replaced("param link_us 0\n", "param link_us 100\n"), TM_OK);
  tm_params_standard(&p);
  p.slot_ms = 36000000;
  p.box_expiry_s = 7776000;
  p.tick_us = TM_TICK_MAX_US;
  assert_null(tm_params_conflict(&p));
  p.tick_us++;
  assert_non_null(strstr(tm_params_conflict(&p), "60 s of silence"));
  assert_int_equal(try_replaced("param downlink_us 250000\n", "param downlink_us 500000\n"), TM_E_SYNTAX);
  assert_int_equal(try_replaced("param box_expiry_s 604800\n", "param box_expiry_s 90\n"), TM_E_SYNTAX);
  assert_int_equal(try_replaced("param box_expiry_s 604800\n", "param box_expiry_s 91\n"), TM_OK);
  assert_int_equal(try_replaced("param sequences 8\n", "param sequences 16\n"), TM_OK);
  assert_int_equal(try_replaced("param sequences 8\n", "param sequences 17\n"), TM_E_SYNTAX);
}

/* Encodings that are no canonical point of the prime-order subgroup, for mix keys and for identities. */
static void test_points(void **state)
{
  static const char *const wrong[] = {
    "0100000000000000000000000000000000000000000000000000000000000000", /* identity */
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", /* order two */
    "0000000000000000000000000000000000000000000000000000000000000000", /* order four */
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a", /* order eight */
    "9599999999999999999999999999999999999999999999999999999999999999", /* base point plus order two */
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", /* identity, not reduced */
    "0100000000000000000000000000000000000000000000000000000000000080", /* identity with a sign */
    "0200000000000000000000000000000000000000000000000000000000000000", /* no point */
    "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
  };
  char hex[TM_HEX_LEN(32)];
  char from[256];
  char to[256];

  (void)state;
  for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
    tm_hex_encode(fixture.keys[3][1].point, 32, hex);
    snprintf(from, sizeof from, "mix-key 20782 %s\n", hex);
    snprintf(to, sizeof to, "mix-key 20782 %s\n", wrong[i]);
    assert_int_equal(try_replaced(from, to), TM_E_POINT);
    tm_hex_encode(fixture.relays[3].identity, 32, hex);
    snprintf(from, sizeof from, "identity %s\n", hex);
    snprintf(to, sizeof to, "identity %s\n", wrong[i]);
    assert_int_equal(try_replaced(from, to), TM_E_POINT);
  }
}

static void test_keys(void **state)
{
  char hex[2][TM_HEX_LEN(32)];
  char line[2][128];
  char both[256];
  char to[300];

  (void)state;
  for (int k = 0; k < 2; k++) {
    tm_hex_encode(fixture.keys[0][k].point, 32, hex[k]);
    snprintf(line[k], sizeof line[k], "mix-key %d %s\n", 20781 + k, hex[k]);
  }
  snprintf(both, sizeof both, "%s%s", line[0], line[1]);
  assert_int_equal(try_replaced(line[1], ""), TM_OK);
  assert_int_equal(try_replaced(both, ""), TM_E_SYNTAX);
  snprintf(to, sizeof to, "%s%s", line[1], line[0]);
  assert_int_equal(try_replaced(both, to), TM_E_SYNTAX); /* order */
  snprintf(to, sizeof to, "mix-key 20781 %s\n", hex[1]);
  assert_int_equal(try_replaced(line[1], to), TM_E_SYNTAX); /* one epoch twice */
  snprintf(to, sizeof to, "mix-key 20782 %s\n", hex[0]);
  assert_int_equal(try_replaced(line[1], to), TM_E_SYNTAX); /* one point twice */
  hex[1][0] = hex[1][0] == 'a' ? 'A' : 'g';
  snprintf(to, sizeof to, "mix-key 20782 %s\n", hex[1]);
  assert_int_equal(try_replaced(line[1], to), TM_E_SYNTAX);
  assert_int_equal(try_replaced("mix-key 20781 ", "mix-key 020781 "), TM_E_SYNTAX);
  assert_int_equal(try_replaced("mix-key 20781 ", "mix-key 253402300799 "), TM_E_SYNTAX); /* ascending no more */
  assert_int_equal(try_replaced("mix-key 20782 ", "mix-key 253402300799 "), TM_OK);
  assert_int_equal(try_replaced("mix-key 20782 ", "mix-key 253402300800 "), TM_E_SYNTAX);
}

static void test_relay_fields(void **state)
{
  (void)state;
  assert_int_equal(try_replaced("layer 1\n", "layer 0\n"), TM_E_SYNTAX);
  assert_int_equal(try_replaced("layer 1\n", "layer 4\n"), TM_E_SYNTAX);
  assert_int_equal(try_replaced("layer 1\n", "layer 1 2\n"), TM_E_SYNTAX);
  assert_int_equal(try_replaced("roles mix\n", "roles mix mix\n"), TM_E_SYNTAX);
  assert_int_equal(try_replaced("roles mix\n", "roles mix entry\n"), TM_E_SYNTAX);
  assert_int_equal(try_replaced("roles mix\n", "roles entry mix\n"), TM_OK);
  assert_int_equal(try_replaced("roles entry\n", "roles\n"), TM_E_SYNTAX);
  assert_int_equal(try_replaced("address 127.0.0.1:4711\n", "address localhost:4711\n"), TM_E_SYNTAX);
  assert_int_equal(try_replaced("address 127.0.0.1:4711\n", "address [::1]:4711\n"), TM_OK);
  assert_int_equal(try_replaced("relay entry1\n", "relay 1entry\n"), TM_E_SYNTAX);
  assert_int_equal(try_replaced("relay entry1\n", "relay entry_1\n"), TM_E_SYNTAX);
  assert_int_equal(try_replaced("relay entry1\n", "relay a123456789012345678901234567890\n"), TM_OK);
  assert_int_equal(try_replaced("relay entry1\n", "relay a1234567890123456789012345678901\n"), TM_E_SYNTAX);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_opens),         cmocka_unit_test(test_text_digest),
    cmocka_unit_test(test_relays),
    cmocka_unit_test(test_thresholds),    cmocka_unit_test(test_duplicate_signer),
    cmocka_unit_test(test_bad_signatures), cmocka_unit_test(test_validity),
    cmocka_unit_test(test_fields),        cmocka_unit_test(test_bytes),
    cmocka_unit_test(test_truncated),     cmocka_unit_test(test_truncated_note),
    cmocka_unit_test(test_oversize),      cmocka_unit_test(test_limits),
    cmocka_unit_test(test_params),        cmocka_unit_test(test_param_conflicts),
    cmocka_unit_test(test_points),        cmocka_unit_test(test_keys),
    cmocka_unit_test(test_relay_fields),
  };

  return cmocka_run_group_tests(tests, setup, teardown);
}
