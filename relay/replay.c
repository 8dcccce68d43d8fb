#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "base/log.h"

#include "relay/replay_internal.h"

#define CHUNK 64 /* tags hashed and fetched ahead at a time */

/* ---- check ---- */

static uint64_t fingerprint(const struct tm_replay_set *set, const uint8_t tag[static TM_SPHINX_REPLAY_TAG_LEN])
{
  uint8_t hash[crypto_shorthash_BYTES];
  uint64_t v = 0;

  crypto_shorthash(hash, tag, TM_SPHINX_REPLAY_TAG_LEN, set->key);
  for (unsigned i = 0; i < sizeof hash; i++)
    v |= (uint64_t)hash[i] << (8 * i);
  return v + (v == 0);
}

static void say_full(struct tm_replay_set *set)
{
  const char *why = set->table.count >= set->max ? "it has as many tags as replay-max-tags allows"
                    : set->journal == NULL || set->room > 0 ? "there is no memory for more"
                    : set->disk_full ? "there is no space on the disk" : "the disk is too slow";

  if (!set->said_full)
    tm_log(TM_LOG_ERROR, "replay", "the replay set is full; new packets are dropped", TM_KV_NAME("reason", why),
           TM_KV_INT("tags", set->table.count), TM_KV_END);
  set->said_full = true;
}

static void remember(struct tm_replay *r, struct tm_replay_set *set, uint64_t tag)
{
  if (set->journal == NULL)
    return;
  set->pending[set->n_pending++] = tag;
  set->room--;
  r->n_pending++;
  if (r->n_pending == 1 || r->n_pending == TM_REPLAY_GROUP_TAGS)
    pthread_cond_signal(&r->work);
}

static enum tm_replay_verdict judge(struct tm_replay *r, struct tm_replay_set *set, uint64_t tag)
{
  bool may = set->table.count < set->max && (set->journal == NULL || (set->n_pending < TM_REPLAY_PENDING_MAX && set->room > 0));

  if (atomic_load_explicit(&set->failed, memory_order_relaxed))
    return TM_REPLAY_FAILED;
  switch (tm_tagtable_insert(&set->table, tag, may)) {
  case TM_TAG_KNOWN:
    return TM_REPLAY_KNOWN;
  case TM_TAG_NEW:
    if (may) {
      remember(r, set, tag);
      return TM_REPLAY_NEW;
    }
    break;
  case TM_TAG_NO_ROOM:
    break;
  }
  say_full(set);
  return TM_REPLAY_FULL;
}

static uint64_t check_chunk(struct tm_replay *r, struct tm_replay_query *queries, size_t n)
{
  uint64_t tag[CHUNK], ticket;
  bool chores = false;

  for (size_t i = 0; i < n; i++)
    tag[i] = fingerprint(queries[i].set, queries[i].tag);
  pthread_mutex_lock(&r->mutex);
  for (size_t i = 0; i < n; i++)
    tm_tagtable_prefetch(&queries[i].set->table, tag[i]);
  for (size_t i = 0; i < n; i++) {
    queries[i].verdict = judge(r, queries[i].set, tag[i]);
    if (i + 1 == n || queries[i + 1].set != queries[i].set)
      chores |= tm_tagtable_has_chore(&queries[i].set->table);
  }
  ticket = ++r->ticket;
  if (r->n_pending == 0 && !r->busy)
    atomic_store_explicit(&r->durable, ticket, memory_order_release);
  if (chores)
    pthread_cond_signal(&r->chores);
  pthread_mutex_unlock(&r->mutex);
  return ticket;
}

uint64_t tm_replay_check(struct tm_replay *replay, struct tm_replay_query *queries, size_t n)
{
  uint64_t ticket;

  do {
    size_t some = n < CHUNK ? n : CHUNK;
    ticket = check_chunk(replay, queries, some);
    queries += some;
    n -= some;
  } while (n > 0);
  return ticket;
}

/* ---- tickets ---- */

