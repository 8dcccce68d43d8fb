/* A network of engines: what packets become on their way, and that nothing is lost uncounted. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <sodium.h>

#include "tests/unit/disk_shim.h"
#include "tests/unit/relay_requests.h"
#include "tests/unit/relay_support.h"

static void test_store_and_read(void **state)
{
  struct tm_params params = net_params();
  struct net *net = net_start(&params, "");
  struct tm_box_writer w;
  struct tm_box_answer answer;
  struct net_asked asked;
  uint8_t seed[TM_BOX_SEED_LEN], random[TM_BOX_SEAL_RANDOM_LEN], text[TM_BOX_TEXT_LEN] = {7};
  uint8_t id[TM_BOX_ID_LEN], box[TM_BOX_LEN], signature[TM_BOX_SIGNATURE_LEN], packet[TM_SPHINX_PACKET_LEN];

  (void)state;
  randombytes_buf(seed, sizeof seed);
  randombytes_buf(random, sizeof random);
  tm_box_writer_init(&w, seed, 5);
  assert_int_equal(tm_box_seal(&w, text, random, id, box, signature), TM_OK);
  net_get_packet(net, NET_STORE1, id, &asked, packet);
  net_send(net, packet);
  assert_int_equal(net_answer_of(net, &asked, &answer), TM_BOX_MISSING);
  net_idle_packet(net, NET_STORE1, id, signature, box, &asked, packet);
  net_send(net, packet);
  assert_int_equal(net_answer_of(net, &asked, &answer), TM_BOX_WORK);
  assert_int_equal(answer.work, params.work_bits);
  for (int again = 0; again < 2; again++) {
    net_put_packet(net, NET_STORE1, id, signature, box, &asked, packet);
    net_send(net, packet);
    assert_int_equal(net_answer_of(net, &asked, &answer), TM_BOX_STORED);
  }
  net_get_packet(net, NET_STORE1, id, &asked, packet);
  net_send(net, packet);
  assert_int_equal(net_answer_of(net, &asked, &answer), TM_BOX_FOUND);
  assert_memory_equal(answer.box, box, sizeof box);
  box[3] ^= 1;
  net_put_packet(net, NET_STORE1, id, signature, box, &asked, packet);
  net_send(net, packet);
  assert_int_equal(net_answer_of(net, &asked, &answer), TM_BOX_REFUSED);
  net_pump(net, 50);
  struct tm_snapshot s = net_snapshot(net, NET_STORE1);
  assert_int_equal(s.store.boxes, 1);
  assert_int_equal(s.store.put, 2);
  assert_int_equal(s.store.work, 1);
  assert_int_equal(s.totals.out_store, 6);
  assert_int_equal(s.totals.in_reply, 6);
  assert_int_equal(s.totals.out_link, 6);
  assert_int_equal(s.held, 0);
  assert_int_equal(net_snapshot(net, NET_ENTRY).totals.out_client, 6);
  net_stop(net);
}

static void test_loop(void **state)
{
  struct tm_params params = net_params();
  struct net *net = net_start(&params, "");
  static const unsigned relays[] = {NET_ENTRY, NET_MIX1, NET_MIX2, NET_MIX3, NET_ENTRY, NET_RELAYS};
  tm_sphinx_node path[TM_SPHINX_HOPS_MAX];
  uint8_t random[TM_SPHINX_SURB_RANDOM_LEN], surb[TM_SPHINX_SURB_LEN], body[TM_SPHINX_BODY_LEN] = {9}, first[32];
  uint8_t packet[TM_SPHINX_PACKET_LEN];
  struct net_asked asked;
  size_t n = net_path(net, path, relays, 3);

  (void)state;
  randombytes_buf(random, sizeof random);
  randombytes_buf(asked.surb_id, sizeof asked.surb_id);
  assert_int_equal(tm_sphinx_surb_create(net->sphinx, path, n, tm_link_handle(net->client.link), asked.surb_id, random, surb,
                                         &asked.keys), TM_SPHINX_OK);
  tm_sphinx_surb_use(net->sphinx, surb, body, packet, first);
  net_send(net, packet);
  net_pump_until(net, net_has_answer, &asked);
  assert_int_equal(tm_sphinx_surb_open(net->sphinx, &asked.keys, asked.payload), TM_SPHINX_OK);
  assert_memory_equal(asked.payload + TM_SPHINX_TAG_LEN, body, sizeof body);
  net_stop(net);
}

/* ---- packets that must not get through ---- */

