/* Links between good peers: who is let in, what arrives, and in which order. */
#include "config.h"

#include <string.h>

#include <sodium.h>

#include "link_support.h"

static void test_relay_link(void **state)
{
  struct net net;
  uint8_t identity[32];
  static const uint8_t zero[TM_SPHINX_HANDLE_LEN];

  (void)state;
  net_init(&net, false);
  net_start(&net, false);
  net_up(&net);
  identity_of(dial_seed, identity);
  assert_false(net.a.anonymous);
  assert_memory_equal(net.a.peer, identity, 32);
  identity_of(accept_seed, identity);
  assert_memory_equal(net.d.peer, identity, 32);
  assert_memory_equal(tm_link_handle(net.a.link), zero, sizeof zero);
  assert_memory_equal(tm_link_handle(net.d.link), zero, sizeof zero);
  send_numbered(net.d.link, 0);
  WAIT(&net, net.a.cells == 1);
  assert_true(net.a.in_order);
  assert_int_equal(net.a.judged, 1);
  assert_int_equal(net.d.judged, 0);
  net_end(&net);
  assert_int_equal(net.a.downs, 1);
  assert_int_equal(net.d.downs, 1);
}

static void test_client_link(void **state)
{
  struct net net;
  uint8_t first[TM_SPHINX_HANDLE_LEN];
  uint8_t cell[TM_CELL_LEN], payload[TM_SPHINX_PAYLOAD_LEN] = {7}, surb_id[TM_SPHINX_SURB_ID_LEN] = {8};
  struct tm_cell_view view;

  (void)state;
  net_init(&net, true);
  net_start(&net, true);
  net_up(&net);
  assert_true(net.a.anonymous);
  memcpy(first, tm_link_handle(net.a.link), sizeof first);
  assert_memory_equal(tm_link_handle(net.d.link), first, sizeof first);
  assert_false(sodium_is_zero(first, sizeof first));
  tm_cell_reply(cell, surb_id, payload);
  assert_int_equal(tm_link_send(net.a.link, cell), TM_OK);
  WAIT(&net, net.d.cells == 1);
  assert_int_equal(tm_cell_parse(net.d.last, &view), TM_OK);
  assert_int_equal(view.type, TM_CELL_REPLY);
  assert_memory_equal(view.payload, payload, sizeof payload);
  net_up(&net);
  assert_memory_not_equal(tm_link_handle(net.a.link), first, sizeof first);
  assert_memory_equal(tm_link_handle(net.d.link), tm_link_handle(net.a.link), sizeof first);
  net_end(&net);
}

static void feed(struct ear *ear, struct tm_link *link)
{
  uint32_t *next = ear->arg;
  uint8_t cell[TM_CELL_LEN];

  while (*next < 10000) {
    numbered_cell(cell, *next);
    if (tm_link_send(link, cell) == TM_E_FULL)
      return;
    ++*next;
  }
}

static void test_flood_in_order(void **state)
{
  struct net net;
  uint32_t next = 0;

  (void)state;
  net_init(&net, false);
  net_start(&net, false);
  net_up(&net);
  net.d.arg = &next;
  net.d.on_writable = feed;
  feed(&net.d, net.d.link);
  assert_int_equal(next, net.dial_config.queue_cells);
  WAIT(&net, net.a.cells == 10000);
  assert_true(net.a.in_order);
  assert_true(net.a.calls < 5000);
  assert_true(net.d.writables > 0);
  net_end(&net);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_relay_link),
    cmocka_unit_test(test_client_link),
    cmocka_unit_test(test_flood_in_order),
  };

  return cmocka_run_group_tests_name("link", tests, NULL, NULL);
}
