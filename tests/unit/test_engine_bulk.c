#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "client/internal.h"

#include "engine_user.h"

static uint8_t content[1024 * 1024];

static void fast(struct tm_params *params)
{
  net_params(params);
  params->tick_us = 10000;
  params->downlink_us = 5000;
  params->request_permille = 950;
  params->mean_delay_ms = 20;
}

static struct net *two(uint64_t seed)
{
  struct tm_params params;

  fast(&params);
  for (size_t i = 0; i < sizeof content; i++)
    content[i] = (uint8_t)(i * 7 + i / 1000 + seed);
  return pair_up(seed, &params);
}

struct expected {
  const char *name;
  size_t len;
  unsigned seen;
};

static bool is_expected(void *arg, const struct tm_message *m)
{
  struct expected *e = arg;

  assert_true(m->file == (e->name != NULL));
  assert_string_equal(m->file_name, e->name == NULL ? "" : e->name);
  assert_int_equal(m->len, e->len);
  assert_memory_equal(m->data, content, e->len);
  assert_int_equal(m->data[m->len], 0);
  e->seen++;
  return true;
}

static void check_one(struct net *net, const char *name, size_t len)
{
  struct expected e = {name, len, 0};

  assert_int_equal(tm_client_messages(net_client(net, BOB), "Alice", 0, false, is_expected, &e), TM_OK);
  assert_int_equal(e.seen, 1);
}

static void moves(uint64_t seed, size_t len, uint64_t ms)
{
  struct net *net = two(seed);
  struct tm_progress progress;
  uint32_t number = send_file(net, ALICE, "Bob", "photo.jpg", content, len);

  net_run(net, 300);
  assert_int_equal(tm_client_progress(net_client(net, ALICE), "Bob", number, &progress), TM_OK);
  assert_int_equal(progress.pieces, (len + 1431) / 1432);
  assert_false(progress.accepted);
  assert_true(wait_received(net, BOB, "Alice", 1, ms));
  check_one(net, "photo.jpg", len);
  assert_true(wait_delivered(net, ALICE, "Bob", 1, 60000));
  assert_int_equal(tm_client_progress(net_client(net, ALICE), "Bob", number, &progress), TM_OK);
  assert_true(progress.delivered);
  net_free(net);
}

static void file_100k(void **state)
{
  (void)state;
  moves(20, 100 * 1024, 120000);
}

static void file_1m(void **state)
{
  /* One after the other, so that the one who has nothing to do costs nothing. */
  struct net *net = two(21);
  struct tm_progress progress = {0};
  uint32_t number = send_file(net, ALICE, "Bob", "photo.jpg", content, sizeof content);

  (void)state;
  net_close(net, BOB);
  for (int i = 0; i < 1000 && !progress.accepted; i++) {
    net_run(net, 200);
    assert_int_equal(tm_client_progress(net_client(net, ALICE), "Bob", number, &progress), TM_OK);
  }
  assert_true(progress.accepted);
  assert_int_equal(progress.pieces, 733);
  assert_int_equal(progress.done, 733);
  net_close(net, ALICE);
  net_open(net, BOB);
  assert_true(wait_received(net, BOB, "Alice", 1, 300000));
  check_one(net, "photo.jpg", sizeof content);
  net_free(net);
}

static void sizes_at_the_edges(void **state)
{
  static const size_t sizes[] = {1, 1431, 1432, 1433, 2864};
  struct net *net = two(22);

  (void)state;
  for (size_t i = 0; i < 5; i++) {
    struct expected e = {"f", sizes[i], 0};
    struct tm_contact before = contact_of(net, BOB, "Alice");
    send_file(net, ALICE, "Bob", "f", content, sizes[i]);
    assert_true(wait_received(net, BOB, "Alice", before.received + 1, 60000));
    assert_int_equal(tm_client_messages(net_client(net, BOB), "Alice", i, false, is_expected, &e), TM_OK);
    assert_int_equal(e.seen, 1);
  }
  net_free(net);
}

static void long_text(void **state)
{
  struct net *net = two(23);
  static char text[20001];

  (void)state;
  memset(text, 'z', sizeof text - 1);
  memset(content, 'z', sizeof text);
  say(net, ALICE, "Bob", text);
  assert_true(wait_received(net, BOB, "Alice", 1, 120000));
  check_one(net, NULL, sizeof text - 1);
  net_free(net);
}

static bool note_incoming(void *arg, const char *name, uint32_t number, uint32_t pieces, uint32_t done)
{
  uint32_t *last = arg;

  assert_string_equal(name, "Alice");
  assert_int_equal(number, 1);
  assert_int_equal(pieces, 72);
  assert_true(done <= pieces);
  *last = done;
  return true;
}

static void goes_on_after_reopening(void **state)
{
  struct net *net = two(24);
  uint32_t done = 0;

  (void)state;
  send_file(net, ALICE, "Bob", "a.bin", content, 72 * 1432);
  net_run(net, 600);
  net_close(net, ALICE);
  net_open(net, ALICE);
  for (int i = 0; i < 600 && done < 20; i++) {
    net_run(net, 100);
    assert_int_equal(tm_client_incoming(net_client(net, BOB), note_incoming, &done), TM_OK);
  }
  assert_true(done >= 20);
  net_close(net, BOB);
  net_open(net, BOB);
  done = 0;
  assert_int_equal(tm_client_incoming(net_client(net, BOB), note_incoming, &done), TM_OK);
  assert_true(done >= 20);
  assert_true(wait_received(net, BOB, "Alice", 1, 120000));
  check_one(net, "a.bin", 72 * 1432);
  net_free(net);
}

