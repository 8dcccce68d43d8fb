/*
 * Requests, answers and records against the vectors of doc/spec/boxes.md (tests/vectors/box.json). The file is made by
 * another program from the specification alone.
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "box/record.h"
#include "box/work.h"
#include "tests/unit/vectors.h"

static json_t *root;

static json_t *refused(const char *list) { return vec_member(vec_member(root, "refused"), list); }

/* ---- requests and answers ---- */

static void check_request(const json_t *c, const uint8_t body[static TM_SPHINX_BODY_LEN])
{
  struct tm_box_request q;

  assert_int_equal(tm_box_request_parse(body, &q), TM_OK);
  assert_int_equal(q.op, vec_number(c, "op"));
  vec_assert_bytes(c, "token", q.token, TM_BOX_TOKEN_LEN);
  vec_assert_bytes(c, "surb", q.surb, TM_SPHINX_SURB_LEN);
  vec_assert_bytes(c, "id", q.id, TM_BOX_ID_LEN);
  if (q.op == TM_BOX_PUT) {
    vec_assert_bytes(c, "signature", q.signature, TM_BOX_SIGNATURE_LEN);
    vec_assert_bytes(c, "box", q.box, TM_BOX_LEN);
  } else {
    assert_null(q.signature);
    assert_null(q.box);
  }
}

static void make_request(const json_t *c, uint8_t body[static TM_SPHINX_BODY_LEN])
{
  uint8_t token[TM_BOX_TOKEN_LEN], surb[TM_SPHINX_SURB_LEN], id[TM_BOX_ID_LEN], rest[TM_BOX_GET_RANDOM_LEN];
  uint8_t *box = rest + TM_BOX_SIGNATURE_LEN;

  vec_exactly(c, "token", token, sizeof token);
  vec_exactly(c, "surb", surb, sizeof surb);
  vec_exactly(c, "id", id, sizeof id);
  vec_exactly(c, "signature", rest, TM_BOX_SIGNATURE_LEN);
  vec_exactly(c, "box", box, TM_BOX_LEN);
  if (vec_number(c, "op") == TM_BOX_PUT)
    tm_box_put_write(body, token, surb, id, rest, box);
  else
    tm_box_get_write(body, token, surb, id, rest);
}

static void test_requests(void **state)
{
  unsigned seen = 0;

  (void)state;
  EACH_CASE(vec_member(root, "requests"), c) {
    uint8_t body[TM_SPHINX_BODY_LEN], made[TM_SPHINX_BODY_LEN];

    vec_exactly(c, "body", body, sizeof body);
    check_request(c, body);
    make_request(c, made);
    assert_memory_equal(made, body, sizeof body);
    seen |= 1u << vec_number(c, "op");
  }
  assert_int_equal(seen, 6);
}

static void test_answers(void **state)
{
  unsigned seen = 0;

  (void)state;
  EACH_CASE(vec_member(root, "answers"), c) {
    uint8_t body[TM_SPHINX_BODY_LEN], made[TM_SPHINX_BODY_LEN];
    struct tm_box_answer a;

    vec_exactly(c, "body", body, sizeof body);
    assert_int_equal(tm_box_answer_parse(body, &a), TM_OK);
    assert_int_equal(a.op, vec_number(c, "op"));
    assert_int_equal(a.status, vec_number(c, "status"));
    vec_assert_bytes(c, "id", a.id, TM_BOX_ID_LEN);
    if (a.status == TM_BOX_FOUND) {
      vec_assert_bytes(c, "signature", a.signature, TM_BOX_SIGNATURE_LEN);
      vec_assert_bytes(c, "box", a.box, TM_BOX_LEN);
    } else {
      assert_null(a.signature);
      assert_null(a.box);
    }
    if (a.status == TM_BOX_WORK) {
      assert_int_equal(a.work, vec_number(c, "work"));
      tm_box_answer_work_write(made, a.id, a.work);
    } else {
      tm_box_answer_write(made, a.op, a.status, a.id, a.signature, a.box);
    }
    assert_memory_equal(made, body, sizeof body);
    seen |= 1u << a.status;
  }
  assert_int_equal(seen, 0x1fe); /* every status */
}

static void test_refused_requests(void **state)
{
  (void)state;
  EACH_CASE(refused("requests"), c) {
    uint8_t body[TM_SPHINX_BODY_LEN];
    struct tm_box_request q;

    vec_exactly(c, "body", body, sizeof body);
    vec_assert_refused(c, tm_box_request_parse(body, &q));
    assert_null(q.surb);
  }
}

static void test_refused_answers(void **state)
{
  (void)state;
  EACH_CASE(refused("answers"), c) {
    uint8_t body[TM_SPHINX_BODY_LEN];
    struct tm_box_answer a;

    vec_exactly(c, "body", body, sizeof body);
    vec_assert_refused(c, tm_box_answer_parse(body, &a));
    assert_null(a.id);
  }
}

/* ---- work ---- */

static uint64_t nonce_of(const json_t *c, const char *name)
{
  uint8_t token[TM_BOX_TOKEN_LEN] = {0}, again[TM_BOX_TOKEN_LEN];
  uint64_t nonce;

  vec_exactly(c, name, token, TM_BOX_WORK_NONCE_LEN);
  nonce = tm_box_work_nonce(token);
  tm_box_work_token(nonce, again);
  assert_memory_equal(again, token, sizeof token);
  return nonce;
}

