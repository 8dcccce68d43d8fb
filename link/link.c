#include "config.h"

#include <netinet/in.h>
#include <netinet/tcp.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "link/internal.h"

/* ---- timers ---- */

static uint64_t sooner(uint64_t a, uint64_t b) { return a < b ? a : b; }

/* When something is due on this link if nothing else happens; UINT64_MAX: never. */
static uint64_t next_due(const struct tm_link *link)
{
  const struct tm_link_config *config = &link->ctx->config;
  uint64_t due = UINT64_MAX;

  switch (link->state) {
  case TM_LINK_CONNECTING:
  case TM_LINK_HANDSHAKE:
  case TM_LINK_WELCOME:
    return link->born_ms + config->handshake_ms;
  case TM_LINK_UP:
    if (config->idle_ms != 0 && !link->unread && !link->paused)
      due = sooner(due, link->got_ms + config->idle_ms);
    if (config->keepalive_ms != 0)
      due = sooner(due, link->sent_ms + config->keepalive_ms);
    if (link->accepted && !link->got_cell && !link->unread && !link->paused && config->limits.first_cell_ms != 0)
      due = sooner(due, link->up_ms + config->limits.first_cell_ms);
    if (link->paused)
      due = sooner(due, link->resume_ms);
    if (link->stalled)
      due = sooner(due, link->stalled_ms + config->stall_ms);
    return due;
  case TM_LINK_FLUSH:
  case TM_LINK_LINGER:
    return link->closed_ms + config->stall_ms;
  case TM_LINK_DEAD:
    break;
  }
  return UINT64_MAX;
}

/*
 * The timer may go off too early (then it is set again), never too late; so a busy link, which moves its deadlines
 * all the time, does not touch it.
 */
void tm_link_arm(struct tm_link *link)
{
  uint64_t due = next_due(link);
  uint64_t now, wait;
  struct timeval tv;

  if (due == UINT64_MAX || (link->timer_ms != 0 && link->timer_ms <= due))
    return;
  now = tm_link_now(link->ctx);
  wait = due > now ? due - now : 0;
  tv.tv_sec = (time_t)(wait / 1000);
  tv.tv_usec = (suseconds_t)(wait % 1000 * 1000);
  event_add(link->timer, &tv);
  link->timer_ms = due;
}

static void keep_alive(struct tm_link *link)
{
  uint8_t cell[TM_CELL_LEN];

  /* What waits to be sent will do as well. */
  if (tm_link_queued(link) > 0)
    return;
  tm_cell_padding(cell);
  if (tm_link_enqueue(link, cell) != TM_OK)
    return; /* no memory: perhaps next time */
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
  struct tm_link *link = arg;
  const struct tm_link_config *config = &link->ctx->config;
  uint64_t now = tm_link_now(link->ctx);

  (void)fd;
  (void)what;
  link->timer_ms = 0;
  if (link->state == TM_LINK_UP) {
    bool unheard = link->unread || link->paused;
    bool silent = config->idle_ms != 0 && !unheard && now >= link->got_ms + config->idle_ms;
    bool stuck = link->stalled && now >= link->stalled_ms + config->stall_ms;
    bool late = link->accepted && !link->got_cell && !unheard && config->limits.first_cell_ms != 0 &&
                now >= link->up_ms + config->limits.first_cell_ms;
    if (silent || stuck || late) {
      tm_link_kill(link, TM_E_TIMEOUT);
      return;
    }
    if (link->paused && now >= link->resume_ms)
      tm_link_resume(link);
    if (config->keepalive_ms != 0 && now >= link->sent_ms + config->keepalive_ms) {
      keep_alive(link);
      link->sent_ms = now;
    }
  } else if (now >= next_due(link)) {
    tm_link_kill(link, link->state == TM_LINK_FLUSH || link->state == TM_LINK_LINGER ? TM_OK : TM_E_TIMEOUT);
    return;
  }
  tm_link_arm(link);
}

/* ---- birth and death ---- */

