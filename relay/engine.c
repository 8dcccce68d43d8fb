/* The engine's life: start, run, drain, end. */
#include "config.h"

#include <sys/time.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sodium.h>

#include "base/file.h"
#include "base/log.h"
#include "relay/store_db.h"

#include "relay/internal.h"

/*
 * Read by jemalloc, where a program is linked with it: one thread has nearly all that is allocated, so few arenas do, and what handshakes leave behind goes
 * back to the system soon. With its defaults five thousand clients take a third more.
 */
extern const char *malloc_conf;
__attribute__((visibility("default"))) const char *malloc_conf = "narenas:2,dirty_decay_ms:1000,muzzy_decay_ms:0";

#define HOUSE_MS 100
#define COUNTERS_MS 1000
#define DRAIN_LOOK_MS 10
#define DRAIN_EXTRA_MS 2000 /* beyond drain-ms, for threads to hand back what they have */

/* ---- what there is ---- */

struct tm_snapshot tm_engine_snapshot(struct tm_engine *engine)
{
  struct tm_snapshot s = {
    .name = engine->config->name,
    .roles = engine->config->roles,
    .totals = engine->counters,
    .slab_used = tm_slab_used(engine->slab),
  };

  s.cover = engine->cover_totals;
  s.cover.alarms = engine->cover.alarms;
  s.cover.alarm = engine->cover.raised;
  s.cover.held = tm_cover_holds(&engine->cover, tm_clock_mono_ms(engine->clock));
  s.tagging = (struct tm_tagging_totals){engine->tagging.failures, engine->tagging.alarms, engine->tagging.raised};
  s.held = (engine->mix != NULL ? tm_mix_count(engine->mix) : 0) + engine->n_waiting;
  for (size_t i = 0; i < engine->n_workers; i++)
    s.held += tm_worker_held(engine->worker[i]);
  if (engine->store != NULL) {
    s.held += tm_store_held(engine->store);
    s.store = tm_store_totals(engine->store);
  }
  if (engine->entry != NULL) {
    s.held += tm_entry_held(engine->entry);
    s.client_links = tm_entry_clients(engine->entry);
  }
  if (engine->net != NULL)
    s.relay_links = tm_network_relay_links(engine->net);
  s.refused = engine->net != NULL ? tm_network_refused(engine->net) : engine->refused;
  return s;
}

static void write_counters(struct tm_engine *e)
{
  struct tm_snapshot s;
  int err;

  if (e->config->counters_file == NULL)
    return;
  s = tm_engine_snapshot(e);
  err = tm_snapshot_write(&s, e->config->counters_file);
  if (err != TM_OK && !e->counters_failed)
    tm_log(TM_LOG_ERROR, "relay", "the counters cannot be written", TM_KV_NAME("file", e->config->counters_file),
           TM_KV_NAME("reason", strerror(errno)), TM_KV_END);
  e->counters_failed = err != TM_OK;
}

struct tm_link_io tm_engine_io(const struct tm_engine *engine)
{
  return engine->net != NULL ? tm_network_io(engine->net) : (struct tm_link_io){.reads = 0};
}

struct event_base *tm_engine_base(struct tm_engine *engine) { return engine->base; }
struct tm_replay *tm_engine_replay(struct tm_engine *engine) { return engine->replay; }

/* ---- timers and signals ---- */

static void on_house(evutil_socket_t fd, short what, void *arg)
{
  (void)fd;
  (void)what;
  tm_engine_housekeeping(arg);
  tm_engine_notify(arg);
}

static void on_counters(evutil_socket_t fd, short what, void *arg)
{
  (void)fd;
  (void)what;
  write_counters(arg);
}

/* Done when nothing is held and nothing waits on links; or when the time is up and only the mix still holds something. */
static void on_drain(evutil_socket_t fd, short what, void *arg)
{
  struct tm_engine *e = arg;
  struct tm_snapshot s = tm_engine_snapshot(e);
  uint64_t now = tm_clock_mono_ms(e->clock);
  uint64_t mixing = (e->mix != NULL ? tm_mix_count(e->mix) : 0) + e->n_waiting + (e->entry != NULL ? tm_entry_held(e->entry) : 0);
  bool late = now >= e->drain_until_ms;

  (void)fd;
  (void)what;
  if ((s.held == 0 && tm_network_queued(e->net) == 0) || (late && s.held == mixing) || now >= e->drain_until_ms + DRAIN_EXTRA_MS)
    event_base_loopbreak(e->base);
}

