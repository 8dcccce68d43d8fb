#include "config.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "box/request.h"

#include "engine_user.h"

static struct net *two(uint64_t seed, unsigned lose)
{
  struct tm_params params;
  struct net *net;

  net_params(&params);
  net = net_new(seed, &params);
  net_join(net, ALICE);
  net_join(net, BOB);
  net_lose(net, lose);
  pair(net, ALICE, "Bob", BOB, "Alice");
  return net;
}

/* A minute in which Alice types and sends files, or does nothing at all. */
static struct net *spend_minute(bool busy)
{
  static uint8_t content[60 * 1432];
  struct net *net = two(80, 0);

  for (int i = 0; i < 30; i++) {
    if (busy && i % 3 == 0)
      say(net, ALICE, "Bob", "some text");
    if (busy && i % 10 == 5)
      send_file(net, ALICE, "Bob", "file", content, sizeof content);
    if (busy)
      say(net, BOB, "Alice", "and some of Bob's");
    net_run(net, 2000);
  }
  return net;
}

/* The same for all tests, which only look at what happened. */
static struct net *minutes[2];

static struct net *minute(bool busy)
{
  if (minutes[busy] == NULL)
    minutes[busy] = spend_minute(busy);
  return minutes[busy];
}

static int free_minutes(void **state)
{
  (void)state;
  for (size_t i = 0; i < 2; i++)
    if (minutes[i] != NULL)
      net_free(minutes[i]);
  return 0;
}

static void typing_does_not_move_the_clock(void **state)
{
  struct net *busy = minute(true);
  struct net *idle = minute(false);
  const double *a, *b;
  size_t n = net_ticks(busy, ALICE, &a);

  (void)state;
  assert_true(contact_of(busy, BOB, "Alice").received > 5);
  assert_int_equal(net_ticks(idle, ALICE, &b), n);
  assert_true(n > 650);
  for (size_t i = 0; i < n; i++)
    assert_true(a[i] == b[i]);
  /* Nor does it change how many of them are loops. */
  assert_int_equal(status_of(busy, ALICE).loops, status_of(idle, ALICE).loops);
  assert_int_equal(status_of(busy, ALICE).requests, status_of(idle, ALICE).requests);
  assert_true(net_ticks(busy, BOB, &a) == net_ticks(idle, BOB, &b));
}

/* What a packet depends on was written before: how long the disk takes does not show in when it leaves. */
static void ticks_wait_for_no_disk(void **state)
{
  struct net *net = minute(true);

  (void)state;
  assert_int_equal(net_ticks_that_wrote(net, ALICE), 0);
}

static void the_clock_is_poisson(void **state)
{
  struct net *net = minute(false);
  const double *t;
  size_t n = net_ticks(net, ALICE, &t);
  double sum = 0, squares = 0, mean;

  (void)state;
  for (size_t i = 1; i < n; i++) {
    double gap = t[i] - t[i - 1];
    sum += gap;
    squares += gap * gap;
  }
  mean = sum / (double)(n - 1);
  /* Mean 80 ms; an exponential's second moment is twice the square of its mean. */
  assert_true(fabs(mean - 80) < 8);
  assert_true(fabs(squares / (double)(n - 1) / (mean * mean) - 2) < 0.4);
}

/* Every id is asked of a store once, and again only if the answer did not come back; a put is never another box. */
static void check_once(const struct net *net, bool losses)
{
  size_t again = 0;

  for (size_t i = 0; i < net_asked_count(net); i++) {
    const struct net_asked *a = net_asked(net, i);
    assert_int_not_equal(a->status, TM_BOX_CONFLICT);
    assert_int_not_equal(a->status, TM_BOX_REFUSED);
    for (size_t j = i + 1; j < net_asked_count(net); j++) {
      const struct net_asked *b = net_asked(net, j);
      if (a->store != b->store || a->put != b->put || memcmp(a->id, b->id, 32) != 0)
        continue;
      assert_false(a->answered);
      again++;
      break;
    }
  }
  assert_true(losses == (again > 0));
}

static void reads_once(void **state)
{
  struct net *net = minute(true);

  (void)state;
  check_once(net, false);
}

