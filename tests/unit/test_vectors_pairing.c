/*
 * Codes, meetings, keys, messages and safety numbers against the vectors of doc/spec/pairing.md
 * (tests/vectors/pairing.json). The file is made by another program from the specification alone. box/internal.h is
 * here for the values between.
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "box/internal.h"
#include "box/pairing.h"
#include "tests/unit/vectors.h"

#define SECRET_LEN TM_INVITE_SECRET_SYMBOLS

static json_t *root;

static json_t *refused(const char *list) { return vec_member(vec_member(root, "refused"), list); }

static void secret_of(const json_t *c, uint8_t secret[static SECRET_LEN])
{
  assert_int_equal(strlen(vec_text(c, "secret")), SECRET_LEN);
  memcpy(secret, vec_text(c, "secret"), SECRET_LEN);
}

static void text_of(const json_t *c, const char *key, uint8_t text[static TM_BOX_TEXT_LEN])
{
  memset(text, 0, TM_BOX_TEXT_LEN);
  (void)vec_bytes(c, key, text, TM_BOX_TEXT_LEN);
}

static void assert_text(const json_t *c, const char *key, const uint8_t text[static TM_BOX_TEXT_LEN])
{
  uint8_t want[TM_BOX_TEXT_LEN];

  text_of(c, key, want);
  if (memcmp(want, text, sizeof want) != 0)
    fail_msg("\"%s\" differs", key);
}

/* ---- codes ---- */

static void parse(const char *typed, const json_t *c)
{
  uint8_t secret[SECRET_LEN];
  struct tm_invite_error why;

  assert_int_equal(tm_invite_parse(typed, secret, &why), TM_OK);
  assert_memory_equal(secret, vec_text(c, "secret"), SECRET_LEN);
}

/* The last four symbols of a code that is shown. */
static void check_checksum(const json_t *c, const char *code)
{
  static const char alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
  const json_t *checksum = vec_cases(vec_member(c, "checksum"));
  const char *last = code + strlen(code) - 4;

  assert_int_equal(json_array_size(checksum), 4);
  for (size_t i = 0; i < 4; i++)
    assert_int_equal(last[i], alphabet[json_integer_value(json_array_get(checksum, i)) & 31]);
}

static void test_codes(void **state)
{
  (void)state;
  EACH_CASE(vec_member(root, "codes"), c) {
    const json_t *symbols = vec_cases(vec_member(c, "symbols"));
    uint8_t random[TM_INVITE_RANDOM_LEN];
    char code[TM_INVITE_TEXT_LEN];

    assert_int_equal(json_array_size(symbols), sizeof random);
    for (size_t i = 0; i < sizeof random; i++)
      random[i] = (uint8_t)json_integer_value(json_array_get(symbols, i));
    tm_invite_make(random, code);
    assert_string_equal(code, vec_text(c, "code"));
    check_checksum(c, code);
    parse(code, c);
  }
}

static void test_typed(void **state)
{
  (void)state;
  EACH_CASE(vec_member(root, "typed"), c)
    parse(vec_text(c, "typed"), c);
}

static void check_mistake(const json_t *c, const struct tm_invite_error *why)
{
  const char *error = vec_text(c, "error");

  if (strcmp(error, "character") == 0) {
    assert_int_equal(why->position, vec_number(c, "place"));
    assert_int_equal(why->character, vec_text(c, "character")[0]);
  } else if (strcmp(error, "count") == 0) {
    assert_int_equal(why->position, 0);
    assert_int_equal(why->symbols, vec_number(c, "count"));
  } else {
    assert_string_equal(error, "checksum");
    assert_int_equal(why->position, 0);
    assert_int_equal(why->symbols, TM_INVITE_SYMBOLS);
    assert_int_equal(why->checksum_bad, 1);
  }
}

