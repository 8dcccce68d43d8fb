/*
 * The parts below the packet: back-end choice and self-test, mix key points, the sender's product of blinding
 * factors, key pairs, texts.
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "sphinx/blinding.h"
#include "sphinx/bytes.h"
#include "tests/unit/sphinx_net.h"

#define VARIABLE "TIDEMILL_SPHINX_BACKEND"

static void test_backend_choice(void **state)
{
  tm_sphinx *ctx = (tm_sphinx *)state;

  assert_int_equal(tm_sphinx_backend_available("portable"), 1);
  assert_int_equal(tm_sphinx_backend_available("portabl"), 0);
  assert_int_equal(tm_sphinx_backend_available(""), 0);
  assert_int_equal(tm_sphinx_backend_available(NULL), 0);
  assert_int_equal(tm_sphinx_new(&ctx, "abacus", TM_SPHINX_BODY_LEN), TM_SPHINX_E_BACKEND);
  assert_null(ctx);

  /* The environment decides where the caller does not. */
  assert_int_equal(setenv(VARIABLE, "abacus", 1), 0);
  ctx = (tm_sphinx *)state;
  assert_int_equal(tm_sphinx_new(&ctx, NULL, TM_SPHINX_BODY_LEN), TM_SPHINX_E_BACKEND);
  assert_null(ctx);
  assert_int_equal(tm_sphinx_new(&ctx, "portable", TM_SPHINX_BODY_LEN), TM_SPHINX_OK);
  assert_string_equal(tm_sphinx_backend_name(ctx), "portable");
  tm_sphinx_free(ctx);
  assert_int_equal(setenv(VARIABLE, "portable", 1), 0);
  assert_int_equal(tm_sphinx_new(&ctx, NULL, TM_SPHINX_BODY_LEN), TM_SPHINX_OK);
  assert_string_equal(tm_sphinx_backend_name(ctx), "portable");
  tm_sphinx_free(ctx);
  assert_int_equal(setenv(VARIABLE, "", 1), 0);
  assert_int_equal(tm_sphinx_new(&ctx, NULL, TM_SPHINX_BODY_LEN), TM_SPHINX_OK);
  tm_sphinx_free(ctx);
  assert_int_equal(unsetenv(VARIABLE), 0);
}

/* Without a name it is the first in the list that works. */
static void test_backend_best(void **state)
{
  tm_sphinx *ctx;
  const char *const *name = tm_sphinx_backends();

  (void)state;
  while (*name != NULL && !tm_sphinx_backend_available(*name))
    name++;
  assert_non_null(*name);
  assert_int_equal(tm_sphinx_new(&ctx, NULL, TM_SPHINX_BODY_LEN), TM_SPHINX_OK);
  assert_string_equal(tm_sphinx_backend_name(ctx), *name);
  tm_sphinx_free(ctx);
  tm_sphinx_free(NULL);
}

static void test_body_limits(void **state)
{
  static const size_t bad[] = {0, 1, TM_SPHINX_BODY_MIN - 1, TM_SPHINX_BODY_MAX + 1, SIZE_MAX};
  tm_sphinx *ctx;

  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    ctx = (tm_sphinx *)state;
    assert_int_equal(tm_sphinx_new(&ctx, NULL, bad[i]), TM_SPHINX_E_BODY_LEN);
    assert_null(ctx);
  }
}

/* ---- a back-end that is wrong in one lane of one function must fail its self-test ---- */

static void bad_x25519(uint8_t *const out[], const uint8_t *const scalar[], const uint8_t *const point[], uint8_t ok[],
                       size_t n)
{
  tm_curve_portable.x25519(out, scalar, point, ok, n);
  out[n - 1][31] ^= 1;
}

static void bad_ok(uint8_t *const out[], const uint8_t *const scalar[], const uint8_t *const point[], uint8_t ok[],
                   size_t n)
{
  tm_curve_portable.x25519(out, scalar, point, ok, n);
  memset(ok, 1, n);
}

static void bad_base(uint8_t *const out[], const uint8_t *const scalar[], size_t n)
{
  tm_curve_portable.x25519_base(out, scalar, n);
  out[n - 1][0] ^= 1;
}

