/*
 * The self-test against libraries that are not what everything relies on. This program stands in for them: its
 * functions take the library's place, and misbehave one at a time.
 */
#include "config.h"

#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

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
  POINTS_ALL_VALID,  /* CVE-2025-69277, and worse */
  POINTS_MOST_VALID, /* the same, but for the one point that tells such a library */
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

/* The base point plus the point of order two. */
static const uint8_t mixed[32] = {0x95, 0x99, 0x99, 0x99, 0x99, 0x99, 0x99, 0x99, 0x99, 0x99, 0x99,
                                  0x99, 0x99, 0x99, 0x99, 0x99, 0x99, 0x99, 0x99, 0x99, 0x99, 0x99,
                                  0x99, 0x99, 0x99, 0x99, 0x99, 0x99, 0x99, 0x99, 0x99, 0x99};

static bool is_of_small_order(const unsigned char *p)
{
  uint8_t sum[32], twice[32];

  memcpy(sum, p, sizeof sum);
  for (int i = 0; i < 3; i++) {
    if (crypto_core_ed25519_add(twice, sum, sum) != 0)
      return false;
    memcpy(sum, twice, sizeof sum);
  }
  return sum[0] == 1 && sodium_is_zero(sum + 1, 31);
}

INTERPOSE int crypto_core_ed25519_is_valid_point(const unsigned char *p)
{
  if (fault == POINTS_ALL_VALID)
    return 1;
  if (fault == POINTS_MOST_VALID && memcmp(p, mixed, 32) != 0 && !is_of_small_order(p))
    return 1;
  return REAL(crypto_core_ed25519_is_valid_point)(p);
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

/*
 * Runs f in a child process with that fault: what is known about the library is known for a process's whole life. Gives
 * its result, or 1.
 */
static int in_child(enum fault with, int (*f)(void))
{
  int status = 0;
  pid_t child = fork();

  if (child == 0) {
    fault = with;
    _exit(-f());
  }
  assert_true(child > 0);
  assert_int_equal(waitpid(child, &status, 0), child);
  return WIFEXITED(status) ? -WEXITSTATUS(status) : 1;
}

static void test_sound(void **state)
{
  (void)state;
  assert_int_equal(in_child(NONE, tm_box_self_test), TM_OK);
}

static void test_faults(void **state)
{
  (void)state;
  for (enum fault with = POINTS_MOST_VALID; with <= HASH_WITHOUT_PERSONAL; with++)
    assert_int_equal(in_child(with, tm_box_self_test), TM_E_STATE);
}

/*
 * A library whose subgroup check lets everything pass is found out before the first point is checked, and a check of
 * our own runs besides: then all is well, and the self-test says so.
 */
static int check_points(void)
{
  struct tm_box_writer w;
  struct tm_box_reader r;
  struct support_box b;

  if (tm_point_library_is_sound() || tm_box_self_test() != TM_OK)
    return TM_E_STATE;
  support_pair(&w, &r, 1, 3);
  support_seal(&w, 1, &b);
  if (tm_box_verify(b.id, b.box, b.signature) != TM_OK)
    return TM_E_SIGNATURE;
  return tm_box_verify(mixed, b.box, b.signature) == TM_E_POINT ? TM_OK : TM_E_POINT;
}

static void test_points(void **state)
{
  (void)state;
  assert_int_equal(in_child(POINTS_ALL_VALID, check_points), TM_OK);
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
