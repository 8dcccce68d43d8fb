/* The two threads of the replay sets. */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/log.h"

#include "relay/replay_internal.h"

#define FRAMES_MAX (TM_REPLAY_PENDING_MAX / TM_JOURNAL_TAGS_MAX + 1)
#define FRAME_COST (TM_JOURNAL_FRAME_MAX - 8 * TM_JOURNAL_TAGS_MAX)
#define ROOM_LOW (512 * 1024)
#define RETRY_MS 1000 /* a full disk is asked again */

/* ---- the journal thread ---- */

/* When there are too many ranges the last one grows over what is between: more is lost than had to be, never less. */
static void lose(struct tm_replay *r, uint64_t from, uint64_t to)
{
  size_t n = atomic_load_explicit(&r->n_lost, memory_order_relaxed);

  if (n == TM_REPLAY_LOST_MAX) {
    atomic_store_explicit(&r->lost[n - 1].to, to, memory_order_release);
    return;
  }
  atomic_store_explicit(&r->lost[n].from, from, memory_order_relaxed);
  atomic_store_explicit(&r->lost[n].to, to, memory_order_relaxed);
  atomic_store_explicit(&r->n_lost, n + 1, memory_order_release);
}

static struct timespec in_ms(long ms)
{
  struct timespec t;

  clock_gettime(CLOCK_MONOTONIC, &t);
  t.tv_nsec += ms * 1000000;
  t.tv_sec += t.tv_nsec / 1000000000;
  t.tv_nsec %= 1000000000;
  return t;
}

/* Tags that fit whatever frames they come in: what is being written now and what is pending behind it. */
uint64_t tm_replay_tags_in(uint64_t bytes)
{
  uint64_t cost = 2 * FRAMES_MAX * FRAME_COST;

  return bytes > cost ? (bytes - cost) / 8 : 0;
}

static bool is_low(const struct tm_replay_set *set)
{
  return set->journal != NULL && !set->failed && tm_journal_room(set->journal) < ROOM_LOW;
}

/* Waits until there is something to do; *retry: a full disk may have room again. Mutex held. */
static void wait_for_group(struct tm_replay *r)
{
  struct timespec end = in_ms(RETRY_MS);

  while (!r->stop && r->n_closing == 0 && r->n_pending == 0) {
    bool low = false, full = false;
    for (const struct tm_replay_set *s = r->sets; s != NULL; s = s->next) {
      low |= is_low(s) && !s->disk_full;
      full |= is_low(s) && s->disk_full;
    }
    if (low)
      return;
    if (!full)
      pthread_cond_wait(&r->work, &r->mutex);
    else if (pthread_cond_timedwait(&r->work, &r->mutex, &end) == ETIMEDOUT)
      return;
  }
  end = in_ms(TM_REPLAY_GROUP_MS);
  while (!r->stop && r->n_closing == 0 && r->n_pending < TM_REPLAY_GROUP_TAGS)
    if (pthread_cond_timedwait(&r->work, &r->mutex, &end) == ETIMEDOUT)
      return;
}

/* Takes what is pending; new tags go into the other buffer. Mutex held. */
static void take_pending(struct tm_replay *r)
{
  for (struct tm_replay_set *s = r->sets; s != NULL; s = s->next) {
    uint64_t *buffer = s->writing;
    s->writing = s->pending;
    s->n_writing = s->n_pending;
    s->pending = buffer;
    s->n_pending = 0;
  }
  r->n_pending = 0;
}

static void fail(struct tm_replay_set *set)
{
  tm_log(TM_LOG_ERROR, "replay", "the replay journal cannot be written; no packet passes under its mix key any more",
         TM_KV_NAME("reason", strerror(errno)), TM_KV_END);
  atomic_store(&set->failed, true);
}

/* False: it failed. */
static bool write_set(struct tm_replay_set *set)
{
  for (size_t at = 0; at < set->n_writing; at += TM_JOURNAL_TAGS_MAX) {
    size_t n = set->n_writing - at < TM_JOURNAL_TAGS_MAX ? set->n_writing - at : TM_JOURNAL_TAGS_MAX;
    if (set->failed)
      return false;
    if (tm_journal_append(set->journal, set->writing + at, n) != TM_OK) {
      fail(set);
      return false;
    }
  }
  return true;
}