bool tm_replay_lost(const struct tm_replay *replay, uint64_t ticket)
{
  size_t n = atomic_load_explicit(&replay->n_lost, memory_order_acquire);

  for (size_t i = 0; i < n; i++)
    if (ticket >= atomic_load_explicit(&replay->lost[i].from, memory_order_relaxed) &&
        ticket <= atomic_load_explicit(&replay->lost[i].to, memory_order_acquire))
      return true;
  return false;
}

bool tm_replay_durable(const struct tm_replay *replay, uint64_t ticket)
{
  return ticket <= atomic_load_explicit(&replay->durable, memory_order_acquire) &&
         ticket <= atomic_load_explicit(&replay->hold, memory_order_acquire) && !tm_replay_lost(replay, ticket);
}

void tm_replay_hold(struct tm_replay *replay, uint64_t ticket)
{
  atomic_store_explicit(&replay->hold, ticket, memory_order_release);
}

/* ---- life ---- */

static int make_locks(struct tm_replay *r)
{
  pthread_condattr_t attr;
  bool good = pthread_condattr_init(&attr) == 0;

  if (!good)
    return TM_E_NOMEM;
  good = pthread_condattr_setclock(&attr, CLOCK_MONOTONIC) == 0 && pthread_mutex_init(&r->mutex, NULL) == 0;
  if (good && pthread_cond_init(&r->work, &attr) != 0) {
    pthread_mutex_destroy(&r->mutex);
    good = false;
  }
  if (good && pthread_cond_init(&r->chores, &attr) != 0) {
    pthread_cond_destroy(&r->work);
    pthread_mutex_destroy(&r->mutex);
    good = false;
  }
  pthread_condattr_destroy(&attr);
  return good ? TM_OK : TM_E_NOMEM;
}

static void drop_locks(struct tm_replay *r)
{
  pthread_cond_destroy(&r->chores);
  pthread_cond_destroy(&r->work);
  pthread_mutex_destroy(&r->mutex);
  free(r);
}

static void end_thread(struct tm_replay *r, bool *stop, pthread_cond_t *cond, pthread_t thread)
{
  pthread_mutex_lock(&r->mutex);
  *stop = true;
  pthread_cond_signal(cond);
  pthread_mutex_unlock(&r->mutex);
  pthread_join(thread, NULL);
}

int tm_replay_new(struct tm_replay **out)
{
  struct tm_replay *r = calloc(1, sizeof *r);

  *out = NULL;
  if (r == NULL)
    return TM_E_NOMEM;
  atomic_init(&r->hold, UINT64_MAX);
  if (make_locks(r) != TM_OK) {
    free(r);
    return TM_E_NOMEM;
  }
  if (pthread_create(&r->helper_thread, NULL, tm_replay_helper_main, r) != 0) {
    drop_locks(r);
    return TM_E_IO;
  }
  if (pthread_create(&r->journal_thread, NULL, tm_replay_journal_main, r) != 0) {
    end_thread(r, &r->stop_helper, &r->chores, r->helper_thread);
    drop_locks(r);
    return TM_E_IO;
  }
  (void)pthread_setname_np(r->journal_thread, "journal"); /* for top */
  (void)pthread_setname_np(r->helper_thread, "helper");
  *out = r;
  return TM_OK;
}

void tm_replay_free(struct tm_replay *replay)
{
  if (replay == NULL)
    return;
  end_thread(replay, &replay->stop, &replay->work, replay->journal_thread);
  end_thread(replay, &replay->stop_helper, &replay->chores, replay->helper_thread);
  drop_locks(replay);
}

static int set_make(struct tm_replay_set **out, struct tm_replay *replay, uint64_t max_tags, const uint8_t key[static 16])
{
  struct tm_replay_set *set;

  *out = NULL;
  if (max_tags == 0 || max_tags > TM_REPLAY_TAGS_MAX)
    return TM_E_TOO_BIG;
  set = calloc(1, sizeof *set);
  if (set == NULL || tm_tagtable_init(&set->table, max_tags) != TM_OK) {
    free(set);
    return TM_E_NOMEM;
  }
  set->replay = replay;
  set->max = max_tags;
  atomic_init(&set->failed, false);
  memcpy(set->key, key, sizeof set->key);
  *out = set;
  return TM_OK;
}

