#include "config.h"

#include <sys/mman.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "relay/replay.h"

#define TAG_LEN TM_SPHINX_REPLAY_TAG_LEN
#define FIRST_SLOTS 4096
#define GROW_NUM 7        /* grow above a load of 7/10 */
#define FULL_NUM 9        /* no memory to grow: full above 9/10 */
#define LOAD_DEN 10
#define MOVE_PER_BATCH 128 /* old slots that every batch moves ... */
#define MOVE_PER_TAG 4     /* ... and more with each new tag: the move is over long before the next one is due */

/* A zero tag marks a free slot; the real zero tag is remembered by a flag. */
struct table {
  uint8_t (*slots)[TAG_LEN];
  uint64_t n; /* a power of two */
};

struct tm_replay_set {
  struct table now;
  struct table old;  /* n > 0: being moved; read, never written */
  uint64_t moved;    /* slots of old that are in now */
  uint64_t count, max;
  bool has_zero;
  uint8_t key[crypto_shorthash_KEYBYTES];
};

struct tm_replay {
  pthread_mutex_t mutex;
  uint64_t ticket; /* under the mutex */
  atomic_uint_least64_t durable;
};

static const uint8_t zero_tag[TAG_LEN];

int tm_replay_new(struct tm_replay **out)
{
  struct tm_replay *r = calloc(1, sizeof *r);

  *out = NULL;
  if (r == NULL)
    return TM_E_NOMEM;
  if (pthread_mutex_init(&r->mutex, NULL) != 0) {
    free(r);
    return TM_E_NOMEM;
  }
  atomic_init(&r->durable, UINT64_MAX);
  *out = r;
  return TM_OK;
}

void tm_replay_free(struct tm_replay *replay)
{
  if (replay == NULL)
    return;
  pthread_mutex_destroy(&replay->mutex);
  free(replay);
}

static int table_new(struct table *t, uint64_t n)
{
  void *memory = mmap(NULL, n * TAG_LEN, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

  if (memory == MAP_FAILED)
    return TM_E_NOMEM;
  t->slots = memory;
  t->n = n;
  return TM_OK;
}

static void table_free(struct table *t)
{
  if (t->n > 0)
    munmap(t->slots, t->n * TAG_LEN);
  *t = (struct table){NULL, 0};
}

int tm_replay_set_new(struct tm_replay_set **out, uint64_t max_tags, const struct tm_rng *rng)
{
  struct tm_replay_set *set;

  *out = NULL;
  if (max_tags == 0 || max_tags > TM_REPLAY_TAGS_MAX)
    return TM_E_TOO_BIG;
  set = calloc(1, sizeof *set);
  if (set == NULL || table_new(&set->now, FIRST_SLOTS) != TM_OK) {
    free(set);
    return TM_E_NOMEM;
  }
  set->max = max_tags;
  tm_rng_fill(rng, set->key, sizeof set->key);
  *out = set;
  return TM_OK;
}

void tm_replay_set_free(struct tm_replay_set *set)
{
  if (set == NULL)
    return;
  table_free(&set->now);
  table_free(&set->old);
  sodium_memzero(set, sizeof *set);
  free(set);
}

uint64_t tm_replay_set_count(const struct tm_replay_set *set) { return set->count; }

/* The slot of a tag, or the free one where it would go. There is always a free one: load stays under FULL_NUM/LOAD_DEN. */
static uint64_t find(const struct tm_replay_set *set, const struct table *t, const uint8_t *tag)
{
  uint8_t hash[crypto_shorthash_BYTES];
  uint64_t at;

  crypto_shorthash(hash, tag, TAG_LEN, set->key);
  memcpy(&at, hash, sizeof at);
  for (at &= t->n - 1;; at = (at + 1) & (t->n - 1))
    if (memcmp(t->slots[at], tag, TAG_LEN) == 0 || memcmp(t->slots[at], zero_tag, TAG_LEN) == 0)
      return at;
}

static bool is_in(const struct tm_replay_set *set, const struct table *t, const uint8_t *tag)
{
  return t->n > 0 && memcmp(t->slots[find(set, t, tag)], tag, TAG_LEN) == 0;
}

/* Moves some slots over. Those behind `moved` are found in old until then, and old frees nothing, so no tag is ever out of sight. */
static void move_some(struct tm_replay_set *set, uint64_t slots)
{
  for (; set->old.n > 0 && slots > 0; slots--) {
    const uint8_t *tag = set->old.slots[set->moved];
    if (memcmp(tag, zero_tag, TAG_LEN) != 0)
      memcpy(set->now.slots[find(set, &set->now, tag)], tag, TAG_LEN);
    if (++set->moved == set->old.n)
      table_free(&set->old);
  }
}

/* Makes room for one more tag if it can; false: full. */
static bool make_room(struct tm_replay_set *set)
{
  struct table next;

  if (set->count >= set->max)
    return false;
  if (set->count + 1 <= set->now.n / LOAD_DEN * GROW_NUM)
    return true;
  if (set->old.n == 0 && table_new(&next, set->now.n * 2) == TM_OK) {
    set->old = set->now;
    set->now = next;
    set->moved = 0;
    return true;
  }
  return set->count + 1 <= set->now.n / LOAD_DEN * FULL_NUM;
}

static enum tm_replay_verdict insert(struct tm_replay_set *set, const uint8_t *tag)
{
  if (memcmp(tag, zero_tag, TAG_LEN) == 0) {
    enum tm_replay_verdict v = set->has_zero ? TM_REPLAY_KNOWN : TM_REPLAY_NEW;
    set->has_zero = true;
    return v;
  }
  if (is_in(set, &set->now, tag) || is_in(set, &set->old, tag))
    return TM_REPLAY_KNOWN;
  if (!make_room(set))
    return TM_REPLAY_FULL;
  memcpy(set->now.slots[find(set, &set->now, tag)], tag, TAG_LEN);
  set->count++;
  move_some(set, MOVE_PER_TAG);
  return TM_REPLAY_NEW;
}

uint64_t tm_replay_check(struct tm_replay *replay, struct tm_replay_query *queries, size_t n)
{
  struct tm_replay_set *last = NULL;
  uint64_t ticket;

  pthread_mutex_lock(&replay->mutex);
  for (size_t i = 0; i < n; i++) {
    if (queries[i].set != last)
      move_some(queries[i].set, MOVE_PER_BATCH);
    last = queries[i].set;
    queries[i].verdict = insert(queries[i].set, queries[i].tag);
  }
  ticket = ++replay->ticket;
  pthread_mutex_unlock(&replay->mutex);
  return ticket;
}

bool tm_replay_durable(const struct tm_replay *replay, uint64_t ticket)
{
  return ticket <= atomic_load_explicit(&replay->durable, memory_order_acquire);
}

void tm_replay_hold(struct tm_replay *replay, uint64_t ticket)
{
  atomic_store_explicit(&replay->durable, ticket, memory_order_release);
}
