/* The table of fingerprints: nothing is lost at any moment of any growth, what it takes of memory, and how full lines are told. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <time.h>

#include <cmocka.h>
#include <sodium.h>

#include "relay/tagtable.h"

/* A permutation of 64 bits (splitmix64): fingerprint number i. */
static uint64_t tag_of(uint64_t i)
{
  i += 0x9e3779b97f4a7c15u * (i + 1);
  i = (i ^ (i >> 30)) * 0xbf58476d1ce4e5b9u;
  i = (i ^ (i >> 27)) * 0x94d049bb133111ebu;
  return i ^ (i >> 31);
}

static void do_chores(struct tm_tagtable *t)
{
  struct tm_tagtable_chore chore;

  while (tm_tagtable_chore(t, &chore)) {
    tm_tagtable_chore_do(&chore);
    tm_tagtable_chore_done(t, &chore);
  }
}

static void insert(struct tm_tagtable *t, uint64_t from, uint64_t to)
{
  for (uint64_t i = from; i < to; i++) {
    assert_int_equal(tm_tagtable_insert(t, tag_of(i), true), TM_TAG_NEW);
    if (i % 64 == 0 && tm_tagtable_has_chore(t))
      do_chores(t);
  }
}

/* All of them after every single insertion, while the table grows for the first times. */
static void test_every_moment(void **state)
{
  struct tm_tagtable t;

  (void)state;
  assert_int_equal(tm_tagtable_init(&t, 1000000), TM_OK);
  for (uint64_t i = 0; i < 8000; i++) {
    assert_int_equal(tm_tagtable_insert(&t, tag_of(i), false), TM_TAG_NEW);
    assert_int_equal(tm_tagtable_insert(&t, tag_of(i), true), TM_TAG_NEW);
    if (i % 7 == 0 || t.next.line != NULL)
      for (uint64_t j = i % 3; j <= i; j += 3)
        assert_int_equal(tm_tagtable_insert(&t, tag_of(j), true), TM_TAG_KNOWN);
    assert_int_equal(t.count, i + 1);
  }
  tm_tagtable_wipe(&t);
}

/* Fingerprints that all have one home, at the front, in the middle, and at the very end, where they are pushed past it. */
static void test_one_home(void **state)
{
  static const uint64_t homes[] = {0, 0x8000000000000000u, 0xffffffffffff0000u};

  (void)state;
  for (size_t h = 0; h < 3; h++) {
    struct tm_tagtable t;
    assert_int_equal(tm_tagtable_init(&t, 1000000), TM_OK);
    for (uint64_t i = 1; i <= 900; i++)
      assert_int_equal(tm_tagtable_insert(&t, homes[h] + i, true), TM_TAG_NEW);
    insert(&t, 0, 20000); /* grows with that heap in it */
    for (uint64_t i = 1; i <= 900; i++)
      assert_int_equal(tm_tagtable_insert(&t, homes[h] + i, true), TM_TAG_KNOWN);
    for (uint64_t i = 0; i < 20000; i++)
      assert_int_equal(tm_tagtable_insert(&t, tag_of(i), true), TM_TAG_KNOWN);
    tm_tagtable_wipe(&t);
  }
}

static void test_past_the_end(void **state)
{
  struct tm_tagtable t;
  uint64_t i = 0;

  (void)state;
  assert_int_equal(tm_tagtable_init(&t, 1000000), TM_OK);
  while (i < 3000 && tm_tagtable_insert(&t, UINT64_MAX - i, true) == TM_TAG_NEW)
    i++;
  assert_true(i > 900 && i < 3000); /* no place: said, not written */
  assert_int_equal(tm_tagtable_insert(&t, UINT64_MAX - i, true), TM_TAG_NO_ROOM);
  assert_int_equal(tm_tagtable_insert(&t, UINT64_MAX, true), TM_TAG_KNOWN);
  tm_tagtable_wipe(&t);
}

static void test_zero(void **state)
{
  struct tm_tagtable t;

  (void)state;
  assert_int_equal(tm_tagtable_init(&t, 1000), TM_OK);
  assert_int_equal(tm_tagtable_insert(&t, 0, true), TM_TAG_NEW);
  assert_int_equal(tm_tagtable_insert(&t, 0, true), TM_TAG_KNOWN);
  assert_int_equal(tm_tagtable_insert(&t, 1, true), TM_TAG_KNOWN); /* the same to it */
  assert_int_equal(tm_tagtable_insert(&t, UINT64_MAX, true), TM_TAG_NEW);
  tm_tagtable_wipe(&t);
}

