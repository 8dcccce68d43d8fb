/* Workers: every verdict, both live keys, whole batches, several threads; and everything handed over comes back. */
#include "config.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>
#include <sodium.h>

#include "base/log.h"
#include "box/work.h"
#include "relay/counters.h"
#include "relay/store.h"
#include "relay/worker.h"

#define EPOCH_S 1000
#define SLAB 1024
/* Checks that a sanitizer puts in have costs of their own. */
#ifdef TM_INSTRUMENTED
#define SLACK 1.5
#else
#define SLACK 1.0
#endif

static char dir[64];
static struct tm_slab *slab;
static struct tm_replay *replay;
static struct tm_keys *keys;
static tm_sphinx *sphinx;

static int start(void **state)
{
  struct tm_keys_config config = {.state_dir = dir, .replay_max = 100000};

  (void)state;
  tm_log_set_level(TM_LOG_ERROR);
  snprintf(dir, sizeof dir, "/tmp/tidemill-test-worker-XXXXXX");
  if (mkdtemp(dir) == NULL || tm_slab_new(&slab, SLAB) != TM_OK || tm_replay_new(&replay) != TM_OK)
    return -1;
  config.replay = replay;
  for (uint64_t e = 9; e <= 11; e++)
    if (tm_mix_key_make(dir, e, &tm_rng_system) != TM_OK)
      return -1;
  return tm_keys_new(&keys, &config) == TM_OK && tm_sphinx_new(&sphinx, NULL, TM_SPHINX_BODY_LEN) == TM_SPHINX_OK ? 0 : -1;
}

static int stop(void **state)
{
  char command[96];

  (void)state;
  tm_keys_free(keys);
  tm_replay_free(replay);
  tm_slab_free(slab);
  tm_sphinx_free(sphinx);
  snprintf(command, sizeof command, "rm -rf '%s'", dir);
  return system(command);
}

static struct tm_worker *make(bool is_store)
{
  struct tm_worker_config config = {.slab = slab, .keys = keys, .replay = replay, .queue = 256, .batch_wait_ms = 2, .is_store = is_store};
  struct tm_worker *w;

  assert_int_equal(tm_worker_new(&w, &config), TM_OK);
  return w;
}

/* An item with a packet for our key of that epoch; hops: 1 is delivered here, 2 is forwarded. */
static uint32_t packet_for(uint64_t epoch, size_t hops, const uint8_t *body)
{
  static const uint8_t zeros[TM_SPHINX_BODY_LEN];
  uint8_t random[TM_SPHINX_CREATE_RANDOM_LEN];
  tm_sphinx_node path[2];
  tm_sphinx_key *key;
  uint32_t index = tm_slab_take(slab);

  assert_int_not_equal(index, TM_SLAB_NONE);
  assert_int_equal(tm_mix_key_load(dir, epoch, &key), TM_OK);
  memset(path, 0x42, sizeof path);
  for (size_t i = 0; i < 2; i++) {
    tm_sphinx_key_point(key, path[i].mix_point);
    path[i].delay_ms = 77;
  }
  tm_sphinx_key_free(key);
  randombytes_buf(random, sizeof random);
  assert_int_equal(tm_sphinx_create(sphinx, path, hops, body != NULL ? body : zeros, random, tm_slab_item(slab, index)->packet),
                   TM_SPHINX_OK);
  return index;
}

static uint32_t copy_of(uint32_t index)
{
  uint32_t copy = tm_slab_take(slab);

  memcpy(tm_slab_item(slab, copy)->packet, tm_slab_item(slab, index)->packet, TM_SPHINX_PACKET_LEN);
  return copy;
}

