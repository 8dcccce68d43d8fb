/*
 * Boxes against the vectors of doc/spec/boxes.md (tests/vectors/box.json). The file is made by another program from the
 * specification alone. box/internal.h is here for the values between: what nobody outside may see.
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "box/box.h"
#include "box/internal.h"
#include "tests/unit/vectors.h"

#define STORES_MAX 16

static json_t *root;

static json_t *refused(const char *list) { return vec_member(vec_member(root, "refused"), list); }

/* A box's text, which stands in the file without the zeros behind it. */
static void text_of(const json_t *c, uint8_t text[static TM_BOX_TEXT_LEN])
{
  memset(text, 0, TM_BOX_TEXT_LEN);
  (void)vec_bytes(c, "text", text, TM_BOX_TEXT_LEN);
}

static void writer_of(const json_t *c, uint64_t first, struct tm_box_writer *w)
{
  uint8_t seed[TM_BOX_SEED_LEN];

  vec_exactly(c, "seed", seed, sizeof seed);
  tm_box_writer_init(w, seed, first);
}

static int reader_of(const json_t *c, struct tm_box_reader *r)
{
  uint8_t capability[TM_BOX_CAPABILITY_LEN];

  vec_exactly(c, "capability", capability, sizeof capability);
  return tm_box_reader_init(r, capability);
}

/* ---- sequences ---- */

/* h_i is nowhere to be had: it shows in the two things that are made with it. */
static void check_blinding(const json_t *at, const struct tm_box_writer *w)
{
  uint8_t h[32], out[32], id[TM_BOX_ID_LEN];

  vec_exactly(at, "h", h, sizeof h);
  crypto_core_ed25519_scalar_mul(out, h, w->scalar);
  vec_assert_bytes(at, "a", out, sizeof out);
  assert_int_equal(tm_box_multiply(out, h, w->point), TM_OK);
  vec_assert_bytes(at, "id", out, sizeof out);
  assert_int_equal(tm_box_writer_scalar(w, out, id), TM_OK);
  vec_assert_bytes(at, "a", out, sizeof out);
  vec_assert_bytes(at, "id", id, sizeof id);
}

static void check_index(const json_t *at, const struct tm_box_writer *w, const struct tm_box_reader *r)
{
  uint8_t id[TM_BOX_ID_LEN], key[TM_BOX_KEY_LEN], capability[TM_BOX_CAPABILITY_LEN];
  struct tm_box_reader fresh;

  vec_assert_bytes(at, "chain", w->chain, sizeof w->chain);
  vec_assert_bytes(at, "chain", r->chain, sizeof r->chain);
  check_blinding(at, w);
  assert_int_equal(tm_box_writer_id(w, id), TM_OK);
  vec_assert_bytes(at, "id", id, sizeof id);
  assert_int_equal(tm_box_reader_id(r, id), TM_OK);
  vec_assert_bytes(at, "id", id, sizeof id);
  tm_box_key(key, w->point, w->chain, w->index);
  vec_assert_bytes(at, "key", key, sizeof key);
  tm_box_capability(w, capability);
  vec_assert_bytes(at, "capability", capability, sizeof capability);
  tm_box_reader_capability(r, capability);
  vec_assert_bytes(at, "capability", capability, sizeof capability);
  assert_int_equal(reader_of(at, &fresh), TM_OK);
  assert_memory_equal(&fresh, r, sizeof fresh);
}

static void test_sequences(void **state)
{
  (void)state;
  EACH_CASE(vec_member(root, "sequences"), c) {
    uint8_t capability[TM_BOX_CAPABILITY_LEN];
    struct tm_box_writer w;
    struct tm_box_reader r;

    writer_of(c, vec_number(c, "first"), &w);
    vec_assert_bytes(c, "a", w.scalar, sizeof w.scalar);
    vec_assert_bytes(c, "A", w.point, sizeof w.point);
    vec_assert_bytes(c, "prefix", w.prefix, sizeof w.prefix);
    tm_box_capability(&w, capability);
    assert_int_equal(tm_box_reader_init(&r, capability), TM_OK);
    EACH_CASE(vec_member(c, "indices"), at) {
      assert_int_equal(tm_box_writer_advance(&w, vec_number(at, "index")), TM_OK);
      assert_int_equal(tm_box_reader_advance(&r, vec_number(at, "index")), TM_OK);
      check_index(at, &w, &r);
    }
  }
}

