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

#include "base/file.h"
#include "box/request.h"
#include "tests/unit/disk_shim.h"
#include "tests/unit/relay_support.h"

/* ---- requests ---- */

struct asked {
  uint8_t surb_id[TM_SPHINX_SURB_ID_LEN];
  tm_sphinx_surb_keys keys;
  uint8_t payload[TM_SPHINX_PAYLOAD_LEN];
};

static void make_packet(struct net *net, const tm_sphinx_node *path, size_t hops, const uint8_t *body, uint8_t *packet)
{
  uint8_t random[TM_SPHINX_CREATE_RANDOM_LEN];

  randombytes_buf(random, sizeof random);
  assert_int_equal(tm_sphinx_create(net->sphinx, path, hops, body, random, packet), TM_SPHINX_OK);
}

static void get_packet(struct net *net, unsigned store, const uint8_t *id, struct asked *asked, uint8_t *packet)
{
  tm_sphinx_node path[TM_SPHINX_HOPS_MAX];
  size_t hops = net_path_to_store(net, store, path);
  uint8_t surb[TM_SPHINX_SURB_LEN], body[TM_SPHINX_BODY_LEN], filling[TM_BOX_GET_RANDOM_LEN], point[64], decoy[TM_BOX_ID_LEN];

  net_surb(net, surb, asked->surb_id, &asked->keys);
  randombytes_buf(filling, sizeof filling);
  randombytes_buf(point, sizeof point);
  tm_box_decoy_id(point, decoy);
  tm_box_get_write(body, NULL, surb, id != NULL ? id : decoy, filling);
  make_packet(net, path, hops, body, packet);
}

static void put_packet(struct net *net, unsigned store, const uint8_t *id, const uint8_t *signature, const uint8_t *box,
                       struct asked *asked, uint8_t *packet)
{
  tm_sphinx_node path[TM_SPHINX_HOPS_MAX];
  size_t hops = net_path_to_store(net, store, path);
  uint8_t surb[TM_SPHINX_SURB_LEN], body[TM_SPHINX_BODY_LEN];

  net_surb(net, surb, asked->surb_id, &asked->keys);
  tm_box_put_write(body, NULL, surb, id, signature, box);
  make_packet(net, path, hops, body, packet);
}

static bool has_answer(struct net *net, void *arg)
{
  struct asked *asked = arg;

  for (size_t i = 0; i < net->client.n_cells; i++) {
    struct tm_cell_view view;
    if (tm_cell_parse(net->client.cells[i], &view) == TM_OK && view.type == TM_CELL_REPLY &&
        memcmp(view.surb_id, asked->surb_id, sizeof asked->surb_id) == 0) {
      memcpy(asked->payload, view.payload, sizeof asked->payload);
      return true;
    }
  }
  return false;
}

static enum tm_box_status answer_of(struct net *net, struct asked *asked, struct tm_box_answer *answer)
{
  net_pump_until(net, has_answer, asked);
  assert_int_equal(tm_sphinx_surb_open(net->sphinx, &asked->keys, asked->payload), TM_SPHINX_OK);
  assert_int_equal(tm_box_answer_parse(asked->payload + TM_SPHINX_TAG_LEN, answer), TM_OK);
  return answer->status;
}