static int start_timer(struct tm_engine *e, struct event **timer, event_callback_fn callback, uint32_t ms)
{
  struct timeval tv = {.tv_sec = ms / 1000, .tv_usec = (suseconds_t)(ms % 1000) * 1000};

  *timer = event_new(e->base, -1, EV_PERSIST, callback, e);
  return *timer != NULL && event_add(*timer, &tv) == 0 ? TM_OK : TM_E_NOMEM;
}

void tm_engine_stop(struct tm_engine *engine)
{
  if (engine->draining)
    return;
  tm_log(TM_LOG_INFO, "relay", "draining", TM_KV_END);
  engine->draining = true;
  tm_notify_stopping(&engine->notify);
  engine->drain_until_ms = tm_clock_mono_ms(engine->clock) + engine->config->drain_ms;
  tm_network_stop_listening(engine->net);
  tm_cover_stop(&engine->cover);
  if (engine->mix != NULL)
    tm_mix_drain(engine->mix);
  if (start_timer(engine, &engine->drain_timer, on_drain, DRAIN_LOOK_MS) != TM_OK)
    event_base_loopbreak(engine->base);
}

/* The second one means it: nothing is waited for any more. */
static void on_stop_signal(evutil_socket_t signal, short what, void *arg)
{
  struct tm_engine *e = arg;

  (void)signal;
  (void)what;
  if (e->draining)
    event_base_loopbreak(e->base);
  tm_engine_stop(e);
}

static void on_reload_signal(evutil_socket_t signal, short what, void *arg)
{
  (void)signal;
  (void)what;
  if (tm_engine_reload(arg) != TM_OK)
    return; /* it is in the log */
}

static int watch_signals(struct tm_engine *e)
{
  static const struct {
    int signal;
    event_callback_fn callback;
  } signals[] = {{SIGTERM, on_stop_signal}, {SIGINT, on_stop_signal}, {SIGHUP, on_reload_signal}};

  for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++) {
    e->signal_event[i] = evsignal_new(e->base, signals[i].signal, signals[i].callback, e);
    if (e->signal_event[i] == NULL || event_add(e->signal_event[i], NULL) != 0)
      return TM_E_NOMEM;
  }
  return TM_OK;
}

static int start_timers(struct tm_engine *e, bool signals)
{
  int err;

  e->mix_timer = event_new(e->base, -1, 0, tm_engine_on_mix, e);
  e->ticket_timer = event_new(e->base, -1, 0, tm_engine_on_ticket, e);
  e->cover_timer = event_new(e->base, -1, 0, tm_engine_on_cover, e);
  if (e->mix_timer == NULL || e->ticket_timer == NULL || e->cover_timer == NULL)
    return TM_E_NOMEM;
  err = start_timer(e, &e->house_timer, on_house, HOUSE_MS);
  if (err == TM_OK)
    err = start_timer(e, &e->counters_timer, on_counters, COUNTERS_MS);
  if (err == TM_OK && signals)
    err = watch_signals(e);
  return err;
}

/* ---- start ---- */

static int say(const char *what, const char *file, const char *why, int err)
{
  tm_log(TM_LOG_ERROR, "relay", what, TM_KV_NAME("file", file), TM_KV_NAME("reason", why), TM_KV_END);
  return err;
}

static int start_base(struct tm_engine *e)
{
  struct event_config *config = event_config_new();

  if (config == NULL)
    return TM_E_NOMEM;
  /* The clients' clock ticks in milliseconds, finer than the default timers. */
  event_config_set_flag(config, EVENT_BASE_FLAG_PRECISE_TIMER);
  e->base = event_base_new_with_config(config);
  event_config_free(config);
  return e->base == NULL ? TM_E_NOMEM : TM_OK;
}