/* Both stores lose the pieces: the reader's silence brings the message again, under another sequence. */
static void lost_pieces_come_again(void **state)
{
  struct tm_params params;
  struct tm_progress progress = {0};
  struct net *net;
  uint32_t number;

  (void)state;
  net_params(&params);
  params.slot_ms = 10000;
  params.tick_us = 400000;
  net = pair_up(25, &params);
  number = send_file(net, ALICE, "Bob", "a.bin", content, 5 * 1432);
  net_close(net, BOB);
  while (!progress.accepted) {
    net_run(net, 500);
    assert_int_equal(tm_client_progress(net_client(net, ALICE), "Bob", number, &progress), TM_OK);
  }
  for (unsigned s = 0; s < NET_STORES; s++)
    net_store_erase(net, s);
  /* The announcement is gone too; Bob's next words show that he reads. */
  net_open(net, BOB);
  say(net, BOB, "Alice", "are you there?");
  for (int i = 0; i < 30 && contact_of(net, BOB, "Alice").received == 0; i++) {
    net_run(net, 60000);
    say(net, BOB, "Alice", "and now?");
  }
  assert_int_equal(contact_of(net, BOB, "Alice").received, 1);
  check_one(net, "a.bin", 5 * 1432);
  net_free(net);
}

/* Long messages from Bob that were announced. */
static void announce(struct net *net, uint32_t n)
{
  struct tm_client *c = net_client(net, ALICE);
  struct tm_message_row row = {.conv = tm_conv_by_name(c->conv, "Bob")->id, .way = TM_WAY_IN, .state = TM_MESSAGE_FETCHING,
                               .kind = TM_KIND_BULK_TEXT, .size = 400000};
  struct tm_box_writer writer;

  for (row.number = 1; row.number <= n; row.number++) {
    memset(row.seed, (int)row.number, sizeof row.seed);
    tm_box_writer_init(&writer, row.seed, 0);
    tm_box_capability(&writer, row.capability);
    tm_message_insert(c->state, &row, NULL, 0);
  }
}

/* Pieces that no store takes or gives may not keep slots from being read and written. */
static void slots_go_on(void **state)
{
  struct net *net = two(56);
  struct tm_client *c = net_client(net, ALICE);
  struct tm_request *r;
  uint64_t newest = 0;
  size_t bulk = 0, at = 0;

  (void)state;
  for (unsigned i = 0; i < NET_STORES; i++)
    net_store_up(net, i, false);
  announce(net, TM_TRANSFERS_MAX / 2);
  for (unsigned i = 0; i < TM_TRANSFERS_MAX / 2; i++)
    (void)send_file(net, ALICE, "Bob", "report.pdf", content, 400000);
  net_run(net, 100000);
  while ((r = tm_pool_each(c->pool, &at)) != NULL) {
    bulk += r->kind == TM_REQUEST_BULK_READ || r->kind == TM_REQUEST_BULK_WRITE;
    if (r->kind == TM_REQUEST_SLOT_READ && r->index > newest)
      newest = r->index;
  }
  assert_true(bulk > TM_TRANSFERS_MAX / 2 * TM_TRANSFER_WINDOW / 2);
  assert_true(bulk <= TM_POOL_BULK_MAX);
  assert_true(newest + 3 >= tm_engine_readable_end(c));
  net_free(net);
}

static bool count_incoming(void *arg, const char *name, uint32_t number, uint32_t pieces, uint32_t done)
{
  (void)name;
  (void)number;
  (void)pieces;
  (void)done;
  ++*(unsigned *)arg;
  return true;
}

static unsigned incoming(struct net *net)
{
  unsigned n = 0;

  assert_int_equal(tm_client_incoming(net_client(net, BOB), count_incoming, &n), TM_OK);
  return n;
}

/* Pieces whose two stores are dead do not hold the places of those that could be fetched. */
static void dead_stores_are_given_up(void **state)
{
  struct tm_params params;
  struct net *net;

  (void)state;
  net_params(&params);
  net = pair_up(77, &params);
  send_file(net, ALICE, "Bob", "f", content, 20000);
  for (int i = 0; i < 6000 && incoming(net) == 0; i++)
    net_run(net, 10);
  for (unsigned s = 0; s < NET_STORES; s++)
    net_store_up(net, s, false);
  net_run(net, 60000);
  assert_int_equal(incoming(net), 1);
  for (int i = 0; i < 100 && incoming(net) > 0; i++)
    net_run(net, 10000);
  assert_int_equal(incoming(net), 0);
  net_free(net);
}

int main(int argc, char **argv)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(file_100k), cmocka_unit_test(sizes_at_the_edges),      cmocka_unit_test(long_text),
      cmocka_unit_test(file_1m),   cmocka_unit_test(goes_on_after_reopening), cmocka_unit_test(lost_pieces_come_again),
      cmocka_unit_test(slots_go_on),
      cmocka_unit_test(dead_stores_are_given_up),
  };

  if (argc > 1)
    cmocka_set_test_filter(argv[1]);
  return cmocka_run_group_tests_name("engine: files", tests, NULL, NULL);
}