static void test_store_and_read(void **state)
{
  struct tm_params params = net_params();
  struct net *net = net_start(&params, "");
  struct tm_box_writer w;
  struct tm_box_answer answer;
  struct asked asked;
  uint8_t seed[TM_BOX_SEED_LEN], random[TM_BOX_SEAL_RANDOM_LEN], text[TM_BOX_TEXT_LEN] = {7};
  uint8_t id[TM_BOX_ID_LEN], box[TM_BOX_LEN], signature[TM_BOX_SIGNATURE_LEN], packet[TM_SPHINX_PACKET_LEN];

  (void)state;
  randombytes_buf(seed, sizeof seed);
  randombytes_buf(random, sizeof random);
  tm_box_writer_init(&w, seed, 5);
  assert_int_equal(tm_box_seal(&w, text, random, id, box, signature), TM_OK);
  get_packet(net, NET_STORE1, id, &asked, packet);
  net_send(net, packet);
  assert_int_equal(answer_of(net, &asked, &answer), TM_BOX_MISSING);
  for (int again = 0; again < 2; again++) {
    put_packet(net, NET_STORE1, id, signature, box, &asked, packet);
    net_send(net, packet);
    assert_int_equal(answer_of(net, &asked, &answer), TM_BOX_STORED);
  }
  get_packet(net, NET_STORE1, id, &asked, packet);
  net_send(net, packet);
  assert_int_equal(answer_of(net, &asked, &answer), TM_BOX_FOUND);
  assert_memory_equal(answer.box, box, sizeof box);
  box[3] ^= 1;
  put_packet(net, NET_STORE1, id, signature, box, &asked, packet);
  net_send(net, packet);
  assert_int_equal(answer_of(net, &asked, &answer), TM_BOX_REFUSED);
  net_pump(net, 50);
  struct tm_snapshot s = net_snapshot(net, NET_STORE1);
  assert_int_equal(s.store.boxes, 1);
  assert_int_equal(s.store.put, 2);
  assert_int_equal(s.totals.out_store, 5);
  assert_int_equal(s.totals.in_reply, 5);
  assert_int_equal(s.totals.out_link, 5);
  assert_int_equal(s.held, 0);
  assert_int_equal(net_snapshot(net, NET_ENTRY).totals.out_client, 5);
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
  struct asked asked;
  size_t n = net_path(net, path, relays, 3);

  (void)state;
  randombytes_buf(random, sizeof random);
  randombytes_buf(asked.surb_id, sizeof asked.surb_id);
  assert_int_equal(tm_sphinx_surb_create(net->sphinx, path, n, tm_link_handle(net->client.link), asked.surb_id, random, surb,
                                         &asked.keys), TM_SPHINX_OK);
  tm_sphinx_surb_use(net->sphinx, surb, body, packet, first);
  net_send(net, packet);
  net_pump_until(net, has_answer, &asked);
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
  struct asked asked;
  struct tm_box_answer answer;

  (void)state;
  get_packet(net, NET_STORE2, NULL, &asked, packet);
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
  get_packet(net, NET_STORE2, NULL, &asked, packet);
  net_send(net, packet);
  net_send(net, packet);
  assert_int_equal(answer_of(net, &asked, &answer), TM_BOX_MISSING);
  net_expect_drop(net, NET_ENTRY, TM_DROP_REPLAY, 2);
  net_stop(net);
}

static void send_along(struct net *net, const unsigned *relays)
{
  tm_sphinx_node path[TM_SPHINX_HOPS_MAX];
  uint8_t body[TM_SPHINX_BODY_LEN] = {0}, packet[TM_SPHINX_PACKET_LEN];
  size_t n = net_path(net, path, relays, 0);

  make_packet(net, path, n, body, packet);
  net_send(net, packet);
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
  send_along(net, (const unsigned[]){NET_ENTRY, NET_RELAYS}); /* delivered at an entry, which has no service */
  net_expect_drop(net, NET_ENTRY, TM_DROP_ROLE, 1);
  send_along(net, (const unsigned[]){NET_ENTRY, NET_MIX2, NET_RELAYS}); /* layer 1 left out */
  net_expect_drop(net, NET_ENTRY, TM_DROP_UNKNOWN_NEXT, 1);
  send_along(net, (const unsigned[]){NET_ENTRY, NET_ENTRY, NET_RELAYS});
  net_expect_drop(net, NET_ENTRY, TM_DROP_UNKNOWN_NEXT, 2);
  send_along(net, (const unsigned[]){NET_ENTRY, NET_MIX1, NET_MIX1, NET_RELAYS});
  net_expect_drop(net, NET_MIX1, TM_DROP_UNKNOWN_NEXT, 1);
  send_along(net, (const unsigned[]){NET_ENTRY, NET_MIX1, NET_MIX2, NET_MIX3, NET_STORE1, NET_RELAYS}); /* zeros: no request */
  net_expect_drop(net, NET_STORE1, TM_DROP_STORE_MALFORMED, 1);
  randombytes_buf(id, sizeof id);
  assert_int_equal(tm_sphinx_surb_create(net->sphinx, path, net_path(net, path, (const unsigned[]){NET_ENTRY, NET_RELAYS}, 0), handle,
                                         id, random, surb, &keys), TM_SPHINX_OK);
  tm_sphinx_surb_use(net->sphinx, surb, body, packet, first);
  net_send(net, packet);
  net_expect_drop(net, NET_ENTRY, TM_DROP_UNKNOWN_SESSION, 1);
  net_stop(net);
}

