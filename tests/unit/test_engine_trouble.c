#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "box/request.h"

#include "engine_user.h"

static struct net *two(uint64_t seed)
{
  struct tm_params params;

  net_params(&params);
  return pair_up(seed, &params);
}

/* Texts one after the other, one way; all arrive, once, in order. */
static void talk(struct net *net, unsigned n, uint64_t gap_ms, uint64_t ms)
{
  static char expected[4096];
  char text[32];
  size_t at = 0;

  for (unsigned i = 0; i < n; i++) {
    snprintf(text, sizeof text, "text %u", i);
    at += (size_t)snprintf(expected + at, sizeof expected - at, "%s\n", text);
    say(net, ALICE, "Bob", text);
    net_run(net, gap_ms);
  }
  assert_true(wait_received(net, BOB, "Alice", n, ms));
  assert_string_equal(inbox(net, BOB), expected);
}

static void a_fifth_of_all_packets_lost(void **state)
{
  struct tm_params params;
  struct net *net;

  (void)state;
  net_params(&params);
  net = net_new(40, &params);
  net_join(net, ALICE);
  net_join(net, BOB);
  net_lose(net, 200);
  pair(net, ALICE, "Bob", BOB, "Alice");
  talk(net, 12, 1500, 120000);
  assert_true(wait_delivered(net, ALICE, "Bob", 12, 120000));
  assert_true(status_of(net, ALICE).retries > 0);
  net_free(net);
}

static void every_answer_twice(void **state)
{
  struct net *net = two(41);

  (void)state;
  net_double(net, true);
  talk(net, 6, 1500, 60000);
  assert_true(status_of(net, BOB).bad_replies > 0);
  net_free(net);
}

static void one_store_down(void **state)
{
  struct net *net = two(42);

  (void)state;
  for (unsigned s = 0; s < NET_STORES; s++)
    net_store_up(net, s, s != 1);
  talk(net, 8, 2500, 120000);
  net_free(net);
}

static void a_store_lies(enum net_lie lie, uint64_t seed)
{
  struct net *net = two(seed);

  net_store_lie(net, 0, lie);
  talk(net, 6, 2500, 120000);
  net_free(net);
}

static void stores_lie(void **state)
{
  static const enum net_lie lies[] = {NET_MISSING, NET_WRONG_BOX, NET_GARBAGE, NET_FULL, NET_FAILED, NET_CONFLICT};

  (void)state;
  for (size_t i = 0; i < sizeof lies / sizeof lies[0]; i++)
    a_store_lies(lies[i], 43 + i);
}

static void one_store_of_each_pair_is_enough_for_files(void **state)
{
  static uint8_t content[10 * 1432];
  struct net *net = two(50);

  (void)state;
  net_store_up(net, 0, false);
  send_file(net, ALICE, "Bob", "f", content, sizeof content);
  assert_true(wait_received(net, BOB, "Alice", 1, 180000));
  net_free(net);
}

static void all_stores_down_for_a_while(void **state)
{
  struct net *net = two(51);

  (void)state;
  for (unsigned s = 0; s < NET_STORES; s++)
    net_store_up(net, s, false);
  say(net, ALICE, "Bob", "early");
  net_run(net, 30000);
  assert_false(contact_of(net, ALICE, "Bob").accepted);
  for (unsigned s = 0; s < NET_STORES; s++)
    net_store_up(net, s, true);
  assert_true(wait_received(net, BOB, "Alice", 1, 60000));
  assert_string_equal(inbox(net, BOB), "early\n");
  net_free(net);
}

/* Ids whose two stores are both dead are given up before they hold up everything behind them. */
static void two_of_three_stores_dead(void **state)
{
  struct net *net = two(56);

  (void)state;
  net_store_up(net, 1, false);
  net_store_up(net, 2, false);
  net_run(net, 300000);
  for (int i = 0; i < 5; i++) {
    say(net, ALICE, "Bob", "still there?");
    net_run(net, 2000);
  }
  assert_true(wait_received(net, BOB, "Alice", 5, 1500000));
  net_free(net);
}

/* When one store has answered without the box and the other was silent twice, that is a miss: nobody is asked again. */
static void asks_a_silent_store_twice(void **state)
{
  struct net *net = two(57);
  size_t from = net_asked_count(net);
  size_t twice = 0;

  (void)state;
  net_store_up(net, 0, false);
  net_run(net, 60000);
  for (size_t i = from; i < net_asked_count(net); i++) {
    const struct net_asked *a = net_asked(net, i);
    size_t silent = 0;
    if (a->put || a->status != TM_BOX_MISSING)
      continue;
    for (size_t j = from; j < net_asked_count(net); j++)
      silent += net_asked(net, j)->status == 0 && memcmp(net_asked(net, j)->id, a->id, 32) == 0;
    assert_in_range(silent, 0, 2);
    twice += silent == 2;
  }
  assert_true(twice > 20);
  net_free(net);
}