static void set_show(struct tm_replay_set *set)
{
  struct tm_replay *r = set->replay;

  pthread_mutex_lock(&r->mutex);
  set->next = r->sets;
  r->sets = set;
  pthread_cond_signal(&r->work); /* it may want room */
  pthread_mutex_unlock(&r->mutex);
}

int tm_replay_set_new(struct tm_replay_set **out, struct tm_replay *replay, uint64_t max_tags, const uint8_t key[static 16])
{
  int err = set_make(out, replay, max_tags, key);

  if (err == TM_OK)
    set_show(*out);
  return err;
}

/* Nobody else knows the set yet. More tags than its cap, which may have been lowered since, are remembered all the same. */
static int recall(void *arg, const uint64_t *tags, size_t n)
{
  struct tm_replay_set *set = arg;
  struct tm_tagtable_chore chore;

  for (size_t i = 0; i < n; i++)
    tm_tagtable_prefetch(&set->table, tags[i]);
  for (size_t i = 0; i < n; i++)
    if (tm_tagtable_insert(&set->table, tags[i], true) == TM_TAG_NO_ROOM)
      return TM_E_NOMEM;
  while (tm_tagtable_chore(&set->table, &chore)) {
    tm_tagtable_chore_do(&chore);
    tm_tagtable_chore_done(&set->table, &chore);
  }
  return TM_OK;
}

int tm_replay_set_open(struct tm_replay_set **out, struct tm_replay *replay, uint64_t max_tags, const char *path,
                       const struct tm_journal_keys *keys, uint64_t epoch)
{
  struct tm_replay_set *set;
  int err = set_make(&set, replay, max_tags, keys->tag);

  *out = NULL;
  if (err != TM_OK)
    return err;
  set->pending = calloc(TM_REPLAY_PENDING_MAX, sizeof *set->pending);
  set->writing = calloc(TM_REPLAY_PENDING_MAX, sizeof *set->writing);
  err = set->pending == NULL || set->writing == NULL ? TM_E_NOMEM : tm_journal_open(&set->journal, path, keys, epoch, recall, set);
  if (err != TM_OK) {
    int saved = errno;
    tm_replay_set_dispose(set);
    errno = saved;
    return err;
  }
  set->room = tm_replay_tags_in(tm_journal_room(set->journal));
  if (set->table.count > 0)
    tm_log(TM_LOG_INFO, "replay", "the replay journal was read", TM_KV_INT("epoch", epoch), TM_KV_INT("tags", set->table.count), TM_KV_END);
  set_show(set);
  *out = set;
  return TM_OK;
}

void tm_replay_set_free(struct tm_replay_set *set)
{
  struct tm_replay *r;

  if (set == NULL)
    return;
  r = set->replay;
  pthread_mutex_lock(&r->mutex);
  set->closing = true;
  r->n_closing++;
  pthread_cond_signal(&r->work);
  pthread_mutex_unlock(&r->mutex);
}

uint64_t tm_replay_set_count(struct tm_replay_set *set)
{
  uint64_t n;

  pthread_mutex_lock(&set->replay->mutex);
  n = set->table.count;
  pthread_mutex_unlock(&set->replay->mutex);
  return n;
}

uint64_t tm_replay_set_bytes(struct tm_replay_set *set)
{
  uint64_t n;

  pthread_mutex_lock(&set->replay->mutex);
  n = tm_tagtable_bytes(&set->table);
  pthread_mutex_unlock(&set->replay->mutex);
  return n;
}

struct tm_turns tm_replay_turns(struct tm_replay *replay)
{
  struct tm_turns turns;

  pthread_mutex_lock(&replay->mutex);
  turns = (struct tm_turns){.n = replay->turns, .work = replay->busy || replay->n_pending > 0};
  pthread_mutex_unlock(&replay->mutex);
  return turns;
}

bool tm_replay_set_failed(const struct tm_replay_set *set) { return atomic_load(&set->failed); }
