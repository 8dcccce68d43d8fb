/* Links at a constant rate: the beats, the cells that wait, and what somebody sees who counts the cells on a relay's links. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "relay/pace.h"
#include "tests/unit/relay_requests.h"

/* ---- beats ---- */

static void test_beats_follow_time_alone(void **state)
{
  struct tm_pace pace;
  size_t sum = 0;

  (void)state;
  tm_pace_start(&pace, 2500, 1000);
  assert_int_equal(tm_pace_beats(&pace, 1002), 0);
  assert_int_equal(tm_pace_beats(&pace, 1003), 1);
  assert_int_equal(tm_pace_beats(&pace, 1003), 0);
  assert_int_equal(tm_pace_beats(&pace, 1010), 3);
  for (uint64_t ms = 1010; ms < 11000; ms += 1 + ms % 7)
    sum += tm_pace_beats(&pace, ms);
  sum += tm_pace_beats(&pace, 11000);
  assert_int_equal(1 + 3 + sum, 4000); /* none is lost to rounding */
}

static void test_a_standstill_is_not_made_up_for(void **state)
{
  struct tm_pace pace;

  (void)state;
  tm_pace_start(&pace, 1000, 0);
  assert_int_equal(tm_pace_beats(&pace, 60000), 100);
  assert_int_equal(tm_pace_beats(&pace, 60001), 1);
  tm_pace_start(&pace, 1000000, 0);
  assert_int_equal(tm_pace_beats(&pace, 60000), 1);
  assert_int_equal(tm_pace_beats(&pace, 60999), 0);
  assert_int_equal(tm_pace_beats(&pace, 61000), 1);
  tm_pace_start(&pace, 0, 0);
  assert_int_equal(tm_pace_beats(&pace, 60000), 0);
}

/* ---- cells that wait ---- */

static void test_first_in_first_out(void **state)
{
  struct tm_pace_queue queue = {NULL, 0, 0, 0};
  uint8_t in = 0, out = 0;

  (void)state;
  assert_null(tm_pace_queue_first(&queue));
  assert_null(tm_pace_queue_add(&queue)); /* no room yet */
  assert_int_equal(tm_pace_queue_init(&queue, 3), TM_OK);
  for (unsigned round = 0; round < 100; round++) {
    uint8_t *place;
    while ((place = tm_pace_queue_add(&queue)) != NULL)
      memset(place, in++, TM_CELL_LEN);
    assert_int_equal(queue.n, 3);
    for (unsigned i = 0; i <= round % 3; i++) {
      const uint8_t *cell = tm_pace_queue_first(&queue);
      assert_int_equal(cell[0], out);
      assert_int_equal(cell[TM_CELL_LEN - 1], out++);
      tm_pace_queue_drop(&queue);
    }
  }
  tm_pace_queue_free(&queue);
  assert_null(queue.cells);
}

/* ---- on the wire ---- */

#define LINK_US 5000
#define REQUESTS 60

struct count {
  uint64_t cells, ms;
};

static struct count count_of(struct net *net, unsigned relay)
{
  return (struct count){tm_engine_io(net->relay[relay].engine).cells_out, tm_clock_mono_ms(&tm_clock_system)};
}

/* Cells that a relay sent since then on its links, and as many as there were beats, at most. */
static void compare(struct net *net, unsigned relay, unsigned links, struct count from)
{
  struct count to = count_of(net, relay);
  uint64_t beats = (to.ms - from.ms) * 1000 / LINK_US + 1 + TM_PACE_MISSED_MS * 1000 / LINK_US; /* those of a beat that was late count, too */

  if (to.cells - from.cells > links * beats)
    fail_msg("%d cells on %u links in %d ms", (int)(to.cells - from.cells), links, (int)(to.ms - from.ms));
  assert_true(to.cells > from.cells);
}

static bool sent_on(struct net *net, void *n) { return net_snapshot(net, NET_MIX1).totals.out_link >= *(uint64_t *)n; }

static bool is_beating(struct net *net, void *from) { return count_of(net, NET_MIX1).cells >= *(uint64_t *)from + 50; }

static void test_nobody_who_counts_cells_sees_packets(void **state)
{
  struct tm_params params = net_params();
  struct net *net;
  struct net_asked asked;
  uint8_t packet[TM_SPHINX_PACKET_LEN];
  struct tm_box_answer answer;
  struct count from;
  uint64_t n;

  (void)state;
  params.link_us = LINK_US;
  net = net_start(&params, "");
  from = count_of(net, NET_MIX1);
  n = from.cells;
  net_pump_until(net, is_beating, &n);
  compare(net, NET_MIX1, 1, from);

  /* All of them wait for the beats of the one link to the next layer; each takes the place of a cell of padding. */
  from = count_of(net, NET_MIX1);
  n = net_snapshot(net, NET_MIX1).totals.out_link + REQUESTS;
  for (unsigned i = 0; i < REQUESTS; i++) {
    net_get_packet(net, NET_STORE1, NULL, &asked, packet);
    net_send(net, packet);
  }
  net_pump_until(net, sent_on, &n);
  compare(net, NET_MIX1, 1, from);
  net_get_packet(net, NET_STORE1, NULL, &asked, packet);
  net_send(net, packet);
  assert_int_equal(net_answer_of(net, &asked, &answer), TM_BOX_MISSING);
  compare(net, NET_MIX1, 1, from);
  net_stop(net);
}

static bool all_have_gone(struct net *net, void *arg)
{
  struct tm_snapshot s = net_snapshot(net, NET_ENTRY);

  (void)arg;
  return s.totals.in_link == 40 && s.held == 0;
}

/* More than a link's beats carry: what has no place is counted, and nothing grows. */
static void test_what_waits_is_bounded(void **state)
{
  struct tm_params params = net_params();
  struct net *net;
  struct net_asked asked;
  uint8_t packet[TM_SPHINX_PACKET_LEN];

  (void)state;
  params.link_us = 1000000;
  net = net_start(&params, "egress-queue = 16\n");
  for (unsigned i = 0; i < 40; i++) {
    net_get_packet(net, NET_STORE1, NULL, &asked, packet);
    net_send(net, packet);
  }
  net_pump_until(net, all_have_gone, NULL);
  assert_true(net_dropped(net, NET_ENTRY, TM_DROP_EGRESS_FULL) >= 40 - 16 - 10);
  assert_true(net_dropped(net, NET_ENTRY, TM_DROP_EGRESS_FULL) <= 40 - 16);
  net_stop(net);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_beats_follow_time_alone), cmocka_unit_test(test_a_standstill_is_not_made_up_for),
    cmocka_unit_test(test_first_in_first_out),      cmocka_unit_test(test_nobody_who_counts_cells_sees_packets),
    cmocka_unit_test(test_what_waits_is_bounded),
  };

  if (sodium_init() < 0)
    return 1;
  return cmocka_run_group_tests_name("pace", tests, NULL, NULL);
}
