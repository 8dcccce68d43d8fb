#include "config.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/log.h"

#include "relay/keys.h"

#define BACK_S 1 /* a smaller step back is not worth a word */

/* One key that lives, with its replay set; shared by the keysets that hold it. refs: under the mutex. */
struct live {
  uint64_t epoch;
  tm_sphinx_key *key;
  struct tm_replay_set *seen;
  unsigned refs;
};

/* public must stay first: a tm_keyset given out is one of these. */
struct holder {
  struct tm_keyset public;
  struct live *live[TM_KEYS_LIVE_MAX];
  unsigned refs;
};

struct tm_keys {
  struct tm_keys_config config;
  pthread_mutex_t mutex;
  struct holder *now; /* changed by the loop thread, under the mutex */
  uint64_t latest_s;  /* of all updates */
  bool went_back;     /* said that the clock did */
  bool done;          /* the last update did all there was to do, for this epoch: */
  uint64_t epoch;
  bool grace;
  uint64_t oldest;    /* epochs before it have been retired */
};

int tm_keys_new(struct tm_keys **out, const struct tm_keys_config *config)
{
  struct tm_keys *keys = calloc(1, sizeof *keys);
  struct holder *none = calloc(1, sizeof *none);

  *out = NULL;
  if (keys == NULL || none == NULL || pthread_mutex_init(&keys->mutex, NULL) != 0) {
    free(keys);
    free(none);
    return TM_E_NOMEM;
  }
  none->refs = 1;
  keys->now = none;
  keys->config = *config;
  *out = keys;
  return TM_OK;
}

/* The key first, its replay set after it. */
static void live_unref(struct live *live)
{
  if (--live->refs > 0)
    return;
  tm_sphinx_key_free(live->key);
  tm_replay_set_free(live->seen);
  free(live);
}

static void holder_unref(struct holder *h)
{
  if (--h->refs > 0)
    return;
  for (size_t i = 0; i < h->public.n; i++)
    live_unref(h->live[i]);
  free(h);
}

void tm_keys_free(struct tm_keys *keys)
{
  if (keys == NULL)
    return;
  holder_unref(keys->now);
  pthread_mutex_destroy(&keys->mutex);
  free(keys);
}

const struct tm_keyset *tm_keys_acquire(struct tm_keys *keys)
{
  struct holder *h;

  pthread_mutex_lock(&keys->mutex);
  h = keys->now;
  h->refs++;
  pthread_mutex_unlock(&keys->mutex);
  return &h->public;
}

void tm_keys_release(struct tm_keys *keys, const struct tm_keyset *set)
{
  struct holder *h = (struct holder *)(uintptr_t)set;

  pthread_mutex_lock(&keys->mutex);
  holder_unref(h);
  pthread_mutex_unlock(&keys->mutex);
}

static int live_load(struct tm_keys *keys, uint64_t epoch, struct live **out)
{
  struct live *live = calloc(1, sizeof *live);
  int err;

  *out = NULL;
  if (live == NULL)
    return TM_E_NOMEM;
  live->epoch = epoch;
  live->refs = 1;
  err = tm_mix_key_load(keys->config.state_dir, epoch, &live->key);
  if (err == TM_OK)
    err = tm_replay_set_new(&live->seen, keys->config.replay_max, keys->config.rng);
  if (err != TM_OK) {
    live_unref(live);
    return err;
  }
  *out = live;
  return TM_OK;
}

/* Puts the key of an epoch into the holder: the one that lives already (a second set would forget tags), or a fresh one. */
static int holder_add(struct tm_keys *keys, struct holder *h, uint64_t epoch)
{
  struct live *live = NULL;
  size_t at = h->public.n;

  for (size_t i = 0; i < keys->now->public.n; i++)
    if (keys->now->live[i]->epoch == epoch)
      live = keys->now->live[i];
  if (live != NULL)
    live->refs++;
  else {
    int err = live_load(keys, epoch, &live);
    if (err != TM_OK)
      return err;
  }
  h->live[at] = live;
  h->public.live[at].epoch = epoch;
  h->public.live[at].key = live->key;
  h->public.live[at].seen = live->seen;
  h->public.n++;
  return TM_OK;
}

/* Erases the files of epochs before first. */
static void erase_before(struct tm_keys *keys, uint64_t first)
{
  uint64_t *epochs;
  size_t n;

  if (tm_mix_keys_list(keys->config.state_dir, &epochs, &n) != TM_OK) {
    tm_log(TM_LOG_ERROR, "keys", "the state directory cannot be listed; old mix keys stay", TM_KV_END);
    return;
  }
  for (size_t i = 0; i < n && epochs[i] < first; i++) {
    int err = tm_mix_key_erase(keys->config.state_dir, epochs[i]);
    if (err == TM_OK)
      tm_log(TM_LOG_INFO, "keys", "mix key erased", TM_KV_INT("epoch", epochs[i]), TM_KV_END);
    else
      tm_log(TM_LOG_ERROR, "keys", "mix key could not be erased", TM_KV_INT("epoch", epochs[i]),
             TM_KV_NAME("reason", tm_strerror(err)), TM_KV_END);
  }
  free(epochs);
}

static void swap(struct tm_keys *keys, struct holder *next)
{
  struct holder *last = keys->now;

  pthread_mutex_lock(&keys->mutex);
  keys->now = next;
  holder_unref(last);
  pthread_mutex_unlock(&keys->mutex);
}

/* A clock that is set back must not bring back a retired key: its replay set is gone, and what was seen under it would pass again. */
static uint64_t never_back(struct tm_keys *keys, uint64_t now_s)
{
  if (now_s >= keys->latest_s) {
    keys->latest_s = now_s;
    keys->went_back = false;
  } else if (!keys->went_back && keys->latest_s - now_s > BACK_S) {
    keys->went_back = true;
    tm_log(TM_LOG_WARN, "keys", "the clock was set back; mix keys stay as they are until it has caught up", TM_KV_INT("seconds", keys->latest_s - now_s),
           TM_KV_END);
  }
  return keys->latest_s;
}

int tm_keys_update(struct tm_keys *keys, uint64_t wall_s, uint32_t epoch_s, uint32_t grace_s)
{
  uint64_t now_s = never_back(keys, wall_s);
  uint64_t epoch = now_s / epoch_s;
  /* A key that was retired stays so, also if a new document lengthens the grace: its replay set is gone. */
  bool grace = epoch > keys->oldest && now_s - epoch * epoch_s < grace_s;
  struct holder *next;
  int err;

  if (keys->done && keys->epoch == epoch && keys->grace == grace)
    return TM_OK;
  next = calloc(1, sizeof *next);
  if (next == NULL)
    return TM_E_NOMEM;
  next->refs = 1;
  /* refs of live keys are under the mutex, as workers release keysets meanwhile. Files are small and this is rare. */
  pthread_mutex_lock(&keys->mutex);
  err = holder_add(keys, next, epoch);
  if (grace && holder_add(keys, next, epoch - 1) != TM_OK && err == TM_OK)
    tm_log(TM_LOG_DEBUG, "keys", "no mix key for the epoch before", TM_KV_INT("epoch", epoch - 1), TM_KV_END);
  pthread_mutex_unlock(&keys->mutex);
  erase_before(keys, grace ? epoch - 1 : epoch);
  swap(keys, next);
  keys->done = err == TM_OK;
  keys->epoch = epoch;
  keys->grace = grace;
  if (keys->oldest < (grace ? epoch - 1 : epoch))
    keys->oldest = grace ? epoch - 1 : epoch;
  return err;
}
