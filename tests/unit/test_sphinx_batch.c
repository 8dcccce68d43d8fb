/*
 * Batches: bad packets between good ones, at every position, change nothing for the others and stay as they were. The
 * expected results come from the same packets one at a time.
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "tests/unit/sphinx_net.h"

#define CAP (TM_SPHINX_HEADER_LEN + TM_SPHINX_TAG_LEN + TM_SPHINX_BODY_MIN)
#define SMALL 9
#define LARGE (2 * TM_SPHINX_BATCH_MAX + 3)

enum kind { GOOD, BAD_LENGTH, BAD_ENCODING, BAD_ORDER, BAD_MAC, BAD_COMMAND, BAD_TAG, REPLAYED, KINDS };

struct batch {
  size_t n;
  enum kind kind[LARGE];
  uint8_t before[LARGE][CAP]; /* as made */
  uint8_t packet[LARGE][CAP]; /* as the batch leaves it */
  uint8_t alone[LARGE][CAP];  /* as it comes out by itself */
  uint8_t *at[LARGE];
  size_t len[LARGE];
  tm_sphinx_hop hop[LARGE];
};

static const int verdicts[KINDS] = {
  TM_SPHINX_OK,    TM_SPHINX_E_LENGTH,  TM_SPHINX_E_NONCANONICAL, TM_SPHINX_E_LOW_ORDER,
  TM_SPHINX_E_MAC, TM_SPHINX_E_COMMAND, TM_SPHINX_E_TAG,          TM_SPHINX_E_REPLAY,
};

/* Good packets come as forward, deliver and reply. */
static void make(struct net *n, struct batch *b, size_t i)
{
  uint8_t *p = b->before[i], difference[TM_SPHINX_BLOCK_LEN] = {0x80};
  uint32_t seed = (uint32_t)(100 + i);

  if (i % 3 == 1 && b->kind[i] != BAD_TAG) {
    uint8_t random[TM_SPHINX_SURB_RANDOM_LEN], surb[TM_SPHINX_SURB_LEN], first[32];
    tm_sphinx_surb_keys keys;

    net_random(random, sizeof random, seed);
    assert_int_equal(tm_sphinx_surb_create(n->ctx, n->path, 1, random, random, random, surb, &keys), TM_SPHINX_OK);
    tm_sphinx_surb_use(n->ctx, surb, n->body, p, first);
  } else {
    net_create(n, i % 3 == 0 || b->kind[i] == BAD_TAG ? 1 : 4, seed, p);
  }
  b->len[i] = n->len - (b->kind[i] == BAD_LENGTH);
  if (b->kind[i] == BAD_ENCODING)
    p[31] |= 0x80;
  else if (b->kind[i] == BAD_ORDER)
    memset(p, 0, 32);
  else if (b->kind[i] == BAD_MAC)
    p[40 + i % 200] ^= 1;
  else if (b->kind[i] == BAD_COMMAND)
    net_forge(n, 0, p, difference);
  else if (b->kind[i] == BAD_TAG)
    p[n->len - 1] ^= 1;
  b->at[i] = b->packet[i];
  memcpy(b->packet[i], p, CAP);
}

/* What the packet becomes by itself, as far as it gets. */
static void run_alone(struct net *n, struct batch *b, size_t i)
{
  uint8_t *const at[1] = {b->alone[i]};
  tm_sphinx_hop hop;

  memcpy(b->alone[i], b->before[i], CAP);
  if (net_header(n, 0, b->alone[i], b->len[i], &hop) == TM_SPHINX_OK && b->kind[i] != REPLAYED)
    (void)tm_sphinx_unwrap_bodies(n->ctx, at, &hop, 1);
  assert_int_equal(hop.verdict, b->kind[i] == REPLAYED ? TM_SPHINX_OK : verdicts[b->kind[i]]);
}

static void check(struct net *n, struct batch *b)
{
  size_t headers = 0, bodies = 0, i;

  for (i = 0; i < b->n; i++) {
    make(n, b, i);
    run_alone(n, b, i);
    headers += b->kind[i] == GOOD || b->kind[i] == BAD_TAG || b->kind[i] == REPLAYED;
    bodies += b->kind[i] == GOOD;
  }
  memset(b->hop, 0x55, sizeof b->hop);
  assert_int_equal(tm_sphinx_unwrap_headers(n->ctx, n->key[0], b->at, b->len, b->hop, b->n), headers);
  assert_true(net_scratch_is_zero(n->ctx));
  for (i = 0; i < b->n; i++)
    if (b->kind[i] == REPLAYED)
      b->hop[i].verdict = TM_SPHINX_E_REPLAY;
  assert_int_equal(tm_sphinx_unwrap_bodies(n->ctx, b->at, b->hop, b->n), bodies);
  for (i = 0; i < b->n; i++) {
    assert_int_equal(b->hop[i].verdict, verdicts[b->kind[i]]);
    assert_memory_equal(b->packet[i], b->alone[i], CAP);
    if (b->kind[i] > GOOD && b->kind[i] < BAD_TAG)
      assert_memory_equal(b->packet[i], b->before[i], CAP);
  }
}

static void test_one_bad(void **state)
{
  struct net *n = net_new(TM_SPHINX_BODY_MIN);
  struct batch *b = calloc(1, sizeof *b);

  (void)state;
  b->n = SMALL;
  for (int kind = GOOD; kind < KINDS; kind++)
    for (size_t at = 0; at < SMALL; at++) {
      memset(b->kind, 0, sizeof b->kind);
      b->kind[at] = (enum kind)kind;
      check(n, b);
    }
  free(b);
  net_free(n);
}

