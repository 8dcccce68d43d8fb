/* The client's link to its entry, with an engine and an entry that only write down what happens. */
#include "config.h"

#include <netinet/in.h>

#include <arpa/inet.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "base/log.h"
#include "base/wire.h"
#include "client/uplink.h"

#include "link_support.h"

#define DOCUMENT_LEN 9000u

/* ---- the engine ---- */

struct tm_client {
  struct tm_relay_info entry;
  bool has_entry;
  int ups, downs, failures;
  uint8_t handle[TM_SPHINX_HANDLE_LEN];
  double period_ms, next_ms; /* of ticks */
  uint32_t ticks, prepared;
  int replies;
  uint8_t surb_id[TM_SPHINX_SURB_ID_LEN];
  uint8_t payload_first;
  bool due;
  int documents, verdict;
  uint8_t document[DOCUMENT_LEN];
  size_t document_len;
};

const struct tm_relay_info *tm_client_entry(struct tm_client *c) { return c->has_entry ? &c->entry : NULL; }

void tm_client_link_down(struct tm_client *c, bool failed)
{
  c->downs++;
  c->failures += failed;
}

void tm_client_link_up(struct tm_client *c, const uint8_t handle[static TM_SPHINX_HANDLE_LEN])
{
  c->ups++;
  memcpy(c->handle, handle, sizeof c->handle);
  c->next_ms = (double)real_ms() + c->period_ms;
}

double tm_client_next_tick(const struct tm_client *c) { return c->period_ms > 0 ? c->next_ms : HUGE_VAL; }

int tm_client_tick(struct tm_client *c, uint8_t packet[static TM_SPHINX_PACKET_LEN])
{
  struct tm_writer w = tm_writer_init(packet, TM_SPHINX_PACKET_LEN);

  memset(packet, (int)(c->ticks & 0xff), TM_SPHINX_PACKET_LEN);
  tm_write_u32(&w, c->ticks++);
  c->next_ms += c->period_ms;
  return TM_OK;
}

bool tm_client_work_next(struct tm_client *c, struct tm_box_work *work)
{
  (void)c;
  (void)work;
  return false;
}

void tm_client_work_done(struct tm_client *c, const struct tm_box_work *work)
{
  (void)c;
  (void)work;
}

int tm_client_prepare(struct tm_client *c)
{
  c->prepared = c->ticks;
  return TM_OK;
}

void tm_client_reply(struct tm_client *c, const uint8_t surb_id[static TM_SPHINX_SURB_ID_LEN],
                     uint8_t payload[static TM_SPHINX_PAYLOAD_LEN])
{
  c->replies++;
  memcpy(c->surb_id, surb_id, sizeof c->surb_id);
  c->payload_first = payload[0];
  memset(payload, 0xee, TM_SPHINX_PAYLOAD_LEN); /* as scratch */
}

const uint8_t *tm_client_document_digest(const struct tm_client *c)
{
  static const uint8_t digest[32] = {0xd1};

  (void)c;
  return digest;
}

bool tm_client_document_due(struct tm_client *c)
{
  bool due = c->due;

  c->due = false;
  return due;
}

int tm_client_document(struct tm_client *c, const uint8_t *bytes, size_t len)
{
  c->documents++;
  c->document_len = len;
  if (len == sizeof c->document)
    memcpy(c->document, bytes, len);
  return c->verdict;
}

/* ---- the entry ---- */

struct fixture {
  struct net net;
  struct tm_client engine;
  struct tm_uplink *uplink;
  uint8_t document[DOCUMENT_LEN];
};

static void name_entry(struct fixture *f, const uint8_t seed[32], uint16_t port)
{
  f->engine.has_entry = true;
  identity_of(seed, f->engine.entry.identity);
  snprintf(f->engine.entry.address, sizeof f->engine.entry.address, "127.0.0.1:%u", port);
}

static int set_up(void **state)
{
  struct fixture *f = calloc(1, sizeof *f);

  net_init(&f->net, true);
  f->net.a.allow_anonymous = true;
  f->net.a.arg = f;
  net_start(&f->net, true);
  name_entry(f, accept_seed, tm_link_listener_port(f->net.listener));
  for (size_t i = 0; i < DOCUMENT_LEN; i++)
    f->document[i] = (uint8_t)(i * 7 + i / 256);
  *state = f;
  return 0;
}