static bool holds_one(struct net *net, void *arg)
{
  return net_snapshot(net, *(unsigned *)arg).held == 1;
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
  make_packet(net, path, n, body, packet);
  net_send(net, packet);
  net_pump_until(net, holds_one, &where);
  path[0].delay_ms++;
  make_packet(net, path, n, body, packet);
  net_send(net, packet);
  net_expect_drop(net, NET_ENTRY, TM_DROP_DELAY, 1);
  net_stop(net);
}

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
  net_expect_drop(net, NET_ENTRY, TM_DROP_FLOOD, 4);
  net_expect_drop(net, NET_ENTRY, TM_DROP_LOW_ORDER, 16);
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
  struct asked asked;
  struct tm_box_answer answer;
  unsigned where = NET_MIX1;

  (void)state;
  tm_replay_hold(tm_engine_replay(net->relay[NET_MIX1].engine), 0);
  get_packet(net, NET_STORE1, NULL, &asked, packet);
  net_send(net, packet);
  net_pump_until(net, holds_one, &where);
  net_pump(net, 200);
  assert_int_equal(net_snapshot(net, NET_MIX1).totals.out_link, 0);
  assert_int_equal(net_snapshot(net, NET_MIX1).held, 1);
  tm_replay_hold(tm_engine_replay(net->relay[NET_MIX1].engine), UINT64_MAX);
  assert_int_equal(answer_of(net, &asked, &answer), TM_BOX_MISSING);
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
  struct asked asked;

  (void)state;
  net_pump(net, 300); /* journals have got their room */
  disk_fail_at = disk_calls + 1;
  get_packet(net, NET_STORE1, NULL, &asked, packet);
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
  struct asked asked;
  struct tm_box_answer answer;

  (void)state;
  params.strategy = TM_STRATEGY_TIMED_POOL;
  net = net_start(&params, "");
  get_packet(net, NET_STORE1, NULL, &asked, packet);
  net_send(net, packet);
  assert_int_equal(answer_of(net, &asked, &answer), TM_BOX_MISSING);
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

/* ---- cover ---- */

static bool loops_are_home(struct net *net, void *arg)
{
  (void)arg;
  for (unsigned i = 0; i < NET_RELAYS; i++)
    if (net_snapshot(net, i).cover.home < 10)
      return false;
  return true;
}