/* Hands n items over and waits until they are back, in any order of batches. */
static void pass(struct tm_worker *w, const uint32_t *items, size_t n)
{
  uint32_t back[64];
  size_t got = 0, m;

  tm_worker_rearm(w);
  assert_int_equal(tm_worker_push(w, items, n), n);
  while (got < n) {
    struct pollfd p = {.fd = tm_worker_fd(w), .events = POLLIN};
    assert_true(tm_worker_held(w) <= n);
    assert_int_equal(poll(&p, 1, 5000), 1);
    tm_worker_rearm(w);
    while ((m = tm_worker_pop(w, back, 64)) > 0)
      for (size_t i = 0; i < m; i++)
        assert_int_equal(back[i], items[got++]); /* one worker keeps the order; the mix destroys it */
  }
  assert_int_equal(tm_worker_held(w), 0);
}

static enum tm_drop pass_one(struct tm_worker *w, uint32_t index)
{
  enum tm_drop reason;

  pass(w, &index, 1);
  reason = (enum tm_drop)tm_slab_item(slab, index)->drop;
  return reason;
}

static void test_verdicts(void **state)
{
  struct tm_worker *w = make(false);
  uint32_t good, again, bad, past = packet_for(9, 2, NULL);
  struct tm_item *item;

  (void)state;
  assert_int_equal(tm_keys_update(keys, 10500, EPOCH_S, 100), TM_OK);
  good = packet_for(10, 2, NULL);
  again = copy_of(good);
  bad = copy_of(good);
  assert_int_equal(pass_one(w, good), TM_DROP_NONE);
  item = tm_slab_item(slab, good);
  assert_int_equal(item->command, TM_SPHINX_FORWARD);
  assert_int_equal(item->delay_ms, 77);
  assert_int_equal(item->next[0], 0x42);
  assert_true(item->ticket > 0);
  assert_int_equal(pass_one(w, again), TM_DROP_REPLAY);
  tm_slab_item(slab, bad)->packet[100] ^= 4;
  assert_int_equal(pass_one(w, bad), TM_DROP_MAC);
  memset(tm_slab_item(slab, bad)->packet, 0, 32);
  assert_int_equal(pass_one(w, bad), TM_DROP_LOW_ORDER);
  memset(tm_slab_item(slab, bad)->packet, 0xff, 32);
  assert_int_equal(pass_one(w, bad), TM_DROP_NONCANONICAL);
  bad = packet_for(10, 1, NULL);
  tm_slab_item(slab, bad)->packet[TM_SPHINX_PACKET_LEN - 5] ^= 1;
  assert_int_equal(pass_one(w, bad), TM_DROP_TAG);
  assert_int_equal(pass_one(w, past), TM_DROP_MAC); /* the grace is over */
  assert_int_equal(pass_one(w, packet_for(11, 2, NULL)), TM_DROP_MAC); /* too early */
  tm_worker_free(w);
}

static void test_both_keys(void **state)
{
  struct tm_worker *w = make(false);
  uint32_t items[64], copies[64];

  (void)state;
  assert_int_equal(tm_keys_update(keys, 10050, EPOCH_S, 100), TM_OK);
  for (size_t i = 0; i < 64; i++) {
    items[i] = packet_for(i % 3 == 0 ? 9 : 10, 2, NULL);
    copies[i] = copy_of(items[i]);
    if (i % 5 == 0)
      tm_slab_item(slab, items[i])->packet[TM_SPHINX_HEADER_LEN - 1] ^= 1;
  }
  pass(w, items, 64);
  for (size_t i = 0; i < 64; i++)
    assert_int_equal(tm_slab_item(slab, items[i])->drop, i % 5 == 0 ? TM_DROP_MAC : TM_DROP_NONE);
  pass(w, copies, 64); /* a forgery has put nothing into the set */
  for (size_t i = 0; i < 64; i++)
    assert_int_equal(tm_slab_item(slab, copies[i])->drop, i % 5 == 0 ? TM_DROP_NONE : TM_DROP_REPLAY);
  tm_worker_free(w);
}

static void test_no_key(void **state)
{
  struct tm_worker *w = make(false);

  (void)state;
  assert_int_equal(pass_one(w, packet_for(10, 2, NULL)), TM_DROP_NO_KEY);
  assert_int_equal(tm_keys_update(keys, 10500, EPOCH_S, 100), TM_OK);
  assert_int_equal(pass_one(w, packet_for(10, 2, NULL)), TM_DROP_NONE);
  tm_worker_free(w);
}

