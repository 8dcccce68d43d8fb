/*
 * With a libsodium whose subgroup check lets mixed-order points pass (CVE-2025-69277), the check of our own must
 * refuse them. This program stands in for such a library: its two functions take the library's place.
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "sphinx/point.h"
#include "sphinx/sphinx.h"

#define INTERPOSE __attribute__((visibility("default")))

/* The base point, and with (0, -1) added. */
static const uint8_t base[32] = {
  0x58, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66,
  0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66,
};
static const uint8_t mixed[32] = {
  0x95, 0x99, 0x99, 0x99, 0x99, 0x99, 0x99, 0x99, 0x99, 0x99, 0x99, 0x99, 0x99, 0x99, 0x99, 0x99,
  0x99, 0x99, 0x99, 0x99, 0x99, 0x99, 0x99, 0x99, 0x99, 0x99, 0x99, 0x99, 0x99, 0x99, 0x99, 0x99,
};

static int asked;

INTERPOSE int crypto_core_ed25519_is_valid_point(const unsigned char *p)
{
  (void)p;
  asked++;
  return 1;
}

INTERPOSE int crypto_sign_ed25519_pk_to_curve25519(unsigned char *y, const unsigned char *p)
{
  (void)p;
  memset(y, 9, 32);
  return 0;
}

static void test_mixed_point(void **state)
{
  uint8_t y[32];

  (void)state;
  assert_false(tm_point_library_is_sound());
  assert_true(asked > 0);
  assert_int_equal(tm_sphinx_point_check(mixed), TM_SPHINX_E_POINT);
  assert_int_equal(tm_point_to_x25519(y, mixed), TM_SPHINX_E_POINT);
  assert_int_equal(tm_sphinx_point_check(base), TM_SPHINX_OK);
  assert_int_equal(tm_point_to_x25519(y, base), TM_SPHINX_OK);
}

static void test_create(void **state)
{
  static uint8_t body[TM_SPHINX_BODY_LEN], packet[TM_SPHINX_PACKET_LEN], random[TM_SPHINX_CREATE_RANDOM_LEN] = {8};
  tm_sphinx_node path[1] = {{.delay_ms = 1}};
  tm_sphinx *ctx;

  (void)state;
  assert_int_equal(tm_sphinx_new(&ctx, NULL, sizeof body), TM_SPHINX_OK);
  memcpy(path[0].mix_point, mixed, 32);
  assert_int_equal(tm_sphinx_create(ctx, path, 1, body, random, packet), TM_SPHINX_E_POINT);
  memcpy(path[0].mix_point, base, 32);
  assert_int_equal(tm_sphinx_create(ctx, path, 1, body, random, packet), TM_SPHINX_OK);
  tm_sphinx_free(ctx);
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_mixed_point),
    cmocka_unit_test(test_create),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