static int start_memory(struct tm_engine *e)
{
  struct tm_keys_config keys = {.state_dir = e->config->state_dir, .replay_max = e->config->replay_max_tags};
  int err = tm_slab_new(&e->slab, e->config->packets_max);

  if (err == TM_OK)
    err = tm_replay_new(&e->replay);
  keys.replay = e->replay;
  if (err == TM_OK)
    err = tm_keys_new(&e->keys, &keys);
  if (err == TM_OK)
    err = tm_dummy_new(&e->dummy, e->rng);
  e->waiting = calloc(e->config->packets_max, sizeof *e->waiting);
  return err != TM_OK ? err : e->waiting == NULL ? TM_E_NOMEM : TM_OK;
}

static int start_network(struct tm_engine *e)
{
  uint8_t *seed;
  struct tm_network_config config = {
    .base = e->base,
    .clock = e->clock,
    .rng = e->rng,
    .roles = e->config->roles,
    .layer = e->config->layer,
    .egress_queue = e->config->egress_queue,
    .max_clients = (e->config->roles & TM_ROLE_ENTRY) != 0 ? e->config->max_clients : 0,
    .handshake_ms = e->config->handshake_ms,
    .limits = tm_engine_limits(e->config, &e->params),
  };
  int err = tm_identity_load(e->config->state_dir, &seed);

  if (err != TM_OK)
    return say(err == TM_E_NOT_FOUND ? "there is no identity.key; run keygen" : "identity.key cannot be used", e->config->state_dir,
               tm_key_reason(err), err);
  config.seed = seed;
  err = tm_network_new(&e->net, &config, &tm_engine_network_events, e);
  sodium_free(seed);
  return err;
}

static int start_entry(struct tm_engine *e)
{
  struct tm_entry_config config = {
    .base = e->base,
    .rng = e->rng,
    .slab = e->slab,
    .counters = &e->counters,
    .max_clients = e->config->max_clients,
    .client_queue = e->config->client_queue,
    .replies_max = e->config->packets_max / 2,
    .client_idle_ms = e->config->client_idle_ms,
    .rate_percent = e->config->client_rate_percent,
  };

  return (e->config->roles & TM_ROLE_ENTRY) != 0 ? tm_entry_new(&e->entry, &config) : TM_OK;
}

static int start_store(struct tm_engine *e)
{
  char path[TM_OPTION_PATH_MAX + 16];
  struct tm_store_config config = {
    .slab = e->slab,
    .clock = e->clock,
    .path = e->config->store_file,
    .quota = e->config->store_quota_boxes,
    .queue = e->config->store_queue,
  };
  int err;

  if ((e->config->roles & TM_ROLE_STORE) == 0)
    return TM_OK;
  if (config.path == NULL) {
    snprintf(path, sizeof path, "%s/boxes.db", e->config->state_dir);
    config.path = path;
  }
  err = tm_store_new(&e->store, &config);
  if (err != TM_OK)
    tm_log(TM_LOG_ERROR, "store", err == TM_E_SYNTAX ? "the database is damaged or not a box store; move it away to start empty"
                                                     : "the database cannot be opened",
           TM_KV_NAME("file", config.path), TM_KV_NAME("reason", tm_strerror(err)),
           TM_KV_NAME("detail", tm_store_db_reason()), TM_KV_END);
  return err;
}

static int start_workers(struct tm_engine *e)
{
  long cores = sysconf(_SC_NPROCESSORS_ONLN);
  size_t n = e->config->workers > 0 ? e->config->workers : cores > 0 ? (size_t)cores : 1;
  struct tm_worker_config config = {
    .slab = e->slab,
    .keys = e->keys,
    .replay = e->replay,
    .queue = e->config->ingress_queue,
    .batch_wait_ms = e->config->batch_wait_ms,
    .is_store = e->store != NULL,
    .store = e->store,
  };

  memcpy(config.identity, tm_network_identity(e->net), sizeof config.identity);
  if (n > TM_WORKERS_MAX)
    n = TM_WORKERS_MAX;
  for (size_t i = 0; i < n; i++) {
    int err = tm_worker_new(&e->worker[i], &config);
    if (err != TM_OK)
      return err;
    e->n_workers++;
  }
  return TM_OK;
}