static void bad_kdf(uint8_t *const out[], const uint8_t *const in[], unsigned first, unsigned count, size_t n)
{
  tm_symmetric_portable.kdf(out, in, first, count, n);
  out[n - 1][count * TM_KDF_LEN - 1] ^= 1;
}

/* Right only when it starts at K(0). */
static void bad_kdf_first(uint8_t *const out[], const uint8_t *const in[], unsigned first, unsigned count, size_t n)
{
  (void)first;
  tm_symmetric_portable.kdf(out, in, 0, count, n);
}

static void bad_mac(uint8_t *const out[], const uint8_t *const key[], const uint8_t *const beta[], size_t n)
{
  tm_symmetric_portable.mac(out, key, beta, n);
  out[n - 1][15] ^= 1;
}

static void bad_stream(uint8_t *const out[], const uint8_t *const key[], size_t n)
{
  tm_symmetric_portable.stream(out, key, n);
  out[n - 1][TM_STREAM_LEN - 1] ^= 1;
}

static void bad_lioness(uint8_t *const block[], const uint8_t *const key[], size_t len, size_t n)
{
  tm_symmetric_portable.lioness_encrypt(block, key, len, n);
  block[n - 1][len - 1] ^= 1;
}

static void test_selftest(void **state)
{
  struct tm_curve curve;
  struct tm_symmetric symmetric;
  const struct tm_sphinx_backend broken = {.name = "broken", .curve = &curve, .symmetric = &symmetric};

  (void)state;
  curve = tm_curve_portable;
  symmetric = tm_symmetric_portable;
  assert_true(tm_backend_selftest(&broken));
#define BREAK(half, member, function) \
  curve = tm_curve_portable; \
  symmetric = tm_symmetric_portable; \
  half.member = function; \
  assert_false(tm_backend_selftest(&broken))
  BREAK(curve, x25519, bad_x25519);
  BREAK(curve, x25519, bad_ok);
  BREAK(curve, x25519_base, bad_base);
  BREAK(symmetric, kdf, bad_kdf);
  BREAK(symmetric, kdf, bad_kdf_first);
  BREAK(symmetric, mac, bad_mac);
  BREAK(symmetric, stream, bad_stream);
  BREAK(symmetric, lioness_encrypt, bad_lioness);
  BREAK(symmetric, lioness_decrypt, bad_lioness);
#undef BREAK
}

/* ---- points ---- */

/* The point of order eight with an even y, and its multiples. */
static void torsion(uint8_t out[static 32], unsigned times)
{
  static const uint8_t t[32] = {
    0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0,
    0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05,
  };
  uint8_t sum[32] = {1};

  for (unsigned i = 0; i < times; i++) {
    uint8_t next[32];

    assert_int_equal(crypto_core_ed25519_add(next, sum, t), 0);
    memcpy(sum, next, 32);
  }
  memcpy(out, sum, 32);
}

static void test_torsion(void **state)
{
  struct tm_point_cache cache = {0};
  uint8_t scalar[32], good[32], mixed[32], t[32], y[32];

  (void)state;
  torsion(t, 8);
  assert_int_equal(t[0], 1); /* the identity: t has order eight */
  for (uint32_t seed = 0; seed < 4; seed++) {
    net_random(scalar, sizeof scalar, seed);
    scalar[31] &= 0x0f;
    assert_int_equal(crypto_scalarmult_ed25519_base_noclamp(good, scalar), 0);
    for (unsigned times = 0; times < 8; times++) {
      int want = times == 0 ? TM_SPHINX_OK : TM_SPHINX_E_POINT;

      torsion(t, times);
      assert_int_equal(crypto_core_ed25519_add(mixed, good, t), 0);
      assert_int_equal(tm_point_is_torsion_free(mixed), times == 0);
      assert_int_equal(tm_sphinx_point_check(mixed), want);
      assert_int_equal(tm_point_to_x25519(y, mixed), want);
      assert_int_equal(tm_point_lookup(&cache, y, mixed), want);
      assert_int_equal(tm_sphinx_point_check(t), TM_SPHINX_E_POINT);
      assert_false(tm_point_is_torsion_free(t));
    }
  }
  /* The base point's subgroup plus (0, -1): what a library with CVE-2025-69277 lets pass. */
  torsion(t, 4);
  assert_int_equal(crypto_core_ed25519_add(mixed, good, t), 0);
  assert_int_equal(tm_point_library_is_sound(), !crypto_core_ed25519_is_valid_point(mixed));
}

