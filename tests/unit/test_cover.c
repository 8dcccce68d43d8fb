/* A relay's own cover under a virtual clock: its Poisson clocks, its alarm and hold; and the ways of its loops, hop by hop. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "directory_fixture.h"

#include "directory/params.h"
#include "relay/cover.h"
#include "relay/dummy.h"
#include "relay/mix.h"
#include "relay/topology.h"

static struct tm_rng_seeded seeded;
static struct tm_rng rng;

static int setup(void **state)
{
  static const uint8_t seed[32] = "cover";

  (void)state;
  rng = tm_rng_seeded_init(&seeded, seed);
  return 0;
}

static struct tm_params params_of(uint32_t loop_ms, uint32_t dummy_ms)
{
  struct tm_params p;

  tm_params_standard(&p);
  p.loop_ms = loop_ms;
  p.dummy_ms = dummy_ms;
  p.request_timeout_ms = 10000;
  return p;
}

/* ---- clocks ---- */

struct counted {
  unsigned loops, dummies;
};

/* Wakes it when it asks for it; loops come home at once, or not at all. */
static struct counted run(struct tm_cover *c, uint64_t from, uint64_t until, bool home)
{
  struct counted n = {0, 0};

  for (uint64_t now = from; now < until;) {
    enum tm_cover_kind kind;
    uint64_t next;
    tm_cover_watch(c, now);
    while ((kind = tm_cover_take(c, now)) != TM_COVER_NONE) {
      n.loops += kind == TM_COVER_LOOP;
      n.dummies += kind == TM_COVER_DUMMY;
      if (kind == TM_COVER_LOOP && home)
        tm_cover_home(c, now);
    }
    next = tm_cover_next_ms(c, now);
    assert_true(next > now);
    now = next;
  }
  return n;
}

static void test_rates(void **state)
{
  struct tm_params params = params_of(200, 50);
  struct tm_cover c;
  struct counted n;

  (void)state;
  tm_cover_init(&c, &rng);
  assert_int_equal(tm_cover_take(&c, 1000), TM_COVER_NONE); /* not told to run */
  assert_true(tm_cover_next_ms(&c, 1000) == TM_COVER_NEVER);
  tm_cover_run(&c, &params, 5000);
  n = run(&c, 5000, 5000 + 2000000, true);
  assert_in_range(n.loops, 10000 - 500, 10000 + 500); /* five standard deviations */
  assert_in_range(n.dummies, 40000 - 1000, 40000 + 1000);
  assert_true(c.alarms <= 3 * 5); /* by itself, three times in 20,000 loops */
  tm_cover_stop(&c);
  assert_int_equal(tm_cover_take(&c, UINT64_MAX / 2), TM_COVER_NONE);
}

/* The gaps of a Poisson clock are as far apart as their mean: in a clock that ticks evenly, or draws uniformly, they are not. */
static void test_gaps_are_exponential(void **state)
{
  enum { N = 20000 };
  struct tm_params params = params_of(200, 0);
  struct tm_cover c;
  double sum = 0, squares = 0, last = 0;
  unsigned n = 0;

  (void)state;
  tm_cover_init(&c, &rng);
  tm_cover_run(&c, &params, 0);
  for (uint64_t now = 0; n < N; now++)
    while (tm_cover_take(&c, now) == TM_COVER_LOOP) {
      double gap = (double)now - last;
      last = (double)now;
      sum += gap;
      squares += gap * gap;
      n++;
    }
  assert_true(sum / N > 190 && sum / N < 210);
  assert_true(squares / N > 1.9 * 200 * 200 && squares / N < 2.1 * 200 * 200); /* evenly: 1.0; uniform: 1.33 */
}

static void test_none(void **state)
{
  struct tm_params params = params_of(0, 0);
  struct tm_cover c;

  (void)state;
  tm_cover_init(&c, &rng);
  tm_cover_run(&c, &params, 0);
  assert_true(tm_cover_next_ms(&c, 0) == TM_COVER_NEVER);
  assert_int_equal(tm_cover_take(&c, 1000000000), TM_COVER_NONE);
  assert_false(tm_cover_watch(&c, 1000000000)); /* and what is not sent is not missed */
  params = params_of(0, 100);
  tm_cover_run(&c, &params, 0);
  assert_int_equal(run(&c, 0, 100000, false).loops, 0);
  assert_int_equal(c.alarms, 0);
}

