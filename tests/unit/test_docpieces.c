/* A document from its pieces. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <sodium.h>

#include "base/rng.h"
#include "client/docpieces.h"
#include "directory/document.h"

#define TOTAL 10000u
#define PIECE TM_CELL_DOC_DATA_MAX
#define N_PIECES ((TOTAL + PIECE - 1) / PIECE)

struct fixture {
  uint8_t bytes[TOTAL];
  uint8_t digest[32];
  struct tm_docpieces *d;
};

static int set_up(void **state)
{
  static const uint8_t seed[32] = {1};
  struct tm_rng_seeded source;
  struct tm_rng rng = tm_rng_seeded_init(&source, seed);
  struct fixture *f = calloc(1, sizeof *f);

  tm_rng_fill(&rng, f->bytes, sizeof f->bytes);
  crypto_generichash(f->digest, 32, f->bytes, sizeof f->bytes, NULL, 0);
  f->d = tm_docpieces_new();
  *state = f;
  return 0;
}

static int tear_down(void **state)
{
  struct fixture *f = *state;

  tm_docpieces_free(f->d);
  free(f);
  return 0;
}

static int take(struct fixture *f, uint32_t offset, size_t len, const uint8_t **document, size_t *document_len)
{
  return tm_docpieces_take(f->d, f->digest, TOTAL, offset, f->bytes + offset, len, document, document_len);
}

static size_t length_at(uint32_t offset) { return TOTAL - offset < PIECE ? TOTAL - offset : PIECE; }

static void test_in_order(void **state)
{
  struct fixture *f = *state;
  const uint8_t *document = NULL;
  size_t len = 0;

  for (uint32_t at = 0; at < TOTAL; at += (uint32_t)PIECE) {
    assert_null(document);
    assert_int_equal(take(f, at, length_at(at), &document, &len), TM_OK);
  }
  assert_int_equal(len, TOTAL);
  assert_memory_equal(document, f->bytes, TOTAL);
}

/* What does not continue the transfer ends it. */
static void test_out_of_order(void **state)
{
  static const uint32_t wrong[] = {1, 1999, 2001, 4000};
  struct fixture *f = *state;
  const uint8_t *document;
  size_t len;
  size_t have;
  size_t total;

  assert_int_equal(take(f, 1000, 1000, &document, &len), TM_E_SYNTAX);
  for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
    assert_int_equal(take(f, 0, 2000, &document, &len), TM_OK);
    assert_int_equal(take(f, wrong[i], 1000, &document, &len), TM_E_SYNTAX);
    tm_docpieces_progress(f->d, &have, &total);
    assert_int_equal(have, 0);
    assert_int_equal(take(f, 2000, 1000, &document, &len), TM_E_SYNTAX);
  }
}

static void test_begins_anew(void **state)
{
  struct fixture *f = *state;
  const uint8_t *document;
  size_t len;
  size_t have;
  size_t total;

  assert_int_equal(take(f, 0, 3000, &document, &len), TM_OK);
  assert_int_equal(take(f, 0, 2000, &document, &len), TM_OK);
  tm_docpieces_progress(f->d, &have, &total);
  assert_int_equal(have, 2000);
  assert_int_equal(total, TOTAL);
}

static void test_changed_byte(void **state)
{
  struct fixture *f = *state;
  const uint8_t *document;
  size_t len;
  size_t have;
  size_t total;
  int err = TM_OK;

  f->bytes[5000] ^= 1;
  for (uint32_t at = 0; at < TOTAL; at += (uint32_t)PIECE) {
    assert_int_equal(err, TM_OK);
    err = take(f, at, length_at(at), &document, &len);
  }
  assert_int_equal(err, TM_E_AUTH);
  assert_null(document);
  tm_docpieces_progress(f->d, &have, &total);
  assert_int_equal(have, 0);
}

static void test_refused(void **state)
{
  struct fixture *f = *state;
  const uint8_t *document;
  size_t len;

  assert_int_equal(tm_docpieces_take(f->d, f->digest, TM_DOCUMENT_MAX + 1, 0, f->bytes, 1, &document, &len), TM_E_TOO_BIG);
  assert_int_equal(tm_docpieces_take(f->d, f->digest, TOTAL, TOTAL, f->bytes, 1, &document, &len), TM_E_SYNTAX);
  assert_int_equal(tm_docpieces_take(f->d, f->digest, TOTAL, TOTAL - 1, f->bytes, 2, &document, &len), TM_E_SYNTAX);
  assert_int_equal(tm_docpieces_take(f->d, f->digest, TOTAL, UINT32_MAX, f->bytes, 2, &document, &len), TM_E_SYNTAX);
  assert_int_equal(tm_docpieces_take(f->d, f->digest, TOTAL, 0, f->bytes, 0, &document, &len), TM_E_SYNTAX);
  assert_int_equal(take(f, 0, 100, &document, &len), TM_OK);
  assert_int_equal(tm_docpieces_take(f->d, f->digest, TOTAL - 1, 100, f->bytes, 100, &document, &len), TM_E_SYNTAX);
}

static void test_newest(void **state)
{
  struct fixture *f = *state;
  const uint8_t *document;
  size_t len;
  size_t have;
  size_t total;

  assert_int_equal(take(f, 0, 100, &document, &len), TM_OK);
  assert_int_equal(tm_docpieces_take(f->d, f->digest, 0, 0, f->bytes, 0, &document, &len), TM_OK);
  assert_null(document);
  tm_docpieces_progress(f->d, &have, &total);
  assert_int_equal(have, 100);
}

static void test_another_digest_starts_anew(void **state)
{
  struct fixture *f = *state;
  uint8_t other[32];
  const uint8_t *document;
  size_t len;

  crypto_generichash(other, 32, f->bytes, 200, NULL, 0);
  assert_int_equal(take(f, 0, 1000, &document, &len), TM_OK);
  assert_int_equal(tm_docpieces_take(f->d, other, 200, 0, f->bytes, 100, &document, &len), TM_OK);
  assert_null(document);
  assert_int_equal(tm_docpieces_take(f->d, other, 200, 100, f->bytes + 100, 100, &document, &len), TM_OK);
  assert_int_equal(len, 200);
  assert_memory_equal(document, f->bytes, 200);
  assert_int_equal(take(f, 0, 1000, &document, &len), TM_OK);
  assert_int_equal(tm_docpieces_take(f->d, other, TOTAL, 1000, f->bytes + 1000, 100, &document, &len), TM_E_SYNTAX);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(test_in_order, set_up, tear_down),
    cmocka_unit_test_setup_teardown(test_out_of_order, set_up, tear_down),
    cmocka_unit_test_setup_teardown(test_begins_anew, set_up, tear_down),
    cmocka_unit_test_setup_teardown(test_changed_byte, set_up, tear_down),
    cmocka_unit_test_setup_teardown(test_refused, set_up, tear_down),
    cmocka_unit_test_setup_teardown(test_newest, set_up, tear_down),
    cmocka_unit_test_setup_teardown(test_another_digest_starts_anew, set_up, tear_down),
  };

  if (sodium_init() < 0)
    return 1;
  return cmocka_run_group_tests(tests, NULL, NULL);
}