static void test_one_good(void **state)
{
  struct net *n = net_new(TM_SPHINX_BODY_MIN);
  struct batch *b = calloc(1, sizeof *b);

  (void)state;
  b->n = SMALL;
  for (size_t at = 0; at <= SMALL; at++) {
    for (size_t i = 0; i < SMALL; i++)
      b->kind[i] = i == at ? GOOD : (enum kind)(1 + (i + at) % (KINDS - 1));
    check(n, b);
  }
  free(b);
  net_free(n);
}

/* Every size from nothing to a full batch, and more than one batch in a call. */
static void test_sizes(void **state)
{
  static const size_t sizes[] = {0, 1, 2, 3, 7, 8, 15, 16, 17, 31, 63, 64, 65, LARGE};
  struct net *n = net_new(TM_SPHINX_BODY_MIN);
  struct batch *b = calloc(1, sizeof *b);

  (void)state;
  for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
    b->n = sizes[s];
    for (size_t i = 0; i < b->n; i++)
      b->kind[i] = (enum kind)(i * 5 % (2 * KINDS) < KINDS ? i * 5 % KINDS : GOOD);
    check(n, b);
  }
  free(b);
  net_free(n);
}

/* Bodies of the largest size, in a full batch. */
static void test_large_bodies(void **state)
{
  struct net *n = net_new(TM_SPHINX_BODY_MAX);
  uint8_t *all = calloc(TM_SPHINX_BATCH_MAX, n->len), *at[TM_SPHINX_BATCH_MAX];
  size_t len[TM_SPHINX_BATCH_MAX];
  tm_sphinx_hop hop[TM_SPHINX_BATCH_MAX];

  (void)state;
  assert_non_null(all);
  for (size_t i = 0; i < TM_SPHINX_BATCH_MAX; i++) {
    at[i] = all + i * n->len;
    len[i] = n->len;
    net_create(n, 1, (uint32_t)i, at[i]);
  }
  at[5][n->len - 1] ^= 1;
  assert_int_equal(tm_sphinx_unwrap_headers(n->ctx, n->key[0], at, len, hop, TM_SPHINX_BATCH_MAX), TM_SPHINX_BATCH_MAX);
  assert_int_equal(tm_sphinx_unwrap_bodies(n->ctx, at, hop, TM_SPHINX_BATCH_MAX), TM_SPHINX_BATCH_MAX - 1);
  for (size_t i = 0; i < TM_SPHINX_BATCH_MAX; i++) {
    assert_int_equal(hop[i].verdict, i == 5 ? TM_SPHINX_E_TAG : TM_SPHINX_OK);
    if (i != 5)
      assert_memory_equal(at[i] + TM_SPHINX_HEADER_LEN + TM_SPHINX_TAG_LEN, n->body, TM_SPHINX_BODY_MAX);
  }
  free(all);
  net_free(n);
}

/* Packets and reply blocks that are made together are those that are made alone; bad ones between them stay zero. */
static void test_creation(void **state)
{
  static tm_sphinx_packet_job packets[LARGE];
  static tm_sphinx_surb_job surbs[LARGE];
  static uint8_t random[LARGE][TM_SPHINX_SURB_RANDOM_LEN], packet[LARGE][CAP], surb[LARGE][TM_SPHINX_SURB_LEN];
  static tm_sphinx_surb_keys keys[LARGE];
  struct net *n = net_new(TM_SPHINX_BODY_MIN);
  size_t bad = 0;

  (void)state;
  for (size_t i = 0; i < LARGE; i++) {
    /* Every path length, and three that are none. */
    size_t hops = i % 9 == 7 ? 0 : i % 9 == 8 ? TM_SPHINX_HOPS_MAX + 1 : i % TM_SPHINX_HOPS_MAX + 1;

    bad += hops == 0 || hops > TM_SPHINX_HOPS_MAX;
    net_random(random[i], sizeof random[i], (uint32_t)(500 + i));
    packets[i] = (tm_sphinx_packet_job){
      .path = n->path, .hops = hops, .body = n->body, .random = random[i], .packet = packet[i]};
    surbs[i] = (tm_sphinx_surb_job){.path = n->path, .hops = hops, .handle = random[0], .surb_id = random[1],
                                    .random = random[i], .surb = surb[i], .keys = &keys[i]};
  }
  assert_int_equal(tm_sphinx_create_many(n->ctx, packets, LARGE), LARGE - bad);
  assert_int_equal(tm_sphinx_surb_create_many(n->ctx, surbs, LARGE), LARGE - bad);
  assert_true(net_scratch_is_zero(n->ctx));
  for (size_t i = 0; i < LARGE; i++) {
    uint8_t one[CAP], block[TM_SPHINX_SURB_LEN];
    tm_sphinx_surb_keys k;

    assert_int_equal(tm_sphinx_create(n->ctx, n->path, packets[i].hops, n->body, random[i], one), packets[i].result);
    assert_memory_equal(one, packet[i], n->len);
    assert_int_equal(tm_sphinx_surb_create(n->ctx, n->path, surbs[i].hops, random[0], random[1], random[i], block, &k),
                     surbs[i].result);
    assert_memory_equal(block, surb[i], sizeof block);
    assert_memory_equal(&k, &keys[i], sizeof k);
  }
  net_free(n);
}

static int run(void)
{
  static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_one_bad),
    cmocka_unit_test(test_one_good),
    cmocka_unit_test(test_sizes),
    cmocka_unit_test(test_large_bodies),
    cmocka_unit_test(test_creation),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(void) { return net_run_backends(run); }