static void test_what_was_missed_is_left_out(void **state)
{
  struct tm_params params = params_of(100, 100);
  struct tm_cover c;
  unsigned n = 0;

  (void)state;
  tm_cover_init(&c, &rng);
  tm_cover_run(&c, &params, 0);
  while (tm_cover_take(&c, 3600000) != TM_COVER_NONE) /* the machine slept for an hour */
    n++;
  assert_true(n <= 4);
  assert_true(tm_cover_watch(&c, 3600000));
  assert_true(tm_cover_next_ms(&c, 3600000) > 3600000);
}

/* ---- the alarm ---- */

static void test_alarm_and_hold(void **state)
{
  struct tm_params params = params_of(100, 1000);
  struct tm_cover c;
  struct counted n;

  (void)state;
  tm_cover_init(&c, &rng);
  tm_cover_run(&c, &params, 1000);
  run(&c, 1000, 12000, false); /* first loops have request_timeout_ms, then ten times loop_ms */
  assert_false(tm_cover_watch(&c, 11999));
  assert_false(tm_cover_holds(&c, 11999));
  assert_true(tm_cover_watch(&c, 12000));
  assert_true(c.raised && c.alarms == 1);
  assert_true(tm_cover_holds(&c, 12000) && tm_cover_holds(&c, 16999));
  assert_false(tm_cover_holds(&c, 17000)); /* half of request_timeout_ms, whoever wishes for more */
  n = run(&c, 12000, 112000, false);
  assert_in_range(n.loops, 1000 - 160, 1000 + 160);
  assert_in_range(n.dummies, 4100 - 330, 4100 + 330); /* one in 1000 ms, and four in 100 */
  assert_true(c.raised && c.alarms == 1);
  assert_false(tm_cover_holds(&c, 112000)); /* one alarm, one hold */
}

/* An adversary who lets loops through and stops them in turns has the mix held for an eighth of the time, no more. */
static void test_holds_are_bounded(void **state)
{
  struct tm_params params = params_of(100, 0);
  struct tm_cover c;
  uint64_t held_ms = 0, began = 0;
  unsigned holds = 0;
  bool was = false;

  (void)state;
  tm_cover_init(&c, &rng);
  tm_cover_run(&c, &params, 0);
  for (uint64_t now = 0; now < 1000000; now++) {
    bool is;
    tm_cover_watch(&c, now);
    is = tm_cover_holds(&c, now);
    if (is && !was && holds > 0)
      assert_true(now - began >= 40000);
    if (is && !was) {
      began = now;
      holds++;
    }
    was = is;
    held_ms += is;
    while (tm_cover_take(&c, now) != TM_COVER_NONE)
      ;
    if (now % 10000 >= 3000 && now % 50 == 0)
      tm_cover_home(&c, now);
  }
  assert_true(c.alarms > 50);
  assert_in_range(holds, 10, 25);
  assert_true(held_ms <= 25 * 5000);
}

static void test_the_alarm_ends_and_the_hold_with_it(void **state)
{
  struct tm_params params = params_of(100, 0);
  struct tm_cover c;

  (void)state;
  tm_cover_init(&c, &rng);
  tm_cover_run(&c, &params, 0);
  run(&c, 0, 11000, false);
  assert_true(tm_cover_watch(&c, 11000) && tm_cover_holds(&c, 11000));
  for (int i = 0; i < TM_ALARM_LOOPS; i++)
    tm_cover_home(&c, 11001);
  assert_true(tm_cover_watch(&c, 11001));
  assert_false(c.raised);
  assert_false(tm_cover_holds(&c, 11001));
  tm_cover_run(&c, &params, 11002); /* the same parameters again change nothing ... */
  assert_true(tm_alarm_due(&c.alarm) == 12001);
  params.loop_ms = 200; /* ... others begin anew */
  tm_cover_run(&c, &params, 11002);
  assert_true(tm_alarm_due(&c.alarm) == 11002 + 10000 + 2000);
}

/* ---- loops ---- */

struct world {
  struct fixture f;
  tm_sphinx_key *key[FIXTURE_RELAYS]; /* of the present epoch */
  struct tm_document *doc;
  struct tm_dummy *dummy;
  tm_sphinx *sphinx;
  uint8_t packet[TM_SPHINX_PACKET_LEN];
  uint8_t next[TM_SPHINX_IDENTITY_LEN];
};

static struct world *world_new(enum tm_strategy strategy)
{
  struct world *w = calloc(1, sizeof *w);
  struct tm_trust *trust = fixture_trust(1);
  struct tm_fault fault;
  char *text, *note;
  size_t len, note_len;

