/* The stores of an id: the same for everybody, in every order of the list, evenly spread, and hardly changed by a new
 * store. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "tests/unit/box_support.h"

#define STORES 9
#define IDS 9000

static uint8_t stores[STORES + 1][32];

/* As the specification writes it down. */
static void rank(const uint8_t id[32], const uint8_t identity[32], uint8_t out[32])
{
  uint8_t both[64];

  memcpy(both, id, 32);
  memcpy(both + 32, identity, 32);
  assert_int_equal(crypto_generichash_blake2b_salt_personal(out, 32, both, sizeof both, NULL, 0, NULL,
                                                            (const uint8_t *)"tidemill.stores1"),
                   0);
}

static void choose(const uint8_t id[32], size_t n, size_t choice[2])
{
  tm_box_stores(id, (const uint8_t(*)[32])stores, n, choice);
  assert_true(choice[0] < n && choice[1] < n);
}

static int set_up(void **state)
{
  (void)state;
  support_bytes(stores, sizeof stores, 1);
  return 0;
}

/* The two highest ranks, the highest first. */
static void test_highest(void **state)
{
  (void)state;
  for (uint64_t i = 0; i < 500; i++) {
    size_t n = 2 + i % (STORES - 1), choice[2];
    uint8_t id[32], first[32], second[32], other[32];

    support_bytes(id, sizeof id, i);
    choose(id, n, choice);
    assert_int_not_equal(choice[0], choice[1]);
    rank(id, stores[choice[0]], first);
    rank(id, stores[choice[1]], second);
    assert_true(memcmp(first, second, 32) > 0);
    for (size_t j = 0; j < n; j++) {
      rank(id, stores[j], other);
      assert_true(j == choice[0] || j == choice[1] || memcmp(second, other, 32) > 0);
    }
  }
}

static void test_order_of_list(void **state)
{
  uint8_t turned[STORES][32];

  (void)state;
  for (uint64_t i = 0; i < 1000; i++) {
    uint8_t id[32];
    size_t a[2], b[2];

    support_bytes(id, sizeof id, i);
    for (size_t j = 0; j < STORES; j++)
      memcpy(turned[(j * 2 + i) % STORES], stores[j], 32);
    choose(id, STORES, a);
    tm_box_stores(id, (const uint8_t(*)[32])turned, STORES, b);
    for (size_t k = 0; k < 2; k++)
      assert_memory_equal(stores[a[k]], turned[b[k]], 32);
  }
}

/* Each store is first for one id in nine, and second for one in nine: within five standard deviations. */
static void test_balance(void **state)
{
  size_t first[STORES] = {0}, second[STORES] = {0};

  (void)state;
  for (uint64_t i = 0; i < IDS; i++) {
    uint8_t id[32];
    size_t choice[2];

    support_bytes(id, sizeof id, i);
    choose(id, STORES, choice);
    first[choice[0]]++;
    second[choice[1]]++;
  }
  for (size_t j = 0; j < STORES; j++) {
    assert_in_range(first[j], IDS / STORES - 150, IDS / STORES + 150);
    assert_in_range(second[j], IDS / STORES - 150, IDS / STORES + 150);
  }
}

/* A tenth store takes its share from the others, and nothing moves between them. */
static void test_new_store(void **state)
{
  size_t moved = 0;

  (void)state;
  for (uint64_t i = 0; i < IDS; i++) {
    uint8_t id[32];
    size_t before[2], after[2];

    support_bytes(id, sizeof id, i);
    choose(id, STORES, before);
    choose(id, STORES + 1, after);
    if (after[0] == STORES) {
      assert_int_equal(after[1], before[0]);
      moved++;
    } else if (after[1] == STORES) {
      assert_int_equal(after[0], before[0]);
      moved++;
    } else {
      assert_memory_equal(after, before, sizeof after);
    }
  }
  /* Two of ten. */
  assert_in_range(moved, IDS / 5 - 200, IDS / 5 + 200);
}

static void test_few(void **state)
{
  uint8_t id[32] = {1};
  size_t choice[2];

  (void)state;
  choose(id, 1, choice);
  assert_int_equal(choice[0], 0);
  assert_int_equal(choice[1], 0);
  choose(id, 2, choice);
  assert_int_equal(choice[0] + choice[1], 1);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_highest),   cmocka_unit_test(test_order_of_list), cmocka_unit_test(test_balance),
      cmocka_unit_test(test_new_store), cmocka_unit_test(test_few),
  };

  return cmocka_run_group_tests_name("choice", tests, set_up, NULL);
}
