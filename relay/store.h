/*
 * The store's thread: takes requests, answers them. Requests go in groups of up to TM_STORE_GROUP or 10 ms, one transaction each, and no answer leaves before
 * its group is on disk (doc/spec/mixing.md, section 7). The answer is written into the request's item, as the packet that its reply block makes.
 *
 * The loop thread calls everything here. The thread alone owns the database.
 */
#ifndef TM_RELAY_STORE_H
#define TM_RELAY_STORE_H

#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"
#include "relay/counters.h"
#include "relay/pulse.h"
#include "relay/slab.h"

#define TM_STORE_GROUP 256
#define TM_STORE_GROUP_MS 10

struct tm_store;
struct tm_store_db;

struct tm_store_config {
  struct tm_slab *slab;
  const struct tm_clock *clock; /* any thread may read it */
  const char *path;             /* copied */
  uint64_t quota;               /* boxes */
  size_t queue;                 /* requests in hand */
};

/* Opens the database and starts the thread. Errors: those of tm_store_db_open, TM_E_STATE (no packet back-end). */
int tm_store_new(struct tm_store **out, const struct tm_store_config *config) TM_MUST_CHECK;
/* Lets it finish what is queued, closes the database. Items in its rings are given back by nobody. NULL is fine. */
void tm_store_free(struct tm_store *store);

/* How long boxes live from now on; box_expiry_s of the document. Without one, requests fail. */
void tm_store_set_expiry(struct tm_store *store, uint32_t expiry_s);

/* How many boxes it keeps from now on; those that it has already stay. */
void tm_store_set_quota(struct tm_store *store, uint64_t quota);
/* The document's work_bits; what is asked for above them follows from the fill. Without it there is none to do. */
void tm_store_set_work(struct tm_store *store, uint32_t work_bits);
/* How many bits a PUT's proof of work must have now. Any thread. */
unsigned tm_store_work_taken(const struct tm_store *store);

/* Hands over items whose packet was opened (DELIVER). Returns how many found room. */
size_t tm_store_push(struct tm_store *store, const uint32_t *items, size_t n) TM_MUST_CHECK;
/* Takes items back: FORWARD packets to item->next, or with item->drop set. */
size_t tm_store_pop(struct tm_store *store, uint32_t *items, size_t cap) TM_MUST_CHECK;
int tm_store_fd(const struct tm_store *store);
void tm_store_rearm(struct tm_store *store);

/* Items in rings and group, counted there at one moment. */
size_t tm_store_held(struct tm_store *store);
struct tm_store_totals tm_store_totals(const struct tm_store *store);

/* Any thread: how often it came round, and is there a request that it should serve? */
struct tm_turns tm_store_turns(struct tm_store *store);

/* For tests, before anything is pushed. */
struct tm_store_db *tm_store_db_of(struct tm_store *store);

#endif