  assert_non_null(w);
  fixture_init(&w->f);
  w->f.draft.params.strategy = strategy;
  for (unsigned i = 0; i < FIXTURE_RELAYS; i++) {
    uint8_t secret[32];
    tm_rng_fill(&rng, secret, sizeof secret);
    assert_int_equal(tm_sphinx_key_new(&w->key[i], secret), TM_SPHINX_OK);
    tm_sphinx_key_point(w->key[i], w->f.keys[i][0].point);
  }
  assert_int_equal(tm_document_assemble(&w->f.draft, &text, &len, &fault), TM_OK);
  note = fixture_sign(text, len, 0, 1, &note_len);
  assert_int_equal(tm_document_open(&w->doc, trust, note, note_len, FIXTURE_NOW, NULL), TM_OK);
  assert_int_equal(tm_dummy_new(&w->dummy, &rng), TM_OK);
  assert_int_equal(tm_sphinx_new(&w->sphinx, NULL, TM_SPHINX_BODY_LEN), TM_SPHINX_OK);
  tm_trust_free(trust);
  free(text);
  free(note);
  return w;
}

static void world_free(struct world *w)
{
  for (unsigned i = 0; i < FIXTURE_RELAYS; i++)
    tm_sphinx_key_free(w->key[i]);
  tm_document_free(w->doc);
  tm_dummy_free(w->dummy);
  tm_sphinx_free(w->sphinx);
  free(w);
}

static unsigned index_of(const struct world *w, const uint8_t identity[static 32])
{
  for (unsigned i = 0; i < FIXTURE_RELAYS; i++)
    if (memcmp(w->f.relays[i].identity, identity, 32) == 0)
      return i;
  fail_msg("a hop that is no relay");
  return 0;
}

/* Sends the packet on from `at` until it is opened for the last time; returns 100 times by whom, and by how many before and with it. */
static unsigned follow(struct world *w, unsigned at, tm_sphinx_hop *hop, uint64_t *delay_ms)
{
  uint8_t *packets[1] = {w->packet};
  size_t len = TM_SPHINX_PACKET_LEN;
  unsigned hops = 0;

  *delay_ms = 0;
  do {
    unsigned to = index_of(w, w->next);
    assert_true(tm_topology_sends(&w->f.relays[at], &w->f.relays[to])); /* a way of client packets */
    at = to;
    assert_int_equal(tm_sphinx_unwrap_headers(w->sphinx, w->key[at], packets, &len, hop, 1), 1);
    tm_sphinx_unwrap_bodies(w->sphinx, packets, hop, 1);
    assert_int_equal(hop->verdict, TM_SPHINX_OK);
    memcpy(w->next, hop->next, sizeof w->next);
    *delay_ms += hop->delay_ms;
    hops++;
  } while (hop->command == TM_SPHINX_FORWARD);
  return at * 100 + hops;
}

static void test_loops_go_round_the_ring(void **state)
{
  struct world *w = world_new(TM_STRATEGY_POISSON);

  (void)state;
  for (unsigned self = 0; self < FIXTURE_RELAYS; self++) {
    unsigned first[FIXTURE_RELAYS] = {0};
    unsigned begins = 0;
    for (int i = 0; i < 60; i++) {
      struct tm_relay_info info = w->f.relays[self];
      tm_sphinx_hop hop;
      uint64_t delay_ms, home_ms = 5000;
      info.n_keys = 0; /* what a relay knows of itself is its place */
      info.keys = NULL;
      assert_int_equal(tm_loop_make(w->dummy, w->doc, &info, FIXTURE_NOW, home_ms, w->packet, w->next), TM_OK);
      first[index_of(w, w->next)]++;
      assert_int_equal(follow(w, self, &hop, &delay_ms), self * 100 + 4); /* home, by four hops */
      assert_int_equal(hop.command, TM_SPHINX_REPLY);
      assert_int_equal(tm_loop_judge(w->dummy, hop.next, 0), TM_LOOP_HOME);
      assert_int_equal(tm_loop_judge(w->dummy, hop.next, home_ms + delay_ms), TM_LOOP_HOME);
      assert_int_equal(tm_loop_judge(w->dummy, hop.next, home_ms + delay_ms + 1), TM_LOOP_LATE);
      assert_true(delay_ms > 0);
      hop.next[i % 32] ^= 1; /* nobody can make one, or make one later */
      assert_int_equal(tm_loop_judge(w->dummy, hop.next, 0), TM_LOOP_NONE);
    }
    for (unsigned i = 0; i < FIXTURE_RELAYS; i++)
      begins += first[i] > 5;
    assert_int_equal(begins, w->f.relays[self].layer == TM_DOCUMENT_LAYERS ? 4 : 2); /* all of the next place */
  }
  world_free(w);
}