static void test_bad_packets(void **state)
{
  struct tm_params params = net_params();
  struct net *net = net_start(&params, "");
  uint8_t packet[TM_SPHINX_PACKET_LEN], bad[TM_SPHINX_PACKET_LEN];
  struct net_asked asked;
  struct tm_box_answer answer;

  (void)state;
  net_get_packet(net, NET_STORE2, NULL, &asked, packet);
  memcpy(bad, packet, sizeof bad);
  bad[TM_SPHINX_HEADER_LEN - 1] ^= 1;
  net_send(net, bad);
  net_expect_drop(net, NET_ENTRY, TM_DROP_MAC, 1);
  memset(bad, 0, TM_SPHINX_ELEMENT_LEN);
  net_send(net, bad);
  net_expect_drop(net, NET_ENTRY, TM_DROP_LOW_ORDER, 1);
  memset(bad, 0xff, TM_SPHINX_ELEMENT_LEN);
  net_send(net, bad);
  net_expect_drop(net, NET_ENTRY, TM_DROP_NONCANONICAL, 1);
  memcpy(bad, packet, sizeof bad);
  bad[TM_SPHINX_PACKET_LEN - 1] ^= 1; /* tagged on its way: only the last hop can tell */
  net_send(net, bad);
  net_expect_drop(net, NET_STORE2, TM_DROP_TAG, 1);
  net_send(net, packet); /* the same header again: a replay for the entry */
  net_expect_drop(net, NET_ENTRY, TM_DROP_REPLAY, 1);
  net_get_packet(net, NET_STORE2, NULL, &asked, packet);
  net_send(net, packet);
  net_send(net, packet);
  assert_int_equal(net_answer_of(net, &asked, &answer), TM_BOX_MISSING);
  net_expect_drop(net, NET_ENTRY, TM_DROP_REPLAY, 2);
  net_stop(net);
}

static void test_wrong_ways(void **state)
{
  struct tm_params params = net_params();
  struct net *net = net_start(&params, "");
  uint8_t surb[TM_SPHINX_SURB_LEN], id[TM_SPHINX_SURB_ID_LEN], handle[TM_SPHINX_HANDLE_LEN] = {1}, first[32];
  uint8_t random[TM_SPHINX_SURB_RANDOM_LEN] = {3}, body[TM_SPHINX_BODY_LEN] = {0}, packet[TM_SPHINX_PACKET_LEN];
  tm_sphinx_node path[TM_SPHINX_HOPS_MAX];
  tm_sphinx_surb_keys keys;

  (void)state;
  net_send_along(net, (const unsigned[]){NET_ENTRY, NET_RELAYS}); /* delivered at an entry, which has no service */
  net_expect_drop(net, NET_ENTRY, TM_DROP_ROLE, 1);
  net_send_along(net, (const unsigned[]){NET_ENTRY, NET_MIX2, NET_RELAYS}); /* layer 1 left out */
  net_expect_drop(net, NET_ENTRY, TM_DROP_UNKNOWN_NEXT, 1);
  net_send_along(net, (const unsigned[]){NET_ENTRY, NET_ENTRY, NET_RELAYS});
  net_expect_drop(net, NET_ENTRY, TM_DROP_UNKNOWN_NEXT, 2);
  net_send_along(net, (const unsigned[]){NET_ENTRY, NET_MIX1, NET_MIX1, NET_RELAYS});
  net_expect_drop(net, NET_MIX1, TM_DROP_UNKNOWN_NEXT, 1);
  net_send_along(net, (const unsigned[]){NET_ENTRY, NET_MIX1, NET_MIX2, NET_MIX3, NET_STORE1, NET_RELAYS}); /* zeros: no request */
  net_expect_drop(net, NET_STORE1, TM_DROP_STORE_MALFORMED, 1);
  randombytes_buf(id, sizeof id);
  assert_int_equal(tm_sphinx_surb_create(net->sphinx, path, net_path(net, path, (const unsigned[]){NET_ENTRY, NET_RELAYS}, 0), handle,
                                         id, random, surb, &keys), TM_SPHINX_OK);
  tm_sphinx_surb_use(net->sphinx, surb, body, packet, first);
  net_send(net, packet);
  net_expect_drop(net, NET_ENTRY, TM_DROP_UNKNOWN_SESSION, 1);
  net_stop(net);
}

/* Nobody fills a mix with packets that stay for a day. */
static void test_delays_have_a_bound(void **state)
{
  struct tm_params params = net_params();
  struct net *net;
  tm_sphinx_node path[TM_SPHINX_HOPS_MAX];
  uint8_t body[TM_SPHINX_BODY_LEN] = {0}, packet[TM_SPHINX_PACKET_LEN];
  static const unsigned way[] = {NET_ENTRY, NET_MIX1, NET_RELAYS};
  unsigned where = NET_ENTRY;
  size_t n;

  (void)state;
  params.mean_delay_ms = 600000;
  net = net_start(&params, "");
  n = net_path(net, path, way, 20 * 600000);
  net_make_packet(net, path, n, body, packet);
  net_send(net, packet);
  net_pump_until(net, net_holds_one, &where);
  path[0].delay_ms++;
  net_make_packet(net, path, n, body, packet);
  net_send(net, packet);
  net_expect_drop(net, NET_ENTRY, TM_DROP_DELAY, 1);
  net_stop(net);
}