/* Large enough for chores to touch and give back memory; never more than 16 bytes for each. */
static void test_memory(void **state)
{
  enum { STEP = 50000, N = 4000000 };
  struct tm_tagtable t;

  (void)state;
  assert_int_equal(tm_tagtable_init(&t, 1u << 30), TM_OK);
  for (uint64_t i = 0; i < N; i += STEP) {
    insert(&t, i, i + STEP);
    if (i > 0)
      assert_true(tm_tagtable_bytes(&t) <= 16 * t.count);
  }
  for (uint64_t i = 0; i < N; i++)
    assert_int_equal(tm_tagtable_insert(&t, tag_of(i), true), TM_TAG_KNOWN);
  tm_tagtable_wipe(&t);
}

/* Without chores it grows as well; only the second time it has to wait for what is spent, and then it is full. */
static void test_no_helper(void **state)
{
  struct tm_tagtable t;
  uint64_t i = 0;

  (void)state;
  assert_int_equal(tm_tagtable_init(&t, 1u << 30), TM_OK);
  while (i < 5000000 && tm_tagtable_insert(&t, tag_of(i), true) == TM_TAG_NEW)
    i++;
  assert_true(i > 1000000 && i < 5000000);
  assert_true(t.count > t.now.homes * TM_TAGTABLE_LINE / 10 * 9 - 10);
  do_chores(&t);
  insert(&t, i, i + 100000);
  for (uint64_t j = 0; j < i + 100000; j++)
    assert_int_equal(tm_tagtable_insert(&t, tag_of(j), true), TM_TAG_KNOWN);
  tm_tagtable_wipe(&t);
}

/* Growth is paid for in equal parts: no insertion moves more than two lines, whatever the size. */
static void test_moves_little_at_a_time(void **state)
{
  enum { N = 400000, MOVE_PER_TAG = 2 };
  struct tm_tagtable t;
  unsigned growths = 0;

  (void)state;
  assert_int_equal(tm_tagtable_init(&t, 1u << 30), TM_OK);
  for (uint64_t i = 0; i < N; i++) {
    const void *now = t.now.line, *next = t.next.line;
    uint64_t moved = next != NULL ? t.moved : 0, last = t.now.homes;
    assert_int_equal(tm_tagtable_insert(&t, tag_of(i), true), TM_TAG_NEW);
    if (t.now.line != now) { /* the move has ended: these were the last lines */
      growths++;
      assert_ptr_equal(t.now.line, next);
      assert_true(moved + MOVE_PER_TAG > last);
    } else if (t.next.line != NULL)
      assert_in_range(t.moved, moved, moved + MOVE_PER_TAG);
    if (i % 64 == 0 && tm_tagtable_has_chore(&t))
      do_chores(&t);
  }
  assert_true(growths >= 8);
  tm_tagtable_wipe(&t);
}

/* CPU time of this thread, so that others on the machine do not count. */
static double cpu_ms(void)
{
  struct timespec t;

  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

/* No batch takes 10 ms while the table grows; nor, where all is slower, a fiftieth of what filling one anew takes; moving all at once takes a twelfth. */
static void test_grows_without_a_stall(void **state)
{
  enum { FROM = 500000, TO = 3000000, BATCH = 64 };
  struct tm_tagtable t;
  double worst = 0, began, anew;

  (void)state;
  assert_int_equal(tm_tagtable_init(&t, 1u << 30), TM_OK);
  insert(&t, 0, FROM);
  for (uint64_t i = FROM; i < TO; i += BATCH) {
    double took = cpu_ms();
    for (uint64_t j = i; j < i + BATCH; j++)
      assert_int_equal(tm_tagtable_insert(&t, tag_of(j), true), TM_TAG_NEW);
    took = cpu_ms() - took;
    worst = took > worst ? took : worst;
    if (tm_tagtable_has_chore(&t))
      do_chores(&t);
  }
  tm_tagtable_wipe(&t);
  assert_int_equal(tm_tagtable_init(&t, 1u << 30), TM_OK);
  began = cpu_ms();
  insert(&t, 0, TO);
  anew = cpu_ms() - began;
  tm_tagtable_wipe(&t);
  print_message("worst batch of %d: %.2f ms; all of %d: %.0f ms\n", (int)BATCH, worst, (int)TO, anew);
  assert_true(worst < 10 || worst < anew / 50);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_every_moment), cmocka_unit_test(test_one_home), cmocka_unit_test(test_past_the_end),
    cmocka_unit_test(test_zero),         cmocka_unit_test(test_memory),   cmocka_unit_test(test_no_helper),
    cmocka_unit_test(test_moves_little_at_a_time), cmocka_unit_test(test_grows_without_a_stall),
  };

  return cmocka_run_group_tests_name("tagtable", tests, NULL, NULL);
}