static void free_queue(struct tm_link *link)
{
  struct tm_link_chunk *chunk;

  while ((chunk = TAILQ_FIRST(&link->queue)) != NULL) {
    TAILQ_REMOVE(&link->queue, chunk, entry);
    free(chunk);
  }
  link->queue_cells = 0;
  free(link->out);
  link->out = NULL;
  link->out_len = link->out_at = link->out_cap = 0;
}

static void free_link(struct tm_link *link)
{
  if (link->readable != NULL)
    event_free(link->readable);
  if (link->writable != NULL)
    event_free(link->writable);
  if (link->timer != NULL)
    event_free(link->timer);
  tm_tls_session_free(link->tls);
  free_queue(link);
  free(link->partial);
  if (link->fd >= 0)
    close(link->fd);
  free(link);
}

static int make_events(struct tm_link *link)
{
  struct event_base *base = link->ctx->config.base;

  link->readable = event_new(base, link->fd, EV_READ | EV_PERSIST, tm_link_on_readable, link);
  link->writable = event_new(base, link->fd, EV_WRITE, tm_link_on_writable, link);
  link->timer = event_new(base, -1, 0, on_timer, link);
  if (link->readable == NULL || link->writable == NULL || link->timer == NULL)
    return TM_E_NOMEM;
  /* A dialled link first waits for TCP. */
  if (event_add(link->accepted ? link->readable : link->writable, NULL) != 0)
    return TM_E_NOMEM;
  return TM_OK;
}

