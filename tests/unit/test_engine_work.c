/* Proofs of work as a client makes them: how much, for which put, and what a store learns from it. And full stores. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "box/work.h"

#include "engine_user.h"

#define DEAR 4 /* bits that a dear store asks for, over the document's */

static struct net *two(uint64_t seed)
{
  struct tm_params params;

  net_params(&params);
  return pair_up(seed, &params);
}

static unsigned base_bits(void)
{
  struct tm_params params;

  net_params(&params);
  return params.work_bits;
}

static void all_ask(struct net *net, unsigned bits)
{
  for (unsigned s = 0; s < NET_STORES; s++)
    net_store_ask(net, s, bits);
}

static void all_lie(struct net *net, enum net_lie lie)
{
  for (unsigned s = 0; s < NET_STORES; s++)
    net_store_lie(net, s, lie);
}

/* The put before that one, to the same store for the same id; NULL: it is the first. */
static const struct net_asked *before(const struct net *net, size_t i)
{
  const struct net_asked *a = net_asked(net, i);

  while (i-- > 0) {
    const struct net_asked *b = net_asked(net, i);
    if (b->put && b->store == a->store && memcmp(b->id, a->id, sizeof a->id) == 0)
      return b;
  }
  return NULL;
}

struct sums {
  size_t first, first_dear;     /* first puts of an id to a store, and those with as much work as it asks for later */
  size_t again, enough, later;  /* puts after WORK; of these, worked enough; and not sooner than the wait */
  size_t stored;
};

static struct sums sum_up(const struct net *net, size_t from, unsigned asked, uint64_t wait_ms)
{
  struct sums s = {0};

  for (size_t i = from; i < net_asked_count(net); i++) {
    const struct net_asked *a = net_asked(net, i), *b;
    if (!a->put)
      continue;
    b = before(net, i);
    s.stored += a->status == TM_BOX_STORED;
    s.first += b == NULL;
    s.first_dear += b == NULL && a->work >= asked;
    if (b == NULL || b->status != TM_BOX_WORK || !b->answered)
      continue;
    s.again++;
    s.enough += a->work >= asked;
    s.later += a->at_ms >= b->at_ms + wait_ms;
  }
  return s;
}

/* What it asks is done, for each put alone: the others begin with what the document says. */
static void a_dear_store_gets_its_work(void **state)
{
  struct net *net = two(90);
  unsigned asked = base_bits() + DEAR;
  size_t from = net_asked_count(net);
  struct sums s;

  (void)state;
  all_ask(net, asked);
  for (int i = 0; i < 4; i++) {
    say(net, ALICE, "Bob", "dear");
    net_run(net, 8000);
  }
  assert_true(wait_received(net, BOB, "Alice", 4, 120000));
  s = sum_up(net, from, asked, 500); /* a quarter of a slot */
  assert_true(s.stored > 20);
  assert_true(s.again > 20);
  assert_int_equal(s.enough, s.again);
  assert_int_equal(s.later, s.again);
  /* One put in 16 has so much by chance; a client that remembered what it was told would have it always. */
  assert_true(s.first > 40);
  assert_true(s.first_dear * 3 < s.first);
  net_free(net);
}

static void files_too(void **state)
{
  static uint8_t content[12 * 1432];
  struct net *net = two(91);

  (void)state;
  all_ask(net, base_bits() + DEAR);
  send_file(net, ALICE, "Bob", "f", content, sizeof content);
  assert_true(wait_received(net, BOB, "Alice", 1, 240000));
  net_free(net);
}

/* More than a store may ask for is not done; the other store has the box. */
static void a_greedy_store_gets_nothing(void **state)
{
  struct net *net = two(92);
  unsigned asked = base_bits() + TM_BOX_WORK_STEPS_MAX + 1;
  size_t from = net_asked_count(net);
  size_t refused = 0;

  (void)state;
  net_store_ask(net, 0, asked);
  say(net, ALICE, "Bob", "all the same");
  assert_true(wait_received(net, BOB, "Alice", 1, 120000));
  for (size_t i = from; i < net_asked_count(net); i++) {
    const struct net_asked *a = net_asked(net, i), *b = a->put && a->store == 0 ? before(net, i) : NULL;
    refused += a->put && a->status == TM_BOX_WORK;
    if (b != NULL && b->status == TM_BOX_WORK)
      assert_int_equal(a->work, b->work); /* the same proof again: no more was made */
  }
  assert_true(refused > 5);
  net_free(net);
}

