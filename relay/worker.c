#include "config.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "box/request.h"
#include "box/work.h"
#include "relay/counters.h"
#include "relay/ring.h"
#include "relay/store.h"

#include "relay/worker.h"

#define BATCH TM_SPHINX_BATCH_MAX

struct tm_worker {
  struct tm_worker_config config;
  struct tm_ring *in, *out;
  tm_sphinx *sphinx;
  pthread_t thread;
  atomic_bool stop;

  /* Items move from ring to batch to ring under it, once a batch, so that the loop thread can count them at one moment. */
  pthread_mutex_t mutex;
  size_t busy; /* in the batch */
  uint64_t turns;

  size_t with; /* loop thread: handed over and not taken back; bounds both rings */

  /* The batch; the thread's own. */
  uint32_t index[BATCH];
  struct tm_item *item[BATCH];
  uint8_t *packet[BATCH];
  size_t len[BATCH];
  tm_sphinx_hop hop[BATCH], again_hop[BATCH];
  struct tm_replay_query query[BATCH];
  size_t asked[BATCH];   /* query i is about packet asked[i] */
  uint8_t key_of[BATCH]; /* which live key opened packet i */
};

/* Second chance under another key for those that failed the MAC: forged, or made for that key. */
static void headers_again(struct tm_worker *w, const struct tm_keyset *keys, size_t k, size_t n)
{
  uint8_t *packet[BATCH];
  size_t len[BATCH];
  size_t of[BATCH];
  size_t m = 0;

  for (size_t i = 0; i < n; i++)
    if (w->hop[i].verdict == TM_SPHINX_E_MAC) {
      of[m] = i;
      packet[m] = w->packet[i];
      len[m++] = w->len[i];
    }
  if (m == 0)
    return;
  tm_sphinx_unwrap_headers(w->sphinx, keys->live[k].key, packet, len, w->again_hop, m);
  for (size_t j = 0; j < m; j++) {
    w->hop[of[j]] = w->again_hop[j];
    w->key_of[of[j]] = (uint8_t)k;
  }
  sodium_memzero(w->again_hop, m * sizeof w->again_hop[0]);
}

static void headers(struct tm_worker *w, const struct tm_keyset *keys, size_t n)
{
  tm_sphinx_unwrap_headers(w->sphinx, keys->live[0].key, w->packet, w->len, w->hop, n);
  memset(w->key_of, 0, sizeof w->key_of);
  for (size_t k = 1; k < keys->n; k++)
    headers_again(w, keys, k, n);
}

/* Inserts and tests the tags of the good ones, and gives each the batch's ticket. */
static void replays(struct tm_worker *w, const struct tm_keyset *keys, size_t n)
{
  uint64_t ticket;
  size_t m = 0;

  for (size_t i = 0; i < n; i++)
    if (w->hop[i].verdict == TM_SPHINX_OK) {
      w->query[m].set = keys->live[w->key_of[i]].seen;
      memcpy(w->query[m].tag, w->hop[i].replay_tag, sizeof w->query[m].tag);
      w->asked[m++] = i;
    }
  if (m == 0)
    return;
  ticket = tm_replay_check(w->config.replay, w->query, m);
  for (size_t j = 0; j < m; j++) {
    size_t i = w->asked[j];
    w->item[i]->ticket = ticket;
    if (w->query[j].verdict != TM_REPLAY_NEW)
      w->hop[i].verdict = TM_SPHINX_E_REPLAY;
    if (w->query[j].verdict == TM_REPLAY_FULL)
      w->item[i]->drop = TM_DROP_REPLAY_FULL;
    if (w->query[j].verdict == TM_REPLAY_FAILED)
      w->item[i]->drop = TM_DROP_REPLAY_JOURNAL;
  }
  sodium_memzero(w->query, m * sizeof w->query[0]);
}

/* Enough work for this store, in one of the epochs whose keys live? */
static bool is_worked(const struct tm_worker *w, const struct tm_keyset *keys, const struct tm_box_request *r)
{
  unsigned taken = w->config.store == NULL ? 0 : tm_store_work_taken(w->config.store);
  uint64_t nonce = tm_box_work_nonce(r->token);
  bool good = taken == 0;

  for (size_t k = 0; k < keys->n && !good; k++)
    good = tm_box_work_bits(w->config.identity, keys->live[k].epoch, r->id, nonce) >= taken;
  return good;
}

/*
 * A store's request: is it one, and is a box that it brings worked for and signed? Done here because there are many workers and one store
 * thread. The work first: a flood without it costs a hash or two for each put, not a signature's verification.
 */
static void judge_request(const struct tm_worker *w, const struct tm_keyset *keys, struct tm_item *item)
{
  struct tm_box_request request;

  if (tm_box_request_parse(item->packet + TM_SPHINX_HEADER_LEN + TM_SPHINX_TAG_LEN, &request) != TM_OK) {
    item->drop = TM_DROP_STORE_MALFORMED;
    return;
  }
  if (request.op != TM_BOX_PUT)
    return;
  item->work_good = is_worked(w, keys, &request);
  if (item->work_good)
    item->box_good = tm_box_verify(request.id, request.box, request.signature) == TM_OK;
}

static void finish(struct tm_worker *w, const struct tm_keyset *keys, size_t i)
{
  struct tm_item *item = w->item[i];
  const tm_sphinx_hop *hop = &w->hop[i];

  if (item->drop == TM_DROP_NONE)
    item->drop = (uint8_t)tm_drop_of_verdict(hop->verdict);
  if (item->drop != TM_DROP_NONE)
    return;
  item->command = hop->command;
  item->delay_ms = hop->delay_ms;
  memcpy(item->next, hop->next, sizeof item->next);
  if (hop->command == TM_SPHINX_DELIVER && w->config.is_store)
    judge_request(w, keys, item);
}

