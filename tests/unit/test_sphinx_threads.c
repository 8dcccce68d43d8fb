/*
 * Threads that start at once: each with a context of its own, all with one key. In a build with --enable-tsan any
 * race shows.
 */
#include "config.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "sphinx/sphinx.h"

#define THREADS 4
#define PACKETS 8

static pthread_barrier_t barrier;
static tm_sphinx_key *key;

struct worker {
  pthread_t thread;
  uint8_t number;
  bool good;
};

static bool one_packet(tm_sphinx *ctx, const struct worker *w, uint8_t i)
{
  uint8_t random[TM_SPHINX_CREATE_RANDOM_LEN], body[TM_SPHINX_BODY_MIN];
  uint8_t packet[TM_SPHINX_HEADER_LEN + TM_SPHINX_TAG_LEN + sizeof body];
  uint8_t *const packets[1] = {packet};
  const size_t len = sizeof packet;
  tm_sphinx_node path[2] = {{.delay_ms = 1}, {.delay_ms = 2}};
  tm_sphinx_hop hop;

  memset(random, w->number * PACKETS + i, sizeof random);
  memset(body, i, sizeof body);
  tm_sphinx_key_point(key, path[0].mix_point);
  tm_sphinx_key_point(key, path[1].mix_point);
  if (tm_sphinx_create(ctx, path, 2, body, random, packet) != TM_SPHINX_OK)
    return false;
  for (size_t h = 0; h < 2; h++)
    if (tm_sphinx_unwrap_headers(ctx, key, packets, &len, &hop, 1) != 1 ||
        tm_sphinx_unwrap_bodies(ctx, packets, &hop, 1) != 1)
      return false;
  return memcmp(packet + TM_SPHINX_HEADER_LEN + TM_SPHINX_TAG_LEN, body, sizeof body) == 0;
}

static void *work(void *arg)
{
  struct worker *w = arg;
  tm_sphinx *ctx;

  pthread_barrier_wait(&barrier);
  w->good = tm_sphinx_new(&ctx, NULL, TM_SPHINX_BODY_MIN) == TM_SPHINX_OK;
  for (uint8_t i = 0; i < PACKETS && w->good; i++)
    w->good = one_packet(ctx, w, i);
  tm_sphinx_free(ctx);
  return NULL;
}

static void test_threads(void **state)
{
  uint8_t secret[32] = {9};
  struct worker worker[THREADS];

  (void)state;
  assert_int_equal(tm_sphinx_key_new(&key, secret), TM_SPHINX_OK);
  assert_int_equal(pthread_barrier_init(&barrier, NULL, THREADS), 0);
  for (uint8_t i = 0; i < THREADS; i++) {
    worker[i].number = i;
    assert_int_equal(pthread_create(&worker[i].thread, NULL, work, &worker[i]), 0);
  }
  for (size_t i = 0; i < THREADS; i++) {
    assert_int_equal(pthread_join(worker[i].thread, NULL), 0);
    assert_true(worker[i].good);
  }
  pthread_barrier_destroy(&barrier);
  tm_sphinx_key_free(key);
}

int main(void)
{
  static const struct CMUnitTest tests[] = {cmocka_unit_test(test_threads)};

  return cmocka_run_group_tests(tests, NULL, NULL);
}
