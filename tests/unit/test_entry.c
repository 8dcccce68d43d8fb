/* An entry's clients, over links that the test plays: who gets a cell, when, and how much one client can take from the others. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <event2/event.h>
#include <sodium.h>

#include "link/cell.h"
#include "relay/entry.h"

#define CLIENTS 4
#define REPLIES_MAX 64 /* half for everybody, 8 for each */
#define QUEUE 40
#define SLAB 256
#define CELLS_MAX 64
#define IDLE_MS 5000

/* ---- links and documents, played ---- */

struct tm_link {
  uint8_t handle[TM_SPHINX_HANDLE_LEN];
  void *arg;
  size_t queued;
  bool closed;
  enum tm_link_refusal refusal; /* the last one */
  struct tm_link_rate rate;
  size_t n_cells; /* counted beyond CELLS_MAX, too */
  uint8_t cells[CELLS_MAX][TM_CELL_LEN];
};

struct tm_document {
  struct tm_params params;
  uint8_t digest[32], text_digest[32];
  size_t len;
  uint8_t bytes[5000];
};

int tm_link_send(struct tm_link *link, const uint8_t cell[static TM_CELL_LEN])
{
  if (link->closed)
    return TM_E_CLOSED;
  if (link->n_cells < CELLS_MAX)
    memcpy(link->cells[link->n_cells], cell, TM_CELL_LEN);
  link->n_cells++;
  return TM_OK;
}

size_t tm_link_queued(const struct tm_link *link) { return link->queued; }
const uint8_t *tm_link_handle(const struct tm_link *link) { return link->handle; }
void *tm_link_arg(const struct tm_link *link) { return link->arg; }
void tm_link_set_arg(struct tm_link *link, void *arg) { link->arg = arg; }
void tm_link_close(struct tm_link *link) { link->closed = true; }
void tm_link_set_rate(struct tm_link *link, const struct tm_link_rate *rate) { link->rate = *rate; }

void tm_link_refuse(struct tm_link *link, enum tm_link_refusal reason)
{
  link->closed = true;
  link->refusal = reason;
}

const struct tm_params *tm_document_params(const struct tm_document *doc) { return &doc->params; }
const uint8_t *tm_document_digest(const struct tm_document *doc) { return doc->digest; }
const uint8_t *tm_document_text_digest(const struct tm_document *doc) { return doc->text_digest; }

const uint8_t *tm_document_bytes(const struct tm_document *doc, size_t *len)
{
  *len = doc->len;
  return doc->bytes;
}

/* ---- what every test begins with ---- */

static struct event_base *base;
static struct tm_slab *slab;
static struct tm_counters counters;
static struct tm_document doc[2];
static struct tm_link links[CLIENTS + 1];
static struct tm_entry *entry;
static struct tm_entry_config config;

static int start(void **state)
{
  config = (struct tm_entry_config){.rng = &tm_rng_system, .counters = &counters, .max_clients = CLIENTS, .client_queue = QUEUE,
                                   .replies_max = REPLIES_MAX, .client_idle_ms = IDLE_MS, .rate_percent = 200};
  (void)state;
  memset(&counters, 0, sizeof counters);
  memset(links, 0, sizeof links);
  memset(doc, 0, sizeof doc);
  for (unsigned i = 0; i <= CLIENTS; i++)
    memset(links[i].handle, (int)i + 1, sizeof links[i].handle);
  for (unsigned i = 0; i < 2; i++) {
    doc[i].params.downlink_us = 4000;
    doc[i].params.tick_us = 20000;
    doc[i].len = sizeof doc[i].bytes;
    memset(doc[i].digest, (int)i + 1, sizeof doc[i].digest);
    memset(doc[i].text_digest, (int)i + 11, sizeof doc[i].text_digest);
    randombytes_buf(doc[i].bytes, sizeof doc[i].bytes);
  }
  base = event_base_new();
  if (base == NULL || tm_slab_new(&slab, SLAB) != TM_OK)
    return -1;
  config.base = base;
  config.slab = slab;
  return tm_entry_new(&entry, &config) == TM_OK ? 0 : -1;
}

static int stop(void **state)
{
  (void)state;
  tm_entry_free(entry);
  tm_slab_free(slab);
  event_base_free(base);
  return 0;
}

static void pump_until_cells(const struct tm_link *link, size_t n)
{
  while (link->n_cells < n)
    event_base_loop(base, EVLOOP_ONCE);
}

static struct tm_cell_view view_of(const struct tm_link *link, size_t i)
{
  struct tm_cell_view view;

  assert_true(i < CELLS_MAX);
  assert_int_equal(tm_cell_parse(link->cells[i], &view), TM_OK);
  return view;
}

