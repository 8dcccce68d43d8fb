/* The life of links: queues, closing, callbacks that close, and limits. */
#include "config.h"

#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <string.h>
#include <unistd.h>

#include "link/internal.h"

#include "link_raw.h"

static struct net net;

static int set_up(void **state)
{
  (void)state;
  net_init(&net, false);
  return 0;
}

static int tear_down(void **state)
{
  (void)state;
  net_end(&net);
  return 0;
}

/* ---- time ---- */

static void test_keepalive(void **state)
{
  (void)state;
  net.accept_config.keepalive_ms = 40;
  net.dial_config.keepalive_ms = 40;
  net.accept_config.idle_ms = 800;
  net.dial_config.idle_ms = 800;
  net_start(&net, false);
  net_up(&net);
  run_for(&net, 1300);
  assert_int_equal(net.a.downs + net.d.downs, 0);
  assert_int_equal(net.a.cells + net.d.cells, 0);
}

static void test_no_keepalive(void **state)
{
  (void)state;
  net.accept_config.keepalive_ms = 40;
  net.dial_config.keepalive_ms = 0;
  net.accept_config.idle_ms = 150;
  net_start(&net, false);
  net_up(&net);
  WAIT(&net, net.a.downs == 1 && net.d.downs == 1);
  assert_int_equal(net.a.reason, TM_E_TIMEOUT);
  assert_int_equal(net.d.reason, TM_E_CLOSED);
}

/* ---- queues ---- */

static void test_full_then_writable(void **state)
{
  uint8_t cell[TM_CELL_LEN];

  (void)state;
  net.dial_config.queue_cells = 10;
  net_start(&net, false);
  net_up(&net);
  for (uint32_t i = 0; i < 10; i++)
    send_numbered(net.d.link, i);
  numbered_cell(cell, 10);
  assert_int_equal(tm_link_queued(net.d.link), 10);
  assert_int_equal(tm_link_send(net.d.link, cell), TM_E_FULL);
  assert_int_equal(tm_link_send(net.d.link, cell), TM_E_FULL);
  assert_int_equal(tm_link_queued(net.d.link), 10);
  WAIT(&net, net.d.writables == 1);
  assert_int_equal(tm_link_queued(net.d.link), 0);
  assert_int_equal(tm_link_send(net.d.link, cell), TM_OK);
  WAIT(&net, net.a.cells == 11);
  assert_true(net.a.in_order);
  run_for(&net, 20);
  assert_int_equal(net.d.writables, 1);
}

/* Cells of one turn leave together. */
static void test_sends_coalesce(void **state)
{
  (void)state;
  net_start(&net, false);
  net_up(&net);
  for (uint32_t i = 0; i < 60; i++)
    send_numbered(net.d.link, i);
  WAIT(&net, net.a.cells == 60);
  assert_true(net.a.in_order);
  assert_in_range(net.a.calls, 1, 3);
}

/* Both sides send as fast as the queues take it, with a change of keys now and then. */
static void pour(struct ear *ear, struct tm_link *link)
{
  uint32_t *next = ear->arg;
  uint8_t cell[TM_CELL_LEN];

  while (*next < 6000) {
    numbered_cell(cell, *next);
    if (tm_link_send(link, cell) != TM_OK)
      return;
    ++*next;
  }
}

static void test_key_updates_on_the_way(void **state)
{
  uint32_t next = 0;

  (void)state;
  net_start(&net, false);
  tm_tls_set_update_records(net.dialler->tls, 70);
  net_up(&net);
  net.d.arg = &next;
  net.d.on_writable = pour;
  pour(&net.d, net.d.link);
  WAIT(&net, net.a.cells == 6000);
  assert_true(net.a.in_order);
  assert_int_equal(net.a.downs, 0);
}

static void test_own_key_updates_are_sent(void **state)
{
  struct raw raw;
  uint8_t cell[TM_CELL_LEN];

  (void)state;
  net_start(&net, false);
  tm_tls_set_update_records(net.acceptor->tls, 5);
  raw_client(&raw, &net, dial_seed);
  raw_read_cell(&raw, cell);
  for (uint32_t i = 0; i < 20; i++) {
    send_numbered(net.a.link, i);
    raw_read_cell(&raw, cell);
  }
  assert_in_range(raw.key_updates, 3, 5);
  raw_free(&raw);
}

/* ---- a wire that delivers in crumbs: between the two stands one who passes on so many bytes a turn ---- */

struct wire {
  int in, out; /* from the dialled side, to the listener */
  size_t crumb;
};

static void pass_on(int from, int to, size_t max)
{
  uint8_t bytes[4096];
  ssize_t n = recv(from, bytes, max < sizeof bytes ? max : sizeof bytes, 0);

  if (n > 0)
    assert_int_equal(send(to, bytes, (size_t)n, MSG_NOSIGNAL), n);
}