static void start(struct fixture *f)
{
  assert_int_equal(tm_uplink_new(&f->uplink, f->net.base, &f->engine, &tm_clock_system, &tm_rng_system), TM_OK);
}

static void start_up(struct fixture *f)
{
  start(f);
  WAIT(&f->net, f->engine.ups == 1 && f->net.a.ups == 1);
}

static int tear_down(void **state)
{
  struct fixture *f = *state;

  tm_uplink_free(f->uplink);
  net_end(&f->net);
  free(f);
  return 0;
}

static struct tm_uplink_status status_of(const struct fixture *f)
{
  struct tm_uplink_status status;

  tm_uplink_get_status(f->uplink, &status);
  return status;
}

static void send_cell(struct fixture *f, const uint8_t *cell) { assert_int_equal(tm_link_send(f->net.a.link, cell), TM_OK); }

static void send_piece(struct fixture *f, uint32_t offset)
{
  uint8_t cell[TM_CELL_LEN];
  uint8_t digest[32];
  size_t n = DOCUMENT_LEN - offset < TM_CELL_DOC_DATA_MAX ? DOCUMENT_LEN - offset : TM_CELL_DOC_DATA_MAX;

  crypto_generichash(digest, 32, f->document, DOCUMENT_LEN, NULL, 0);
  tm_cell_doc_piece(cell, digest, DOCUMENT_LEN, offset, f->document + offset, n);
  send_cell(f, cell);
}

static bool was_asked(const struct fixture *f)
{
  struct tm_cell_view view;

  return f->net.a.cells > 0 && tm_cell_parse(f->net.a.last, &view) == TM_OK && view.type == TM_CELL_DOC_REQUEST && view.digest[0] == 0xd1;
}

/* ---- tests ---- */

static void test_connects_anonymously_with_handle(void **state)
{
  struct fixture *f = *state;

  start_up(f);
  assert_true(f->net.a.anonymous);
  assert_memory_equal(f->engine.handle, tm_link_handle(f->net.a.link), TM_SPHINX_HANDLE_LEN);
  assert_int_equal(status_of(f).state, TM_UPLINK_UP);
}

static void test_one_packet_at_each_tick(void **state)
{
  struct fixture *f = *state;
  uint64_t begin;
  uint64_t spent;

  f->engine.period_ms = 10;
  start_up(f);
  begin = real_ms();
  WAIT(&f->net, f->net.a.cells >= 50);
  spent = real_ms() - begin;
  assert_true(f->net.a.in_order);
  assert_true(spent >= 400); /* never ahead of the clock */
  assert_int_equal(status_of(f).sent, f->engine.ticks);
  assert_true(f->engine.prepared + 1 >= f->engine.ticks); /* the last one's turn may not have come yet */
  assert_int_equal(status_of(f).unsent, 0);
}

static void test_silent_without_ticks(void **state)
{
  struct fixture *f = *state;

  start_up(f);
  run_for(&f->net, 300);
  assert_int_equal(f->net.a.cells, 0);
}

static void test_hands_on_replies(void **state)
{
  struct fixture *f = *state;
  uint8_t cell[TM_CELL_LEN];
  uint8_t surb_id[TM_SPHINX_SURB_ID_LEN] = {7};
  uint8_t payload[TM_SPHINX_PAYLOAD_LEN] = {9};

  start_up(f);
  tm_cell_reply(cell, surb_id, payload);
  send_cell(f, cell);
  send_cell(f, cell);
  WAIT(&f->net, f->engine.replies == 2);
  assert_memory_equal(f->engine.surb_id, surb_id, sizeof surb_id);
  assert_int_equal(f->engine.payload_first, 9);
  assert_int_equal(status_of(f).received, 2);
}