/* Each relay, whatever it is, sees its loops again; links, mixes and accounting take them for packets like any other. */
static void test_loops(void **state)
{
  struct tm_params params = net_params();
  struct net *net;

  (void)state;
  params.loop_ms = 100; /* a machine that stands still for a second would raise the alarm */
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

static bool is_alarmed(struct net *net, void *arg) { return net_snapshot(net, *(unsigned *)arg).cover.alarm; }
static bool is_quiet(struct net *net, void *arg) { return !net_snapshot(net, *(unsigned *)arg).cover.alarm; }
static bool lets_go(struct net *net, void *arg) { return !net_snapshot(net, *(unsigned *)arg).cover.held; }

/* A relay of the second layer takes packets and passes none on. The one before it notices, holds its mix for a while, and goes on with more cover. */
static void test_alarm(void **state)
{
  struct tm_params params = net_params();
  struct net *net;
  struct tm_snapshot before, after;
  unsigned watcher = NET_MIX1;

  (void)state;
  params.loop_ms = 200; /* all relays are alarmed, and their cover has to fit into one slow thread */
  net = net_start(&params, "");
  net_pump_until(net, loops_are_home, NULL);
  tm_replay_hold(tm_engine_replay(net->relay[NET_MIX2].engine), 0);
  net_pump_until(net, is_alarmed, &watcher);
  assert_true(net_snapshot(net, watcher).cover.dummies <= 2); /* none but those of the alarm */
  net_pump(net, 50);                                          /* what had left the mix, and waits for its ticket */
  before = net_snapshot(net, watcher);
  assert_true(before.cover.held);
  net_pump(net, 700);
  after = net_snapshot(net, watcher);
  assert_true(after.cover.held);
  assert_int_equal(after.totals.out_link, before.totals.out_link); /* not one */
  assert_true(after.cover.dummies >= before.cover.dummies + 2); /* four in 200 ms: 14 expected, fewer than 2 once in 80,000 times */
  assert_true(after.held >= before.held + 2);
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
  struct asked asked;

  (void)state;
  params.downlink_us = TM_TICK_MAX_US - 1; /* a reply waits at the entry */
  params.tick_us = TM_TICK_MAX_US;
  params.slot_ms = 36000000;
  params.slot_lag_ms = 60000;
  params.box_expiry_s = 7776000;
  net = net_start(&params, "");
  get_packet(net, NET_STORE1, NULL, &asked, packet);
  net_send(net, packet);
  net_pump_until(net, holds_the_answer, NULL);
  net_pump(net, 100);
  assert_true(holds_the_answer(net, NULL));
  assert_int_equal(net_snapshot(net, NET_ENTRY).totals.out_client, 0);
  tm_link_close(net->client.link);
  net_expect_drop(net, NET_ENTRY, TM_DROP_CLIENT_GONE, 1);
  net_stop(net);
}

/* ---- documents ---- */

static bool has_document(struct net *net, void *arg)
{
  size_t total = *(size_t *)arg, have = 0;

  for (size_t i = 0; i < net->client.n_cells; i++) {
    struct tm_cell_view view;
    if (tm_cell_parse(net->client.cells[i], &view) == TM_OK && view.type == TM_CELL_DOC_PIECE && view.total == total)
      have += view.data_len;
  }
  return have == total && (total > 0 || net->client.n_cells > 0);
}

static void test_document_is_served(void **state)
{
  struct tm_params params = net_params();
  struct net *net = net_start(&params, "");
  uint8_t cell[TM_CELL_LEN], digest[TM_CELL_DIGEST_LEN] = {0};
  struct tm_cell_view view;
  char path[128];
  uint8_t *document;
  size_t len;

  (void)state;
  snprintf(path, sizeof path, "%s/document", net->dir);
  assert_int_equal(tm_file_read(path, TM_DOCUMENT_MAX, &document, &len), TM_OK);
  tm_cell_doc_request(cell, digest);
  net_send_cell(net, cell);
  net_pump_until(net, has_document, &len);
  assert_int_equal(tm_cell_parse(net->client.cells[0], &view), TM_OK);
  crypto_generichash(digest, sizeof digest, document, len, NULL, 0);
  assert_memory_equal(view.digest, digest, sizeof digest);
  crypto_generichash(digest, sizeof digest, document, (size_t)(strstr((char *)document, "\n\n") - (char *)document) + 1, NULL, 0);
  tm_file_free(document, len);
  net->client.n_cells = 0;
  len = 0;
  tm_cell_doc_request(cell, digest); /* has it already */
  net_send_cell(net, cell);
  net_pump_until(net, has_document, &len);
  assert_int_equal(net->client.n_cells, 1);
  net_stop(net);
}

static void test_expired_document(void **state)
{
  struct tm_params params = net_params();
  struct net *net = net_start(&params, "");
  uint8_t packet[TM_SPHINX_PACKET_LEN];
  struct asked asked;
  struct tm_box_answer answer;

  (void)state;
  net_set_wall_offset(3700);
  net_pump(net, 300);
  get_packet(net, NET_STORE1, NULL, &asked, packet);
  net_send(net, packet);
  net_expect_drop(net, NET_ENTRY, TM_DROP_NO_DOCUMENT, 1);
  net_write_document(net, 3600, NET_RELAYS); /* found by its time stamp */
  net_pump(net, 2500);
  get_packet(net, NET_STORE1, NULL, &asked, packet);
  net_send(net, packet);
  assert_int_equal(answer_of(net, &asked, &answer), TM_BOX_MISSING);
  net_stop(net);
}

static bool lost_links(struct net *net, void *arg)
{
  (void)arg;
  return net_snapshot(net, NET_MIX3).relay_links == 4 && net_snapshot(net, NET_MIX1).relay_links == 4;
}

/* A store that the document does not name any more is cut off, both ways. */
static void test_relay_vanishes(void **state)
{
  struct tm_params params = net_params();
  struct net *net = net_start(&params, "");
  static const unsigned way[] = {NET_ENTRY, NET_MIX1, NET_MIX2, NET_MIX3, NET_STORE3, NET_RELAYS};

  (void)state;
  net_set_wall_offset(2);
  net_write_document(net, 3600, NET_STORE3);
  for (unsigned i = 0; i < NET_STORE3; i++)
    assert_int_equal(tm_engine_reload(net->relay[i].engine), TM_OK);
  net_pump_until(net, lost_links, NULL);
  send_along(net, way);
  net_expect_drop(net, NET_MIX3, TM_DROP_UNKNOWN_NEXT, 1);
  net_pump(net, 1000);
  assert_true(lost_links(net, NULL)); /* it dials again, in vain */
  net_stop(net);
}

static bool has_no_client(struct net *net, void *arg)
{
  (void)arg;
  return net_snapshot(net, NET_ENTRY).client_links == 0;
}

/* The document decides what a relay is, whatever it was when it began to run. */
static void test_roles_are_taken_away(void **state)
{
  struct tm_params params = net_params();
  struct net *net = net_start(&params, "");
  uint8_t packet[TM_SPHINX_PACKET_LEN];
  struct asked asked;

  (void)state;
  net_set_wall_offset(2);
  net->role[NET_STORE3] = TM_ROLE_ENTRY;
  net_write_document(net, 3600, NET_RELAYS);
  for (unsigned i = 0; i < NET_RELAYS; i++)
    assert_int_equal(tm_engine_reload(net->relay[i].engine), TM_OK);
  get_packet(net, NET_STORE3, NULL, &asked, packet);
  net_send(net, packet);
  net_expect_drop(net, NET_STORE3, TM_DROP_ROLE, 1);
  net_set_wall_offset(4);
  net->role[NET_ENTRY] = TM_ROLE_STORE;
  net_write_document(net, 3600, NET_RELAYS);
  assert_int_equal(tm_engine_reload(net->relay[NET_ENTRY].engine), TM_OK);
  net_pump_until(net, is_down, NULL);
  net_pump_until(net, has_no_client, NULL);
  net_stop(net);
}

static void test_relay_is_dead(void **state)
{
  struct tm_params params = net_params();
  struct net *net = net_start(&params, "");

  (void)state;
  tm_engine_free(net->relay[NET_MIX2].engine);
  net->relay[NET_MIX2].engine = NULL;
  net_pump(net, 100);
  send_along(net, (const unsigned[]){NET_ENTRY, NET_MIX1, NET_MIX2, NET_RELAYS});
  net_expect_drop(net, NET_MIX1, TM_DROP_NO_LINK, 1);
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
  make_packet(net, path, n, body, packet); /* leaves while it drains */
  net_send(net, packet);
  net_pump_until(net, holds_one, &where);
  path[0].delay_ms = 60000;
  make_packet(net, path, n, body, packet); /* will not */
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
    cmocka_unit_test(test_loops),
    cmocka_unit_test(test_alarm),
    cmocka_unit_test(test_client_gone),
    cmocka_unit_test(test_document_is_served),
    cmocka_unit_test(test_expired_document),
    cmocka_unit_test(test_relay_vanishes),
    cmocka_unit_test(test_roles_are_taken_away),
    cmocka_unit_test(test_relay_is_dead),
    cmocka_unit_test(test_drain),
  };

  if (sodium_init() < 0)
    return 1;
  return cmocka_run_group_tests_name("relay", tests, NULL, NULL);
}