static void pass_both(void *arg)
{
  const struct wire *wire = arg;

  pass_on(wire->in, wire->out, wire->crumb);
  pass_on(wire->out, wire->in, wire->crumb);
}

static void run_crumbs(size_t crumb, uint32_t cells)
{
  struct sockaddr_storage real;
  struct raw raw;
  struct wire wire = {.crumb = crumb};
  int listening;

  net_start(&net, false);
  real = net.addr;
  listening = raw_listen(&net);
  net_dial(&net);
  wire.in = raw_accept(&net, listening);
  net.addr = real;
  raw_connect(&raw, &net);
  wire.out = raw.fd;
  net.pump = pass_both;
  net.pump_arg = &wire;
  WAIT(&net, net.a.ups == 1 && net.d.ups == 1);
  for (uint32_t i = 0; i < cells; i++)
    send_numbered(net.d.link, i);
  WAIT(&net, net.a.cells == cells);
  assert_true(net.a.in_order);
  net.pump = NULL;
  close(wire.in);
  close(wire.out);
  close(listening);
  WAIT(&net, net.a.downs == 1 && net.d.downs == 1);
}

static void test_byte_by_byte(void **state)
{
  (void)state;
  run_crumbs(1, 2);
}

static void test_odd_crumbs(void **state)
{
  (void)state;
  run_crumbs(997, 60);
}

/* ---- closing ---- */

static void test_close_flushes(void **state)
{
  uint8_t cell[TM_CELL_LEN];

  (void)state;
  net_start(&net, false);
  net_up(&net);
  for (uint32_t i = 0; i < 200; i++)
    send_numbered(net.d.link, i);
  tm_link_close(net.d.link);
  tm_link_close(net.d.link);
  tm_cell_padding(cell);
  assert_int_equal(tm_link_send(net.d.link, cell), TM_E_CLOSED);
  assert_int_equal(net.d.downs, 0);
  WAIT(&net, net.a.downs == 1 && net.d.downs == 1);
  assert_int_equal(net.d.reason, TM_OK);
  assert_int_equal(net.a.reason, TM_E_CLOSED);
  assert_int_equal(net.a.cells, 200);
  assert_true(net.a.in_order);
}

/* The peer is sending all the time: what lies unread in our socket must not cost it our last cells. */
static void keep_sending(struct ear *ear, struct tm_link *link)
{
  uint8_t cell[TM_CELL_LEN];

  (void)ear;
  tm_cell_padding(cell);
  while (tm_link_send(link, cell) == TM_OK)
    continue;
}

static void test_close_under_fire(void **state)
{
  (void)state;
  net_start(&net, false);
  net_up(&net);
  net.a.on_writable = keep_sending;
  keep_sending(&net.a, net.a.link);
  run_for(&net, 20);
  for (uint32_t i = 0; i < 250; i++)
    send_numbered(net.d.link, i);
  tm_link_close(net.d.link);
  WAIT(&net, net.a.downs == 1 && net.d.downs == 1);
  assert_int_equal(net.d.reason, TM_OK);
  assert_int_equal(net.a.cells, 250);
  assert_true(net.a.in_order);
}

/* A peer that never reads cannot hold a closing link longer than stall_ms. */
static void test_close_is_bounded(void **state)
{
  struct raw raw;
  uint8_t cell[TM_CELL_LEN];
  uint64_t began;

  (void)state;
  net.accept_config.stall_ms = 200;
  net_start(&net, false);
  raw_client(&raw, &net, dial_seed);
  WAIT(&net, net.a.ups == 1);
  for (uint32_t i = 0; i < 20000; i++) {
    numbered_cell(cell, i);
    if (tm_link_send(net.a.link, cell) == TM_E_FULL)
      break;
    if (i % 64 == 0)
      run_once(&net);
  }
  tm_link_close(net.a.link);
  began = real_ms();
  WAIT(&net, net.a.downs == 1);
  assert_int_equal(net.a.reason, TM_OK);
  assert_in_range(real_ms() - began, 150, 5000);
  raw_free(&raw);
}

static void close_it(struct ear *ear, struct tm_link *link)
{
  (void)ear;
  tm_link_close(link);
}

static void test_close_in_up(void **state)
{
  (void)state;
  net.a.on_up = close_it;
  net_start(&net, false);
  net_dial(&net);
  WAIT(&net, net.a.downs == 1 && net.d.downs == 1);
  assert_int_equal(net.a.reason, TM_OK);
  assert_int_equal(net.d.ups, 1); /* WELCOME was queued, and flushed */
  ear_init(&net.a);
  net.a.allow_relays = true;
  net.d.on_up = close_it;
  net_dial(&net);
  WAIT(&net, net.a.downs == 1 && net.d.downs == 2);
  assert_int_equal(net.d.reason, TM_OK);
}

