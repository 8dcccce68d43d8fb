/*
 * The client's one clock: when the next packet leaves and of which kind. Its randomness is its own, drawn once at the
 * start, so that nothing that a user does or a store answers can reach it, not even through the order of draws. One
 * thread.
 */
#ifndef TM_CLIENT_SCHEDULE_H
#define TM_CLIENT_SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/rng.h"

struct tm_schedule;

int tm_schedule_new(struct tm_schedule **out, const struct tm_rng *rng) TM_MUST_CHECK; /* TM_E_NOMEM */
void tm_schedule_free(struct tm_schedule *s);                                          /* NULL is fine; wipes */

/* Starts ticking from now (monotonic ms), with exponential gaps of that mean. */
void tm_schedule_start(struct tm_schedule *s, uint64_t now_ms, uint32_t mean_us);
void tm_schedule_stop(struct tm_schedule *s);
double tm_schedule_next(const struct tm_schedule *s); /* ms with a fraction; HUGE_VAL while stopped */
/* The tick is taken; draws the next from its time, not from now, unless it is over a second late (a suspended machine).
 */
void tm_schedule_advance(struct tm_schedule *s, uint64_t now_ms, uint32_t mean_us);
/* Kind of the next packet to be prepared: true for a request, with that probability in thousandths. */
bool tm_schedule_draw_request(struct tm_schedule *s, uint32_t permille);

#endif
