/*
 * What the operator sees of a running relay: the control socket with its status, and the metrics. What is shown is taken from the engine once a
 * second at most for the control socket, and once in metrics-interval, at whole multiples of it by the wall clock, for the metrics; so nobody
 * chooses the moment, however often he asks (doc/spec/mixing.md, section 9).
 *
 * Loop thread. It is part of the engine, and asks it.
 */
#ifndef TM_RELAY_OBSERVE_H
#define TM_RELAY_OBSERVE_H

#include <stdint.h>

#include "base/err.h"

struct tm_engine;
struct tm_observer;

#define TM_OBSERVE_FRESH_MS 1000 /* a status that is not older is given out again */

/* Opens the control socket, and that of the metrics if it is configured. What went wrong is in the log. Errors: TM_E_NOMEM, TM_E_IO, TM_E_SYNTAX. */
int tm_observer_new(struct tm_observer **out, struct tm_engine *engine) TM_MUST_CHECK;
void tm_observer_free(struct tm_observer *observer); /* NULL is fine */

/* The next moment after now_ms at which the metrics are taken; both in milliseconds since 1970. */
uint64_t tm_observe_moment(uint64_t now_ms, uint32_t interval_s);

#endif
