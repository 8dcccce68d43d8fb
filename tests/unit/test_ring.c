/* Rings between threads, and the slab that their indices point into. */
#include "config.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "relay/ring.h"
#include "relay/slab.h"

static void test_bounds(void **state)
{
  struct tm_ring *ring;
  uint32_t in[10], out[10];

  (void)state;
  for (uint32_t i = 0; i < 10; i++)
    in[i] = 100 + i;
  assert_int_equal(tm_ring_new(&ring, TM_RING_MAX + 1), TM_E_TOO_BIG);
  assert_int_equal(tm_ring_new(&ring, 8), TM_OK);
  assert_int_equal(tm_ring_pop(ring, out, 10), 0);
  for (int round = 0; round < 100; round++) { /* round and round the end */
    assert_int_equal(tm_ring_push(ring, in, 5), 5);
    assert_int_equal(tm_ring_push(ring, in + 5, 5), 3); /* full */
    assert_int_equal(tm_ring_push(ring, in, 1), 0);
    assert_int_equal(tm_ring_count(ring), 8);
    assert_int_equal(tm_ring_pop(ring, out, 3), 3);
    assert_int_equal(tm_ring_pop(ring, out + 3, 10), 5);
    assert_memory_equal(in, out, 8 * sizeof *in);
  }
  tm_ring_free(ring);
}

static void test_waiting(void **state)
{
  struct tm_ring *ring;
  uint32_t items[4] = {0};
  uint64_t start;

  (void)state;
  assert_int_equal(tm_ring_new(&ring, 8), TM_OK);
  start = tm_clock_mono_ms(&tm_clock_system);
  assert_int_equal(tm_ring_wait(ring, 1, 30), 0);
  assert_true(tm_clock_mono_ms(&tm_clock_system) - start >= 29);
  tm_ring_kick(ring);
  assert_int_equal(tm_ring_wait(ring, 1, -1), 0); /* a kick before the wait is not lost */
  assert_int_equal(tm_ring_push(ring, items, 4), 4);
  assert_int_equal(tm_ring_wait(ring, 4, -1), 4);
  assert_int_equal(tm_ring_wait(ring, 5, 20), 4); /* not so many came */
  tm_ring_free(ring);
}

/* ---- two threads ---- */

enum { ITEMS = 300000 };

static void *produce(void *arg)
{
  struct tm_ring *ring = arg;
  uint32_t chunk[17];
  uint32_t next = 0;

  while (next < ITEMS) {
    size_t n = next % 17 + 1, done = 0;
    if (n > ITEMS - next)
      n = ITEMS - next;
    for (size_t i = 0; i < n; i++)
      chunk[i] = next + (uint32_t)i;
    while (done < n)
      done += tm_ring_push(ring, chunk + done, n - done);
    next += (uint32_t)n;
  }
  return NULL;
}

static void test_threads(void **state)
{
  struct tm_ring *ring;
  pthread_t thread;
  uint32_t items[64];
  uint32_t next = 0;

  (void)state;
  assert_int_equal(tm_ring_new(&ring, 128), TM_OK);
  assert_int_equal(pthread_create(&thread, NULL, produce, ring), 0);
  while (next < ITEMS) {
    uint64_t start = tm_clock_mono_ms(&tm_clock_system);
    size_t n = tm_ring_wait(ring, next % 3 == 0 ? 64 : 1, 10000);
    /* Woken for nothing it may be; slept through a push it must not. */
    if (n == 0 && tm_clock_mono_ms(&tm_clock_system) - start >= 10000)
      fail_msg("a wake-up was lost");
    n = tm_ring_pop(ring, items, 64);
    for (size_t i = 0; i < n; i++)
      assert_int_equal(items[i], next++); /* all, once, in order */
  }
  pthread_join(thread, NULL);
  assert_int_equal(tm_ring_count(ring), 0);
  tm_ring_free(ring);
}

/* ---- the slab ---- */

static void test_slab(void **state)
{
  static const struct tm_item empty;
  struct tm_slab *slab;
  uint32_t a, b, c;

  (void)state;
  assert_int_equal(tm_slab_new(&slab, 0), TM_E_TOO_BIG);
  assert_int_equal(tm_slab_new(&slab, TM_SLAB_MAX + 1u), TM_E_TOO_BIG);
  assert_int_equal(tm_slab_new(&slab, 2), TM_OK);
  a = tm_slab_take(slab);
  b = tm_slab_take(slab);
  assert_int_not_equal(a, b);
  assert_int_equal(tm_slab_take(slab), TM_SLAB_NONE);
  assert_int_equal(tm_slab_used(slab), 2);
  memset(tm_slab_item(slab, b), 0xa5, sizeof(struct tm_item));
  tm_slab_give(slab, b);
  assert_memory_equal(tm_slab_item(slab, b), &empty, sizeof empty); /* wiped */
  c = tm_slab_take(slab);
  assert_int_equal(c, b);
  assert_int_equal(tm_slab_used(slab), 2);
  tm_slab_free(slab);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_bounds),
    cmocka_unit_test(test_waiting),
    cmocka_unit_test(test_threads),
    cmocka_unit_test(test_slab),
  };

  return cmocka_run_group_tests_name("ring", tests, NULL, NULL);
}
