/* What a relay does against those who would hurt it: links that a document ends, alarms, and places that clients take. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "relay/tagging.h"

#include "relay_support.h"

/* ---- packets that were changed on their way ---- */

static void test_tagging(void **state)
{
  struct tm_tagging t = {0};

  (void)state;
  tm_tagging_watch(&t, 5);
  assert_false(t.raised);
  assert_true(tm_tagging_failed(&t, 10));
  assert_true(t.raised);
  assert_false(tm_tagging_failed(&t, 20)); /* said a moment ago */
  assert_int_equal(t.failures, 2);
  assert_int_equal(t.alarms, 1);
  tm_tagging_watch(&t, 20 + TM_TAGGING_QUIET_MS - 1);
  assert_true(t.raised);
  tm_tagging_watch(&t, 20 + TM_TAGGING_QUIET_MS);
  assert_false(t.raised);
  assert_true(tm_tagging_failed(&t, 30 + TM_TAGGING_QUIET_MS));
  assert_int_equal(t.alarms, 2);
  /* One alarm that goes on is said again, but not often. */
  assert_false(tm_tagging_failed(&t, 30 + TM_TAGGING_QUIET_MS + TM_TAGGING_SAY_MS - 1));
  assert_true(tm_tagging_failed(&t, 30 + TM_TAGGING_QUIET_MS + TM_TAGGING_SAY_MS));
  assert_int_equal(t.alarms, 2);
  assert_int_equal(t.failures, 5);
}

/* Its body is no request. */
static void make_packet(struct net *net, const tm_sphinx_node *path, size_t hops, uint8_t *packet)
{
  uint8_t random[TM_SPHINX_CREATE_RANDOM_LEN], body[TM_SPHINX_BODY_LEN] = {0};

  randombytes_buf(random, sizeof random);
  assert_int_equal(tm_sphinx_create(net->sphinx, path, hops, body, random, packet), TM_SPHINX_OK);
}

/* The relay before the last changes payloads: the last hop's operator hears of it, and no one else's. */
static void test_tagging_raises_an_alarm(void **state)
{
  static const unsigned way[] = {NET_ENTRY, NET_MIX1, NET_MIX2, NET_MIX3, NET_STORE2, NET_RELAYS};
  struct tm_params params = net_params();
  struct net *net = net_start(&params, "");
  uint8_t packet[TM_SPHINX_PACKET_LEN];
  tm_sphinx_node path[TM_SPHINX_HOPS_MAX];
  struct tm_tagging_totals t;
  size_t n = net_path(net, path, way, 0);

  (void)state;
  make_packet(net, path, n, packet);
  net_send(net, packet);
  net_expect_drop(net, NET_STORE2, TM_DROP_STORE_MALFORMED, 1);
  assert_false(net_snapshot(net, NET_STORE2).tagging.alarm);
  for (unsigned i = 0; i < 2; i++) {
    make_packet(net, path, n, packet);
    packet[TM_SPHINX_PACKET_LEN - 1] ^= 1;
    net_send(net, packet);
  }
  net_expect_drop(net, NET_STORE2, TM_DROP_TAG, 2);
  t = net_snapshot(net, NET_STORE2).tagging;
  assert_true(t.alarm);
  assert_int_equal(t.alarms, 1);
  assert_int_equal(t.failures, 2);
  assert_int_equal(net_snapshot(net, NET_MIX3).tagging.failures, 0);
  net_stop(net);
}

/* ---- a new document ---- */

/* Layers 1 and 3 each have a link to their other neighbours, and one with each store. */
static bool has_links(struct net *net, void *arg)
{
  size_t n = *(const size_t *)arg;

  return net_snapshot(net, NET_MIX1).relay_links == n && net_snapshot(net, NET_MIX3).relay_links == n;
}

/*
 * In the next document a mix and a store have changed places. They still run with the old one, but all links end, in both directions, that the others
 * had with them: neither may send, or be sent to, where it was, though both keys are known. All others stay, the client's too.
 */
/* It finds no other document any more. */
static void keep_the_old_one(struct net *net, unsigned relay)
{
  char *path = net->relay[relay].config.document;

  path[strlen(path) - 1] = '-';
}

static void test_place_changes(void **state)
{
  struct tm_params params = net_params();
  struct net *net = net_start(&params, "");

  (void)state;
  net_pump_until(net, has_links, &(size_t){5});
  keep_the_old_one(net, NET_MIX2);
  keep_the_old_one(net, NET_STORE3);
  net_set_wall_offset(2);
  net->role[NET_MIX2] = TM_ROLE_STORE;
  net->layer[NET_MIX2] = 0;
  net->role[NET_STORE3] = TM_ROLE_MIX;
  net->layer[NET_STORE3] = 2;
  net_write_document(net, 3600, NET_RELAYS);
  for (unsigned i = 0; i < NET_RELAYS; i++)
    if (i != NET_MIX2 && i != NET_STORE3)
      assert_int_equal(tm_engine_reload(net->relay[i].engine), TM_OK);
  net_pump_until(net, has_links, &(size_t){3});
  net_pump(net, 1000);
  assert_true(has_links(net, &(size_t){3})); /* they dial again, in vain */
  assert_non_null(net->client.link);
  assert_int_equal(net_snapshot(net, NET_ENTRY).client_links, 1);
  net_set_wall_offset(0);
  net_stop(net);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_tagging),
    cmocka_unit_test(test_tagging_raises_an_alarm),
    cmocka_unit_test(test_place_changes),
  };

  if (sodium_init() < 0)
    return 1;
  return cmocka_run_group_tests_name("limits of a relay", tests, NULL, NULL);
}
