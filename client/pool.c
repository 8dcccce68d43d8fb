#include "config.h"

#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "client/pool.h"

struct tm_pool {
  struct tm_request *requests; /* TM_POOL_MAX, in locked memory */
  size_t counts[TM_REQUEST_BULK_WRITE + 1];
  uint16_t free_list[TM_POOL_MAX];
  size_t n_free;
  uint16_t queue[TM_POOL_MAX]; /* ring of READY ones; an entry that was released meanwhile is marked by NOBODY */
  size_t head, queued;
};

#define NOBODY 0xffffu

int tm_pool_new(struct tm_pool **out)
{
  struct tm_pool *pool = calloc(1, sizeof *pool);

  *out = NULL;
  if (pool == NULL)
    return TM_E_NOMEM;
  pool->requests = sodium_allocarray(TM_POOL_MAX, sizeof *pool->requests);
  if (pool->requests == NULL) {
    free(pool);
    return TM_E_NOMEM;
  }
  sodium_memzero(pool->requests, TM_POOL_MAX * sizeof *pool->requests);
  for (size_t i = 0; i < TM_POOL_MAX; i++)
    pool->free_list[i] = (uint16_t)(TM_POOL_MAX - 1 - i);
  pool->n_free = TM_POOL_MAX;
  *out = pool;
  return TM_OK;
}

void tm_pool_free(struct tm_pool *pool)
{
  if (pool == NULL)
    return;
  sodium_free(pool->requests);
  free(pool);
}

size_t tm_pool_real(const struct tm_pool *pool)
{
  return TM_POOL_MAX - pool->n_free - pool->counts[TM_REQUEST_DECOY] - pool->counts[TM_REQUEST_LOOP];
}

struct tm_request *tm_pool_each(struct tm_pool *pool, size_t *at)
{
  while (*at < TM_POOL_MAX) {
    struct tm_request *r = &pool->requests[(*at)++];
    if (r->state != TM_REQUEST_FREE)
      return r;
  }
  return NULL;
}

/* The cover request whose answer is due first: it is the one that is missed least. */
static struct tm_request *oldest_cover(struct tm_pool *pool)
{
  struct tm_request *oldest = NULL;

  for (size_t i = 0; i < TM_POOL_MAX; i++) {
    struct tm_request *r = &pool->requests[i];
    if (r->state != TM_REQUEST_OUT || tm_request_is_real(r))
      continue;
    if (oldest == NULL || r->deadline_ms < oldest->deadline_ms)
      oldest = r;
  }
  return oldest;
}

struct tm_request *tm_pool_take(struct tm_pool *pool, enum tm_request_kind kind)
{
  bool real = kind != TM_REQUEST_DECOY && kind != TM_REQUEST_LOOP;
  struct tm_request *r;

  if (real && tm_pool_real(pool) >= TM_POOL_REAL_MAX)
    return NULL;
  if (pool->n_free == 0) {
    r = oldest_cover(pool);
    if (r == NULL)
      return NULL;
    tm_pool_release(pool, r);
  }
  r = &pool->requests[pool->free_list[--pool->n_free]];
  r->kind = kind;
  pool->counts[kind]++;
  return r;
}

static size_t index_of(const struct tm_pool *pool, const struct tm_request *r) { return (size_t)(r - pool->requests); }

void tm_pool_release(struct tm_pool *pool, struct tm_request *r)
{
  if (r->state == TM_REQUEST_READY)
    for (size_t i = 0; i < pool->queued; i++) {
      uint16_t *entry = &pool->queue[(pool->head + i) % TM_POOL_MAX];
      if (*entry == index_of(pool, r))
        *entry = NOBODY;
    }
  pool->counts[r->kind]--;
  sodium_memzero(r, sizeof *r);
  pool->free_list[pool->n_free++] = (uint16_t)index_of(pool, r);
}

/* Entries of released requests would add up in the ring if nobody popped them. */
static void compact(struct tm_pool *pool)
{
  size_t kept = 0;

  for (size_t i = 0; i < pool->queued; i++) {
    uint16_t entry = pool->queue[(pool->head + i) % TM_POOL_MAX];
    if (entry != NOBODY)
      pool->queue[(pool->head + kept++) % TM_POOL_MAX] = entry;
  }
  pool->queued = kept;
}

void tm_pool_ready(struct tm_pool *pool, struct tm_request *r)
{
  sodium_memzero(&r->keys, sizeof r->keys);
  sodium_memzero(r->surb_id, sizeof r->surb_id);
  if (r->state == TM_REQUEST_READY)
    return;
  if (pool->queued == TM_POOL_MAX)
    compact(pool);
  r->state = TM_REQUEST_READY;
  pool->queue[(pool->head + pool->queued++) % TM_POOL_MAX] = (uint16_t)index_of(pool, r);
}

struct tm_request *tm_pool_pop(struct tm_pool *pool)
{
  while (pool->queued > 0) {
    uint16_t entry = pool->queue[pool->head];
    pool->head = (pool->head + 1) % TM_POOL_MAX;
    pool->queued--;
    if (entry == NOBODY)
      continue;
    pool->requests[entry].state = TM_REQUEST_PREPARED;
    return &pool->requests[entry];
  }
  return NULL;
}

struct tm_request *tm_pool_find(struct tm_pool *pool, const uint8_t surb_id[static TM_SPHINX_SURB_ID_LEN])
{
  for (size_t i = 0; i < TM_POOL_MAX; i++) {
    struct tm_request *r = &pool->requests[i];
    if (r->state == TM_REQUEST_OUT && memcmp(r->surb_id, surb_id, TM_SPHINX_SURB_ID_LEN) == 0)
      return r;
  }
  return NULL;
}

struct tm_request *tm_pool_overdue(struct tm_pool *pool, uint64_t now_ms)
{
  for (size_t i = 0; i < TM_POOL_MAX; i++) {
    struct tm_request *r = &pool->requests[i];
    if (r->state == TM_REQUEST_OUT && r->deadline_ms <= now_ms)
      return r;
  }
  return NULL;
}