/* A reply to that handle whose SURB identifier is all `mark`. TM_OK: the entry has it. */
static int reply(const uint8_t *handle, uint8_t mark)
{
  uint32_t index = tm_slab_take(slab);
  struct tm_item *item;
  int err;

  assert_int_not_equal(index, TM_SLAB_NONE);
  item = tm_slab_item(slab, index);
  memcpy(item->next, handle, TM_SPHINX_HANDLE_LEN);
  memset(item->next + TM_SPHINX_HANDLE_LEN, mark, TM_SPHINX_SURB_ID_LEN);
  err = tm_entry_reply(entry, index);
  if (err != TM_OK)
    tm_slab_give(slab, index);
  return err;
}

/* ---- tests ---- */

static void test_places(void **state)
{
  (void)state;
  assert_false(tm_entry_up(entry, &links[0], 0)); /* no document: no clock to serve anybody by */
  tm_entry_set_document(entry, &doc[0], 0);
  for (unsigned i = 0; i < CLIENTS; i++)
    assert_true(tm_entry_up(entry, &links[i], 0));
  assert_false(tm_entry_up(entry, &links[CLIENTS], 0));
  assert_int_equal(tm_entry_clients(entry), CLIENTS);
  tm_entry_down(entry, &links[1]);
  assert_true(tm_entry_up(entry, &links[CLIENTS], 0));
  assert_int_equal(reply(links[1].handle, 1), TM_E_NOT_FOUND); /* the handle died with its link */
  tm_entry_close_all(entry);
  assert_false(links[1].closed);
  for (unsigned i = 0; i <= CLIENTS; i++)
    if (i != 1) {
      assert_true(links[i].closed);
      tm_entry_down(entry, &links[i]);
    }
  assert_int_equal(tm_entry_clients(entry), 0);
}

/* Links are read at a multiple of the clock's rate, from a stock of some packets; a new document, and a new configuration, change it. */
static void test_rates(void **state)
{
  (void)state;
  tm_entry_set_document(entry, &doc[0], 0); /* tick_us is 20 ms: a packet takes 10 */
  assert_true(tm_entry_up(entry, &links[0], 5000));
  assert_int_equal(links[0].rate.cell_us, 10000);
  assert_int_equal(links[0].rate.first_us, 16 * 10000);
  assert_int_equal(links[0].rate.most_us, 30000000); /* what comes together in 30 s */
  doc[1].params.tick_us = 2000000;                   /* a slower network: 64 packets at once */
  tm_entry_set_document(entry, &doc[1], 0);
  assert_int_equal(links[0].rate.cell_us, 1000000);
  assert_int_equal(links[0].rate.most_us, 64 * 1000000);
  tm_entry_set_limits(entry, IDLE_MS, 400);
  assert_int_equal(links[0].rate.cell_us, 500000);
  tm_entry_down(entry, &links[0]);
}

static void fill_places(uint64_t now_ms)
{
  for (unsigned i = 0; i < CLIENTS; i++)
    assert_true(tm_entry_up(entry, &links[i], now_ms));
}

static void empty_places(void)
{
  for (unsigned i = 0; i <= CLIENTS; i++)
    if (links[i].arg != NULL)
      tm_entry_down(entry, &links[i]);
}

/* Who sends nothing keeps a place while nobody else wants it; then whoever has been silent for longest goes. */
static void test_idle_ones_give_way(void **state)
{
  uint64_t now = 1000;

  (void)state;
  tm_entry_set_document(entry, &doc[0], now);
  fill_places(now);
  tm_entry_heard(entry, &links[0], now + 10);
  tm_entry_heard(entry, &links[2], now + 20);
  now += IDLE_MS - 1;
  assert_false(tm_entry_has_room(entry, now));
  assert_false(tm_entry_up(entry, &links[CLIENTS], now));
  assert_false(links[1].closed);
  now++;
  assert_true(tm_entry_has_room(entry, now));
  assert_int_equal(reply(links[1].handle, 1), TM_OK);
  assert_true(tm_entry_up(entry, &links[CLIENTS], now));
  assert_true(links[1].closed);
  assert_int_equal(links[1].refusal, TM_LINK_REFUSED_IDLE);
  assert_null(links[1].arg); /* nobody's, and its `down` finds nothing */
  assert_int_equal(counters.drop[TM_DROP_CLIENT_GONE], 1);
  assert_int_equal(reply(links[1].handle, 1), TM_E_NOT_FOUND);
  assert_int_equal(tm_entry_clients(entry), CLIENTS);
  links[1].closed = false;
  assert_true(tm_entry_up(entry, &links[1], now)); /* it comes again: another one is silent, too */
  assert_true(links[3].closed);
  links[3].closed = false;
  assert_false(tm_entry_up(entry, &links[3], now)); /* those that are left have sent */
  assert_false(links[0].closed || links[2].closed);
  empty_places();
}

