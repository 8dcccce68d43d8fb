/*
 * The thread that searches for proofs of work (box/work.h), so that the loop thread has its time for the clock. One
 * search at a time, at a lower priority than the rest. It knows nothing of the engine but what it is given.
 *
 * All functions belong to the thread of the event base.
 */
#ifndef TM_CLIENT_LABOUR_H
#define TM_CLIENT_LABOUR_H

#include "base/err.h"
#include "client/engine.h"

struct event_base;
struct tm_labour;

/* Starts the thread; engine and base must outlive it. Errors: TM_E_NOMEM, TM_E_IO (no thread or eventfd). */
int tm_labour_new(struct tm_labour **out, struct event_base *base, struct tm_client *engine) TM_MUST_CHECK;
void tm_labour_free(struct tm_labour *labour); /* gives up what is searched for; wipes; NULL is fine */
/* The engine may want a proof now: takes it on if nothing is searched for. */
void tm_labour_look(struct tm_labour *labour);

#endif