static void catches_up_in_the_stated_time(void **state)
{
  struct net *net = two(52);
  struct tm_client_status status;
  uint64_t start;

  (void)state;
  net_close(net, BOB);
  for (int i = 0; i < 30; i++) {
    char text[16];
    snprintf(text, sizeof text, "text %d", i);
    say(net, ALICE, "Bob", text);
    net_run(net, 20000);
  }
  net_close(net, ALICE);
  net_open(net, BOB);
  status = status_of(net, BOB);
  assert_in_range(status.slots_behind, 4 * 290, 4 * 310);
  assert_true(status.catch_up_s > 0);
  /* Ten minutes took so long to read. */
  assert_true((double)status.catch_up_s > status.catch_up_per_hour_s / 6 * 0.9);
  assert_true((double)status.catch_up_s < status.catch_up_per_hour_s / 6 * 1.1);
  start = net_now(net);
  /* The old slots come first, and at the whole rate; those that have passed meanwhile, last. */
  assert_true(wait_received(net, BOB, "Alice", 30, status.catch_up_s * 1000));
  assert_true(net_now(net) - start > status.catch_up_s * 1000 / 4);
  net_run(net, start + status.catch_up_s * 750 - net_now(net));
  assert_true(status_of(net, BOB).slots_behind > 60); /* no sooner by much either, or the estimate is worth nothing */
  net_run(net, start + status.catch_up_s * 1100 + 5000 - net_now(net));
  assert_in_range(status_of(net, BOB).slots_behind, 0, 8);
  net_free(net);
}

static void misses_what_has_expired_but_not_the_message(void **state)
{
  struct tm_params params;
  struct net *net;

  (void)state;
  net_params(&params);
  params.slot_ms = 10000;
  params.tick_us = 400000;
  params.box_expiry_s = 1200;
  net = pair_up(53, &params);
  net_close(net, BOB);
  say(net, ALICE, "Bob", "hello?");
  net_run(net, 60000);
  assert_int_equal(contact_of(net, ALICE, "Bob").accepted, 1);
  /* So long that the box is gone from every store. */
  for (unsigned s = 0; s < NET_STORES; s++)
    net_store_erase(net, s);
  net_run(net, 1300000);
  net_open(net, BOB);
  assert_true(wait_received(net, BOB, "Alice", 1, 1500000));
  assert_string_equal(inbox(net, BOB), "hello?\n");
  net_free(net);
}

static void junk_is_counted(void **state)
{
  struct net *net = two(54);
  uint8_t id[TM_SPHINX_SURB_ID_LEN] = {1};
  uint8_t payload[TM_SPHINX_PAYLOAD_LEN] = {2};
  uint64_t before = status_of(net, ALICE).bad_replies;

  (void)state;
  for (int i = 0; i < 100; i++)
    tm_client_reply(net_client(net, ALICE), id, payload);
  assert_int_equal(status_of(net, ALICE).bad_replies, before + 100);
  talk(net, 2, 1000, 60000);
  net_free(net);
}

static void spare_entry_takes_over(void **state)
{
  struct tm_params params;
  struct net *net;
  uint8_t first[32];

  (void)state;
  net_params(&params);
  net = net_new(55, &params);
  net_join(net, ALICE);
  memcpy(first, tm_client_entry(net_client(net, ALICE))->identity, 32);
  net_close(net, ALICE);
  net_open(net, ALICE);
  assert_memory_equal(tm_client_entry(net_client(net, ALICE))->identity, first, 32);
  for (int i = 0; i < 2; i++) {
    tm_client_link_down(net_client(net, ALICE), true);
    assert_memory_equal(tm_client_entry(net_client(net, ALICE))->identity, first, 32);
    net_run(net, 15000);
  }
  tm_client_link_down(net_client(net, ALICE), true);
  assert_memory_not_equal(tm_client_entry(net_client(net, ALICE))->identity, first, 32);
  /* Later, when the spare fails, the first choice is tried again. */
  net_run(net, 700000);
  tm_client_link_down(net_client(net, ALICE), true);
  assert_memory_equal(tm_client_entry(net_client(net, ALICE))->identity, first, 32);
  net_free(net);
}

int main(int argc, char **argv)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_fifth_of_all_packets_lost),
      cmocka_unit_test(every_answer_twice),
      cmocka_unit_test(one_store_down),
      cmocka_unit_test(stores_lie),
      cmocka_unit_test(one_store_of_each_pair_is_enough_for_files),
      cmocka_unit_test(all_stores_down_for_a_while),
      cmocka_unit_test(two_of_three_stores_dead),
      cmocka_unit_test(asks_a_silent_store_twice),
      cmocka_unit_test(catches_up_in_the_stated_time),
      cmocka_unit_test(misses_what_has_expired_but_not_the_message),
      cmocka_unit_test(junk_is_counted),
      cmocka_unit_test(spare_entry_takes_over),
  };

  if (argc > 1)
    cmocka_set_test_filter(argv[1]);
  return cmocka_run_group_tests_name("engine: trouble", tests, NULL, NULL);
}
