/*
 * Requests of the client: waiting to be sent again, prepared, or out. A fixed number, in locked memory, because each
 * holds the keys of its reply block. Private to the engine; one thread.
 */
#ifndef TM_CLIENT_POOL_H
#define TM_CLIENT_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "box/box.h"
#include "sphinx/sphinx.h"

#define TM_POOL_MAX 2048
#define TM_POOL_REAL_MAX 1536 /* of these, real requests; the rest is always there for decoys and loops */
#define TM_POOL_BULK_MAX 1024 /* no piece is begun with so many real ones; the rest is always there for slots */

enum tm_request_kind {
  TM_REQUEST_DECOY = 1,
  TM_REQUEST_LOOP,
  TM_REQUEST_SLOT_READ,
  TM_REQUEST_SLOT_WRITE,
  TM_REQUEST_BULK_READ,
  TM_REQUEST_BULK_WRITE
};

/* FREE -> PREPARED -> OUT -> READY -> PREPARED ...; each may become FREE. PREPARED -> READY when the link goes down. A put
 * without a proof of work, or whose store wants more of it, is WORKING until it has one: then READY, or PREPARED if it
 * never left. */
enum tm_request_state {
  TM_REQUEST_FREE = 0,
  TM_REQUEST_READY,    /* in the queue of those to be sent again, or for the first time to their second store */
  TM_REQUEST_PREPARED, /* its packet is made and leaves at the next tick */
  TM_REQUEST_OUT,      /* until deadline_ms */
  TM_REQUEST_WORKING   /* until there is a proof, and until deadline_ms */
};

struct tm_request {
  enum tm_request_state state;
  enum tm_request_kind kind;
  uint64_t conv; /* whose */
  uint32_t
      generation; /* of the conversation when it was made: an answer to a sequence that is no longer read is dropped */
  uint64_t message;     /* bulk */
  uint64_t index;       /* slot or piece */
  unsigned store;       /* 0 or 1: which of the id's two stores */
  unsigned answered;    /* reads: bit k: store k has said no */
  unsigned silent;      /* reads: bit k: store k has left two in a row unanswered */
  unsigned rounds;      /* reads: how often a store has done so */
  unsigned unanswered;  /* how often in a row the present store has not answered */
  uint64_t deadline_ms; /* OUT, WORKING: monotonic */
  uint32_t trip_ms;     /* PREPARED: drawn delays, out and back */
  uint8_t surb_id[TM_SPHINX_SURB_ID_LEN];
  bool sent;            /* its packet has left once */
  bool full;            /* puts: the last answer was that the store is full */
  bool proved;          /* puts: work_nonce proves work_bits in work_epoch */
  unsigned work_bits;
  unsigned work_asked;  /* puts: what the store has asked for; 0: nothing */
  uint64_t work_epoch, work_nonce;
  uint64_t work_order;  /* WORKING: since when, in the order of all that were */
  uint8_t id[TM_BOX_ID_LEN];
  struct tm_box_reader reader; /* reads: at index */
  tm_sphinx_surb_keys keys;
};

struct tm_pool;

int tm_pool_new(struct tm_pool **out) TM_MUST_CHECK; /* TM_E_NOMEM */
void tm_pool_free(struct tm_pool *pool);             /* NULL is fine; wipes */

/*
 * A fresh one, all zero but its kind, which the caller must bring into a state at once. For decoys and loops the oldest
 * of their kind gives way if there is no room. NULL: the limit of real requests is reached.
 */
struct tm_request *tm_pool_take(struct tm_pool *pool, enum tm_request_kind kind);
void tm_pool_release(struct tm_pool *pool, struct tm_request *r); /* wipes */
/* Puts it at the end of the queue: READY. Its reply keys are wiped. */
void tm_pool_ready(struct tm_pool *pool, struct tm_request *r);
/* Takes the first of the queue; NULL: empty. The caller must bring it into another state. */
struct tm_request *tm_pool_pop(struct tm_pool *pool);
struct tm_request *tm_pool_find(struct tm_pool *pool,
                                const uint8_t surb_id[static TM_SPHINX_SURB_ID_LEN]); /* OUT only */
/* One that is OUT with a deadline at or before now; NULL: none. */
struct tm_request *tm_pool_overdue(struct tm_pool *pool, uint64_t now_ms);
size_t tm_pool_real(const struct tm_pool *pool); /* real requests that wait or are out */
/* For going through all: NULL at the end; free ones are left out. *at starts at 0. */
struct tm_request *tm_pool_each(struct tm_pool *pool, size_t *at);

static inline bool tm_request_is_real(const struct tm_request *r)
{
  return r->kind != TM_REQUEST_DECOY && r->kind != TM_REQUEST_LOOP;
}

#endif
