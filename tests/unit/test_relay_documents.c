/* Documents in a network of engines: how clients get them, and what becomes of relays that one takes away. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "base/file.h"
#include "tests/unit/relay_requests.h"
#include "tests/unit/relay_support.h"

static bool is_down(struct net *net, void *arg)
{
  (void)arg;
  return net->client.link == NULL;
}

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
  struct net_asked asked;
  struct tm_box_answer answer;

  (void)state;
  net_set_wall_offset(3700);
  net_pump(net, 300);
  net_get_packet(net, NET_STORE1, NULL, &asked, packet);
  net_send(net, packet);
  net_expect_drop(net, NET_ENTRY, TM_DROP_NO_DOCUMENT, 1);
  net_write_document(net, 3600, NET_RELAYS); /* found by its time stamp */
  net_pump(net, 2500);
  net_get_packet(net, NET_STORE1, NULL, &asked, packet);
  net_send(net, packet);
  assert_int_equal(net_answer_of(net, &asked, &answer), TM_BOX_MISSING);
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
  net_send_along(net, way);
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
  struct net_asked asked;

  (void)state;
  net_set_wall_offset(2);
  net->role[NET_STORE3] = TM_ROLE_ENTRY;
  net_write_document(net, 3600, NET_RELAYS);
  for (unsigned i = 0; i < NET_RELAYS; i++)
    assert_int_equal(tm_engine_reload(net->relay[i].engine), TM_OK);
  net_get_packet(net, NET_STORE3, NULL, &asked, packet);
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
  net_send_along(net, (const unsigned[]){NET_ENTRY, NET_MIX1, NET_MIX2, NET_RELAYS});
  net_expect_drop(net, NET_MIX1, TM_DROP_NO_LINK, 1);
  net_stop(net);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_document_is_served),
    cmocka_unit_test(test_expired_document),
    cmocka_unit_test(test_relay_vanishes),
    cmocka_unit_test(test_roles_are_taken_away),
    cmocka_unit_test(test_relay_is_dead),
  };

  if (sodium_init() < 0)
    return 1;
  return cmocka_run_group_tests_name("relay documents", tests, NULL, NULL);
}
