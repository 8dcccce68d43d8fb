#include "config.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

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
  uint32_t epoch_s;   /* what the keys are numbered for, as far as it was compared; 0: not yet */
  uint32_t said_epoch_s; /* the wrong length that was complained about last */
  uint64_t destroyed[TM_KEYS_LIVE_MAX]; /* the latest epochs whose key was; they never come back, even if the file could not be erased */
  size_t n_destroyed;
  uint64_t said_epoch; /* what was said about a journal last */
  int said;
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

static bool was_destroyed(const struct tm_keys *keys, uint64_t epoch)
{
  for (size_t i = 0; i < keys->n_destroyed && i < TM_KEYS_LIVE_MAX; i++)
    if (keys->destroyed[i] == epoch)
      return true;
  return false;
}

static void destroy(struct tm_keys *keys, uint64_t epoch, const char *why)
{
  int err = tm_mix_key_erase(keys->config.state_dir, epoch);

  keys->destroyed[keys->n_destroyed++ % TM_KEYS_LIVE_MAX] = epoch;
  tm_log(TM_LOG_ERROR, "keys", "mix key destroyed: replays could not be told any more", TM_KV_INT("epoch", epoch), TM_KV_NAME("reason", why),
         TM_KV_END);
  if (err != TM_OK)
    tm_log(TM_LOG_ERROR, "keys", "its file could not be erased; remove it before the relay is started again", TM_KV_INT("epoch", epoch),
           TM_KV_NAME("reason", tm_strerror(err)), TM_KV_END);
}

/* A journal that is not what it should be ends its key. One that cannot be read now may be readable later. */
static int no_journal(struct tm_keys *keys, uint64_t epoch, int err)
{
  switch (err) {
  case TM_E_NOT_FOUND:
    destroy(keys, epoch, "its replay journal is missing");
    return TM_E_STATE;
  case TM_E_AUTH:
    destroy(keys, epoch, "its replay journal belongs to another key, or its beginning is damaged");
    return TM_E_STATE;
  case TM_E_SYNTAX:
    destroy(keys, epoch, "its replay journal is damaged");
    return TM_E_STATE;
  default:
    if (keys->said != err || keys->said_epoch != epoch)
      tm_log(TM_LOG_ERROR, "keys", "the replay journal of a mix key cannot be used now; the key waits", TM_KV_INT("epoch", epoch),
             TM_KV_NAME("reason", err == TM_E_IO ? strerror(errno) : tm_strerror(err)), TM_KV_END);
    keys->said = err;
    keys->said_epoch = epoch;
    return err;
  }
}

static int open_seen(struct tm_keys *keys, uint64_t epoch, const struct tm_journal_keys *secrets, struct tm_replay_set **seen)
{
  char *path = tm_mix_journal_path(keys->config.state_dir, epoch);
  int err;

  if (path == NULL)
    return TM_E_NOMEM;
  err = tm_replay_set_open(seen, keys->config.replay, keys->config.replay_max, path, secrets, epoch);
  if (err != TM_OK)
    err = no_journal(keys, epoch, err);
  free(path);
  return err;
}

static int live_load(struct tm_keys *keys, uint64_t epoch, struct live **out)
{
  struct live *live;
  struct tm_journal_keys secrets;
  int err;

  *out = NULL;
  if (was_destroyed(keys, epoch))
    return TM_E_STATE;
  live = calloc(1, sizeof *live);
  if (live == NULL)
    return TM_E_NOMEM;
  live->epoch = epoch;
  live->refs = 1;
  err = tm_mix_key_open(keys->config.state_dir, epoch, &live->key, &secrets);
  if (err == TM_OK)
    err = open_seen(keys, epoch, &secrets, &live->seen);
  sodium_memzero(&secrets, sizeof secrets);
  if (err != TM_OK) {
    live_unref(live);
    return err;
  }
  *out = live;
  return TM_OK;
}

static struct live *find_live(const struct tm_keys *keys, uint64_t epoch)
{
  for (size_t i = 0; i < keys->now->public.n; i++)
    if (keys->now->live[i]->epoch == epoch)
      return keys->now->live[i];
  return NULL;
}

static bool any_failed(const struct tm_keys *keys)
{
  for (size_t i = 0; i < keys->now->public.n; i++)
    if (tm_replay_set_failed(keys->now->live[i]->seen))
      return true;
  return false;
}

/* Puts the key of an epoch into the holder: the one that lives already (its file is open once only), or a fresh one. */
static int holder_add(struct tm_keys *keys, struct holder *h, uint64_t epoch)
{
  struct live *live = find_live(keys, epoch);
  size_t at = h->public.n;
  int err;

  if (live != NULL && tm_replay_set_failed(live->seen)) {
    if (!was_destroyed(keys, epoch))
      destroy(keys, epoch, "its replay journal cannot be written");
    return TM_E_STATE;
  }
  if (live != NULL) {
    pthread_mutex_lock(&keys->mutex);
    live->refs++;
    pthread_mutex_unlock(&keys->mutex);
  } else if ((err = live_load(keys, epoch, &live)) != TM_OK)
    return err;
  h->live[at] = live;
  h->public.live[at].epoch = epoch;
  h->public.live[at].key = live->key;
  h->public.live[at].seen = live->seen;
  h->public.n++;
  return TM_OK;
}