static void test_advance(void **state)
{
  (void)state;
  EACH_CASE(refused("advance"), c) {
    const uint8_t seed[TM_BOX_SEED_LEN] = {0};
    uint8_t capability[TM_BOX_CAPABILITY_LEN];
    struct tm_box_writer w, w_before;
    struct tm_box_reader r, r_before;

    tm_box_writer_init(&w, seed, vec_number(c, "from"));
    tm_box_capability(&w, capability);
    assert_int_equal(tm_box_reader_init(&r, capability), TM_OK);
    w_before = w;
    r_before = r;
    vec_assert_refused(c, tm_box_writer_advance(&w, vec_number(c, "to")));
    vec_assert_refused(c, tm_box_reader_advance(&r, vec_number(c, "to")));
    assert_memory_equal(&w, &w_before, sizeof w);
    assert_memory_equal(&r, &r_before, sizeof r);
  }
}

/* ---- boxes ---- */

/* R is r B. */
static void check_nonce(const json_t *c)
{
  uint8_t r[32], point[32], signature[TM_BOX_SIGNATURE_LEN];

  vec_exactly(c, "r", r, sizeof r);
  vec_exactly(c, "signature", signature, sizeof signature);
  assert_int_equal(tm_box_multiply_base(point, r), TM_OK);
  assert_memory_equal(point, signature, sizeof point);
}

/* Sealed at w, against the case; and opened again. */
static void check_sealed(const json_t *c, const struct tm_box_writer *w)
{
  uint8_t text[TM_BOX_TEXT_LEN], opened[TM_BOX_TEXT_LEN], random[TM_BOX_SEAL_RANDOM_LEN];
  uint8_t id[TM_BOX_ID_LEN], box[TM_BOX_LEN], signature[TM_BOX_SIGNATURE_LEN], capability[TM_BOX_CAPABILITY_LEN];
  struct tm_box_reader r;

  text_of(c, text);
  vec_exactly(c, "nonce", random, TM_BOX_NONCE_LEN);
  vec_exactly(c, "x", random + TM_BOX_NONCE_LEN, sizeof random - TM_BOX_NONCE_LEN);
  assert_int_equal(tm_box_seal(w, text, random, id, box, signature), TM_OK);
  vec_assert_bytes(c, "id", id, sizeof id);
  vec_assert_bytes(c, "box", box, sizeof box);
  vec_assert_bytes(c, "signature", signature, sizeof signature);
  assert_int_equal(tm_box_verify(id, box, signature), TM_OK);
  tm_box_capability(w, capability);
  assert_int_equal(tm_box_reader_init(&r, capability), TM_OK);
  assert_int_equal(tm_box_open(&r, box, signature, opened), TM_OK);
  assert_memory_equal(opened, text, sizeof text);
}

static void test_boxes(void **state)
{
  (void)state;
  EACH_CASE(vec_member(root, "boxes"), c) {
    uint8_t capability[TM_BOX_CAPABILITY_LEN], key[TM_BOX_KEY_LEN];
    struct tm_box_writer w;

    writer_of(c, vec_number(c, "first"), &w);
    assert_int_equal(tm_box_writer_advance(&w, vec_number(c, "index")), TM_OK);
    tm_box_capability(&w, capability);
    vec_assert_bytes(c, "capability", capability, sizeof capability);
    tm_box_key(key, w.point, w.chain, w.index);
    vec_assert_bytes(c, "key", key, sizeof key);
    check_nonce(c);
    check_sealed(c, &w);
  }
}

/* The pieces of a message, from the message. */
static void test_bulk(void **state)
{
  (void)state;
  EACH_CASE(vec_member(root, "bulk"), c) {
    uint8_t message[4 * TM_BOX_TEXT_LEN], hash[32], capability[TM_BOX_CAPABILITY_LEN];
    size_t size = vec_bytes(c, "message", message, sizeof message), at = 0;
    struct tm_box_writer w;

    assert_int_equal(size, vec_number(c, "size"));
    crypto_generichash_blake2b(hash, sizeof hash, message, size, NULL, 0);
    vec_assert_bytes(c, "hash", hash, sizeof hash);
    writer_of(c, 0, &w);
    tm_box_capability(&w, capability);
    vec_assert_bytes(c, "capability", capability, sizeof capability);
    EACH_CASE(vec_member(c, "pieces"), piece) {
      uint8_t text[TM_BOX_TEXT_LEN], want[TM_BOX_TEXT_LEN] = {0};
      size_t len = size - at < sizeof want ? size - at : sizeof want;

      assert_int_equal(tm_box_writer_advance(&w, i_piece), TM_OK);
      memcpy(want, message + at, len);
      text_of(piece, text);
      assert_memory_equal(text, want, sizeof want);
      check_sealed(piece, &w);
      at += len;
    }
    assert_int_equal(at, size);
  }
}