/* Nobody is blamed for silence when there was nothing to send by, or the network's clock is slow. */
static void test_who_may_be_silent(void **state)
{
  (void)state;
  tm_entry_set_document(entry, &doc[0], 0);
  fill_places(0);
  tm_entry_set_document(entry, NULL, 10);
  assert_false(tm_entry_has_room(entry, 10 * IDLE_MS));
  tm_entry_set_document(entry, &doc[0], 10 * IDLE_MS);
  assert_false(tm_entry_has_room(entry, 11 * IDLE_MS - 1));
  assert_true(tm_entry_has_room(entry, 11 * IDLE_MS));
  doc[1].params.tick_us = 1000 * IDLE_MS;
  tm_entry_set_document(entry, &doc[1], 11 * IDLE_MS);
  assert_false(tm_entry_has_room(entry, (10 + 40) * IDLE_MS - 1));
  assert_true(tm_entry_has_room(entry, (10 + 40) * IDLE_MS));
  empty_places();
}

static unsigned fill(const struct tm_link *link)
{
  unsigned n = 0;

  while (reply(link->handle, 1) == TM_OK)
    n++;
  return n;
}

static void test_nobody_takes_all_places(void **state)
{
  size_t held = 0;

  (void)state;
  doc[0].params.downlink_us = 600000000;
  tm_entry_set_document(entry, &doc[0], 0);
  for (unsigned i = 0; i < CLIENTS; i++)
    assert_true(tm_entry_up(entry, &links[i], 0));
  assert_int_equal(fill(&links[0]), 32); /* what is everybody's */
  for (unsigned i = 1; i < CLIENTS; i++)
    assert_int_equal(fill(&links[i]), 8);
  held = tm_entry_held(entry);
  assert_int_equal(held, 56);
  assert_true(held <= REPLIES_MAX);
  assert_int_equal(tm_slab_used(slab), held);
  tm_entry_down(entry, &links[0]);
  assert_int_equal(counters.drop[TM_DROP_CLIENT_GONE], 32);
  assert_int_equal(tm_entry_held(entry), 24);
  assert_int_equal(fill(&links[1]), 8); /* 24 were held: 8 are left of what is everybody's */
  for (unsigned i = 1; i < CLIENTS; i++)
    tm_entry_down(entry, &links[i]);
  assert_int_equal(tm_slab_used(slab), 0);
}

/* Beats that are too short for a timer come several at once and as often as the document says. */
static void test_short_beats(void **state)
{
  static const struct {
    uint32_t downlink_us;
    size_t at_once;
  } cases[] = {{100, 10}, {400, 3}, {999, 2}, {1000, 1}, {1001, 1}, {4000, 1}};

  (void)state;
  for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    doc[0].params.downlink_us = cases[i].downlink_us;
    tm_entry_set_document(entry, &doc[0], 0);
    assert_true(tm_entry_up(entry, &links[0], 0));
    links[0].n_cells = 0;
    pump_until_cells(&links[0], 1);
    assert_int_equal(links[0].n_cells, cases[i].at_once);
    tm_entry_down(entry, &links[0]);
  }
}

/* More clients than places: who has none waiting finds one, as long as there are any. */
static void test_more_clients_than_places(void **state)
{
  (void)state;
  tm_entry_free(entry);
  config.max_clients = REPLIES_MAX;
  assert_int_equal(tm_entry_new(&entry, &config), TM_OK);
  tm_entry_set_document(entry, &doc[0], 0);
  for (unsigned i = 0; i < CLIENTS; i++)
    assert_true(tm_entry_up(entry, &links[i], 0));
  assert_int_equal(fill(&links[0]), 32);
  for (unsigned i = 1; i < CLIENTS; i++)
    assert_int_equal(fill(&links[i]), 1);
  for (unsigned i = 0; i < CLIENTS; i++)
    tm_entry_down(entry, &links[i]);
}

/* However the parameters are chosen, no more wait than there are places for. */
static void test_places_run_out(void **state)
{
  (void)state;
  tm_entry_free(entry);
  config.max_clients = REPLIES_MAX;
  config.replies_max = 3;
  assert_int_equal(tm_entry_new(&entry, &config), TM_OK);
  tm_entry_set_document(entry, &doc[0], 0);
  for (unsigned i = 0; i < CLIENTS; i++)
    assert_true(tm_entry_up(entry, &links[i], 0));
  for (unsigned i = 0; i < CLIENTS; i++)
    assert_int_equal(fill(&links[i]), i < 3);
  for (unsigned i = 0; i < CLIENTS; i++)
    tm_entry_down(entry, &links[i]);
}