static void test_work(void **state)
{
  (void)state;
  EACH_CASE(vec_member(root, "work"), c) {
    uint8_t store[32], id[TM_BOX_ID_LEN];

    vec_exactly(c, "store", store, sizeof store);
    vec_exactly(c, "id", id, sizeof id);
    assert_int_equal(tm_box_work_bits(store, vec_number(c, "epoch"), id, nonce_of(c, "nonce")), vec_number(c, "bits"));
  }
}

/* The first nonce from the given one on, in one go and in small steps. */
static void test_work_searches(void **state)
{
  (void)state;
  EACH_CASE(vec_member(root, "work_searches"), c) {
    struct tm_box_work w = {.epoch = vec_number(c, "epoch"), .nonce = nonce_of(c, "from"), .bits = (unsigned)vec_number(c, "bits")};
    struct tm_box_work slow;

    vec_exactly(c, "store", w.store, sizeof w.store);
    vec_exactly(c, "id", w.id, sizeof w.id);
    slow = w;
    assert_true(tm_box_work_search(&w, 10000000));
    assert_true(w.nonce == nonce_of(c, "nonce"));
    while (!tm_box_work_search(&slow, 3))
      ;
    assert_true(slow.nonce == w.nonce);
    if (w.bits == 0)
      continue;
    slow.nonce = nonce_of(c, "from");
    assert_false(tm_box_work_search(&slow, (uint32_t)(w.nonce - slow.nonce))); /* one try too few */
    assert_true(slow.nonce == w.nonce);
  }
}

static void test_work_steps(void **state)
{
  (void)state;
  EACH_CASE(vec_member(root, "work_steps"), c) {
    uint64_t boxes = vec_number(c, "boxes"), quota = vec_number(c, "quota");

    assert_int_equal(tm_box_work_asked(boxes, quota), vec_number(c, "asked"));
    assert_int_equal(tm_box_work_taken(boxes, quota), vec_number(c, "taken"));
  }
}

/* ---- records ---- */

static void text_of(const json_t *c, uint8_t text[static TM_BOX_TEXT_LEN])
{
  memset(text, 0, TM_BOX_TEXT_LEN);
  (void)vec_bytes(c, "text", text, TM_BOX_TEXT_LEN);
}

static void check_record(const json_t *c, const struct tm_record *r)
{
  assert_int_equal(r->type, vec_number(c, "type"));
  assert_int_equal(r->number, vec_number(c, "number"));
  if (r->type == TM_RECORD_ACK)
    return;
  assert_int_equal(r->sent_s, vec_number(c, "sent_at"));
  if (r->type == TM_RECORD_TEXT) {
    vec_assert_bytes(c, "text", r->text, r->text_len);
    return;
  }
  assert_int_equal(r->kind, vec_number(c, "kind"));
  assert_int_equal(r->size, vec_number(c, "size"));
  vec_assert_bytes(c, "hash", r->hash, 32);
  vec_assert_bytes(c, "capability", r->capability, TM_BOX_CAPABILITY_LEN);
  vec_assert_bytes(c, "name", (const uint8_t *)r->name, r->name_len);
}

/* The records of the text, against the list, which may be empty. What comes behind them. */
static int read_records(const json_t *list, const uint8_t text[static TM_BOX_TEXT_LEN], struct tm_record_writer *again)
{
  size_t at = 0, i;
  json_t *c;

  assert_true(json_is_array(list));
  json_array_foreach(list, i, c) {
    struct tm_record r;

    assert_int_equal(tm_record_next(text, &at, &r), TM_OK);
    check_record(c, &r);
    assert_int_equal(tm_record_put(again, &r), TM_OK);
  }
  return tm_record_next(text, &at, &(struct tm_record){0});
}

static void test_records(void **state)
{
  (void)state;
  EACH_CASE(vec_member(root, "records"), c) {
    uint8_t text[TM_BOX_TEXT_LEN], made[TM_BOX_TEXT_LEN];
    struct tm_record_writer w;

    text_of(c, text);
    tm_record_begin(&w, made);
    assert_int_equal(read_records(vec_member(c, "records"), text, &w), TM_E_NOT_FOUND);
    tm_record_finish(&w);
    assert_memory_equal(made, text, sizeof text);
  }
}

static void test_refused_records(void **state)
{
  (void)state;
  EACH_CASE(refused("records"), c) {
    uint8_t text[TM_BOX_TEXT_LEN], made[TM_BOX_TEXT_LEN];
    struct tm_record_writer w;

    text_of(c, text);
    tm_record_begin(&w, made);
    vec_assert_refused(c, read_records(vec_member(c, "kept"), text, &w));
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_requests),        cmocka_unit_test(test_answers), cmocka_unit_test(test_refused_requests),
    cmocka_unit_test(test_refused_answers), cmocka_unit_test(test_records), cmocka_unit_test(test_refused_records),
    cmocka_unit_test(test_work),            cmocka_unit_test(test_work_searches), cmocka_unit_test(test_work_steps),
  };
  int failed;

  root = vec_load("box.json");
  if (root == NULL)
    return 1;
  failed = cmocka_run_group_tests(tests, NULL, NULL);
  json_decref(root);
  return failed;
}