static void test_close_in_cells(void **state)
{
  (void)state;
  net.a.on_cells = close_it;
  net_start(&net, false);
  net_up(&net);
  for (uint32_t i = 0; i < 200; i++)
    send_numbered(net.d.link, i);
  WAIT(&net, net.a.downs == 1 && net.d.downs == 1);
  assert_int_equal(net.a.calls, 1); /* nothing comes after the close */
  assert_int_equal(net.a.reason, TM_OK);
}

/* Answers from within the callback, and closes the other links of the context there. */
static struct tm_link *others[3];

static void close_others(struct ear *ear, struct tm_link *link)
{
  uint8_t cell[TM_CELL_LEN];

  (void)ear;
  tm_cell_padding(cell);
  assert_int_equal(tm_link_send(link, cell), TM_OK);
  for (int i = 0; i < 3; i++)
    tm_link_close(others[i]);
}

static void test_close_others_in_cells(void **state)
{
  (void)state;
  net_start(&net, false);
  for (int i = 0; i < 3; i++) {
    net_up(&net);
    others[i] = net.a.link;
  }
  net.a.on_cells = close_others;
  send_numbered(net.d.link, 0);
  WAIT(&net, net.a.downs == 3 && net.d.downs == 3);
}

static void test_close_in_writable(void **state)
{
  uint8_t cell[TM_CELL_LEN];

  (void)state;
  net.d.on_writable = close_it;
  net_start(&net, false);
  net_up(&net);
  numbered_cell(cell, 0);
  while (tm_link_send(net.d.link, cell) == TM_OK)
    continue;
  WAIT(&net, net.a.downs == 1 && net.d.downs == 1);
  assert_int_equal(net.a.cells, net.dial_config.queue_cells);
}

static void test_close_before_up(void **state)
{
  (void)state;
  net_start(&net, false);
  tm_link_close(net_dial(&net));
  assert_int_equal(net.d.downs, 0);
  WAIT(&net, net.d.downs == 1);
  assert_int_equal(net.d.reason, TM_OK);
  run_for(&net, 20);
  assert_int_equal(net.a.ups + net.a.downs + net.d.ups, 0);
}

/* The peer is gone and we have not noticed: writing twice must not raise a signal. */
static void test_broken_pipe(void **state)
{
  (void)state;
  net_start(&net, false);
  net_up(&net);
  tm_link_context_free(net.acceptor);
  net.acceptor = NULL;
  for (uint32_t i = 0; i < 3 && tm_link_queued(net.d.link) == 0; i++) {
    uint8_t cell[TM_CELL_LEN];
    numbered_cell(cell, i);
    if (tm_link_send(net.d.link, cell) == TM_OK)
      tm_link_flush(net.d.link); /* at once, before the loop can see the end */
  }
  WAIT(&net, net.d.downs == 1);
  assert_int_equal(net.d.reason, TM_E_CLOSED);
}

/* ---- limits ---- */

static void test_max_links(void **state)
{
  (void)state;
  net.accept_config.max_links = 2;
  net_start(&net, false);
  net_up(&net);
  net_up(&net);
  net_dial(&net);
  WAIT(&net, net.d.downs == 1);
  assert_int_not_equal(net.d.reason, TM_OK);
  assert_int_equal(net.a.ups, 2);
  tm_link_close(net.a.link);
  WAIT(&net, net.a.downs == 1 && net.d.downs == 2);
  net_up(&net);
  assert_int_equal(net.a.ups, 3);
}

/* No descriptor left: the listener waits instead of spinning, and goes on when there is one again. */
static void test_no_descriptors(void **state)
{
  struct rlimit old, few;
  struct raw raw;
  uint64_t turns;

  (void)state;
  net_start(&net, false);
  raw_connect(&raw, &net);
  assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
  few = old;
  few.rlim_cur = 3;
  assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
  turns = net.turns;
  run_for(&net, 300);
  turns = net.turns - turns;
  assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
  assert_in_range(turns, 10, 200); /* the tick of the tests alone makes 150 */
  raw_tls(&raw, &net, raw.fd, raw_context(false, dial_seed), false);
  assert_int_equal(raw_handshake(&raw), 1);
  WAIT(&net, net.a.ups == 1);
  raw_free(&raw);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
  const struct CMUnitTest tests[] = {
    TEST(test_keepalive), TEST(test_no_keepalive), TEST(test_full_then_writable), TEST(test_sends_coalesce),
    TEST(test_key_updates_on_the_way), TEST(test_own_key_updates_are_sent), TEST(test_byte_by_byte),
    TEST(test_odd_crumbs), TEST(test_close_flushes), TEST(test_close_under_fire), TEST(test_close_is_bounded),
    TEST(test_close_in_up), TEST(test_close_in_cells), TEST(test_close_others_in_cells), TEST(test_close_in_writable),
    TEST(test_close_before_up), TEST(test_broken_pipe), TEST(test_max_links), TEST(test_no_descriptors),
  };

  return cmocka_run_group_tests_name("life of links", tests, NULL, NULL);
}