static void test_one_cell_at_each_beat(void **state)
{
  struct tm_link *l = &links[0];
  struct tm_cell_view v;
  static const uint8_t none[32];

  (void)state;
  tm_entry_set_document(entry, &doc[0], 0);
  assert_true(tm_entry_up(entry, l, 0));
  pump_until_cells(l, 2);
  assert_int_equal(view_of(l, 0).type, TM_CELL_PADDING);
  l->n_cells = 0;
  tm_entry_ask(entry, l, none);
  assert_int_equal(reply(l->handle, 7), TM_OK);
  assert_int_equal(reply(l->handle, 8), TM_OK);
  pump_until_cells(l, 6);
  for (unsigned i = 0; i < 2; i++) { /* replies first, in their order */
    v = view_of(l, i);
    assert_int_equal(v.type, TM_CELL_REPLY);
    assert_int_equal(v.surb_id[0], 7 + i);
  }
  assert_int_equal(counters.out_client, 2);
  for (unsigned i = 0; i < 3; i++) {
    v = view_of(l, 2 + i);
    assert_int_equal(v.type, TM_CELL_DOC_PIECE);
    assert_int_equal(v.total, 5000);
    assert_int_equal(v.offset, i * TM_CELL_DOC_DATA_MAX);
    assert_memory_equal(v.data, doc[0].bytes + v.offset, v.data_len);
  }
  assert_int_equal(v.offset + v.data_len, 5000);
  assert_int_equal(view_of(l, 5).type, TM_CELL_PADDING);
  l->n_cells = 0;
  tm_entry_ask(entry, l, doc[0].text_digest); /* has it already, with whichever signatures */
  pump_until_cells(l, 1);
  v = view_of(l, 0);
  assert_int_equal(v.type, TM_CELL_DOC_PIECE);
  assert_int_equal(v.total, 0);
  assert_memory_equal(v.digest, doc[0].text_digest, 32);
  tm_entry_down(entry, l);
}

static void test_new_document_begins_again(void **state)
{
  struct tm_link *l = &links[0];
  static const uint8_t none[32];
  struct tm_cell_view v;

  (void)state;
  tm_entry_set_document(entry, &doc[0], 0);
  assert_true(tm_entry_up(entry, l, 0));
  tm_entry_ask(entry, l, none);
  pump_until_cells(l, 1);
  tm_entry_set_document(entry, &doc[1], 0);
  l->n_cells = 0;
  pump_until_cells(l, 1);
  v = view_of(l, 0);
  assert_int_equal(v.type, TM_CELL_DOC_PIECE);
  assert_int_equal(v.offset, 0);
  assert_memory_equal(v.digest, doc[1].digest, 32);
  tm_entry_down(entry, l);
}

/* Whoever does not read gets nothing more queued; the others are served as ever. */
static void test_one_who_does_not_read(void **state)
{
  (void)state;
  tm_entry_set_document(entry, &doc[0], 0);
  assert_true(tm_entry_up(entry, &links[0], 0));
  assert_true(tm_entry_up(entry, &links[1], 0));
  links[0].queued = 9;
  assert_int_equal(reply(links[0].handle, 7), TM_OK);
  pump_until_cells(&links[1], 10);
  assert_int_equal(links[0].n_cells, 0);
  assert_int_equal(tm_entry_held(entry), 1);
  links[0].queued = 0;
  pump_until_cells(&links[0], 1);
  assert_int_equal(view_of(&links[0], 0).type, TM_CELL_REPLY);
  assert_int_equal(tm_entry_held(entry), 0);
  tm_entry_down(entry, &links[0]);
  tm_entry_down(entry, &links[1]);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(test_places, start, stop),
    cmocka_unit_test_setup_teardown(test_rates, start, stop),
    cmocka_unit_test_setup_teardown(test_idle_ones_give_way, start, stop),
    cmocka_unit_test_setup_teardown(test_who_may_be_silent, start, stop),
    cmocka_unit_test_setup_teardown(test_nobody_takes_all_places, start, stop),
    cmocka_unit_test_setup_teardown(test_short_beats, start, stop),
    cmocka_unit_test_setup_teardown(test_more_clients_than_places, start, stop),
    cmocka_unit_test_setup_teardown(test_places_run_out, start, stop),
    cmocka_unit_test_setup_teardown(test_one_cell_at_each_beat, start, stop),
    cmocka_unit_test_setup_teardown(test_new_document_begins_again, start, stop),
    cmocka_unit_test_setup_teardown(test_one_who_does_not_read, start, stop),
  };

  if (sodium_init() < 0)
    return 1;
  return cmocka_run_group_tests_name("entry", tests, NULL, NULL);
}
