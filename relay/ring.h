/*
 * A bounded queue of item indices from one thread to another, without locks: one producer, one consumer. The consumer sleeps on an
 * eventfd, which the producer writes only when the consumer has said that it waits and for how many.
 */
#ifndef TM_RELAY_RING_H
#define TM_RELAY_RING_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define TM_RING_MAX (1u << 24)

struct tm_ring;

/* Room for at least n indices. Errors: TM_E_NOMEM, TM_E_TOO_BIG, TM_E_IO (no eventfd). */
int tm_ring_new(struct tm_ring **out, size_t n) TM_MUST_CHECK;
void tm_ring_free(struct tm_ring *ring); /* no thread uses it any more; NULL is fine */

/* Producer: appends up to n; returns how many found room. */
size_t tm_ring_push(struct tm_ring *ring, const uint32_t *items, size_t n) TM_MUST_CHECK;

/* Consumer: takes up to cap; returns how many. */
size_t tm_ring_pop(struct tm_ring *ring, uint32_t *items, size_t cap) TM_MUST_CHECK;

/* Indices inside. Exact while neither side moves; either side sees its own moves. */
size_t tm_ring_count(const struct tm_ring *ring);

/*
 * Consumer: sleeps until want indices are there, somebody kicks, or timeout_ms is over (negative: never). Returns how many are there; it may be woken
 * for less, or for nothing.
 */
size_t tm_ring_wait(struct tm_ring *ring, size_t want, int timeout_ms);
void tm_ring_kick(struct tm_ring *ring); /* any thread: wakes the consumer once */

/*
 * For a consumer with an event loop: when the descriptor is readable call tm_ring_rearm, then pop until it is empty. Call rearm once
 * before the first wait, too.
 */
int tm_ring_fd(const struct tm_ring *ring);
void tm_ring_rearm(struct tm_ring *ring);

#endif
