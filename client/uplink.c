#include "config.h"

#include <sys/socket.h>
#include <sys/time.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <event2/event.h>

#include "base/log.h"
#include "client/docpieces.h"
#include "client/labour.h"
#include "link/link.h"

#include "client/uplink.h"

#define HOUSEKEEPING_MS 1000 /* how often it looks whether a document or an entry is due */

struct tm_uplink {
  struct event_base *base;
  struct tm_client *engine;
  const struct tm_clock *clock;
  const struct tm_rng *rng;
  struct tm_link_context *ctx;
  struct tm_link *link; /* dialling or up */
  uint8_t peer[TM_LINK_IDENTITY_LEN];
  struct tm_uplink_status status;
  struct event *tick;
  struct event *prepare; /* after the packet of a tick has gone */
  struct event *retry;
  struct event *housekeeping;
  uint32_t backoff_ms;
  uint64_t up_since_ms;
  struct tm_docpieces *pieces;
  struct tm_labour *labour;
  uint64_t asked_ms; /* when the document was asked for; 0: not */
  bool ending;
};

static void set_timer(struct event *timer, double ms)
{
  struct timeval tv;

  if (ms < 0)
    ms = 0;
  tv.tv_sec = (time_t)(ms / 1000);
  tv.tv_usec = (suseconds_t)((ms - (double)tv.tv_sec * 1000) * 1000);
  event_add(timer, &tv);
}

/* ---- the clock ---- */