/* ---- work ---- */

#define WORK_BITS 9

static struct tm_worker *make_store(struct tm_store **store)
{
  static char path[80];
  struct tm_store_config s = {.slab = slab, .clock = &tm_clock_system, .path = path, .quota = 100, .queue = 64};
  struct tm_worker_config config = {.slab = slab, .keys = keys, .replay = replay, .queue = 256, .batch_wait_ms = 2, .is_store = true};
  struct tm_worker *w;

  snprintf(path, sizeof path, "%s/boxes.db", dir);
  assert_int_equal(tm_store_new(store, &s), TM_OK);
  tm_store_set_work(*store, WORK_BITS);
  config.store = *store;
  memset(config.identity, 0x77, sizeof config.identity);
  assert_int_equal(tm_worker_new(&w, &config), TM_OK);
  return w;
}

/* Exactly so many bits, for the store of that identity. */
static uint64_t proof(uint8_t identity, uint64_t epoch, const uint8_t id[static TM_BOX_ID_LEN], unsigned bits)
{
  struct tm_box_work work = {.epoch = epoch, .bits = bits};

  memset(work.store, identity, sizeof work.store);
  memcpy(work.id, id, sizeof work.id);
  for (;; work.nonce++)
    if (tm_box_work_search(&work, 1000000) && tm_box_work_bits(work.store, epoch, id, work.nonce) == bits)
      return work.nonce;
}

/* The verdict on a put under key 10 with that nonce. */
static bool is_worked(struct tm_worker *w, uint64_t nonce, const uint8_t *id, const uint8_t *signature, const uint8_t *box)
{
  uint8_t surb[TM_SPHINX_SURB_LEN] = {6}, token[TM_BOX_TOKEN_LEN], body[TM_SPHINX_BODY_LEN];
  uint32_t index;
  bool worked;

  tm_box_work_token(nonce, token);
  tm_box_put_write(body, token, surb, id, signature, box);
  index = packet_for(10, 1, body);
  assert_int_equal(pass_one(w, index), TM_DROP_NONE);
  worked = tm_slab_item(slab, index)->work_good;
  assert_int_equal(tm_slab_item(slab, index)->box_good, worked); /* without work the signature is not looked at */
  tm_slab_give(slab, index);
  return worked;
}

static void test_work(void **state)
{
  struct tm_store *store;
  struct tm_worker *w = make_store(&store);
  struct tm_box_writer writer;
  uint8_t seed[TM_BOX_SEED_LEN] = {3}, random[TM_BOX_SEAL_RANDOM_LEN] = {4}, text[TM_BOX_TEXT_LEN] = {5};
  uint8_t id[TM_BOX_ID_LEN], other[TM_BOX_ID_LEN], box[TM_BOX_LEN], signature[TM_BOX_SIGNATURE_LEN];

  (void)state;
  tm_box_writer_init(&writer, seed, 0);
  assert_int_equal(tm_box_seal(&writer, text, random, id, box, signature), TM_OK);
  memcpy(other, id, sizeof other);
  other[0] ^= 1;
  assert_int_equal(tm_keys_update(keys, 10050, EPOCH_S, 100), TM_OK); /* the grace of epoch 9 */
  assert_true(is_worked(w, proof(0x77, 10, id, WORK_BITS), id, signature, box));
  assert_true(is_worked(w, proof(0x77, 10, id, WORK_BITS + 2), id, signature, box));
  assert_false(is_worked(w, proof(0x77, 10, id, WORK_BITS - 1), id, signature, box));
  assert_true(is_worked(w, proof(0x77, 9, id, WORK_BITS), id, signature, box));
  assert_int_equal(tm_keys_update(keys, 10500, EPOCH_S, 100), TM_OK); /* and after it */
  assert_false(is_worked(w, proof(0x77, 9, id, WORK_BITS), id, signature, box));
  assert_false(is_worked(w, proof(0x77, 11, id, WORK_BITS), id, signature, box));
  assert_false(is_worked(w, proof(0x78, 10, id, WORK_BITS), id, signature, box));
  assert_false(is_worked(w, proof(0x77, 10, other, WORK_BITS), id, signature, box));
  tm_store_set_work(store, 0);
  assert_true(is_worked(w, proof(0x77, 10, id, 0), id, signature, box));
  tm_worker_free(w);
  tm_store_free(store);
}

