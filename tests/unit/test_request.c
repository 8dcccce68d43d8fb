/* Requests and answers: they come back as they went in, and every byte that the specification fixes is looked at. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "base/err.h"
#include "box/request.h"
#include "tests/unit/box_support.h"

/* Offsets of the specification. */
enum { AT_TOKEN = 4, AT_SURB = 100, AT_ID = 477, AT_SIGNATURE = 509, AT_BOX = 573, AT_FILL = 2045 };
enum { ANSWER_ID = 4, ANSWER_SIGNATURE = 36, ANSWER_BOX = 100, ANSWER_FILL = 1572 };

static uint8_t token[TM_BOX_TOKEN_LEN], surb[TM_SPHINX_SURB_LEN], id[TM_BOX_ID_LEN], random_part[TM_BOX_GET_RANDOM_LEN];

static int set_up(void **state)
{
  (void)state;
  support_bytes(token, sizeof token, 1);
  support_bytes(surb, sizeof surb, 2);
  support_bytes(id, sizeof id, 3);
  support_bytes(random_part, sizeof random_part, 4);
  return 0;
}

static void write_put(uint8_t body[TM_SPHINX_BODY_LEN], const uint8_t *with_token)
{
  memset(body, 0x55, TM_SPHINX_BODY_LEN);
  tm_box_put_write(body, with_token, surb, id, random_part, random_part + TM_BOX_SIGNATURE_LEN);
}

static void test_put(void **state)
{
  uint8_t body[TM_SPHINX_BODY_LEN];
  struct tm_box_request q;

  (void)state;
  write_put(body, token);
  assert_int_equal(body[0], 1);
  assert_int_equal(body[1], 1);
  assert_true(sodium_is_zero(body + 2, 2));
  assert_memory_equal(body + AT_TOKEN, token, sizeof token);
  assert_memory_equal(body + AT_SURB, surb, sizeof surb);
  assert_memory_equal(body + AT_ID, id, sizeof id);
  assert_memory_equal(body + AT_SIGNATURE, random_part, sizeof random_part);
  assert_true(sodium_is_zero(body + AT_FILL, TM_SPHINX_BODY_LEN - AT_FILL));
  assert_int_equal(tm_box_request_parse(body, &q), TM_OK);
  assert_int_equal(q.op, TM_BOX_PUT);
  assert_ptr_equal(q.token, body + AT_TOKEN);
  assert_ptr_equal(q.surb, body + AT_SURB);
  assert_ptr_equal(q.id, body + AT_ID);
  assert_ptr_equal(q.signature, body + AT_SIGNATURE);
  assert_ptr_equal(q.box, body + AT_BOX);
}

static void test_get(void **state)
{
  uint8_t body[TM_SPHINX_BODY_LEN], put[TM_SPHINX_BODY_LEN];
  struct tm_box_request q;

  (void)state;
  memset(body, 0x55, sizeof body);
  tm_box_get_write(body, NULL, surb, id, random_part);
  assert_true(sodium_is_zero(body + AT_TOKEN, TM_BOX_TOKEN_LEN));
  assert_int_equal(tm_box_request_parse(body, &q), TM_OK);
  assert_int_equal(q.op, TM_BOX_GET);
  assert_ptr_equal(q.id, body + AT_ID);
  assert_ptr_equal(q.surb, body + AT_SURB);
  assert_null(q.signature);
  assert_null(q.box);
  /* But for the op it is a put, to the last byte. */
  write_put(put, NULL);
  put[1] = TM_BOX_GET;
  assert_memory_equal(body, put, sizeof body);
}

/* Every value of every byte that is fixed. */
static void check_request_byte(uint8_t *body, size_t at, int good_low, int good_high, int want)
{
  uint8_t kept = body[at];
  struct tm_box_request q;

  for (int v = 0; v < 256; v++) {
    int err;

    body[at] = (uint8_t)v;
    memset(&q, 0x55, sizeof q);
    err = tm_box_request_parse(body, &q);
    if (v >= good_low && v <= good_high) {
      assert_int_equal(err, TM_OK);
    } else {
      assert_int_equal(err, want);
      assert_true(q.op == 0 && q.token == NULL && q.surb == NULL && q.id == NULL && q.signature == NULL &&
                  q.box == NULL);
    }
  }
  body[at] = kept;
}

static void test_request_malformed(void **state)
{
  uint8_t body[TM_SPHINX_BODY_LEN];

  (void)state;
  write_put(body, token);
  check_request_byte(body, 0, 1, 1, TM_E_UNKNOWN);
  check_request_byte(body, 1, 1, 2, TM_E_UNKNOWN);
  check_request_byte(body, 2, 0, 0, TM_E_SYNTAX);
  check_request_byte(body, 3, 0, 0, TM_E_SYNTAX);
  for (size_t at = AT_FILL; at < TM_SPHINX_BODY_LEN; at++)
    check_request_byte(body, at, 0, 0, TM_E_SYNTAX);
  /* All others are the sender's: a store looks at them, not the parser. */
  for (size_t at = AT_TOKEN; at < AT_FILL; at += 13)
    check_request_byte(body, at, 0, 255, TM_OK);
}

/* ---- answers ---- */

static const struct {
  enum tm_box_op op;
  enum tm_box_status status;
} possible[] = {
    {TM_BOX_PUT, TM_BOX_STORED},  {TM_BOX_PUT, TM_BOX_REFUSED}, {TM_BOX_PUT, TM_BOX_CONFLICT},
    {TM_BOX_PUT, TM_BOX_FULL},    {TM_BOX_PUT, TM_BOX_FAILED},  {TM_BOX_GET, TM_BOX_FOUND},
    {TM_BOX_GET, TM_BOX_MISSING}, {TM_BOX_GET, TM_BOX_FAILED},  {TM_BOX_PUT, TM_BOX_WORK},
};
#define POSSIBLE (sizeof possible / sizeof possible[0])