/* The entry reads what sixteen packets may take, here records of six; the others wait outside, and are none of its memory. */
static void test_floods_end_at_the_entry(void **state)
{
  struct tm_params params = net_params();
  struct net *net;
  uint8_t packet[TM_SPHINX_PACKET_LEN] = {0};

  (void)state;
  params.tick_us = TM_TICK_MAX_US;
  params.slot_ms = 36000000;
  params.slot_lag_ms = 60000;
  params.box_expiry_s = 7776000;
  net = net_start(&params, "");
  for (unsigned i = 0; i < 20; i++)
    net_send(net, packet);
  net_expect_drop(net, NET_ENTRY, TM_DROP_LOW_ORDER, 12);
  net_pump(net, 300);
  assert_in_range(net_snapshot(net, NET_ENTRY).totals.in_link, 12, 16);
  assert_int_equal(net_snapshot(net, NET_ENTRY).client_links, 1);
  net_stop(net);
}

static bool is_down(struct net *net, void *arg)
{
  (void)arg;
  return net->client.link == NULL;
}

static void test_bad_cells_end_the_link(void **state)
{
  static const uint8_t zeros[TM_SPHINX_PACKET_LEN];
  struct tm_params params = net_params();
  struct net *net = net_start(&params, "");
  uint8_t cell[TM_CELL_LEN];

  (void)state;
  tm_cell_packet(cell, zeros);
  cell[3]--; /* a truncated packet */
  net_send_cell(net, cell);
  net_pump_until(net, is_down, NULL);
  net_connect(net);
  tm_cell_reply(cell, zeros, zeros);
  net_send_cell(net, cell);
  net_pump_until(net, is_down, NULL);
  net_pump(net, 50);
  assert_int_equal(net_snapshot(net, NET_ENTRY).client_links, 0);
  net_connect(net);
  assert_int_equal(net_snapshot(net, NET_ENTRY).client_links, 1);
  net_stop(net);
}

/* ---- holding ---- */

static void test_waits_for_the_ticket(void **state)
{
  struct tm_params params = net_params();
  struct net *net = net_start(&params, "");
  uint8_t packet[TM_SPHINX_PACKET_LEN];
  struct net_asked asked;
  struct tm_box_answer answer;
  unsigned where = NET_MIX1;

  (void)state;
  tm_replay_hold(tm_engine_replay(net->relay[NET_MIX1].engine), 0);
  net_get_packet(net, NET_STORE1, NULL, &asked, packet);
  net_send(net, packet);
  net_pump_until(net, net_holds_one, &where);
  net_pump(net, 200);
  assert_int_equal(net_snapshot(net, NET_MIX1).totals.out_link, 0);
  assert_int_equal(net_snapshot(net, NET_MIX1).held, 1);
  tm_replay_hold(tm_engine_replay(net->relay[NET_MIX1].engine), UINT64_MAX);
  assert_int_equal(net_answer_of(net, &asked, &answer), TM_BOX_MISSING);
  net_stop(net);
}

static bool is_lost(struct net *net, void *arg)
{
  (void)arg;
  return net_dropped(net, NET_ENTRY, TM_DROP_REPLAY_JOURNAL) == 1;
}

/* Its tag cannot be put on disk: the packet waited for that, and ends there. */
static void test_journal_fails(void **state)
{
  struct tm_params params = net_params();
  struct net *net = net_start(&params, "");
  uint8_t packet[TM_SPHINX_PACKET_LEN];
  struct net_asked asked;

  (void)state;
  net_pump(net, 300); /* journals have got their room */
  disk_fail_at = disk_calls + 1;
  net_get_packet(net, NET_STORE1, NULL, &asked, packet);
  net_send(net, packet);
  net_pump_until(net, is_lost, NULL);
  assert_int_equal(net_snapshot(net, NET_ENTRY).totals.out_link, 0);
  assert_int_equal(net_snapshot(net, NET_ENTRY).held, 0);
  disk_fail_at = 0;
  net_stop(net);
}

static bool pools_work(struct net *net, void *arg)
{
  (void)arg;
  for (unsigned i = 0; i < NET_RELAYS; i++)
    if (net_snapshot(net, i).totals.in_own == 0) /* fewer than the floor, where others' came first */
      return false;
  return net_snapshot(net, NET_STORE1).store.get_miss + net_snapshot(net, NET_STORE2).store.get_miss +
                 net_snapshot(net, NET_STORE3).store.get_miss >=
               10 &&
         net_dropped(net, NET_ENTRY, TM_DROP_UNKNOWN_SESSION) >= 5;
}