static void open_batch(struct tm_worker *w, size_t n)
{
  const struct tm_keyset *keys = tm_keys_acquire(w->config.keys);

  for (size_t i = 0; i < n; i++) {
    w->item[i] = tm_slab_item(w->config.slab, w->index[i]);
    w->packet[i] = w->item[i]->packet;
    w->len[i] = TM_SPHINX_PACKET_LEN;
    w->item[i]->drop = keys->n > 0 ? TM_DROP_NONE : TM_DROP_NO_KEY;
  }
  if (keys->n > 0) {
    headers(w, keys, n);
    replays(w, keys, n);
    tm_sphinx_unwrap_bodies(w->sphinx, w->packet, w->hop, n);
    for (size_t i = 0; i < n; i++)
      finish(w, keys, i);
    sodium_memzero(w->hop, n * sizeof w->hop[0]);
  }
  tm_keys_release(w->config.keys, keys);
}

static size_t take_batch(struct tm_worker *w)
{
  size_t n;

  pthread_mutex_lock(&w->mutex);
  n = tm_ring_pop(w->in, w->index, BATCH);
  w->busy = n;
  pthread_mutex_unlock(&w->mutex);
  return n;
}

static void give_batch(struct tm_worker *w, size_t n)
{
  pthread_mutex_lock(&w->mutex);
  if (tm_ring_push(w->out, w->index, n) != n)
    abort(); /* `with` keeps the ring from ever being full */
  w->busy = 0;
  w->turns++;
  pthread_mutex_unlock(&w->mutex);
}

static void *run(void *arg)
{
  struct tm_worker *w = arg;

  while (!atomic_load(&w->stop)) {
    size_t n = tm_ring_wait(w->in, 1, -1);
    /* A few milliseconds are nothing to a mix, and full lanes are much to a vector unit. */
    if (n > 0 && n < BATCH && w->config.batch_wait_ms > 0 && !atomic_load(&w->stop))
      tm_ring_wait(w->in, BATCH, (int)w->config.batch_wait_ms);
    while ((n = take_batch(w)) > 0) {
      open_batch(w, n);
      give_batch(w, n);
      if (n < BATCH || atomic_load(&w->stop))
        break;
    }
  }
  return NULL;
}

static int build(struct tm_worker *w)
{
  int err;

  if (tm_sphinx_new(&w->sphinx, NULL, TM_SPHINX_BODY_LEN) != TM_SPHINX_OK)
    return TM_E_STATE;
  err = tm_ring_new(&w->in, w->config.queue);
  if (err == TM_OK)
    err = tm_ring_new(&w->out, w->config.queue);
  return err;
}

static void dismantle(struct tm_worker *w)
{
  tm_ring_free(w->in);
  tm_ring_free(w->out);
  tm_sphinx_free(w->sphinx);
  pthread_mutex_destroy(&w->mutex);
  sodium_memzero(w, sizeof *w);
  free(w);
}

int tm_worker_new(struct tm_worker **out, const struct tm_worker_config *config)
{
  struct tm_worker *w = calloc(1, sizeof *w);
  int err;

  *out = NULL;
  if (w == NULL)
    return TM_E_NOMEM;
  w->config = *config;
  atomic_init(&w->stop, false);
  if (pthread_mutex_init(&w->mutex, NULL) != 0) {
    free(w);
    return TM_E_NOMEM;
  }
  err = build(w);
  if (err == TM_OK && pthread_create(&w->thread, NULL, run, w) != 0)
    err = TM_E_IO;
  if (err != TM_OK) {
    dismantle(w);
    return err;
  }
  (void)pthread_setname_np(w->thread, "worker"); /* for top */
  *out = w;
  return TM_OK;
}

void tm_worker_free(struct tm_worker *worker)
{
  if (worker == NULL)
    return;
  atomic_store(&worker->stop, true);
  tm_ring_kick(worker->in);
  pthread_join(worker->thread, NULL);
  dismantle(worker);
}

size_t tm_worker_room(const struct tm_worker *worker) { return worker->config.queue - worker->with; }

size_t tm_worker_push(struct tm_worker *worker, const uint32_t *items, size_t n)
{
  size_t room = tm_worker_room(worker);
  size_t pushed = tm_ring_push(worker->in, items, n < room ? n : room);

  worker->with += pushed;
  return pushed;
}

size_t tm_worker_pop(struct tm_worker *worker, uint32_t *items, size_t cap)
{
  size_t n = tm_ring_pop(worker->out, items, cap);

  worker->with -= n;
  return n;
}

int tm_worker_fd(const struct tm_worker *worker) { return tm_ring_fd(worker->out); }
void tm_worker_rearm(struct tm_worker *worker) { tm_ring_rearm(worker->out); }

size_t tm_worker_held(struct tm_worker *worker)
{
  size_t n;

  pthread_mutex_lock(&worker->mutex);
  n = tm_ring_count(worker->in) + worker->busy + tm_ring_count(worker->out);
  pthread_mutex_unlock(&worker->mutex);
  return n;
}

struct tm_turns tm_worker_turns(struct tm_worker *worker)
{
  struct tm_turns turns;

  pthread_mutex_lock(&worker->mutex);
  turns = (struct tm_turns){.n = worker->turns, .work = worker->busy > 0 || tm_ring_count(worker->in) > 0};
  pthread_mutex_unlock(&worker->mutex);
  return turns;
}