static bool is_possible(int op, int status)
{
  for (size_t i = 0; i < POSSIBLE; i++)
    if ((int)possible[i].op == op && (int)possible[i].status == status)
      return true;
  return false;
}

static void write_answer(uint8_t body[TM_SPHINX_BODY_LEN], enum tm_box_op op, enum tm_box_status status)
{
  memset(body, 0x55, TM_SPHINX_BODY_LEN);
  if (status == TM_BOX_WORK)
    tm_box_answer_work_write(body, id, 23);
  else if (status == TM_BOX_FOUND)
    tm_box_answer_write(body, op, status, id, random_part, random_part + TM_BOX_SIGNATURE_LEN);
  else
    tm_box_answer_write(body, op, status, id, NULL, NULL);
}

static void test_answers(void **state)
{
  uint8_t body[TM_SPHINX_BODY_LEN];
  struct tm_box_answer a;

  (void)state;
  for (size_t i = 0; i < POSSIBLE; i++) {
    write_answer(body, possible[i].op, possible[i].status);
    assert_int_equal(body[0], 1);
    assert_int_equal(body[1], possible[i].op);
    assert_int_equal(body[2], possible[i].status);
    assert_int_equal(body[3], possible[i].status == TM_BOX_WORK ? 23 : 0);
    assert_memory_equal(body + ANSWER_ID, id, sizeof id);
    assert_true(sodium_is_zero(body + ANSWER_FILL, TM_SPHINX_BODY_LEN - ANSWER_FILL));
    assert_int_equal(tm_box_answer_parse(body, &a), TM_OK);
    assert_int_equal(a.op, possible[i].op);
    assert_int_equal(a.status, possible[i].status);
    assert_int_equal(a.work, body[3]);
    assert_ptr_equal(a.id, body + ANSWER_ID);
    if (a.status == TM_BOX_FOUND) {
      assert_ptr_equal(a.signature, body + ANSWER_SIGNATURE);
      assert_ptr_equal(a.box, body + ANSWER_BOX);
      assert_memory_equal(a.signature, random_part, sizeof random_part);
    } else {
      assert_null(a.signature);
      assert_null(a.box);
      assert_true(sodium_is_zero(body + ANSWER_SIGNATURE, TM_SPHINX_BODY_LEN - ANSWER_SIGNATURE));
    }
  }
}

/* All pairs of op and status. */
static void test_answer_status(void **state)
{
  uint8_t body[TM_SPHINX_BODY_LEN];
  struct tm_box_answer a;

  (void)state;
  write_answer(body, TM_BOX_GET, TM_BOX_MISSING);
  for (int op = 0; op < 256; op++)
    for (int status = 0; status < 256; status++) {
      int want = is_possible(op, status) ? TM_OK : TM_E_SYNTAX;

      body[3] = status == TM_BOX_WORK ? 1 : 0;
      if (op < 1 || op > 2 || status < 1 || status > 8)
        want = TM_E_UNKNOWN;
      body[1] = (uint8_t)op;
      body[2] = (uint8_t)status;
      memset(&a, 0x55, sizeof a);
      assert_int_equal(tm_box_answer_parse(body, &a), want);
      if (want != TM_OK)
        assert_true(a.op == 0 && a.status == 0 && a.id == NULL && a.signature == NULL && a.box == NULL);
    }
  write_answer(body, TM_BOX_GET, TM_BOX_MISSING);
  for (int version = 0; version < 256; version++) {
    body[0] = (uint8_t)version;
    assert_int_equal(tm_box_answer_parse(body, &a), version == 1 ? TM_OK : TM_E_UNKNOWN);
  }
}

/* One bit where zeros must be, at every byte. */
static void test_answer_zeros(void **state)
{
  uint8_t body[TM_SPHINX_BODY_LEN];
  struct tm_box_answer a;

  (void)state;
  for (size_t i = 0; i < POSSIBLE; i++) {
    bool found = possible[i].status == TM_BOX_FOUND;

    write_answer(body, possible[i].op, possible[i].status);
    for (size_t at = possible[i].status == TM_BOX_WORK ? 4 : 3; at < sizeof body; at++) {
      bool open = (at >= ANSWER_ID && at < ANSWER_SIGNATURE) || (found && at >= ANSWER_ID && at < ANSWER_FILL);

      body[at] ^= (uint8_t)(1 << at % 8);
      assert_int_equal(tm_box_answer_parse(body, &a), open ? TM_OK : TM_E_SYNTAX);
      body[at] ^= (uint8_t)(1 << at % 8);
    }
  }
}

static void test_answer_work(void **state)
{
  uint8_t body[TM_SPHINX_BODY_LEN];
  struct tm_box_answer a;

  (void)state;
  write_answer(body, TM_BOX_PUT, TM_BOX_WORK);
  for (unsigned bits = 0; bits < 256; bits++) {
    body[3] = (uint8_t)bits;
    assert_int_equal(tm_box_answer_parse(body, &a), bits >= 1 && bits <= 63 ? TM_OK : TM_E_SYNTAX);
    assert_int_equal(a.work, bits >= 1 && bits <= 63 ? bits : 0);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_put),     cmocka_unit_test(test_get),           cmocka_unit_test(test_request_malformed),
      cmocka_unit_test(test_answers), cmocka_unit_test(test_answer_status), cmocka_unit_test(test_answer_zeros),
      cmocka_unit_test(test_answer_work),
  };

  return cmocka_run_group_tests_name("request", tests, set_up, NULL);
}