/* ---- ids that nobody waits for, and the stores of an id ---- */

static void test_decoy_ids(void **state)
{
  (void)state;
  EACH_CASE(vec_member(root, "decoy_ids"), c) {
    uint8_t random[64], id[TM_BOX_ID_LEN];

    vec_exactly(c, "random", random, sizeof random);
    tm_box_decoy_id(random, id);
    vec_assert_bytes(c, "id", id, sizeof id);
  }
}

/* String i of an array of strings of 32 bytes. */
static void bytes_at(const json_t *list, size_t i, uint8_t out[static 32])
{
  json_t *holder = json_pack("{s:O}", "value", json_array_get(list, i));

  assert_non_null(holder);
  vec_exactly(holder, "value", out, 32);
  json_decref(holder);
}

static void test_stores(void **state)
{
  (void)state;
  EACH_CASE(vec_member(root, "stores"), c) {
    const json_t *list = vec_cases(vec_member(c, "identities")), *ranks = vec_member(c, "ranks");
    uint8_t id[TM_BOX_ID_LEN], identities[STORES_MAX][32], rank[32], want[32];
    size_t n = json_array_size(list), choice[2];

    assert_true(n <= STORES_MAX);
    vec_exactly(c, "id", id, sizeof id);
    for (size_t i = 0; i < n; i++) {
      bytes_at(list, i, identities[i]);
      TM_BOX_HASH(rank, sizeof rank, "tidemill.stores1", NULL, 0, {id, sizeof id}, {identities[i], 32});
      bytes_at(ranks, i, want);
      assert_memory_equal(rank, want, sizeof want);
    }
    tm_box_stores(id, (const uint8_t(*)[32])identities, n, choice);
    for (size_t i = 0; i < 2; i++) {
      bytes_at(vec_member(c, "stores"), i, want);
      assert_memory_equal(identities[choice[i]], want, sizeof want);
    }
  }
}

/* ---- what must be refused ---- */

static void test_points(void **state)
{
  (void)state;
  EACH_CASE(refused("points"), c) {
    uint8_t capability[TM_BOX_CAPABILITY_LEN] = {0}, box[TM_BOX_LEN] = {0}, signature[TM_BOX_SIGNATURE_LEN] = {0};
    struct tm_box_reader r;

    vec_exactly(c, "point", capability, 32);
    vec_assert_refused(c, tm_box_verify(capability, box, signature));
    memset(&r, 1, sizeof r);
    vec_assert_refused(c, tm_box_reader_init(&r, capability));
    assert_true(sodium_is_zero((const uint8_t *)&r, sizeof r));
  }
}

static void test_verify(void **state)
{
  (void)state;
  EACH_CASE(refused("verify"), c) {
    uint8_t id[TM_BOX_ID_LEN], box[TM_BOX_LEN], signature[TM_BOX_SIGNATURE_LEN];

    vec_exactly(c, "id", id, sizeof id);
    vec_exactly(c, "box", box, sizeof box);
    vec_exactly(c, "signature", signature, sizeof signature);
    vec_assert_refused(c, tm_box_verify(id, box, signature));
  }
}

static void test_open(void **state)
{
  (void)state;
  EACH_CASE(refused("open"), c) {
    uint8_t box[TM_BOX_LEN], signature[TM_BOX_SIGNATURE_LEN], text[TM_BOX_TEXT_LEN];
    struct tm_box_reader r;

    vec_exactly(c, "box", box, sizeof box);
    vec_exactly(c, "signature", signature, sizeof signature);
    assert_int_equal(reader_of(c, &r), TM_OK);
    memset(text, 1, sizeof text);
    vec_assert_refused(c, tm_box_open(&r, box, signature, text));
    assert_true(sodium_is_zero(text, sizeof text));
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_sequences), cmocka_unit_test(test_advance), cmocka_unit_test(test_boxes),
    cmocka_unit_test(test_bulk),      cmocka_unit_test(test_decoy_ids), cmocka_unit_test(test_stores),
    cmocka_unit_test(test_points),    cmocka_unit_test(test_verify),  cmocka_unit_test(test_open),
  };
  int failed;

  root = vec_load("box.json");
  if (root == NULL || sodium_init() < 0)
    return 1;
  failed = cmocka_run_group_tests(tests, NULL, NULL);
  json_decref(root);
  return failed;
}