static void test_requests(void **state)
{
  struct tm_worker *w = make(true);
  struct tm_box_writer writer;
  uint8_t seed[TM_BOX_SEED_LEN] = {3}, random[TM_BOX_SEAL_RANDOM_LEN] = {4}, text[TM_BOX_TEXT_LEN] = {5};
  uint8_t surb[TM_SPHINX_SURB_LEN] = {6}, filling[TM_BOX_GET_RANDOM_LEN] = {7};
  uint8_t id[TM_BOX_ID_LEN], box[TM_BOX_LEN], signature[TM_BOX_SIGNATURE_LEN], body[TM_SPHINX_BODY_LEN];
  uint32_t index;

  (void)state;
  assert_int_equal(tm_keys_update(keys, 10500, EPOCH_S, 100), TM_OK);
  tm_box_writer_init(&writer, seed, 0);
  assert_int_equal(tm_box_seal(&writer, text, random, id, box, signature), TM_OK);
  tm_box_put_write(body, NULL, surb, id, signature, box);
  index = packet_for(10, 1, body);
  assert_int_equal(pass_one(w, index), TM_DROP_NONE);
  assert_int_equal(tm_slab_item(slab, index)->command, TM_SPHINX_DELIVER);
  assert_true(tm_slab_item(slab, index)->box_good);
  box[0] ^= 1;
  tm_box_put_write(body, NULL, surb, id, signature, box);
  index = packet_for(10, 1, body);
  assert_int_equal(pass_one(w, index), TM_DROP_NONE); /* the store answers REFUSED */
  assert_false(tm_slab_item(slab, index)->box_good);
  tm_box_get_write(body, NULL, surb, id, filling);
  assert_int_equal(pass_one(w, packet_for(10, 1, body)), TM_DROP_NONE);
  body[0] = 99;
  assert_int_equal(pass_one(w, packet_for(10, 1, body)), TM_DROP_STORE_MALFORMED);
  tm_worker_free(w);
}

/* The queue is bounded, and no item is lost or doubled while three workers share sets and keys. */
static void test_many(void **state)
{
  enum { WORKERS = 3, N = 600 };
  struct tm_worker *w[WORKERS];
  uint32_t items[N], back[64];
  unsigned seen[SLAB] = {0};
  size_t handed = 0, got = 0, good = 0, known = 0;

  (void)state;
  assert_int_equal(tm_keys_update(keys, 10050, EPOCH_S, 100), TM_OK);
  for (size_t i = 0; i < N; i += 2) {
    items[i] = packet_for(i % 4 == 0 ? 10 : 9, 2, NULL);
    items[i + 1] = copy_of(items[i]);
  }
  for (size_t k = 0; k < WORKERS; k++)
    w[k] = make(false);
  while (got < N)
    for (size_t k = 0; k < WORKERS; k++) {
      size_t m = tm_worker_push(w[k], items + handed, N - handed < 7 ? N - handed : 7);
      handed += m;
      assert_true(tm_worker_held(w[k]) <= 256);
      m = tm_worker_pop(w[k], back, 64);
      for (size_t i = 0; i < m; i++, got++) {
        uint8_t drop = tm_slab_item(slab, back[i])->drop;
        assert_int_equal(seen[back[i]]++, 0);
        good += drop == TM_DROP_NONE;
        known += drop == TM_DROP_REPLAY;
      }
    }
  assert_int_equal(good, N / 2); /* of each pair one, whichever worker was first */
  assert_int_equal(known, N / 2);
  for (size_t k = 0; k < WORKERS; k++) {
    assert_int_equal(tm_worker_held(w[k]), 0);
    tm_worker_free(w[k]);
  }
}