static void test_mistyped(void **state)
{
  (void)state;
  EACH_CASE(refused("typed"), c) {
    uint8_t secret[SECRET_LEN];
    struct tm_invite_error why;

    memset(secret, 1, sizeof secret);
    if (tm_invite_parse(vec_text(c, "typed"), secret, &why) != TM_E_SYNTAX)
      fail_msg("%s: accepted", vec_text(c, "name"));
    check_mistake(c, &why);
    assert_true(sodium_is_zero(secret, sizeof secret));
  }
}

/* ---- meetings ---- */

static void check_side(const json_t *c, const struct tm_box_writer *w)
{
  uint8_t capability[TM_BOX_CAPABILITY_LEN], id[TM_BOX_ID_LEN], key[TM_BOX_KEY_LEN], seed[TM_BOX_SEED_LEN];
  struct tm_box_writer again;

  vec_assert_bytes(c, "a", w->scalar, sizeof w->scalar);
  vec_assert_bytes(c, "prefix", w->prefix, sizeof w->prefix);
  tm_box_capability(w, capability);
  vec_assert_bytes(c, "capability", capability, sizeof capability);
  assert_int_equal(tm_box_writer_id(w, id), TM_OK);
  vec_assert_bytes(c, "id", id, sizeof id);
  tm_box_key(key, w->point, w->chain, w->index);
  vec_assert_bytes(c, "key", key, sizeof key);
  vec_exactly(c, "seed", seed, sizeof seed);
  tm_box_writer_init(&again, seed, w->index);
  assert_memory_equal(&again, w, sizeof again);
}

static void test_meetings(void **state)
{
  (void)state;
  EACH_CASE(vec_member(root, "meetings"), c) {
    struct tm_box_writer inviter, acceptor;
    uint8_t secret[SECRET_LEN];

    secret_of(c, secret);
    tm_pairing_meeting(secret, vec_number(c, "slot"), &inviter, &acceptor);
    check_side(vec_member(c, "inviter"), &inviter);
    check_side(vec_member(c, "acceptor"), &acceptor);
  }
}

/* ---- exchanges ---- */

/* What a case gives both sides. */
struct given {
  uint8_t code[SECRET_LEN], i_secret[32], a_secret[32], i[32], a[32];
  uint8_t i_capability[TM_BOX_CAPABILITY_LEN], a_capability[TM_BOX_CAPABILITY_LEN];
  uint8_t offer_nonce[TM_PAIRING_OFFER_RANDOM_LEN], confirm_nonce[TM_PAIRING_CONFIRM_RANDOM_LEN];
};

static void read_given(const json_t *c, struct given *g)
{
  secret_of(c, g->code);
  vec_exactly(c, "inviter_secret", g->i_secret, sizeof g->i_secret);
  vec_exactly(c, "acceptor_secret", g->a_secret, sizeof g->a_secret);
  vec_exactly(c, "inviter_capability", g->i_capability, sizeof g->i_capability);
  vec_exactly(c, "acceptor_capability", g->a_capability, sizeof g->a_capability);
  vec_exactly(c, "offer_nonce", g->offer_nonce, sizeof g->offer_nonce);
  vec_exactly(c, "confirm_nonce", g->confirm_nonce, sizeof g->confirm_nonce);
  tm_pairing_ephemeral(g->i_secret, g->i);
  vec_assert_bytes(c, "I", g->i, sizeof g->i);
  tm_pairing_ephemeral(g->a_secret, g->a);
  vec_assert_bytes(c, "A", g->a, sizeof g->a);
}