static void test_fetches_a_document(void **state)
{
  struct fixture *f = *state;

  f->engine.due = true;
  start_up(f);
  WAIT(&f->net, was_asked(f));
  /* A piece that continues nothing is no document: it asks again. */
  send_piece(f, (uint32_t)TM_CELL_DOC_DATA_MAX);
  run_for(&f->net, 1500);
  assert_int_equal(f->engine.documents, 0);
  f->engine.due = true;
  run_for(&f->net, 1200);
  for (uint32_t i = 0; i < 4; i++)
    send_piece(f, i * (uint32_t)TM_CELL_DOC_DATA_MAX);
  WAIT(&f->net, f->engine.documents == 1);
  assert_int_equal(f->engine.document_len, DOCUMENT_LEN);
  assert_memory_equal(f->engine.document, f->document, DOCUMENT_LEN);
  assert_int_equal(status_of(f).documents, 1);
  assert_int_equal(f->engine.downs, 0); /* the same entry: the link stays */
}

static void test_pieces_unasked_are_nothing(void **state)
{
  struct fixture *f = *state;

  start_up(f);
  for (uint32_t i = 0; i < 4; i++)
    send_piece(f, i * (uint32_t)TM_CELL_DOC_DATA_MAX);
  run_for(&f->net, 200);
  assert_int_equal(f->engine.documents, 0);
  assert_int_equal(f->engine.downs, 0);
}

static void test_wrong_pin_fails_and_is_tried_again_slowly(void **state)
{
  struct fixture *f = *state;

  identity_of(other_seed, f->engine.entry.identity);
  start(f);
  WAIT(&f->net, f->engine.failures == 2);
  assert_int_equal(f->engine.ups, 0);
  assert_int_equal(status_of(f).reason, TM_E_PEER);
  assert_int_equal(status_of(f).state, TM_UPLINK_WAITING);
  run_for(&f->net, 450); /* the second wait is drawn from 500 to 1,000 ms */
  assert_int_equal(f->engine.failures, 2);
}

static void test_forbidden_cells_end_the_link(void **state)
{
  struct fixture *f = *state;

  start_up(f);
  send_numbered(f->net.a.link, 0);
  WAIT(&f->net, f->engine.failures == 1);
  assert_int_equal(f->engine.replies, 0);
  WAIT(&f->net, f->engine.ups == 2); /* and it comes back */
}

static void test_comes_back_when_the_entry_hangs_up(void **state)
{
  struct fixture *f = *state;

  start_up(f);
  tm_link_close(f->net.a.link);
  WAIT(&f->net, f->engine.downs == 1 && f->engine.ups == 2);
  assert_int_equal(f->engine.failures, 1);
}

static void test_follows_to_another_entry(void **state)
{
  struct fixture *f = *state;

  start_up(f);
  tm_uplink_refresh(f->uplink); /* the same one: nothing happens */
  run_for(&f->net, 100);
  assert_int_equal(f->engine.downs, 0);
  identity_of(other_seed, f->engine.entry.identity);
  tm_uplink_refresh(f->uplink);
  assert_int_equal(f->engine.downs, 1);
  assert_int_equal(f->engine.failures, 0); /* leaving is no failure of the old one */
  WAIT(&f->net, f->engine.failures == 1 && f->net.a.downs >= 1);
}

static void test_waits_for_an_entry(void **state)
{
  struct fixture *f = *state;

  f->engine.has_entry = false;
  start(f);
  run_for(&f->net, 200);
  assert_int_equal(status_of(f).state, TM_UPLINK_IDLE);
  f->engine.has_entry = true;
  WAIT(&f->net, f->engine.ups == 1);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
  const struct CMUnitTest tests[] = {
    T(test_connects_anonymously_with_handle),
    T(test_one_packet_at_each_tick),
    T(test_silent_without_ticks),
    T(test_hands_on_replies),
    T(test_fetches_a_document),
    T(test_pieces_unasked_are_nothing),
    T(test_wrong_pin_fails_and_is_tried_again_slowly),
    T(test_forbidden_cells_end_the_link),
    T(test_comes_back_when_the_entry_hangs_up),
    T(test_follows_to_another_entry),
    T(test_waits_for_an_entry),
  };

  tm_log_set_level(TM_LOG_ERROR);
  if (sodium_init() < 0)
    return 1;
  return cmocka_run_group_tests(tests, NULL, NULL);
}