static void test_not_a_point(void **state)
{
  uint8_t p[32], y[32];
  size_t bad = 0;

  (void)state;
  for (uint32_t seed = 0; seed < 64; seed++) {
    net_random(p, sizeof p, seed);
    if (tm_sphinx_point_check(p) == TM_SPHINX_OK)
      continue;
    bad++;
    assert_false(tm_point_is_torsion_free(p));
    memset(y, 0x55, sizeof y);
    assert_int_equal(tm_point_to_x25519(y, p), TM_SPHINX_E_POINT);
    assert_true(sodium_is_zero(y, sizeof y));
  }
  assert_true(bad > 32);
}

/* Hits, more points with one first byte than a set holds, and an empty entry that looks like a zero point. */
static void test_point_cache(void **state)
{
  struct tm_point_cache cache = {0};
  uint8_t y[32], zero[32] = {0};
  uint8_t scalar[32] = {0}, point[TM_POINT_CACHE_WAYS + 1][32], want[TM_POINT_CACHE_WAYS + 1][32];
  size_t found = 0;

  (void)state;
  assert_int_equal(tm_point_lookup(&cache, y, zero), TM_SPHINX_E_POINT);
  assert_true(sodium_is_zero((const uint8_t *)&cache, sizeof cache));
  for (uint16_t i = 1; found <= TM_POINT_CACHE_WAYS; i++) {
    memcpy(scalar, &i, sizeof i);
    assert_int_equal(crypto_scalarmult_ed25519_base_noclamp(point[found], scalar), 0);
    if (point[found][0] % TM_POINT_CACHE_SETS != 7)
      continue;
    assert_int_equal(tm_point_to_x25519(want[found], point[found]), TM_SPHINX_OK);
    found++;
  }
  for (int round = 0; round < 3; round++)
    for (size_t i = 0; i < TM_POINT_CACHE_WAYS; i++) {
      assert_int_equal(tm_point_lookup(&cache, y, point[i]), TM_SPHINX_OK);
      assert_memory_equal(y, want[i], 32);
      assert_memory_equal(cache.set[7].way[i].point, point[i], 32); /* all of them stay */
    }
  /* One more takes the place of the first. */
  assert_int_equal(tm_point_lookup(&cache, y, point[found - 1]), TM_SPHINX_OK);
  assert_memory_equal(y, want[found - 1], 32);
  assert_memory_equal(cache.set[7].way[0].point, point[found - 1], 32);
  /* An entry is used only for the very point it holds. */
  memcpy(zero, point[1], 32);
  zero[31] ^= 0x80;
  assert_int_equal(tm_point_lookup(&cache, y, zero), TM_SPHINX_OK); /* -P, in the same subgroup */
  assert_memory_equal(cache.set[7].way[1].point, zero, 32);
}

static void test_key(void **state)
{
  (void)state;
  for (uint32_t seed = 0; seed < 16; seed++) {
    uint8_t secret[32], base[32], point[32], y[32];
    tm_sphinx_key *key;

    net_random(secret, sizeof secret, seed);
    assert_int_equal(tm_sphinx_key_new(&key, secret), TM_SPHINX_OK);
    tm_sphinx_key_point(key, point);
    assert_int_equal(crypto_scalarmult_base(base, secret), 0);
    assert_int_equal(tm_sphinx_point_check(point), TM_SPHINX_OK);
    assert_int_equal(tm_point_to_x25519(y, point), TM_SPHINX_OK);
    assert_memory_equal(y, base, 32);
    assert_memory_equal(key->y, base, 32);
    tm_sphinx_key_free(key);
  }
  tm_sphinx_key_free(NULL);
}

/* ---- blinding ---- */