static void a_most_that_it_may_ask(void **state)
{
  struct net *net = two(93);

  (void)state;
  all_ask(net, base_bits() + TM_BOX_WORK_STEPS_MAX);
  say(net, ALICE, "Bob", "at a price");
  assert_true(wait_received(net, BOB, "Alice", 1, 120000));
  net_free(net);
}

/* The network has several epochs behind it at the end, and no put was refused for it. */
static void proofs_outlive_an_epoch(void **state)
{
  struct tm_params params;
  struct net *net;

  (void)state;
  net_params(&params);
  params.epoch_s = 40;
  params.key_grace_s = 20;
  net = pair_up(94, &params);
  for (int i = 0; i < 8; i++) {
    say(net, ALICE, "Bob", "by and by");
    net_run(net, 8000);
  }
  for (size_t i = 0; i < net_asked_count(net); i++)
    assert_true(!net_asked(net, i)->put || net_asked(net, i)->work >= params.work_bits);
  net_free(net);
}

/* While no proof is found the clock goes on as ever, and nothing is lost. */
static void slow_machines(void **state)
{
  struct net *net = two(95);
  struct tm_client_status before_it = status_of(net, ALICE), during;
  uint64_t puts = 0;
  size_t from;

  (void)state;
  net_work(net, false);
  net_run(net, 2000); /* what was proved has left */
  from = net_asked_count(net);
  say(net, ALICE, "Bob", "wait for it");
  net_run(net, 20000);
  during = status_of(net, ALICE);
  for (size_t i = from; i < net_asked_count(net); i++)
    puts += net_asked(net, i)->put && before(net, i) == NULL;
  assert_int_equal(puts, 0);
  assert_true(during.working > 0);
  assert_true(during.working < 40); /* what comes too late is not worked for any more */
  assert_true(during.ticks - before_it.ticks > 22000 / 80 / 2);
  net_work(net, true);
  assert_true(wait_received(net, BOB, "Alice", 1, 60000));
  net_run(net, 2000);
  assert_true(status_of(net, ALICE).working < 10);
  net_free(net);
}

/* Full stores: the user sees it, and the message goes when there is room. */
static void full_stores(void **state)
{
  struct net *net = two(96);

  (void)state;
  assert_false(status_of(net, ALICE).stores_full);
  all_lie(net, NET_FULL);
  say(net, ALICE, "Bob", "patience");
  net_run(net, 30000);
  assert_true(status_of(net, ALICE).stores_full);
  assert_true(status_of(net, ALICE).refused > 0);
  assert_false(contact_of(net, ALICE, "Bob").accepted);
  all_lie(net, NET_HONEST);
  assert_true(wait_received(net, BOB, "Alice", 1, 60000));
  assert_true(wait_delivered(net, ALICE, "Bob", 1, 60000));
  assert_false(status_of(net, ALICE).stores_full);
  net_run(net, 15000);
  assert_int_equal(status_of(net, ALICE).refused, 0);
  net_free(net);
}

static void full_stores_and_files(void **state)
{
  static uint8_t content[12 * 1432];
  struct net *net = two(97);

  (void)state;
  all_lie(net, NET_FULL);
  send_file(net, ALICE, "Bob", "f", content, sizeof content);
  net_run(net, 60000);
  assert_true(status_of(net, ALICE).refused > 0);
  net_close(net, ALICE); /* nor does a restart lose anything */
  net_open(net, ALICE);
  net_run(net, 20000);
  all_lie(net, NET_HONEST);
  assert_true(wait_received(net, BOB, "Alice", 1, 120000));
  net_free(net);
}

/* With one of three stores full, messages go as ever, and nobody is alarmed for long. */
static void one_full_store(void **state)
{
  struct net *net = two(98);

  (void)state;
  net_store_lie(net, 2, NET_FULL);
  for (int i = 0; i < 3; i++)
    say(net, ALICE, "Bob", "as ever");
  assert_true(wait_received(net, BOB, "Alice", 3, 60000));
  assert_false(status_of(net, ALICE).stores_full);
  net_free(net);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_dear_store_gets_its_work), cmocka_unit_test(files_too),
    cmocka_unit_test(a_greedy_store_gets_nothing), cmocka_unit_test(a_most_that_it_may_ask),
    cmocka_unit_test(proofs_outlive_an_epoch),     cmocka_unit_test(slow_machines),
    cmocka_unit_test(full_stores),                 cmocka_unit_test(full_stores_and_files),
    cmocka_unit_test(one_full_store),
  };

  return cmocka_run_group_tests_name("engine_work", tests, NULL, NULL);
}
