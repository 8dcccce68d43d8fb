/*
 * Worker threads: they open packets, in batches (doc/spec/mixing.md, sections 2 to 4).
 *
 * The loop thread hands items over and gets every one of them back, with a verdict: item->drop says why it goes no further, or is TM_DROP_NONE and
 * command, delay_ms, next and ticket are set. A batch is: the header step under the present epoch's key; again under the last epoch's for what failed the
 * MAC; the replay check, one lock for the whole batch; the body step; for a store, parsing the request and checking
 * its proof of work and then its signature.
 *
 * Each worker has its own pair of rings and its own scratch space; shared are the replay sets and the keys only. Nothing is allocated after start.
 */
#ifndef TM_RELAY_WORKER_H
#define TM_RELAY_WORKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "relay/keys.h"
#include "relay/pulse.h"
#include "relay/replay.h"
#include "relay/slab.h"

#define TM_WORKERS_MAX 64

struct tm_worker;
struct tm_store;

struct tm_worker_config {
  struct tm_slab *slab;
  struct tm_keys *keys;
  struct tm_replay *replay;
  size_t queue;           /* items that one worker may have in hand, rings and batch together */
  uint32_t batch_wait_ms; /* how long a batch waits to fill */
  bool is_store;          /* requests are for us: parse and verify them */
  const struct tm_store *store; /* says how much work a put needs; NULL: none */
  uint8_t identity[32];         /* of this relay: what the work is done for */
};

/* Starts a thread. config is copied; what it points to outlives the worker. Errors: TM_E_NOMEM, TM_E_IO (no thread or eventfd), TM_E_STATE (no
 * usable packet back-end). */
int tm_worker_new(struct tm_worker **out, const struct tm_worker_config *config) TM_MUST_CHECK;
/* Lets it finish its batch and joins it. Items in its rings are given back by nobody: pop them before, or free the slab after. NULL is fine. */
void tm_worker_free(struct tm_worker *worker);

/* Loop thread: hands items over; returns how many found room. */
size_t tm_worker_push(struct tm_worker *worker, const uint32_t *items, size_t n) TM_MUST_CHECK;
/* Loop thread: how many it would take now. */
size_t tm_worker_room(const struct tm_worker *worker);
/* Loop thread: takes opened items back. */
size_t tm_worker_pop(struct tm_worker *worker, uint32_t *items, size_t cap) TM_MUST_CHECK;
/* Readable when there is something to pop; tm_worker_rearm before popping, and once at start. */
int tm_worker_fd(const struct tm_worker *worker);
void tm_worker_rearm(struct tm_worker *worker);

/* Loop thread: how many items are in its rings and its batch, counted there at one moment. */
size_t tm_worker_held(struct tm_worker *worker);
/* Any thread: how often it came round, and is there a packet that it should open? */
struct tm_turns tm_worker_turns(struct tm_worker *worker);

#endif