static int listen_there(struct tm_engine *e)
{
  const char *address = e->config->listen != NULL ? e->config->listen : e->config->address;
  int err = tm_network_listen(e->net, address);

  if (err != TM_OK) {
    tm_log(TM_LOG_ERROR, "relay", "cannot listen", TM_KV_NAME("name", e->config->name),
           TM_KV_NAME("reason", err == TM_E_IO ? strerror(errno) : tm_strerror(err)), TM_KV_END);
    return err;
  }
  tm_log(TM_LOG_INFO, "relay", "listening", TM_KV_NAME("name", e->config->name), TM_KV_INT("port", tm_network_port(e->net)),
         TM_KV_INT("workers", e->n_workers), TM_KV_END);
  e->listening = true;
  return TM_OK;
}

static int start(struct tm_engine *e, bool signals)
{
  int err = start_base(e);

  if (err == TM_OK)
    err = start_memory(e);
  if (err == TM_OK && (err = tm_watch_new(&e->watch, e->config->authorities, e->config->document)) != TM_OK)
    err = say("the authorities cannot be read", e->config->authorities, tm_file_reason(err), err);
  if (err == TM_OK)
    err = start_network(e);
  if (err == TM_OK)
    err = start_entry(e);
  if (err == TM_OK)
    err = start_store(e);
  if (err == TM_OK)
    err = start_workers(e);
  if (err == TM_OK)
    err = tm_engine_watch_threads(e);
  if (err == TM_OK)
    err = start_timers(e, signals);
  if (err == TM_OK)
    tm_engine_housekeeping(e);
  if (err == TM_OK)
    err = listen_there(e);
  if (err == TM_OK)
    err = tm_observer_new(&e->observer, e);
  return err;
}

int tm_engine_new(struct tm_engine **out, const struct tm_engine_config *config)
{
  struct tm_engine *e = calloc(1, sizeof *e);
  int err;

  *out = NULL;
  if (e == NULL)
    return TM_E_NOMEM;
  e->config = e->changeable = config->relay;
  e->config_path = config->path;
  e->clock = config->clock;
  e->rng = config->rng;
  e->mix_rng = tm_rng_buffered_init(&e->buffered, config->rng);
  tm_cover_init(&e->cover, &e->mix_rng);
  tm_notify_init(&e->notify);
  err = start(e, config->signals);
  if (err != TM_OK) {
    tm_log(TM_LOG_ERROR, "relay", "cannot start", TM_KV_NAME("reason", tm_strerror(err)), TM_KV_END);
    tm_engine_free(e);
    return err;
  }
  *out = e;
  return TM_OK;
}

/* ---- end ---- */

static void free_event(struct event *event)
{
  if (event != NULL)
    event_free(event);
}

static void close_network(struct tm_engine *e)
{
  if (e->net != NULL)
    e->refused = tm_network_refused(e->net);
  tm_network_free(e->net); /* clients' sessions end in it */
  e->net = NULL;
}

void tm_engine_run(struct tm_engine *engine)
{
  event_base_dispatch(engine->base);
  tm_engine_drop_rest(engine);
  close_network(engine);
  write_counters(engine);
  tm_log(TM_LOG_INFO, "relay", "stopped", TM_KV_END);
}

void tm_engine_free(struct tm_engine *engine)
{
  if (engine == NULL)
    return;
  tm_observer_free(engine->observer);
  close_network(engine);
  for (size_t i = 0; i < engine->n_workers; i++) {
    free_event(engine->worker_event[i]);
    tm_worker_free(engine->worker[i]);
  }
  free_event(engine->store_event);
  tm_store_free(engine->store);
  tm_entry_free(engine->entry);
  tm_mix_free(engine->mix);
  free_event(engine->mix_timer);
  free_event(engine->ticket_timer);
  free_event(engine->cover_timer);
  free_event(engine->house_timer);
  free_event(engine->counters_timer);
  free_event(engine->drain_timer);
  for (size_t i = 0; i < sizeof engine->signal_event / sizeof engine->signal_event[0]; i++)
    free_event(engine->signal_event[i]);
  tm_dummy_free(engine->dummy);
  tm_keys_free(engine->keys);
  tm_replay_free(engine->replay);
  tm_watch_free(engine->watch);
  tm_slab_free(engine->slab);
  free(engine->waiting);
  if (engine->base != NULL)
    event_base_free(engine->base);
  sodium_memzero(&engine->buffered, sizeof engine->buffered);
  free(engine);
}