static void test_another_relays_loop_is_none(void **state)
{
  struct world *w = world_new(TM_STRATEGY_TIMED_POOL);
  struct tm_dummy *other;
  tm_sphinx_hop hop;
  uint64_t delay_ms;

  (void)state;
  assert_int_equal(tm_dummy_new(&other, &rng), TM_OK); /* or the same relay, started again */
  assert_int_equal(tm_loop_make(w->dummy, w->doc, tm_document_find(w->doc, w->f.relays[2].identity), FIXTURE_NOW, 5000, w->packet, w->next),
                   TM_OK);
  assert_int_equal(follow(w, 2, &hop, &delay_ms), 2 * 100 + 4);
  assert_int_equal(delay_ms, 0); /* a pool takes its own time */
  assert_int_equal(tm_loop_judge(other, hop.next, 0), TM_LOOP_NONE);
  assert_int_equal(tm_loop_judge(w->dummy, hop.next, 0), TM_LOOP_HOME);
  memset(hop.next, 0, sizeof hop.next);
  assert_int_equal(tm_loop_judge(w->dummy, hop.next, 0), TM_LOOP_NONE);
  tm_dummy_free(other);
  world_free(w);
}

static void test_no_key_no_loop(void **state)
{
  struct world *w = world_new(TM_STRATEGY_POISSON);
  static const uint8_t zero[TM_SPHINX_PACKET_LEN];
  uint64_t late = FIXTURE_NOW + UINT64_C(2) * 86400 * FIXTURE_KEYS; /* an epoch for which nobody has keys */

  (void)state;
  memset(w->packet, 1, sizeof w->packet);
  memset(w->next, 1, sizeof w->next);
  assert_int_equal(tm_loop_make(w->dummy, w->doc, tm_document_find(w->doc, w->f.relays[4].identity), late, 5000, w->packet, w->next),
                   TM_E_NOT_FOUND);
  assert_memory_equal(w->packet, zero, sizeof w->packet);
  assert_memory_equal(w->next, zero, sizeof w->next);
  world_free(w);
}

/* ---- what was held ---- */

/* The release after a hold stands for all that were missed, and the next comes no sooner than half an interval later. */
static void test_releases_after_a_hold_are_apart(void **state)
{
  struct tm_mix_config config = {.capacity = 100, .rng = &rng, .pool_interval_ms = 100, .pool_min = 10, .pool_share_permille = 1000};
  struct tm_mix *mix;
  uint32_t out[100];

  (void)state;
  assert_int_equal(tm_mix_new(&mix, &tm_mix_pool, &config, 0), TM_OK);
  for (uint32_t i = 0; i < 30; i++)
    assert_int_equal(tm_mix_add(mix, i, 0, 0), TM_OK);
  tm_mix_hold(mix, true);
  assert_int_equal(tm_mix_release(mix, 1080, out, 100), 0);
  tm_mix_hold(mix, false);
  assert_int_equal(tm_mix_release(mix, 1080, out, 100), 20);
  assert_int_equal(tm_mix_next_ms(mix), 1200); /* not 1100 */
  assert_int_equal(tm_mix_add(mix, 30, 1090, 0), TM_OK);
  assert_int_equal(tm_mix_release(mix, 1199, out, 100), 0);
  assert_int_equal(tm_mix_release(mix, 1200, out, 100), 1);
  assert_int_equal(tm_mix_release(mix, 1345, out, 100), 0);
  assert_int_equal(tm_mix_next_ms(mix), 1400); /* half an interval is enough */
  tm_mix_free(mix);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup(test_rates, setup),
    cmocka_unit_test_setup(test_gaps_are_exponential, setup),
    cmocka_unit_test_setup(test_none, setup),
    cmocka_unit_test_setup(test_what_was_missed_is_left_out, setup),
    cmocka_unit_test_setup(test_alarm_and_hold, setup),
    cmocka_unit_test_setup(test_holds_are_bounded, setup),
    cmocka_unit_test_setup(test_the_alarm_ends_and_the_hold_with_it, setup),
    cmocka_unit_test_setup(test_releases_after_a_hold_are_apart, setup),
    cmocka_unit_test_setup(test_loops_go_round_the_ring, setup),
    cmocka_unit_test_setup(test_another_relays_loop_is_none, setup),
    cmocka_unit_test_setup(test_no_key_no_loop, setup),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