/* Mutex held, and given up while it writes. */
static void write_group(struct tm_replay *r)
{
  struct tm_replay_set *sets = r->sets;
  uint64_t ticket = r->ticket;
  bool good = true;

  take_pending(r);
  r->busy = true;
  pthread_mutex_unlock(&r->mutex);
  for (struct tm_replay_set *s = sets; s != NULL; s = s->next)
    good &= write_set(s);
  pthread_mutex_lock(&r->mutex);
  if (!good)
    lose(r, atomic_load(&r->durable) + 1, ticket);
  r->busy = false;
  atomic_store_explicit(&r->durable, r->n_pending == 0 ? r->ticket : ticket, memory_order_release);
  for (struct tm_replay_set *s = sets; s != NULL; s = s->next) {
    uint64_t room = s->journal == NULL ? 0 : tm_replay_tags_in(tm_journal_room(s->journal));
    s->room = room > s->n_pending ? room - s->n_pending : 0;
  }
}

static void got_room(struct tm_replay_set *set, int err)
{
  uint64_t room = tm_replay_tags_in(tm_journal_room(set->journal));

  if (err == TM_E_FULL && !set->disk_full)
    tm_log(TM_LOG_ERROR, "replay", "the replay journal cannot grow: there is no space on the disk", TM_KV_END);
  if (err == TM_OK && set->disk_full)
    tm_log(TM_LOG_INFO, "replay", "the replay journal can grow again", TM_KV_END);
  set->disk_full = err == TM_E_FULL;
  set->room = room > set->n_pending ? room - set->n_pending : 0;
  if (err == TM_OK)
    set->said_full = false;
}

/* Mutex held, and given up while it writes. */
static void make_room(struct tm_replay *r)
{
  struct tm_replay_set *sets = r->sets;

  for (struct tm_replay_set *s = sets; s != NULL; s = s->next) {
    int err;
    if (!is_low(s))
      continue;
    pthread_mutex_unlock(&r->mutex);
    err = tm_journal_extend(s->journal);
    if (err != TM_OK && err != TM_E_FULL)
      fail(s);
    pthread_mutex_lock(&r->mutex);
    got_room(s, err);
  }
}

/* Mutex held, and given up while files are closed. */
static void close_sets(struct tm_replay *r)
{
  struct tm_replay_set **at = &r->sets, *set = NULL;

  while (*at != NULL && !((r->stop || (*at)->closing) && (*at)->n_pending == 0))
    at = &(*at)->next;
  if (*at == NULL)
    return;
  set = *at;
  *at = set->next;
  r->n_closing -= set->closing;
  pthread_mutex_unlock(&r->mutex);
  tm_journal_close(set->journal);
  set->journal = NULL;
  pthread_mutex_lock(&r->mutex);
  set->next = r->dead;
  r->dead = set;
  pthread_cond_signal(&r->chores);
}

void *tm_replay_journal_main(void *arg)
{
  struct tm_replay *r = arg;

  pthread_mutex_lock(&r->mutex);
  while (!(r->stop && r->sets == NULL)) {
    wait_for_group(r);
    write_group(r);
    if (!r->stop)
      make_room(r);
    close_sets(r);
    r->turns++;
  }
  pthread_mutex_unlock(&r->mutex);
  return NULL;
}

/* ---- the helper ---- */

void tm_replay_set_dispose(struct tm_replay_set *set)
{
  tm_tagtable_wipe(&set->table);
  if (set->pending != NULL)
    sodium_memzero(set->pending, TM_REPLAY_PENDING_MAX * sizeof *set->pending);
  if (set->writing != NULL)
    sodium_memzero(set->writing, TM_REPLAY_PENDING_MAX * sizeof *set->writing);
  free(set->pending);
  free(set->writing);
  sodium_memzero(set, sizeof *set);
  free(set);
}

/* One piece of work. It alone disposes of sets, so the one that it works for stays. Mutex held, and given up meanwhile. False: nothing to do. */
static bool help(struct tm_replay *r)
{
  struct tm_replay_set *set = r->dead;
  struct tm_tagtable_chore chore;

  if (set != NULL) {
    r->dead = set->next;
    pthread_mutex_unlock(&r->mutex);
    tm_replay_set_dispose(set);
    pthread_mutex_lock(&r->mutex);
    return true;
  }
  for (set = r->sets; set != NULL; set = set->next)
    if (tm_tagtable_chore(&set->table, &chore)) {
      pthread_mutex_unlock(&r->mutex);
      tm_tagtable_chore_do(&chore);
      pthread_mutex_lock(&r->mutex);
      tm_tagtable_chore_done(&set->table, &chore);
      return true;
    }
  return false;
}

void *tm_replay_helper_main(void *arg)
{
  struct tm_replay *r = arg;

  pthread_mutex_lock(&r->mutex);
  for (;;) {
    if (help(r))
      continue;
    if (r->stop_helper)
      break;
    pthread_cond_wait(&r->chores, &r->mutex);
  }
  pthread_mutex_unlock(&r->mutex);
  return NULL;
}