/* The keys of one message open its capability; D and K are what they are made of. */
static void check_keys(const json_t *c, const struct given *g, const uint8_t *offer, const uint8_t *confirm)
{
  uint8_t d[32], k[64], key[TM_BOX_KEY_LEN], out[TM_BOX_CAPABILITY_LEN];

  assert_int_equal(crypto_scalarmult(d, g->i_secret, g->a), 0);
  vec_assert_bytes(c, "D", d, sizeof d);
  TM_BOX_HASH(k, sizeof k, "tidemill.pairing", g->code, SECRET_LEN, {g->i, 32}, {g->a, 32}, {d, 32});
  vec_assert_bytes(c, "K", k, sizeof k);
  vec_assert_bytes(c, "offer_key", k, 32);
  vec_assert_bytes(c, "confirm_key", k + 32, 32);
  vec_exactly(c, "offer_key", key, sizeof key);
  assert_int_equal(tm_box_aead_open(out, offer + 57, 88, NULL, 0, offer + 33, key), TM_OK);
  assert_memory_equal(out, g->i_capability, sizeof out);
  vec_exactly(c, "confirm_key", key, sizeof key);
  assert_int_equal(tm_box_aead_open(out, confirm + 25, 88, NULL, 0, confirm + 1, key), TM_OK);
  assert_memory_equal(out, g->a_capability, sizeof out);
}

static void check_number(const json_t *c, const uint8_t safety[static TM_PAIRING_SAFETY_LEN])
{
  char number[TM_SAFETY_TEXT_LEN];
  uint8_t hash[64];

  TM_BOX_HASH(hash, sizeof hash, "tidemill.digits1", NULL, 0, {safety, TM_PAIRING_SAFETY_LEN});
  vec_assert_bytes(c, "digits_hash", hash, sizeof hash);
  tm_safety_format(safety, number);
  assert_string_equal(number, vec_text(c, "number"));
}

static void test_exchanges(void **state)
{
  (void)state;
  EACH_CASE(vec_member(root, "exchanges"), c) {
    uint8_t hello[TM_BOX_TEXT_LEN], offer[TM_BOX_TEXT_LEN], confirm[TM_BOX_TEXT_LEN];
    uint8_t a[32], i[32], capability[TM_BOX_CAPABILITY_LEN], safety[TM_PAIRING_SAFETY_LEN];
    struct given g;

    read_given(c, &g);
    tm_pairing_hello_write(hello, g.a);
    assert_text(c, "hello", hello);
    assert_int_equal(tm_pairing_hello_read(hello, a), TM_OK);
    assert_int_equal(
      tm_pairing_offer_write(offer, g.code, g.i_secret, a, g.i_capability, g.offer_nonce, safety), TM_OK);
    assert_text(c, "offer", offer);
    vec_assert_bytes(c, "safety", safety, sizeof safety);
    memset(safety, 0, sizeof safety);
    assert_int_equal(tm_pairing_offer_read(offer, g.code, g.a_secret, i, capability, safety), TM_OK);
    assert_memory_equal(capability, g.i_capability, sizeof capability);
    vec_assert_bytes(c, "safety", safety, sizeof safety);
    assert_int_equal(tm_pairing_confirm_write(confirm, g.code, g.a_secret, i, g.a_capability, g.confirm_nonce), TM_OK);
    assert_text(c, "confirm", confirm);
    assert_int_equal(tm_pairing_confirm_read(confirm, g.code, g.i_secret, a, capability), TM_OK);
    assert_memory_equal(capability, g.a_capability, sizeof capability);
    check_keys(c, &g, offer, confirm);
    check_number(c, safety);
  }
}

static void test_numbers(void **state)
{
  (void)state;
  EACH_CASE(vec_member(root, "numbers"), c) {
    uint8_t safety[TM_PAIRING_SAFETY_LEN];

    vec_exactly(c, "safety", safety, sizeof safety);
    check_number(c, safety);
  }
}

/* ---- what must be refused ---- */

/* An unknown message is found out by its type; to a reader of one message it is as wrong as any other. */
static void assert_refused(const json_t *c, const uint8_t text[static TM_BOX_TEXT_LEN], int got)
{
  enum tm_pairing_message type;
  int want = vec_error(c);

  assert_int_equal(tm_pairing_type(text, &type), want == TM_E_UNKNOWN ? TM_E_UNKNOWN : TM_OK);
  if (want == TM_E_UNKNOWN)
    want = TM_E_SYNTAX;
  if (got != want)
    fail_msg("%s: %s instead of %s", vec_text(c, "name"), tm_strerror(got), vec_text(c, "error"));
}