/* Erases the files of those epochs before first. */
static void erase_listed(struct tm_keys *keys, uint64_t first, int (*list)(const char *state_dir, uint64_t **epochs, size_t *n))
{
  uint64_t *epochs;
  size_t n;

  if (list(keys->config.state_dir, &epochs, &n) != TM_OK) {
    tm_log(TM_LOG_ERROR, "keys", "the state directory cannot be listed; old mix keys stay", TM_KV_END);
    return;
  }
  for (size_t i = 0; i < n && epochs[i] < first; i++) {
    int err = tm_mix_key_erase(keys->config.state_dir, epochs[i]);
    if (err == TM_OK)
      tm_log(TM_LOG_INFO, "keys", "mix key erased", TM_KV_INT("epoch", epochs[i]), TM_KV_END);
    else if (err != TM_E_NOT_FOUND)
      tm_log(TM_LOG_ERROR, "keys", "mix key could not be erased", TM_KV_INT("epoch", epochs[i]),
             TM_KV_NAME("reason", tm_strerror(err)), TM_KV_END);
  }
  free(epochs);
}

/* Keys with their journals, then journals whose key has gone before. */
static void erase_before(struct tm_keys *keys, uint64_t first)
{
  erase_listed(keys, first, tm_mix_keys_list);
  erase_listed(keys, first, tm_mix_journals_list);
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

static int update(struct tm_keys *keys, uint64_t wall_s, uint32_t epoch_s, uint32_t grace_s)
{
  uint64_t now_s = never_back(keys, wall_s);
  uint64_t epoch = now_s / epoch_s;
  /* A key that was retired stays so, also if a new document lengthens the grace: its replay set is gone. */
  bool grace = epoch > keys->oldest && now_s - epoch * epoch_s < grace_s;
  struct holder *next;
  int err;

  if (keys->done && keys->epoch == epoch && keys->grace == grace && !any_failed(keys))
    return TM_OK;
  next = calloc(1, sizeof *next);
  if (next == NULL)
    return TM_E_NOMEM;
  next->refs = 1;
  err = holder_add(keys, next, epoch);
  if (grace && holder_add(keys, next, epoch - 1) != TM_OK && err == TM_OK)
    tm_log(TM_LOG_DEBUG, "keys", "no mix key for the epoch before", TM_KV_INT("epoch", epoch - 1), TM_KV_END);
  erase_before(keys, grace ? epoch - 1 : epoch);
  swap(keys, next);
  keys->done = err == TM_OK;
  keys->epoch = epoch;
  keys->grace = grace;
  if (keys->oldest < (grace ? epoch - 1 : epoch))
    keys->oldest = grace ? epoch - 1 : epoch;
  return err;
}

/* No key lives. Files and journals stay, so that they can live again. */
static int stand_still(struct tm_keys *keys)
{
  struct holder *none;

  keys->done = false;
  if (keys->now->public.n == 0)
    return TM_OK;
  none = calloc(1, sizeof *none);
  if (none == NULL)
    return TM_E_NOMEM;
  none->refs = 1;
  swap(keys, none);
  return TM_OK;
}

/* Numbers of epochs mean nothing without their length. By those of another length nearly every key would seem to be over. */
static int check_epoch_length(struct tm_keys *keys, uint32_t epoch_s)
{
  uint32_t noted = 0;
  int err;

  if (keys->epoch_s == epoch_s)
    return TM_OK;
  err = tm_epoch_length_keep(keys->config.state_dir, epoch_s, &noted);
  if (err == TM_OK) {
    keys->epoch_s = epoch_s;
    keys->said_epoch_s = 0;
    return TM_OK;
  }
  if (keys->said_epoch_s != epoch_s)
    tm_log(TM_LOG_ERROR, "keys", err == TM_E_CONFLICT ? "the document has epochs of another length than the mix keys were made for; none is used, none is erased"
                                                      : "the file epoch-length cannot be used; no mix key is",
           TM_KV_INT("document_s", epoch_s), TM_KV_INT("keys_s", noted), TM_KV_NAME("reason", tm_strerror(err)), TM_KV_END);
  keys->said_epoch_s = epoch_s;
  keys->epoch_s = 0;
  return err;
}

int tm_keys_update(struct tm_keys *keys, uint64_t wall_s, uint32_t epoch_s, uint32_t grace_s)
{
  int length_err = check_epoch_length(keys, epoch_s);

  if (length_err != TM_OK) {
    int err = stand_still(keys);
    return err == TM_OK ? length_err : err;
  }
  return update(keys, wall_s, epoch_s, grace_s);
}