static void test_queue_is_bounded(void **state)
{
  struct tm_worker *w = make(false);
  uint32_t items[400], back[400];
  size_t got = 0;

  (void)state;
  assert_int_equal(tm_keys_update(keys, 10500, EPOCH_S, 100), TM_OK);
  for (size_t i = 0; i < 400; i++)
    items[i] = tm_slab_take(slab); /* zeros: quick to refuse */
  assert_int_equal(tm_worker_push(w, items, 400), 256);
  while (tm_worker_held(w) < 256)
    continue;
  assert_int_equal(tm_worker_push(w, items + 256, 144), 0); /* until some were taken back */
  while (got < 256)
    got += tm_worker_pop(w, back + got, 400 - got);
  assert_int_equal(tm_worker_push(w, items + 256, 144), 144);
  while (got < 400)
    got += tm_worker_pop(w, back + got, 400 - got);
  tm_worker_free(w);
}

/* ---- what a forgery costs ---- */

static double cpu_us(void)
{
  struct timespec t;

  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

/* The process's CPU for a packet on its way through a worker, the least of some rounds: whatever else the machine does only adds. */
static double cost_of_one(struct tm_worker *w, bool forged, enum tm_drop expected)
{
  enum { N = 256, ROUNDS = 6 };
  double least = 1e12;
  uint32_t items[N];

  for (size_t round = 0; round < ROUNDS; round++) {
    double before;
    for (size_t i = 0; i < N; i++) {
      items[i] = packet_for(10, 2, NULL);
      if (forged)
        tm_slab_item(slab, items[i])->packet[TM_SPHINX_HEADER_LEN - 1] ^= 1;
    }
    before = cpu_us();
    pass(w, items, N);
    before = (cpu_us() - before) / N;
    if (before < least)
      least = before;
    for (size_t i = 0; i < N; i++) {
      assert_int_equal(tm_slab_item(slab, items[i])->drop, expected);
      tm_slab_give(slab, items[i]);
    }
  }
  return least;
}

/* A flood of forgeries costs less than one of good packets, which anybody may send: at most 60%, and as much while two keys live. */
static void test_a_forgery_is_cheap(void **state)
{
  struct tm_worker *w = make(false);
  double good, one, two;

  (void)state;
  assert_int_equal(tm_keys_update(keys, 10050, EPOCH_S, 100), TM_OK);
  two = cost_of_one(w, true, TM_DROP_MAC);
  assert_int_equal(tm_keys_update(keys, 10500, EPOCH_S, 100), TM_OK);
  good = cost_of_one(w, false, TM_DROP_NONE);
  one = cost_of_one(w, true, TM_DROP_MAC);
  tm_worker_free(w);
  print_message("CPU us in a worker: good %.1f, forged %.1f (%.0f%%), with two keys %.1f (%.0f%%)\n", good, one, 100 * one / good, two,
                100 * two / good);
  assert_true(one <= SLACK * 0.6 * good);
  assert_true(two <= SLACK * good);
  assert_true(two > 1.2 * one); /* else the second key was not tried, and this measured something else */
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(test_a_forgery_is_cheap, start, stop),
    cmocka_unit_test_setup_teardown(test_verdicts, start, stop),
    cmocka_unit_test_setup_teardown(test_both_keys, start, stop),
    cmocka_unit_test_setup_teardown(test_no_key, start, stop),
    cmocka_unit_test_setup_teardown(test_requests, start, stop),
    cmocka_unit_test_setup_teardown(test_work, start, stop),
    cmocka_unit_test_setup_teardown(test_many, start, stop),
    cmocka_unit_test_setup_teardown(test_queue_is_bounded, start, stop),
  };

  if (sodium_init() < 0)
    return 1;
  return cmocka_run_group_tests_name("worker", tests, NULL, NULL);
}