static void test_pool(void **state)
{
  struct tm_params params = net_params();
  struct net *net;
  uint8_t packet[TM_SPHINX_PACKET_LEN];
  struct net_asked asked;
  struct tm_box_answer answer;

  (void)state;
  params.strategy = TM_STRATEGY_TIMED_POOL;
  net = net_start(&params, "");
  net_get_packet(net, NET_STORE1, NULL, &asked, packet);
  net_send(net, packet);
  assert_int_equal(net_answer_of(net, &asked, &answer), TM_BOX_MISSING);
  net_pump_until(net, pools_work, NULL);
  for (unsigned i = 0; i < NET_RELAYS; i++) {
    assert_true(net_snapshot(net, i).held >= params.pool_min);
    for (size_t reason = 1; reason < TM_DROPS; reason++)
      /* Dummies end at sessions that do not exist; the first ones were early, before the links were up. */
      if (reason != TM_DROP_UNKNOWN_SESSION && reason != TM_DROP_NO_LINK)
        assert_int_equal(net_dropped(net, i, (enum tm_drop)reason), 0);
  }
  net_stop(net);
}

/* ---- clients ---- */

/* The entry has seen the request leave, and holds its answer. */
static bool holds_the_answer(struct net *net, void *arg)
{
  struct tm_snapshot s = net_snapshot(net, NET_ENTRY);

  (void)arg;
  return s.totals.in_link == 2 && s.held == 1;
}

static void test_client_gone(void **state)
{
  struct tm_params params = net_params();
  struct net *net;
  uint8_t packet[TM_SPHINX_PACKET_LEN];
  struct net_asked asked;

  (void)state;
  params.downlink_us = TM_TICK_MAX_US - 1; /* a reply waits at the entry */
  params.tick_us = TM_TICK_MAX_US;
  params.slot_ms = 36000000;
  params.slot_lag_ms = 60000;
  params.box_expiry_s = 7776000;
  net = net_start(&params, "");
  net_get_packet(net, NET_STORE1, NULL, &asked, packet);
  net_send(net, packet);
  net_pump_until(net, holds_the_answer, NULL);
  net_pump(net, 100);
  assert_true(holds_the_answer(net, NULL));
  assert_int_equal(net_snapshot(net, NET_ENTRY).totals.out_client, 0);
  tm_link_close(net->client.link);
  net_expect_drop(net, NET_ENTRY, TM_DROP_CLIENT_GONE, 1);
  net_stop(net);
}

/* ---- the end ---- */

static void test_drain(void **state)
{
  struct tm_params params = net_params();
  struct net *net;
  static const unsigned relays[] = {NET_ENTRY, NET_MIX1, NET_RELAYS};
  tm_sphinx_node path[TM_SPHINX_HOPS_MAX];
  uint8_t body[TM_SPHINX_BODY_LEN] = {0}, packet[TM_SPHINX_PACKET_LEN];
  struct tm_engine *engine;
  struct tm_snapshot s;
  unsigned where = NET_ENTRY;
  size_t n;

  (void)state;
  params.mean_delay_ms = 5000;
  net = net_start(&params, "drain-ms = 300\n");
  engine = net->relay[NET_ENTRY].engine;
  n = net_path(net, path, relays, 200);
  net_make_packet(net, path, n, body, packet); /* leaves while it drains */
  net_send(net, packet);
  net_pump_until(net, net_holds_one, &where);
  path[0].delay_ms = 60000;
  net_make_packet(net, path, n, body, packet); /* will not */
  net_send(net, packet);
  net_pump(net, 50);
  assert_int_equal(net_snapshot(net, NET_ENTRY).held, 2);
  tm_engine_stop(engine);
  net_send(net, packet);
  tm_engine_run(engine);
  s = tm_engine_snapshot(engine);
  assert_true(tm_snapshot_balanced(&s));
  assert_int_equal(s.held, 0);
  assert_int_equal(s.totals.out_link, 1);
  assert_int_equal(s.totals.drop[TM_DROP_SHUTDOWN], 1);
  tm_engine_free(engine);
  net->relay[NET_ENTRY].engine = NULL;
  net_stop(net);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_store_and_read),
    cmocka_unit_test(test_loop),
    cmocka_unit_test(test_bad_packets),
    cmocka_unit_test(test_wrong_ways),
    cmocka_unit_test(test_delays_have_a_bound),
    cmocka_unit_test(test_floods_end_at_the_entry),
    cmocka_unit_test(test_bad_cells_end_the_link),
    cmocka_unit_test(test_waits_for_the_ticket),
    cmocka_unit_test(test_journal_fails),
    cmocka_unit_test(test_pool),
    cmocka_unit_test(test_client_gone),
    cmocka_unit_test(test_drain),
  };

  if (sodium_init() < 0)
    return 1;
  return cmocka_run_group_tests_name("relay", tests, NULL, NULL);
}