static void reads_again_only_what_was_lost(void **state)
{
  struct net *net = two(81, 150);

  (void)state;
  for (int i = 0; i < 10; i++) {
    say(net, ALICE, "Bob", "text");
    net_run(net, 2000);
  }
  check_once(net, true);
  net_free(net);
}

/* A second store is asked exactly when the first said that it has nothing. */
static void second_store_only_after_a_miss(void **state)
{
  struct net *net = minute(true);
  size_t misses = 0, seconds = 0;

  (void)state;
  for (size_t i = 0; i < net_asked_count(net); i++) {
    const struct net_asked *a = net_asked(net, i);
    if (a->put)
      continue;
    for (size_t j = 0; j < i; j++) {
      const struct net_asked *b = net_asked(net, j);
      if (b->put || memcmp(a->id, b->id, 32) != 0)
        continue;
      assert_int_equal(b->status, TM_BOX_MISSING);
      seconds++;
      break;
    }
    misses += a->status == TM_BOX_MISSING;
  }
  assert_true(seconds > 100 && misses > seconds);
}

struct pattern {
  double n, moment, delay, puts, gets, found;
};

/* How ids are written and read: those that one wrote for oneself (decoys), or those from one to the other. */
static struct pattern pattern_of(const struct net *net, bool decoys, size_t from)
{
  struct pattern p = {0};

  for (size_t i = from; i < net_asked_count(net); i++) {
    const struct net_asked *put = net_asked(net, i);
    bool first = true;
    double moment;
    if (!put->put)
      continue;
    for (size_t j = from; j < i && first; j++)
      first = !net_asked(net, j)->put || memcmp(net_asked(net, j)->id, put->id, 32) != 0;
    if (!first)
      continue;
    moment = (double)(put->at_ms % 2000);
    for (size_t j = i + 1; j < net_asked_count(net); j++) {
      const struct net_asked *get = net_asked(net, j);
      uint64_t slot_end = (put->at_ms / 2000 + 1) * 2000;
      if (get->put || memcmp(get->id, put->id, 32) != 0)
        continue;
      if ((get->user == put->user) != decoys)
        break;
      p.n++;
      p.moment += moment;
      p.delay += (double)get->at_ms - (double)slot_end;
      p.gets++;
      p.found += get->status == TM_BOX_FOUND;
    }
    for (size_t j = i; j < net_asked_count(net); j++)
      p.puts += net_asked(net, j)->put && memcmp(net_asked(net, j)->id, put->id, 32) == 0;
  }
  return p;
}

static void real_and_decoy_look_alike(void **state)
{
  struct net *net = two(82, 0);
  size_t from = net_asked_count(net);
  struct pattern real, decoy;

  (void)state;
  for (int i = 0; i < 60; i++) {
    say(net, ALICE, "Bob", "text");
    say(net, BOB, "Alice", "text");
    net_run(net, 2000);
  }
  real = pattern_of(net, false, from);
  decoy = pattern_of(net, true, from);
  assert_true(real.n > 90 && decoy.n > 150);
  /* Each is read once, found at the first store that is asked, and at the same time after its slot. */
  assert_true(real.found == real.gets && decoy.found == decoy.gets);
  assert_true(fabs(real.delay / real.n - decoy.delay / decoy.n) < 150);
  /* And written at some moment of the slot, although they were all typed at its beginning. */
  assert_true(fabs(real.moment / real.n - decoy.moment / decoy.n) < 200);
  assert_true(real.moment / real.n > 500);
  net_free(net);
}

int main(int argc, char **argv)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(typing_does_not_move_the_clock), cmocka_unit_test(ticks_wait_for_no_disk),
    cmocka_unit_test(the_clock_is_poisson),
    cmocka_unit_test(reads_once), cmocka_unit_test(reads_again_only_what_was_lost),
    cmocka_unit_test(second_store_only_after_a_miss), cmocka_unit_test(real_and_decoy_look_alike),
  };

  if (argc > 1)
    cmocka_set_test_filter(argv[1]);
  return cmocka_run_group_tests_name("engine: privacy", tests, NULL, free_minutes);
}