/* D is zero, whichever side we are. */
static void test_refused_keys(void **state)
{
  (void)state;
  EACH_CASE(refused("keys"), c) {
    const uint8_t nonce[24] = {0}, capability[TM_BOX_CAPABILITY_LEN] = {0};
    uint8_t code[SECRET_LEN], own[32], key[32], text[TM_BOX_TEXT_LEN], safety[TM_PAIRING_SAFETY_LEN];

    secret_of(c, code);
    vec_exactly(c, "own_secret", own, sizeof own);
    vec_exactly(c, "key", key, sizeof key);
    memset(text, 1, sizeof text);
    memset(safety, 1, sizeof safety);
    assert_int_equal(tm_pairing_offer_write(text, code, own, key, capability, nonce, safety), vec_error(c));
    assert_true(sodium_is_zero(text, sizeof text) && sodium_is_zero(safety, sizeof safety));
    memset(text, 1, sizeof text);
    assert_int_equal(tm_pairing_confirm_write(text, code, own, key, capability, nonce), vec_error(c));
    assert_true(sodium_is_zero(text, sizeof text));
  }
}

static void test_refused_hello(void **state)
{
  (void)state;
  EACH_CASE(refused("hello"), c) {
    uint8_t text[TM_BOX_TEXT_LEN], key[32];

    text_of(c, "text", text);
    memset(key, 1, sizeof key);
    assert_refused(c, text, tm_pairing_hello_read(text, key));
    assert_true(sodium_is_zero(key, sizeof key));
  }
}

static void test_refused_offer(void **state)
{
  (void)state;
  EACH_CASE(refused("offer"), c) {
    uint8_t code[SECRET_LEN], own[32], text[TM_BOX_TEXT_LEN];
    uint8_t key[32], capability[TM_BOX_CAPABILITY_LEN], safety[TM_PAIRING_SAFETY_LEN];

    secret_of(c, code);
    vec_exactly(c, "acceptor_secret", own, sizeof own);
    text_of(c, "text", text);
    memset(key, 1, sizeof key);
    memset(capability, 1, sizeof capability);
    memset(safety, 1, sizeof safety);
    assert_refused(c, text, tm_pairing_offer_read(text, code, own, key, capability, safety));
    assert_true(sodium_is_zero(key, sizeof key) && sodium_is_zero(capability, sizeof capability) &&
                sodium_is_zero(safety, sizeof safety));
  }
}

static void test_refused_confirm(void **state)
{
  (void)state;
  EACH_CASE(refused("confirm"), c) {
    uint8_t code[SECRET_LEN], own[32], acceptor[32], text[TM_BOX_TEXT_LEN], capability[TM_BOX_CAPABILITY_LEN];

    secret_of(c, code);
    vec_exactly(c, "inviter_secret", own, sizeof own);
    vec_exactly(c, "acceptor", acceptor, sizeof acceptor);
    text_of(c, "text", text);
    memset(capability, 1, sizeof capability);
    assert_refused(c, text, tm_pairing_confirm_read(text, code, own, acceptor, capability));
    assert_true(sodium_is_zero(capability, sizeof capability));
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_codes),         cmocka_unit_test(test_typed),         cmocka_unit_test(test_mistyped),
    cmocka_unit_test(test_meetings),      cmocka_unit_test(test_exchanges),     cmocka_unit_test(test_numbers),
    cmocka_unit_test(test_refused_keys),  cmocka_unit_test(test_refused_hello), cmocka_unit_test(test_refused_offer),
    cmocka_unit_test(test_refused_confirm),
  };
  int failed;

  root = vec_load("pairing.json");
  if (root == NULL || sodium_init() < 0)
    return 1;
  failed = cmocka_run_group_tests(tests, NULL, NULL);
  json_decref(root);
  return failed;
}
