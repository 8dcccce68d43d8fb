/*
 * The self-test against libraries that are not what everything relies on. This program stands in for them: its
 * functions take the library's place, and misbehave one at a time.
 */
#include "config.h"

#include <dlfcn.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "base/err.h"
#include "sphinx/point.h"
#include "tests/unit/box_support.h"

#define INTERPOSE __attribute__((visibility("default")))

enum fault {
  NONE,
  POINTS_ALL_VALID, /* CVE-2025-69277, and worse */
  SIGNATURES_ALL_GOOD,
  SIGNATURES_ALL_BAD,
  MULTIPLICATION_CLAMPS,
  BASE_CLAMPS,
  ZERO_ACCEPTED,
  REDUCTION_MISSING,
  HASH_WITHOUT_PERSONAL
};

static enum fault fault;

/* The library's own function of that name. */
#define REAL(name) ((__typeof__(&name))real(#name))

static void *real(const char *name)
{
  void *f = dlsym(RTLD_NEXT, name);

  assert_non_null(f);
  return f;
}

INTERPOSE int crypto_core_ed25519_is_valid_point(const unsigned char *p)
{
  return fault == POINTS_ALL_VALID ? 1 : REAL(crypto_core_ed25519_is_valid_point)(p);
}

INTERPOSE int crypto_sign_verify_detached(const unsigned char *sig, const unsigned char *m, unsigned long long mlen,
                                          const unsigned char *pk)
{
  if (fault == SIGNATURES_ALL_GOOD)
    return 0;
  return fault == SIGNATURES_ALL_BAD ? -1 : REAL(crypto_sign_verify_detached)(sig, m, mlen, pk);
}

INTERPOSE int crypto_scalarmult_ed25519_noclamp(unsigned char *q, const unsigned char *n, const unsigned char *p)
{
  if (fault == MULTIPLICATION_CLAMPS)
    return REAL(crypto_scalarmult_ed25519)(q, n, p);
  if (fault == ZERO_ACCEPTED) {
    int rc = REAL(crypto_scalarmult_ed25519_noclamp)(q, n, p);

    return rc < 0 ? 0 : rc;
  }
  return REAL(crypto_scalarmult_ed25519_noclamp)(q, n, p);
}

INTERPOSE int crypto_scalarmult_ed25519_base_noclamp(unsigned char *q, const unsigned char *n)
{
  return fault == BASE_CLAMPS ? REAL(crypto_scalarmult_ed25519_base)(q, n)
                              : REAL(crypto_scalarmult_ed25519_base_noclamp)(q, n);
}

INTERPOSE void crypto_core_ed25519_scalar_reduce(unsigned char *r, const unsigned char *s)
{
  if (fault == REDUCTION_MISSING)
    memmove(r, s, 32);
  else
    REAL(crypto_core_ed25519_scalar_reduce)(r, s);
}

INTERPOSE int crypto_generichash_blake2b_init_salt_personal(crypto_generichash_blake2b_state *state,
                                                            const unsigned char *key, const size_t keylen,
                                                            const size_t outlen, const unsigned char *salt,
                                                            const unsigned char *personal)
{
  return REAL(crypto_generichash_blake2b_init_salt_personal)(state, key, keylen, outlen, salt,
                                                             fault == HASH_WITHOUT_PERSONAL ? NULL : personal);
}

static void test_sound(void **state)
{
  (void)state;
  fault = NONE;
  assert_int_equal(tm_box_self_test(), TM_OK);
}

static void test_faults(void **state)
{
  (void)state;
  for (fault = SIGNATURES_ALL_GOOD; fault <= HASH_WITHOUT_PERSONAL; fault++)
    assert_int_equal(tm_box_self_test(), TM_E_STATE);
  fault = NONE;
  assert_int_equal(tm_box_self_test(), TM_OK);
}

/*
 * A library whose subgroup check lets everything pass is found out before the first point is checked, and a check of
 * our own runs besides: then all is well, and the self-test says so. This test must run first.
 */
static void test_points(void **state)
{
  struct tm_box_writer w;
  struct tm_box_reader r;
  struct support_box b;

  (void)state;
  fault = POINTS_ALL_VALID;
  assert_false(tm_point_library_is_sound());
  assert_int_equal(tm_box_self_test(), TM_OK);
  support_pair(&w, &r, 1, 3);
  support_seal(&w, 1, &b);
  assert_int_equal(tm_box_verify(b.id, b.box, b.signature), TM_OK);
  /* The base point plus the point of order two. */
  memset(b.id, 0x99, sizeof b.id);
  b.id[0] = 0x95;
  assert_int_equal(tm_box_verify(b.id, b.box, b.signature), TM_E_POINT);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_points),
      cmocka_unit_test(test_sound),
      cmocka_unit_test(test_faults),
  };

  return cmocka_run_group_tests_name("box_library", tests, NULL, NULL);
}
