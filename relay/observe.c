#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>
#include <jansson.h>

#include "base/log.h"

#include "relay/control.h"
#include "relay/internal.h"
#include "relay/metrics.h"
#include "relay/metrics_server.h"
#include "relay/status.h"

#include "relay/observe.h"

#define NOTE_MS 1000

struct tm_observer {
  struct tm_engine *engine;
  uint64_t started_ms; /* monotonic */
  struct tm_rates rates;
  struct event *note;

  struct tm_relay_control *control;
  char *answer;
  uint64_t answer_ms; /* when it was made */

  struct tm_metrics_server *metrics; /* NULL: none */
  struct event *moment;
};

static void look(struct tm_observer *o, struct tm_status *s)
{
  uint64_t now = tm_clock_mono_ms(o->engine->clock);
  uint64_t total[TM_RATES];

  tm_engine_status(o->engine, s);
  s->uptime_s = (now - o->started_ms) / 1000;
  tm_engine_rate_totals(o->engine, total);
  s->rate_ms = tm_rates_over(&o->rates, now, total, s->rate);
}

static void on_note(evutil_socket_t fd, short what, void *arg)
{
  struct tm_observer *o = arg;
  uint64_t total[TM_RATES];

  (void)fd;
  (void)what;
  tm_engine_rate_totals(o->engine, total);
  tm_rates_note(&o->rates, tm_clock_mono_ms(o->engine->clock), total);
}

/* ---- the control socket ---- */

/* A line, for the caller to free; NULL: no memory. */
static char *status_line(const struct tm_status *s)
{
  json_t *root = json_pack("{s:b, s:o}", "ok", 1, "status", tm_status_json(s));
  size_t len = root == NULL ? 0 : json_dumpb(root, NULL, 0, JSON_COMPACT | JSON_PRESERVE_ORDER);
  char *line = len == 0 ? NULL : malloc(len + 2);

  if (line != NULL) {
    json_dumpb(root, line, len, JSON_COMPACT | JSON_PRESERVE_ORDER);
    line[len] = '\n';
    line[len + 1] = '\0';
  }
  json_decref(root);
  return line;
}

static const char *on_request(void *arg, enum tm_relay_control_op op)
{
  struct tm_observer *o = arg;
  uint64_t now = tm_clock_mono_ms(o->engine->clock);
  struct tm_status s;

  (void)op; /* there is one */
  if (o->answer == NULL || now - o->answer_ms >= TM_OBSERVE_FRESH_MS) {
    look(o, &s);
    free(o->answer);
    o->answer = status_line(&s);
    o->answer_ms = now;
  }
  return o->answer;
}

static int open_control(struct tm_observer *o)
{
  const struct tm_relay_config *config = o->engine->config;
  char path[TM_OPTION_PATH_MAX + 16];
  int err;

  if (config->control_socket != NULL)
    snprintf(path, sizeof path, "%s", config->control_socket);
  else
    snprintf(path, sizeof path, "%s/%s", config->state_dir, TM_RELAY_CONTROL_SOCKET);
  err = tm_relay_control_new(&o->control, o->engine->base, path, TM_RELAY_CONTROL_PATIENCE_MS, on_request, o);
  if (err != TM_OK)
    tm_log(TM_LOG_ERROR, "control", "cannot listen", TM_KV_NAME("file", path),
           TM_KV_NAME("reason", err == TM_E_IO ? strerror(errno) : tm_strerror(err)), TM_KV_END);
  return err;
}

/* ---- the metrics ---- */

uint64_t tm_observe_moment(uint64_t now_ms, uint32_t interval_s)
{
  uint64_t interval_ms = (uint64_t)interval_s * 1000;

  return (now_ms / interval_ms + 1) * interval_ms;
}

static void take_metrics(struct tm_observer *o)
{
  uint64_t now = tm_clock_wall_ms(o->engine->clock);
  struct tm_status s;
  size_t len = 0;
  char *text;

  look(o, &s);
  text = tm_metrics_text(&s, &len);
  tm_metrics_server_set(o->metrics, text, len);
  tm_engine_set_timer(o->moment, tm_observe_moment(now, o->engine->config->metrics_interval_s) - now);
}

static void on_moment(evutil_socket_t fd, short what, void *arg)
{
  (void)fd;
  (void)what;
  take_metrics(arg);
}

static int open_metrics(struct tm_observer *o)
{
  const char *address = o->engine->config->metrics_address;
  int err;

  if (address == NULL)
    return TM_OK;
  o->moment = evtimer_new(o->engine->base, on_moment, o);
  if (o->moment == NULL)
    return TM_E_NOMEM;
  err = tm_metrics_server_new(&o->metrics, o->engine->base, address, TM_METRICS_PATIENCE_MS);
  if (err != TM_OK) {
    tm_log(TM_LOG_ERROR, "metrics", "cannot listen at metrics-address",
           TM_KV_NAME("reason", err == TM_E_IO ? strerror(errno) : tm_strerror(err)), TM_KV_END);
    return err;
  }
  take_metrics(o);
  tm_log(TM_LOG_INFO, "metrics", "listening", TM_KV_INT("port", tm_metrics_server_port(o->metrics)), TM_KV_END);
  return TM_OK;
}

/* ---- life ---- */

static int build(struct tm_observer *o)
{
  const struct timeval often = {.tv_sec = NOTE_MS / 1000};
  int err;

  o->note = event_new(o->engine->base, -1, EV_PERSIST, on_note, o);
  if (o->note == NULL || event_add(o->note, &often) != 0)
    return TM_E_NOMEM;
  on_note(-1, 0, o);
  err = open_control(o);
  return err != TM_OK ? err : open_metrics(o);
}

int tm_observer_new(struct tm_observer **out, struct tm_engine *engine)
{
  struct tm_observer *o = calloc(1, sizeof *o);
  int err;

  *out = NULL;
  if (o == NULL)
    return TM_E_NOMEM;
  o->engine = engine;
  o->started_ms = tm_clock_mono_ms(engine->clock);
  err = build(o);
  if (err != TM_OK) {
    tm_observer_free(o);
    return err;
  }
  *out = o;
  return TM_OK;
}

void tm_observer_free(struct tm_observer *observer)
{
  if (observer == NULL)
    return;
  tm_relay_control_free(observer->control);
  tm_metrics_server_free(observer->metrics);
  if (observer->note != NULL)
    event_free(observer->note);
  if (observer->moment != NULL)
    event_free(observer->moment);
  free(observer->answer);
  free(observer);
}
