/* The service manager: is the relay ready, and do all its threads make progress? */
#include "config.h"

#include "base/log.h"

#include "relay/internal.h"

static uint64_t sum(const uint64_t *numbers, size_t n)
{
  uint64_t total = 0;

  for (size_t i = 0; i < n; i++)
    total += numbers[i];
  return total;
}

/* What keeps it from being ready, for the status line. Its stores are open since it was made. */
static const char *waits_for(const struct tm_engine *e)
{
  if (!e->listening)
    return "starting";
  if (!e->valid)
    return tm_watch_document(e->watch) == NULL ? "waiting for a document" : "waiting for a document that has not expired";
  return NULL;
}

static bool is_stuck(struct tm_engine *e, enum tm_engine_thread which, size_t i, struct tm_turns turns, uint64_t now)
{
  static const char *const names[] = {[TM_ENGINE_WORKER] = "worker", [TM_ENGINE_STORE] = "store", [TM_ENGINE_JOURNAL] = "journal"};
  bool stuck = tm_pulse_is_stuck(&e->pulse[which + i], turns, now, e->notify.interval_ms / 2);

  if (stuck && !e->said_stuck)
    tm_log(TM_LOG_ERROR, "relay", "a thread makes no progress; the watchdog is told no more that all is well", TM_KV_NAME("thread", names[which]),
           TM_KV_END);
  e->said_stuck |= stuck;
  return stuck;
}

/* All of them are looked at, each time. */
static bool all_move(struct tm_engine *e, uint64_t now)
{
  bool stuck = is_stuck(e, TM_ENGINE_JOURNAL, 0, tm_replay_turns(e->replay), now);

  if (e->store != NULL)
    stuck |= is_stuck(e, TM_ENGINE_STORE, 0, tm_store_turns(e->store), now);
  for (size_t i = 0; i < e->n_workers; i++)
    stuck |= is_stuck(e, TM_ENGINE_WORKER, i, tm_worker_turns(e->worker[i]), now);
  if (!stuck && e->said_stuck)
    tm_log(TM_LOG_INFO, "relay", "all threads make progress again", TM_KV_END);
  e->said_stuck &= stuck;
  return !stuck;
}

void tm_engine_notify(struct tm_engine *e)
{
  uint64_t now = tm_clock_mono_ms(e->clock);
  const char *waiting = waits_for(e);
  struct tm_snapshot s;

  if (tm_notify_wants_ping(&e->notify, now) && all_move(e, now))
    tm_notify_ping(&e->notify, now);
  if (!tm_notify_wants_status(&e->notify, now, waiting == NULL))
    return;
  s = tm_engine_snapshot(e);
  tm_notify_status(&e->notify, now, &(struct tm_notify_totals){
    .relays = s.relay_links,
    .clients = s.client_links,
    .in = s.totals.in_link + s.totals.in_own + s.totals.in_reply,
    .out = s.totals.out_link + s.totals.out_store + s.totals.out_client + s.totals.out_loop,
    .dropped = sum(s.totals.drop, TM_DROPS),
    .held = s.held,
    .waiting = waiting,
  });
}