int tm_link_new(struct tm_link_context *ctx, const struct tm_link_start *start, struct tm_link **out)
{
  struct tm_link *link = calloc(1, sizeof *link);
  int one = 1;
  int r;

  *out = NULL;
  if (link == NULL) {
    close(start->fd);
    return TM_E_NOMEM;
  }
  link->ctx = ctx;
  link->state = start->accepted ? TM_LINK_HANDSHAKE : TM_LINK_CONNECTING;
  link->accepted = start->accepted;
  link->want_anonymous = start->want_anonymous;
  link->fd = start->fd;
  link->events = *start->events;
  link->events_arg = start->arg;
  link->dialer = start->dialer;
  link->born_ms = tm_link_now(ctx);
  TAILQ_INIT(&link->queue);
  if (start->identity != NULL)
    memcpy(link->identity, start->identity, sizeof link->identity);
  /* One write is one batch already: nothing is gained by letting the kernel wait for more. */
  setsockopt(link->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  r = tm_tls_session_new(&link->tls, ctx->tls, link->accepted, !link->want_anonymous, &tm_link_tls_owner, link);
  if (r == TM_OK)
    r = make_events(link);
  if (r != TM_OK) {
    free_link(link);
    return r;
  }
  TAILQ_INSERT_TAIL(&ctx->links, link, entry);
  ctx->accepted += link->accepted;
  if (link->accepted)
    tm_link_begin(link, start);
  tm_link_arm(link);
  *out = link;
  return TM_OK;
}

void tm_link_kill(struct tm_link *link, int reason)
{
  struct tm_link_context *ctx = link->ctx;

  if (link->state == TM_LINK_DEAD)
    return;
  tm_link_dies(link, reason);
  link->state = TM_LINK_DEAD;
  link->reason = reason;
  event_del(link->readable);
  event_del(link->writable);
  event_del(link->timer);
  if (link->unread) {
    TAILQ_REMOVE(&ctx->unread, link, unread_entry);
    link->unread = false;
  }
  close(link->fd);
  link->fd = -1;
  ctx->accepted -= link->accepted;
  TAILQ_REMOVE(&ctx->links, link, entry);
  TAILQ_INSERT_TAIL(&ctx->dead, link, entry);
  tm_link_turn_later(ctx);
}

void tm_link_notify_down(struct tm_link *link)
{
  struct tm_link_dialer *dialer = link->dialer;

  /* The dialler first: the user may free it in `down`. */
  link->dialer = NULL;
  if (dialer != NULL)
    tm_link_dialer_lost(dialer, link);
  if (!link->reported)
    return;
  link->reported = false;
  if (link->events.down != NULL)
    link->events.down(link->events_arg, link, link->reason);
}

void tm_link_bury(struct tm_link *link)
{
  TAILQ_REMOVE(&link->ctx->dead, link, entry);
  if (link->dirty)
    TAILQ_REMOVE(&link->ctx->dirty, link, dirty_entry);
  tm_link_notify_down(link);
  free_link(link);
}

/* ---- sending ---- */

void tm_link_mark_dirty(struct tm_link *link)
{
  if (link->dirty)
    return;
  link->dirty = true;
  TAILQ_INSERT_TAIL(&link->ctx->dirty, link, dirty_entry);
  tm_link_turn_later(link->ctx);
}

static struct tm_link_chunk *chunk_new(struct tm_link_context *ctx)
{
  struct tm_link_chunk *chunk = TAILQ_FIRST(&ctx->pool);

  if (chunk != NULL) {
    TAILQ_REMOVE(&ctx->pool, chunk, entry);
    ctx->pool_n--;
  } else {
    chunk = malloc(sizeof *chunk);
  }
  if (chunk != NULL)
    chunk->n = 0;
  return chunk;
}

int tm_link_enqueue(struct tm_link *link, const uint8_t cell[static TM_CELL_LEN])
{
  struct tm_link_chunk *last = TAILQ_LAST(&link->queue, tm_link_chunks);

  if (tm_link_queued(link) >= link->ctx->config.queue_cells)
    return TM_E_FULL;
  if (last == NULL || last->n == TM_LINK_CHUNK_CELLS) {
    last = chunk_new(link->ctx);
    if (last == NULL)
      return TM_E_NOMEM;
    TAILQ_INSERT_TAIL(&link->queue, last, entry);
  }
  memcpy(last->cells + last->n * TM_CELL_LEN, cell, TM_CELL_LEN);
  last->n++;
  link->queue_cells++;
  tm_link_mark_dirty(link);
  return TM_OK;
}

int tm_link_send(struct tm_link *link, const uint8_t cell[static TM_CELL_LEN])
{
  int r;

  if (link->state != TM_LINK_UP)
    return TM_E_CLOSED;
  r = tm_link_enqueue(link, cell);
  if (r == TM_E_FULL && !link->was_full) {
    link->was_full = true;
    event_add(link->writable, NULL);
  }
  return r;
}

size_t tm_link_queued(const struct tm_link *link)
{
  size_t left = link->out_len - link->out_at;

  if (left == 0 || link->flight_cells == 0)
    return link->queue_cells;
  /* Other bytes of TLS may be among them: an estimate that is never too small, but never more than the batch. */
  if (left >= link->flight_len)
    return link->queue_cells + link->flight_cells;
  return link->queue_cells + (left * link->flight_cells + link->flight_len - 1) / link->flight_len;
}

void tm_link_close(struct tm_link *link)
{
  switch (link->state) {
  case TM_LINK_CONNECTING:
  case TM_LINK_HANDSHAKE:
  case TM_LINK_WELCOME:
    tm_link_kill(link, TM_OK);
    break;
  case TM_LINK_UP:
    link->state = TM_LINK_FLUSH;
    link->closed_ms = tm_link_now(link->ctx);
    tm_link_close_begins(link);
    tm_link_arm(link);
    tm_link_mark_dirty(link);
    break;
  case TM_LINK_FLUSH:
  case TM_LINK_LINGER:
  case TM_LINK_DEAD:
    break;
  }
}

/* ---- what the user may ask ---- */

const uint8_t *tm_link_peer(const struct tm_link *link)
{
  return link->accepted && link->anonymous ? NULL : link->identity;
}

const uint8_t *tm_link_handle(const struct tm_link *link) { return link->handle; }
void *tm_link_arg(const struct tm_link *link) { return link->user_arg; }
void tm_link_set_arg(struct tm_link *link, void *arg) { link->user_arg = arg; }