/* One multiplication by the product is the multiplications one after the other. */
static void test_blinding(void **state)
{
  (void)state;
  for (uint32_t seed = 0; seed < 16; seed++) {
    uint8_t factor[TM_SPHINX_HOPS_MAX][32], product[32], scalar[32], by_steps[32], at_once[32], before[32];

    net_random(&factor[0][0], sizeof factor, seed);
    tm_blinding_start(product, factor[0]);
    assert_true(tm_blinding_scalar(scalar, product));
    assert_int_equal(crypto_scalarmult_curve25519_base(by_steps, factor[0]), 0);
    assert_int_equal(crypto_scalarmult_curve25519_base(at_once, scalar), 0);
    assert_memory_equal(by_steps, at_once, 32);
    for (size_t i = 1; i < TM_SPHINX_HOPS_MAX; i++) {
      uint8_t clamped[32];

      tm_blinding_multiply(product, factor[i]);
      assert_true(tm_blinding_scalar(scalar, product));
      memcpy(clamped, scalar, sizeof clamped);
      tm_bytes_clamp(clamped);
      assert_memory_equal(clamped, scalar, 32);
      memcpy(before, by_steps, sizeof before);
      assert_int_equal(crypto_scalarmult_curve25519(by_steps, factor[i], before), 0);
      assert_int_equal(crypto_scalarmult_curve25519_base(at_once, scalar), 0);
      assert_memory_equal(by_steps, at_once, 32);
    }
  }
}

/* The products that no clamped scalar stands for: 0, and the 2^-126 share next to 0 and to 2^255. */
static void test_blinding_limits(void **state)
{
  uint8_t product[32] = {0}, scalar[32];

  (void)state;
  memset(scalar, 0x55, sizeof scalar);
  assert_false(tm_blinding_scalar(scalar, product));
  assert_true(sodium_is_zero(scalar, 32));
  product[0] = 1;
  assert_false(tm_blinding_scalar(scalar, product));
  memset(product, 0, 32);
  product[31] = 0x10; /* 8 c = 2^255, and 8 L - 2^255 is small */
  assert_false(tm_blinding_scalar(scalar, product));
  assert_true(sodium_is_zero(scalar, 32));
  product[31] = 0x08; /* 8 c = 2^254: the smallest */
  assert_true(tm_blinding_scalar(scalar, product));
  assert_int_equal(scalar[31], 0x40);
  memset(product, 0xff, 32);
  product[31] = 0x0f; /* 8 c = 2^255 - 8: the largest */
  assert_true(tm_blinding_scalar(scalar, product));
  assert_int_equal(scalar[31], 0x7f);
  assert_int_equal(scalar[0], 0xf8);
  memset(product, 0xff, 32);
  product[31] = 0x07; /* 8 c = 2^254 - 8: the other one, 8 L - 8 c */
  assert_true(tm_blinding_scalar(scalar, product));
  assert_int_equal(scalar[31], 0x40);
}

static void test_texts(void **state)
{
  (void)state;
  for (int a = TM_SPHINX_OK; a >= TM_SPHINX_E_BODY_LEN; a--)
    for (int b = a - 1; b >= TM_SPHINX_E_BODY_LEN; b--)
      assert_string_not_equal(tm_sphinx_strerror(a), tm_sphinx_strerror(b));
  assert_string_equal(tm_sphinx_strerror(1), "unknown error");
  assert_string_equal(tm_sphinx_strerror(TM_SPHINX_E_BODY_LEN - 1), "unknown error");
  assert_string_equal(tm_sphinx_strerror(-1000000), "unknown error");
  assert_string_equal(tm_sphinx_strerror((int)0x80000000), "unknown error");
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_backend_choice),
    cmocka_unit_test(test_backend_best),
    cmocka_unit_test(test_body_limits),
    cmocka_unit_test(test_selftest),
    cmocka_unit_test(test_torsion),
    cmocka_unit_test(test_not_a_point),
    cmocka_unit_test(test_point_cache),
    cmocka_unit_test(test_key),
    cmocka_unit_test(test_blinding),
    cmocka_unit_test(test_blinding_limits),
    cmocka_unit_test(test_texts),
  };

  if (unsetenv(VARIABLE) != 0)
    return 1;
  return cmocka_run_group_tests(tests, NULL, NULL);
}
