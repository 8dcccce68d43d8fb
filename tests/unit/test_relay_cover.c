/* What a relay sends by itself, in a network of engines: loops that come home, and the alarm when they do not. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <sodium.h>

#include "relay/internal.h"
#include "tests/unit/relay_support.h"

static bool loops_are_home(struct net *net, void *arg)
{
  (void)arg;
  for (unsigned i = 0; i < NET_RELAYS; i++)
    if (net_snapshot(net, i).cover.home < 5)
      return false;
  return true;
}

/* Each relay, whatever it is, sees its loops again; links, mixes and accounting take them for packets like any other. */
static void test_loops(void **state)
{
  struct tm_params params = net_params();
  struct net *net;

  (void)state;
  params.loop_ms = 300; /* a machine that stands still for three seconds would raise the alarm */
  params.dummy_ms = 50;
  net = net_start(&params, "");
  net_pump_until(net, loops_are_home, NULL);
  for (unsigned i = 0; i < NET_RELAYS; i++) {
    struct tm_snapshot s = net_snapshot(net, i);
    assert_int_equal(s.totals.out_loop, s.cover.home + s.cover.late);
    assert_true(s.totals.out_loop <= s.cover.loops);
    assert_int_equal(s.totals.in_own, s.cover.loops + s.cover.dummies);
    assert_true(s.cover.dummies > 0);
    assert_false(s.cover.alarm || s.cover.held);
    for (size_t reason = 1; reason < TM_DROPS; reason++)
      /* Dummies end at sessions that do not exist; the first ones were early, before the links were up. */
      if (reason != TM_DROP_UNKNOWN_SESSION && reason != TM_DROP_NO_LINK)
        assert_int_equal(net_dropped(net, i, (enum tm_drop)reason), 0);
  }
  net_stop(net);
}

/* ---- replays ---- */

/* Takes a packet through a relay, as it would do it. */
static void pass(struct net *net, unsigned relay, uint8_t *packet)
{
  uint8_t *const packets[] = {packet};
  const size_t len = TM_SPHINX_PACKET_LEN;
  tm_sphinx_key *key;
  tm_sphinx_hop hop;

  assert_int_equal(tm_mix_key_load(net->relay[relay].dir, net->first_epoch, &key), TM_OK);
  assert_int_equal(tm_sphinx_unwrap_headers(net->sphinx, key, packets, &len, &hop, 1), 1);
  assert_int_equal(tm_sphinx_unwrap_bodies(net->sphinx, packets, &hop, 1), 1);
  assert_int_equal(hop.command, TM_SPHINX_FORWARD);
  tm_sphinx_key_free(key);
}

static bool one_is_home(struct net *net, void *arg)
{
  (void)arg;
  return net_snapshot(net, NET_ENTRY).cover.home > 0;
}

/* Whoever gives a loop back a second time does not keep the alarm silent with it. */
static void test_a_loop_counts_once(void **state)
{
  struct tm_params params = net_params();
  struct net *net;
  struct tm_engine *entry;
  uint8_t packet[TM_SPHINX_PACKET_LEN], next[TM_SPHINX_IDENTITY_LEN];
  struct tm_snapshot s;

  (void)state;
  params.loop_ms = params.dummy_ms = 0; /* no loop but this one */
  net = net_start(&params, "");
  entry = net->relay[NET_ENTRY].engine;
  assert_int_equal(tm_loop_make(entry->dummy, tm_watch_document(entry->watch), tm_network_self(entry->net),
                                tm_clock_wall_ms(entry->clock) / 1000, tm_clock_mono_ms(entry->clock) + 60000, packet, next),
                   TM_OK);
  assert_memory_equal(next, net->relay[NET_MIX1].identity, sizeof next);
  for (unsigned relay = NET_MIX1; relay <= NET_MIX3; relay++)
    pass(net, relay, packet);
  net_send(net, packet);
  net_pump_until(net, one_is_home, NULL);
  net_send(net, packet);
  net_expect_drop(net, NET_ENTRY, TM_DROP_REPLAY, 1);
  net_pump(net, 100);
  s = net_snapshot(net, NET_ENTRY);
  assert_int_equal(s.cover.home, 1);
  assert_int_equal(s.cover.late, 0);
  assert_int_equal(s.totals.out_loop, 1);
  assert_int_equal(s.totals.in_link, 2);
  net_stop(net);
}

/* ---- the alarm ---- */

static bool holds_for_alarm(struct net *net, void *arg)
{
  struct tm_snapshot s = net_snapshot(net, *(unsigned *)arg);

  return s.cover.alarm && s.cover.held;
}

static bool is_quiet(struct net *net, void *arg) { return !net_snapshot(net, *(unsigned *)arg).cover.alarm; }
static bool lets_go(struct net *net, void *arg) { return !net_snapshot(net, *(unsigned *)arg).cover.held; }

/* A relay of the second layer takes packets and passes none on. The one before it notices, holds its mix for a while, and goes on with more cover. */
static void test_alarm(void **state)
{
  struct tm_params params = net_params();
  struct net *net;
  struct tm_snapshot before, after;
  unsigned watcher = NET_MIX1, held_ms;

  (void)state;
  params.loop_ms = 200; /* all relays are alarmed, and their cover has to fit into one slow thread */
  net = net_start(&params, "");
  net_pump_until(net, loops_are_home, NULL);
  tm_replay_hold(tm_engine_replay(net->relay[NET_MIX2].engine), 0);
  net_pump_until(net, holds_for_alarm, &watcher);
  assert_true(net_snapshot(net, watcher).cover.dummies <= 2); /* none but those of the alarm */
  net_pump(net, 50);                                          /* what had left the mix, and waits for its ticket */
  before = after = net_snapshot(net, watcher);
  for (held_ms = 0; held_ms < 700 && after.cover.held; held_ms += 50) {
    assert_int_equal(after.totals.out_link, before.totals.out_link); /* not one, as long as it is held */
    net_pump(net, 50);
    after = net_snapshot(net, watcher);
  }
  if (after.cover.held) { /* a machine that is too slow has seen the end of it, and says nothing of the rest */
    assert_int_equal(after.totals.out_link, before.totals.out_link);
    assert_true(after.cover.dummies >= before.cover.dummies + 2); /* four in 200 ms: 14 expected, fewer than 2 once in 80,000 times */
    assert_true(after.held >= before.held + 2);
  }
  net_pump_until(net, lets_go, &watcher); /* request_timeout_ms / 2, though loops still do not come */
  net_pump(net, 100);
  after = net_snapshot(net, watcher);
  assert_true(after.cover.alarm);
  assert_true(after.totals.out_link > before.totals.out_link + 6);
  tm_replay_hold(tm_engine_replay(net->relay[NET_MIX2].engine), UINT64_MAX);
  net_pump_until(net, is_quiet, &watcher);
  assert_true(net_snapshot(net, watcher).cover.late > 0 || net_snapshot(net, watcher).cover.home > before.cover.home);
  net_stop(net);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_loops),
    cmocka_unit_test(test_a_loop_counts_once),
    cmocka_unit_test(test_alarm),
  };

  if (sodium_init() < 0)
    return 1;
  return cmocka_run_group_tests_name("relay cover", tests, NULL, NULL);
}
