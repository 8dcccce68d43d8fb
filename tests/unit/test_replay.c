/* Replay sets: every tag once, whatever grows, fills or runs at the same time. */
#include "config.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "relay/replay.h"

static struct tm_replay *replay;
static const uint8_t sip_key[16] = "not secret here";

static int start(void **state)
{
  (void)state;
  return tm_replay_new(&replay) == TM_OK ? 0 : -1;
}

static int stop(void **state)
{
  (void)state;
  tm_replay_free(replay);
  return 0;
}

static struct tm_replay_set *make(uint64_t max)
{
  struct tm_replay_set *set;

  assert_int_equal(tm_replay_set_new(&set, replay, max, sip_key), TM_OK);
  return set;
}

/* Tag number i. Its bytes are random enough without a generator. */
static void tag_of(uint64_t i, uint8_t tag[static TM_SPHINX_REPLAY_TAG_LEN])
{
  crypto_generichash(tag, TM_SPHINX_REPLAY_TAG_LEN, (const uint8_t *)&i, sizeof i, NULL, 0);
}

static enum tm_replay_verdict ask(struct tm_replay_set *set, const uint8_t *tag)
{
  struct tm_replay_query q = {.set = set};

  memcpy(q.tag, tag, sizeof q.tag);
  assert_true(tm_replay_check(replay, &q, 1) > 0);
  return q.verdict;
}

static enum tm_replay_verdict ask_number(struct tm_replay_set *set, uint64_t i)
{
  uint8_t tag[TM_SPHINX_REPLAY_TAG_LEN];

  tag_of(i, tag);
  return ask(set, tag);
}

static void test_once(void **state)
{
  struct tm_replay_set *a = make(1000), *b = make(1000);
  struct tm_replay_query q[3] = {{.set = a}, {.set = b}, {.set = a}};
  uint8_t zero[TM_SPHINX_REPLAY_TAG_LEN] = {0};

  (void)state;
  for (int i = 0; i < 3; i++)
    tag_of(1, q[i].tag);
  assert_true(tm_replay_check(replay, q, 3) > 0);
  assert_int_equal(q[0].verdict, TM_REPLAY_NEW);
  assert_int_equal(q[1].verdict, TM_REPLAY_NEW); /* another key's set */
  assert_int_equal(q[2].verdict, TM_REPLAY_KNOWN); /* twice in one batch */
  assert_int_equal(ask(a, zero), TM_REPLAY_NEW);
  assert_int_equal(ask(a, zero), TM_REPLAY_KNOWN);
  assert_int_equal(ask(b, zero), TM_REPLAY_NEW);
  tm_replay_set_free(a);
  tm_replay_set_free(b);
}

/* Through many doublings, at every moment of every move. */
static void test_growth(void **state)
{
  enum { N = 200000, BATCH = 64 };
  struct tm_replay_set *set = make(1u << 30);
  struct tm_replay_query q[BATCH];

  (void)state;
  for (uint64_t i = 0; i < N; i += BATCH) {
    for (uint64_t j = 0; j < BATCH; j++) {
      q[j].set = set;
      tag_of(i + j, q[j].tag);
    }
    assert_true(tm_replay_check(replay, q, BATCH) > 0);
    for (size_t j = 0; j < BATCH; j++)
      assert_int_equal(q[j].verdict, TM_REPLAY_NEW);
    assert_int_equal(ask_number(set, i * 7919 % (i + BATCH)), TM_REPLAY_KNOWN); /* an older one */
  }
  assert_int_equal(tm_replay_set_count(set), N);
  for (uint64_t i = 0; i < N; i++)
    assert_int_equal(ask_number(set, i), TM_REPLAY_KNOWN);
  assert_int_equal(tm_replay_set_count(set), N);
  tm_replay_set_free(set);
}

static void test_full_fails_closed(void **state)
{
  struct tm_replay_set *set;

  (void)state;
  assert_int_equal(tm_replay_set_new(&set, replay, 0, sip_key), TM_E_TOO_BIG);
  assert_int_equal(tm_replay_set_new(&set, replay, TM_REPLAY_TAGS_MAX + 1, sip_key), TM_E_TOO_BIG);
  set = make(5000);
  for (uint64_t i = 0; i < 5000; i++)
    assert_int_equal(ask_number(set, i), TM_REPLAY_NEW);
  for (uint64_t i = 5000; i < 5100; i++) {
    assert_int_equal(ask_number(set, i), TM_REPLAY_FULL);
    assert_int_equal(ask_number(set, i), TM_REPLAY_FULL); /* was not let in */
  }
  assert_int_equal(ask_number(set, 4999), TM_REPLAY_KNOWN);
  assert_int_equal(tm_replay_set_count(set), 5000);
  tm_replay_set_free(set);
}

static void test_tickets(void **state)
{
  struct tm_replay_set *set = make(100);
  struct tm_replay_query q = {.set = set};
  uint64_t first, second;

  (void)state;
  tag_of(1, q.tag);
  first = tm_replay_check(replay, &q, 1);
  tag_of(2, q.tag);
  second = tm_replay_check(replay, &q, 1);
  assert_true(second > first && first > 0);
  assert_true(tm_replay_durable(replay, second)); /* in memory: at once */
  tm_replay_hold(replay, first);
  assert_true(tm_replay_durable(replay, 0));
  assert_true(tm_replay_durable(replay, first));
  assert_false(tm_replay_durable(replay, second));
  tm_replay_hold(replay, UINT64_MAX);
  assert_true(tm_replay_durable(replay, second));
  tm_replay_set_free(set);
}

/* ---- threads ---- */

enum { THREADS = 4, SHARED = 40000 };

struct racer {
  pthread_t thread;
  struct tm_replay_set *set;
  unsigned number;
  unsigned won;
};

static void *race(void *arg)
{
  struct racer *r = arg;
  struct tm_replay_query q[32];

  for (uint64_t i = 0; i < SHARED; i += 32) {
    for (uint64_t j = 0; j < 32; j++) {
      q[j].set = r->set;
      tag_of((i + j * (r->number * 2 + 1)) % SHARED / 32 * 32 + j, q[j].tag);
    }
    if (tm_replay_check(replay, q, 32) == 0)
      return NULL;
    for (size_t j = 0; j < 32; j++)
      r->won += q[j].verdict == TM_REPLAY_NEW;
  }
  return NULL;
}

static void test_threads(void **state)
{
  struct tm_replay_set *set = make(1u << 20);
  struct racer racers[THREADS] = {0};
  uint64_t won = 0;

  (void)state;
  for (unsigned t = 0; t < THREADS; t++) {
    racers[t].set = set;
    racers[t].number = t;
    assert_int_equal(pthread_create(&racers[t].thread, NULL, race, &racers[t]), 0);
  }
  for (unsigned t = 0; t < THREADS; t++) {
    pthread_join(racers[t].thread, NULL);
    won += racers[t].won;
  }
  assert_int_equal(won, tm_replay_set_count(set)); /* each tag was new for one thread only */
  assert_true(won > 0 && won <= SHARED);
  tm_replay_set_free(set);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(test_once, start, stop),
    cmocka_unit_test_setup_teardown(test_growth, start, stop),
    cmocka_unit_test_setup_teardown(test_full_fails_closed, start, stop),
    cmocka_unit_test_setup_teardown(test_tickets, start, stop),
    cmocka_unit_test_setup_teardown(test_threads, start, stop),
  };

  if (sodium_init() < 0)
    return 1;
  return cmocka_run_group_tests_name("replay", tests, NULL, NULL);
}
