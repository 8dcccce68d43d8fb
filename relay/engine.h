/*
 * The engine of a relay: links, workers, mix, store and clients, tied together on one event loop (doc/spec/mixing.md).
 *
 * Everything here is called by the thread that runs the loop. The engine owns all its parts; packets are items of one slab, and at any moment
 * each is in exactly one place: a ring, a batch, the mix, or a queue.
 */
#ifndef TM_RELAY_ENGINE_H
#define TM_RELAY_ENGINE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/rng.h"
#include "link/link.h"
#include "relay/counters.h"
#include "relay/options.h"
#include "relay/replay.h"

struct event_base;
struct tm_engine;

struct tm_engine_config {
  struct tm_relay_config *relay;       /* outlives the engine, which changes it on a reload */
  const char *path;                    /* the file that it came from, for reloads, and outlives it; NULL: only the document is read again */
  const struct tm_clock *clock;        /* any thread may read it */
  const struct tm_rng *rng;            /* any thread may use it */
  bool signals;                        /* SIGTERM and SIGINT drain, SIGHUP reloads */
};

/*
 * Loads identity and authorities, opens the store, starts threads, listens. A document may be missing still: the relay waits for one. What went
 * wrong is in the log. Errors: TM_E_NOMEM, TM_E_IO, TM_E_NOT_FOUND, TM_E_SYNTAX, TM_E_AUTH, TM_E_STATE, TM_E_UNKNOWN and what the files give.
 */
int tm_engine_new(struct tm_engine **out, const struct tm_engine_config *config) TM_MUST_CHECK;
void tm_engine_free(struct tm_engine *engine); /* NULL is fine */

/* Runs until it has drained after tm_engine_stop. What is left then is dropped as "shutdown", and the counters are written. */
void tm_engine_run(struct tm_engine *engine);
/* Begins to drain: takes nothing more, sends what it holds, for up to drain-ms. */
void tm_engine_stop(struct tm_engine *engine);

/*
 * Reads the configuration again and takes over the options that may change (options.h: reload); the log names those that need a restart, and the
 * mistakes of a file that is refused as a whole. Then looks for a document now. Errors: those of tm_watch_look; TM_E_SYNTAX as well if the configuration was refused.
 */
int tm_engine_reload(struct tm_engine *engine) TM_MUST_CHECK;

struct tm_snapshot tm_engine_snapshot(struct tm_engine *engine);
/* While it runs; zeros afterwards. */
struct tm_link_io tm_engine_io(const struct tm_engine *engine);
struct event_base *tm_engine_base(struct tm_engine *engine);
struct tm_replay *tm_engine_replay(struct tm_engine *engine); /* for tests */

#endif