/* The engine counts in fractions of a millisecond; the clock that was passed in only in whole ones, which would shift every tick. */
static double now_ms(const struct tm_uplink *u)
{
  struct timespec t;

  if (u->clock != &tm_clock_system)
    return (double)tm_clock_mono_ms(u->clock);
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void schedule_tick(struct tm_uplink *u)
{
  double due = u->status.state == TM_UPLINK_UP ? tm_client_next_tick(u->engine) : HUGE_VAL;

  if (isinf(due))
    event_del(u->tick);
  else
    set_timer(u->tick, due - now_ms(u));
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
  struct tm_uplink *u = arg;
  uint8_t packet[TM_SPHINX_PACKET_LEN];
  uint8_t cell[TM_CELL_LEN];
  int err;

  (void)fd;
  (void)what;
  if (u->status.state != TM_UPLINK_UP)
    return;
  if (now_ms(u) >= tm_client_next_tick(u->engine)) {
    err = tm_client_tick(u->engine, packet);
    if (err == TM_OK) {
      tm_cell_packet(cell, packet);
      err = tm_link_send(u->link, cell);
      u->status.sent += err == TM_OK;
      u->status.unsent += err != TM_OK;
      set_timer(u->prepare, 0);
    } else {
      tm_log(TM_LOG_WARN, "client", "no packet at this tick", TM_KV_NAME("reason", tm_strerror(err)), TM_KV_END);
    }
  }
  schedule_tick(u);
}

static void on_prepare(evutil_socket_t fd, short what, void *arg)
{
  struct tm_uplink *u = arg;
  int err = tm_client_prepare(u->engine);

  (void)fd;
  (void)what;
  if (err != TM_OK)
    tm_log(TM_LOG_WARN, "client", "no packet for the next tick", TM_KV_NAME("reason", tm_strerror(err)), TM_KV_END);
  tm_labour_look(u->labour);
}

/* ---- the document ---- */

static void ask_document(struct tm_uplink *u)
{
  uint8_t cell[TM_CELL_LEN];

  tm_docpieces_reset(u->pieces);
  tm_cell_doc_request(cell, tm_client_document_digest(u->engine));
  if (tm_link_send(u->link, cell) != TM_OK)
    return; /* asked again when it is due again */
  u->asked_ms = tm_clock_mono_ms(u->clock);
  tm_log(TM_LOG_DEBUG, "client", "asked for a document", TM_KV_END);
}

static void take_document(struct tm_uplink *u, const uint8_t *document, size_t len)
{
  int err = tm_client_document(u->engine, document, len);

  if (err == TM_OK) {
    u->status.documents++;
    tm_log(TM_LOG_INFO, "client", "new document", TM_KV_END);
  } else if (err != TM_E_EXISTS) {
    tm_log(TM_LOG_WARN, "client", "document refused", TM_KV_NAME("reason", tm_strerror(err)), TM_KV_END);
  }
  u->asked_ms = 0;
  tm_docpieces_reset(u->pieces);
  if (err == TM_OK)
    tm_uplink_refresh(u);
}

static void on_piece(struct tm_uplink *u, const struct tm_cell_view *view)
{
  const uint8_t *document = NULL;
  size_t len = 0;
  int err;

  if (u->asked_ms == 0)
    return; /* the entry fills its gaps with pieces; nobody asked for this one */
  if (view->total == 0) {
    u->asked_ms = 0;
    return;
  }
  err = tm_docpieces_take(u->pieces, view->digest, view->total, view->offset, view->data, view->data_len, &document, &len);
  if (err != TM_OK) {
    u->asked_ms = 0;
    tm_log(TM_LOG_WARN, "client", "pieces of a document refused", TM_KV_NAME("reason", tm_strerror(err)), TM_KV_END);
  } else if (document != NULL) {
    take_document(u, document, len);
  }
}

/* ---- the link ---- */

static void dial(struct tm_uplink *u);

static void on_up(void *arg, struct tm_link *link)
{
  struct tm_uplink *u = arg;

  if (link != u->link)
    return; /* dropped while it was dialling */
  u->status.state = TM_UPLINK_UP;
  u->status.reason = TM_OK;
  u->up_since_ms = tm_clock_mono_ms(u->clock);
  tm_client_link_up(u->engine, tm_link_handle(link));
  tm_log(TM_LOG_INFO, "client", "connected to the entry", TM_KV_END);
  schedule_tick(u);
}

/* False: the entry broke the protocol. */
static bool on_cell(struct tm_uplink *u, const uint8_t *cell)
{
  uint8_t payload[TM_SPHINX_PAYLOAD_LEN];
  struct tm_cell_view view;

  if (tm_cell_parse(cell, &view) != TM_OK)
    return false;
  switch (view.type) {
  case TM_CELL_REPLY:
    u->status.received++;
    memcpy(payload, view.payload, sizeof payload); /* the engine opens it in place */
    tm_client_reply(u->engine, view.surb_id, payload);
    return true;
  case TM_CELL_DOC_PIECE:
    on_piece(u, &view);
    return true;
  case TM_CELL_PADDING:
    return true;
  case TM_CELL_PACKET:
  case TM_CELL_WELCOME:
  case TM_CELL_DOC_REQUEST:
    break;
  }
  return false;
}

static void on_cells(void *arg, struct tm_link *link, const uint8_t *cells, size_t n)
{
  struct tm_uplink *u = arg;

  for (size_t i = 0; i < n; i++) {
    if (link != u->link)
      return; /* a new document has brought another entry */
    if (!on_cell(u, cells + i * TM_CELL_LEN)) {
      tm_log(TM_LOG_WARN, "client", "the entry sent a cell that it must not send", TM_KV_END);
      tm_link_close(link);
      return;
    }
  }
}

/* Draws the wait before the next attempt from the upper half of the backoff, and doubles that. */
static void wait_and_retry(struct tm_uplink *u)
{
  uint32_t half = u->backoff_ms / 2;

  set_timer(u->retry, (double)(half + tm_rng_below(u->rng, half + 1)));
  u->backoff_ms = u->backoff_ms > TM_UPLINK_MOST_MS / 2 ? TM_UPLINK_MOST_MS : u->backoff_ms * 2;
}

const char *tm_uplink_reason(int reason)
{
  if (reason == TM_E_IO)
    return "refused or unreachable";
  return reason == TM_E_FULL ? "it has no place for one more now" : tm_strerror(reason);
}

static void on_down(void *arg, struct tm_link *link, int reason)
{
  struct tm_uplink *u = arg;
  bool was_up = u->status.state == TM_UPLINK_UP;

  if (link != u->link)
    return;
  u->link = NULL;
  u->asked_ms = 0;
  u->status.state = TM_UPLINK_WAITING;
  event_del(u->tick);
  tm_client_link_down(u->engine, !u->ending);
  if (u->ending)
    return;
  u->status.reason = reason == TM_OK ? TM_E_CLOSED : reason;
  tm_log(TM_LOG_INFO, "client", was_up ? "link to the entry lost" : "entry not reached",
         TM_KV_NAME("reason", tm_uplink_reason(u->status.reason)), TM_KV_END);
  if (was_up && tm_clock_mono_ms(u->clock) - u->up_since_ms >= TM_UPLINK_MOST_MS)
    u->backoff_ms = TM_UPLINK_FIRST_MS;
  wait_and_retry(u);
}

static const struct tm_link_events events = {.up = on_up, .cells = on_cells, .down = on_down};

static void dial(struct tm_uplink *u)
{
  const struct tm_relay_info *entry = tm_client_entry(u->engine);
  struct sockaddr_storage addr;
  socklen_t addr_len = 0;
  int err;

  if (entry == NULL) {
    u->status.state = TM_UPLINK_IDLE; /* housekeeping looks again */
    return;
  }
  memcpy(u->peer, entry->identity, sizeof u->peer);
  u->status.state = TM_UPLINK_DIALLING;
  err = tm_link_address_parse(entry->address, &addr, &addr_len);
  if (err == TM_OK)
    err = tm_link_dial(u->ctx, (const struct sockaddr *)&addr, addr_len, u->peer, &events, u, &u->link);
  if (err != TM_OK) {
    u->link = NULL;
    on_down(u, NULL, err);
  }
}

static void on_retry(evutil_socket_t fd, short what, void *arg)
{
  struct tm_uplink *u = arg;

  (void)fd;
  (void)what;
  if (u->link == NULL)
    dial(u);
}

static void drop_link(struct tm_uplink *u)
{
  struct tm_link *link = u->link;

  if (link == NULL)
    return;
  u->link = NULL; /* its `down` is no failure of the entry */
  u->asked_ms = 0;
  event_del(u->tick);
  tm_client_link_down(u->engine, false);
  tm_link_close(link);
}

void tm_uplink_refresh(struct tm_uplink *u)
{
  const struct tm_relay_info *entry = tm_client_entry(u->engine);

  if (u->link != NULL && entry != NULL && memcmp(entry->identity, u->peer, sizeof u->peer) == 0) {
    schedule_tick(u); /* the ticks may have waited for a valid document */
    return;
  }
  drop_link(u);
  u->backoff_ms = TM_UPLINK_FIRST_MS;
  set_timer(u->retry, 0); /* not from within a callback of the old link */
  u->status.state = TM_UPLINK_WAITING;
}

static void on_housekeeping(evutil_socket_t fd, short what, void *arg)
{
  struct tm_uplink *u = arg;

  (void)fd;
  (void)what;
  if (u->status.state == TM_UPLINK_IDLE)
    dial(u);
  if (u->status.state == TM_UPLINK_UP) {
    if (u->asked_ms != 0 && tm_clock_mono_ms(u->clock) - u->asked_ms > TM_UPLINK_DOCUMENT_MS)
      u->asked_ms = 0;
    if (u->asked_ms == 0 && tm_client_document_due(u->engine))
      ask_document(u);
    if (!event_pending(u->tick, EV_TIMEOUT, NULL))
      schedule_tick(u);
  }
}

/* ---- life ---- */

static int make_context(struct tm_uplink *u)
{
  struct tm_link_config config;

  tm_link_config_default(&config);
  config.base = u->base;
  config.clock = u->clock;
  config.rng = u->rng;
  config.identity_seed = NULL;
  config.keepalive_ms = 0; /* the engine's own clock sends */
  return tm_link_context_new(&u->ctx, &config);
}

int tm_uplink_new(struct tm_uplink **out, struct event_base *base, struct tm_client *engine, const struct tm_clock *clock,
                  const struct tm_rng *rng)
{
  const struct timeval every = {HOUSEKEEPING_MS / 1000, HOUSEKEEPING_MS % 1000 * 1000};
  struct tm_uplink *u = calloc(1, sizeof *u);
  int err = TM_E_NOMEM;

  *out = NULL;
  if (u == NULL)
    return TM_E_NOMEM;
  u->base = base;
  u->engine = engine;
  u->clock = clock;
  u->rng = rng;
  u->backoff_ms = TM_UPLINK_FIRST_MS;
  u->status.state = TM_UPLINK_WAITING;
  u->pieces = tm_docpieces_new();
  u->tick = evtimer_new(base, on_tick, u);
  u->prepare = evtimer_new(base, on_prepare, u);
  u->retry = evtimer_new(base, on_retry, u);
  u->housekeeping = event_new(base, -1, EV_PERSIST, on_housekeeping, u);
  if (u->pieces != NULL && u->tick != NULL && u->prepare != NULL && u->retry != NULL && u->housekeeping != NULL)
    err = make_context(u);
  if (err == TM_OK)
    err = tm_labour_new(&u->labour, base, engine);
  if (err != TM_OK) {
    tm_uplink_free(u);
    return err;
  }
  event_add(u->housekeeping, &every);
  set_timer(u->retry, 0);
  *out = u;
  return TM_OK;
}

static void free_event(struct event *e)
{
  if (e != NULL)
    event_free(e);
}

void tm_uplink_free(struct tm_uplink *u)
{
  if (u == NULL)
    return;
  u->ending = true;
  tm_labour_free(u->labour);
  if (u->ctx != NULL)
    tm_link_context_free(u->ctx); /* calls on_down */
  free_event(u->tick);
  free_event(u->prepare);
  free_event(u->retry);
  free_event(u->housekeeping);
  tm_docpieces_free(u->pieces);
  free(u);
}

void tm_uplink_get_status(const struct tm_uplink *u, struct tm_uplink_status *status) { *status = u->status; }
