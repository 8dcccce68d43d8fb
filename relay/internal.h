/*
 * What the files of the engine share; nobody else includes it. Loop thread.
 *
 * engine.c: life. engine_packets.c: a packet's way. engine_cover.c: packets of its own. engine_document.c: documents and keys.
 * status.c, observe.c: what the operator sees.
 * engine_notify.c: the service manager. reload.c: the configuration, read again.
 */
#ifndef TM_RELAY_INTERNAL_H
#define TM_RELAY_INTERNAL_H

#include <event2/event.h>

#include "relay/cover.h"
#include "relay/dummy.h"
#include "relay/engine.h"
#include "relay/entry.h"
#include "relay/keys.h"
#include "relay/mix.h"
#include "relay/network.h"
#include "relay/notify.h"
#include "relay/observe.h"
#include "relay/pulse.h"
#include "relay/randomness.h"
#include "relay/slab.h"
#include "relay/store.h"
#include "relay/tagging.h"
#include "relay/watch.h"
#include "relay/worker.h"

/* Where the pulses of threads begin in their table. */
enum tm_engine_thread { TM_ENGINE_STORE, TM_ENGINE_JOURNAL, TM_ENGINE_WORKER, TM_ENGINE_THREADS = TM_ENGINE_WORKER + TM_WORKERS_MAX };

struct tm_engine {
  const struct tm_relay_config *config;
  struct tm_relay_config *changeable; /* the same, for reload.c */
  const char *config_path;
  const struct tm_clock *clock;
  const struct tm_rng *rng;
  struct tm_rng_buffered buffered;
  struct tm_rng mix_rng;
  struct event_base *base;

  struct tm_slab *slab;
  struct tm_replay *replay;
  struct tm_keys *keys;
  struct tm_worker *worker[TM_WORKERS_MAX];
  struct event *worker_event[TM_WORKERS_MAX];
  size_t n_workers;
  size_t turn;     /* the worker that gets packets now ... */
  size_t run;      /* ... and how many it got in a row */
  bool holding;    /* nothing is read, as the workers have too much to do */
  struct tm_store *store; /* NULL: not a store */
  struct event *store_event;
  struct tm_entry *entry; /* NULL: not an entry */
  struct tm_network *net;
  struct tm_dummy *dummy;
  struct tm_cover cover;
  struct tm_cover_totals cover_totals;
  struct event *cover_timer;
  bool alarm_said;        /* the log has the alarm that is raised */
  uint64_t alarm_said_ms; /* when it last had one; 0: never */
  struct tm_tagging tagging;
  struct tm_link_refused refused; /* once the network is gone */
  struct tm_counters counters;

  struct tm_mix *mix;     /* NULL: no document yet */
  struct tm_params params; /* of the present document */
  struct event *mix_timer;
  uint32_t *waiting;      /* released, but their tickets are not durable yet */
  size_t n_waiting;
  struct event *ticket_timer;

  struct tm_watch *watch;
  bool valid;             /* there is a document and it holds now */
  bool keyless;           /* said that there is no mix key */
  bool said_invalid;
  uint64_t checked_epoch; /* keys were compared with the document's for it */
  uint64_t keys_ms;       /* when a missing key is looked for again */
  uint64_t look_ms;       /* when the document's file is looked at again */
  int look_err;           /* last complaint about it */
  struct event *house_timer;
  struct event *counters_timer;
  bool counters_failed;
  struct event *signal_event[3];

  bool listening;
  struct tm_notify notify;
  struct tm_pulse pulse[TM_ENGINE_THREADS];
  bool said_stuck;

  struct tm_observer *observer;

  bool draining;
  uint64_t drain_until_ms;
  struct event *drain_timer;
};

/* engine_packets.c */
extern const struct tm_network_events tm_engine_network_events;
int tm_engine_watch_threads(struct tm_engine *e) TM_MUST_CHECK; /* events of workers and store; TM_E_NOMEM */
void tm_engine_release(struct tm_engine *e);                    /* what the mix is ready to let go, and its timer */
void tm_engine_on_mix(evutil_socket_t fd, short what, void *arg);
void tm_engine_on_ticket(evutil_socket_t fd, short what, void *arg);
int tm_engine_set_mix(struct tm_engine *e, const struct tm_params *params) TM_MUST_CHECK; /* TM_E_NOMEM, TM_E_UNKNOWN */
void tm_engine_drop(struct tm_engine *e, uint32_t index, enum tm_drop reason);
void tm_engine_drop_rest(struct tm_engine *e);                  /* mix and those that wait: shutdown */

void tm_engine_into_mix(struct tm_engine *e, uint32_t index);   /* or drops it */
void tm_engine_set_timer(struct event *timer, uint64_t ms);

/* engine_cover.c */
size_t tm_engine_make_dummies(void *engine, uint32_t *items, size_t n); /* for the pool's floor */
bool tm_engine_loop_is_home(struct tm_engine *e, uint32_t index);       /* a REPLY that was a loop of ours: counted and given back */
void tm_engine_cover(struct tm_engine *e);                              /* what is due, the alarm, and the timer */
void tm_engine_on_cover(evutil_socket_t fd, short what, void *arg);

/* engine_notify.c */
void tm_engine_notify(struct tm_engine *e); /* what is due */

/* limits.c */
struct tm_link_limits tm_engine_limits(const struct tm_relay_config *config, const struct tm_params *params); /* params may be all zero */
void tm_engine_set_limits(struct tm_engine *e, const struct tm_params *params);

/* reload.c */
int tm_engine_reconfigure(struct tm_engine *e) TM_MUST_CHECK; /* TM_E_SYNTAX: refused, and nothing changed */

/* engine_document.c */
void tm_engine_housekeeping(struct tm_engine *e);

#endif
