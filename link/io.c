#include "config.h"

#include <sys/socket.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "link/internal.h"

/* ---- what TLS asks of us ---- */

static size_t tls_take(void *arg, uint8_t *out, size_t len)
{
  struct tm_link *link = arg;
  struct tm_link_context *ctx = link->ctx;
  size_t n;

  if (ctx->reading != link)
    return 0;
  n = ctx->in_len - ctx->in_at;
  n = n < len ? n : len;
  memcpy(out, ctx->in + ctx->in_at, n);
  ctx->in_at += n;
  return n;
}

/*
 * Puts bytes behind those that wait. What TLS says by itself is small; a peer that provokes much and reads nothing is
 * cut off.
 */
static bool append_out(struct tm_link *link, const uint8_t *data, size_t len)
{
  size_t used = link->out_len - link->out_at;
  size_t cap;
  uint8_t *bigger;

  if (len > TM_LINK_BATCH_MAX + TM_LINK_CONTROL_MAX - used)
    return false;
  if (link->out_at > 0) {
    memmove(link->out, link->out + link->out_at, used);
    link->out_at = 0;
    link->out_len = used;
  }
  if (used + len > link->out_cap) {
    cap = used + len > 2 * used ? used + len : 2 * used;
    bigger = realloc(link->out, cap);
    if (bigger == NULL)
      return false;
    link->out = bigger;
    link->out_cap = cap;
  }
  memcpy(link->out + used, data, len);
  link->out_len = used + len;
  return true;
}

static bool tls_put(void *arg, const uint8_t *data, size_t len)
{
  struct tm_link *link = arg;
  struct tm_link_context *ctx = link->ctx;

  if (ctx->collecting != link)
    return append_out(link, data, len);
  if (len > sizeof ctx->batch - ctx->batch_len)
    return false;
  memcpy(ctx->batch + ctx->batch_len, data, len);
  ctx->batch_len += len;
  return true;
}

static bool tls_judge(void *arg, const uint8_t identity[static TM_TLS_IDENTITY_LEN])
{
  struct tm_link *link = arg;

  if (!link->accepted)
    return sodium_memcmp(identity, link->identity, TM_LINK_IDENTITY_LEN) == 0;
  return link->events.judge != NULL && link->events.judge(link->events_arg, identity);
}

const struct tm_tls_owner tm_link_tls_owner = {tls_take, tls_put, tls_judge};

/* ---- writing ---- */

/* Sends what it can of data; returns how much, or an error that has ended the link. */
static long send_some(struct tm_link *link, const uint8_t *data, size_t len)
{
  size_t at = 0;

  while (at < len) {
    ssize_t n = send(link->fd, data + at, len - at, MSG_NOSIGNAL);
    if (n >= 0) {
      at += (size_t)n;
      link->ctx->io.writes++;
      break; /* a short write means that the kernel is full: no need to ask again */
    }
    if (errno == EINTR)
      continue;
    if (errno == EAGAIN || errno == EWOULDBLOCK)
      break;
    return errno == EPIPE || errno == ECONNRESET ? TM_E_CLOSED : TM_E_IO;
  }
  return (long)at;
}

/*
 * The clock of a peer that does not read runs while bytes wait and less than a cell leaves; one that reads a byte now
 * and then cannot keep our queue for ever.
 */
static void note_progress(struct tm_link *link, size_t sent, bool waiting)
{
  link->progress += sent;
  if (waiting && (link->progress >= TM_CELL_LEN || !link->stalled)) {
    link->stalled_ms = tm_link_now(link->ctx);
    link->progress = 0;
  }
  link->stalled = waiting;
}

/* Sends the bytes in out. TM_OK: all gone; TM_E_NOT_YET: some wait; others have ended the link. */
static int push_out(struct tm_link *link)
{
  size_t left = link->out_len - link->out_at;
  long n;

  if (left == 0)
    return TM_OK;
  n = send_some(link, link->out + link->out_at, left);
  if (n < 0)
    return (int)n;
  link->out_at += (size_t)n;
  note_progress(link, (size_t)n, (size_t)n < left);
  if ((size_t)n < left)
    return TM_E_NOT_YET;
  free(link->out);
  link->out = NULL;
  link->out_cap = link->out_len = link->out_at = 0;
  link->flight_cells = 0;
  return TM_OK;
}

static void chunk_done(struct tm_link_context *ctx, struct tm_link_chunk *chunk)
{
  if (ctx->pool_n >= TM_LINK_POOL_CHUNKS) {
    free(chunk);
    return;
  }
  TAILQ_INSERT_HEAD(&ctx->pool, chunk, entry);
  ctx->pool_n++;
}

/* Seals chunks into the context's batch: as many as fit. */
static int seal_batch(struct tm_link *link)
{
  struct tm_link_context *ctx = link->ctx;
  struct tm_link_chunk *chunk;
  int r = TM_OK;

  ctx->collecting = link;
  ctx->batch_len = 0;
  link->flight_cells = 0;
  while (r == TM_OK && (chunk = TAILQ_FIRST(&link->queue)) != NULL &&
         sizeof ctx->batch - ctx->batch_len >= 2 * TM_TLS_SEALED_MAX) {
    r = tm_tls_write(link->tls, chunk->cells, chunk->n * TM_CELL_LEN);
    TAILQ_REMOVE(&link->queue, chunk, entry);
    link->queue_cells -= chunk->n;
    link->flight_cells += chunk->n;
    ctx->io.cells_out += chunk->n;
    chunk_done(ctx, chunk);
  }
  ctx->collecting = NULL;
  link->flight_len = ctx->batch_len;
  return r;
}

/* One batch: out is empty before. */
static int write_batch(struct tm_link *link)
{
  struct tm_link_context *ctx = link->ctx;
  int r = seal_batch(link);
  long n;

  if (r != TM_OK)
    return r;
  link->sent_ms = tm_link_now(ctx);
  n = send_some(link, ctx->batch, ctx->batch_len);
  if (n < 0)
    return (int)n;
  note_progress(link, (size_t)n, (size_t)n < ctx->batch_len);
  if ((size_t)n == ctx->batch_len) {
    link->flight_cells = 0;
    return TM_OK;
  }
  return append_out(link, ctx->batch + n, ctx->batch_len - (size_t)n) ? TM_E_NOT_YET : TM_E_NOMEM;
}

static int finish_closing(struct tm_link *link)
{
  int r;

  if (!link->said_goodbye) {
    link->said_goodbye = true;
    tm_tls_goodbye(link->tls);
  }
  r = push_out(link);
  if (r != TM_OK)
    return r;
  shutdown(link->fd, SHUT_WR);
  link->state = TM_LINK_LINGER;
  return TM_OK;
}

/* Writes all that the kernel takes; the rest waits for the next time it wants some. */
void tm_link_flush(struct tm_link *link)
{
  int r;

  if (link->state != TM_LINK_UP && link->state != TM_LINK_FLUSH)
    return;
  r = push_out(link);
  while (r == TM_OK && link->queue_cells > 0)
    r = write_batch(link);
  if (r == TM_OK && link->state == TM_LINK_FLUSH)
    r = finish_closing(link);
  if (r != TM_OK && r != TM_E_NOT_YET) {
    tm_link_kill(link, link->state == TM_LINK_FLUSH ? TM_OK : r);
    return;
  }
  if (r == TM_E_NOT_YET || link->was_full)
    event_add(link->writable, NULL);
  tm_link_arm(link);
}

/* ---- reading ---- */

static void report_up(struct tm_link *link)
{
  link->state = TM_LINK_UP;
  tm_link_is_up(link);
  link->got_ms = link->sent_ms = tm_link_now(link->ctx);
  link->reported = true;
  if (link->events.up != NULL)
    link->events.up(link->events_arg, link);
}

/* Accepted, and TLS is done: who is it, and may it stay? Only here is it seen that a peer showed no certificate. */
static int admit(struct tm_link *link)
{
  uint8_t cell[TM_CELL_LEN];
  int r;

  link->anonymous = !tm_tls_peer(link->tls, link->identity);
  if (link->anonymous) {
    if (!link->want_anonymous || link->events.judge == NULL)
      return TM_E_PEER;
    if (!tm_link_may_stay(link))
      return TM_E_FULL;
    tm_rng_fill(link->ctx->config.rng, link->handle, sizeof link->handle);
  }
  tm_cell_welcome(cell, link->handle);
  r = tm_link_enqueue(link, cell);
  if (r == TM_OK)
    report_up(link);
  return r;
}

static int step_handshake(struct tm_link *link)
{
  int r = tm_tls_handshake(link->tls);

  if (r == TM_E_NOT_YET && link->handshake_bytes >= TM_LINK_HANDSHAKE_MAX)
    return TM_E_SYNTAX;
  if (r != TM_OK)
    return r;
  if (link->accepted)
    return admit(link);
  link->anonymous = !tm_tls_has_identity(link->ctx->tls);
  link->state = TM_LINK_WELCOME;
  return TM_OK;
}

/* The dialled side's first cell: from now on, and not before, the peer has accepted us. */
static int take_welcome(struct tm_link *link, const uint8_t *cell)
{
  struct tm_cell_view view;

  if (tm_cell_parse(cell, &view) != TM_OK || view.type != TM_CELL_WELCOME)
    return TM_E_SYNTAX;
  if (view.version != TM_LINK_VERSION)
    return TM_E_UNKNOWN;
  /* A handle is what a client link has and a relay link has not. */
  if ((sodium_is_zero(view.handle, TM_SPHINX_HANDLE_LEN) == 1) == link->anonymous)
    return TM_E_SYNTAX;
  memcpy(link->handle, view.handle, sizeof link->handle);
  report_up(link);
  return TM_OK;
}

/* May a cell of that type come in on this link? doc/spec/link.md, section 3. */
static bool may_come(const struct tm_link *link, enum tm_cell_type type)
{
  switch (type) {
  case TM_CELL_PADDING:
    return true;
  case TM_CELL_PACKET:
    return link->accepted;
  case TM_CELL_DOC_REQUEST:
    return link->accepted && link->anonymous;
  case TM_CELL_REPLY:
  case TM_CELL_DOC_PIECE:
    return !link->accepted && link->anonymous;
  case TM_CELL_WELCOME:
    break;
  }
  return false;
}

/* Hands on n whole cells without the padding; the good ones before a bad one, too. */
static int deliver(struct tm_link *link, uint8_t *cells, size_t n)
{
  struct tm_cell_view view;
  size_t kept = 0;
  int r = TM_OK;

  if (n > 0 && link->state == TM_LINK_WELCOME) {
    r = take_welcome(link, cells);
    if (r != TM_OK)
      return r;
    cells += TM_CELL_LEN;
    n--;
  }
  if (link->state != TM_LINK_UP)
    return TM_OK;
  for (size_t i = 0; i < n; i++) {
    const uint8_t *cell = cells + i * TM_CELL_LEN;
    if (tm_cell_parse(cell, &view) != TM_OK || !may_come(link, view.type)) {
      r = TM_E_SYNTAX;
      break;
    }
    if (view.type == TM_CELL_PADDING)
      continue;
    if (kept != i)
      memcpy(cells + kept * TM_CELL_LEN, cell, TM_CELL_LEN);
    kept++;
  }
  link->ctx->io.cells_in += n;
  if (n > 0) {
    link->got_ms = tm_link_now(link->ctx);
    link->got_cell = true;
  }
  if (kept > 0 && link->events.cells != NULL)
    link->events.cells(link->events_arg, link, cells, kept);
  return r;
}

static bool is_reading(const struct tm_link *link)
{
  return link->state == TM_LINK_WELCOME || link->state == TM_LINK_UP;
}

/* The beginning of a cell, from the link to plain and back. */
static void take_partial(struct tm_link *link, uint8_t *plain)
{
  if (link->partial_len > 0)
    memcpy(plain, link->partial, link->partial_len);
  free(link->partial);
  link->partial = NULL;
  link->partial_len = 0;
}

static bool keep_partial(struct tm_link *link, const uint8_t *plain, size_t len)
{
  if (len == 0)
    return true;
  link->partial = malloc(TM_CELL_LEN);
  if (link->partial == NULL)
    return false;
  memcpy(link->partial, plain, len);
  link->partial_len = len;
  return true;
}

/* Takes everything that TLS has, cell by cell. TM_E_NOT_YET: until there is nothing left. */
static int drain(struct tm_link *link)
{
  uint8_t *plain = link->ctx->plain;
  size_t have = link->partial_len;
  size_t whole, n;
  int r, d;

  take_partial(link, plain);
  do {
    do {
      r = tm_tls_read(link->tls, plain + have, sizeof link->ctx->plain - have, &n);
      have += n;
    } while (r == TM_OK && have < sizeof link->ctx->plain);
    whole = have / TM_CELL_LEN;
    d = deliver(link, plain, whole);
    if (!is_reading(link))
      return TM_E_NOT_YET; /* closed by the user meanwhile: that counts more than what came */
    if (d != TM_OK)
      return d;
    have -= whole * TM_CELL_LEN;
    memmove(plain, plain + whole * TM_CELL_LEN, have);
  } while (r == TM_OK);
  return keep_partial(link, plain, have) ? r : TM_E_NOMEM;
}

/* We are closing: whatever still comes is thrown away, and the peer's end is ours. */
static void discard(struct tm_link *link, long n)
{
  if (n > 0)
    return;
  if (link->state == TM_LINK_LINGER)
    tm_link_kill(link, TM_OK);
  else
    event_del(link->readable);
}

static void process(struct tm_link *link, size_t n)
{
  struct tm_link_context *ctx = link->ctx;
  int r = TM_OK;
  int pushed;

  ctx->reading = link;
  ctx->in_len = n;
  ctx->in_at = 0;
  if (link->state == TM_LINK_HANDSHAKE) {
    link->handshake_bytes += n;
    r = step_handshake(link);
  }
  if (r == TM_OK && is_reading(link))
    r = drain(link);
  ctx->reading = NULL;
  if (link->state == TM_LINK_DEAD)
    return;
  if (r == TM_E_NOT_YET && n == 0)
    r = TM_E_CLOSED;
  if (r == TM_E_NOT_YET && link->first_bytes > TM_LINK_FIRST_MAX && !link->got_cell)
    r = TM_E_TOO_BIG;
  if (r == TM_E_CLOSED && link->state == TM_LINK_WELCOME)
    r = TM_E_FULL; /* the pin matched, and still it was not for us */
  if (r == TM_E_FULL)
    tm_tls_goodbye(link->tls);
  /* Answers of TLS, alerts too. */
  pushed = push_out(link);
  if (pushed == TM_E_NOT_YET)
    event_add(link->writable, NULL);
  else if (pushed != TM_OK && (r == TM_OK || r == TM_E_NOT_YET))
    r = pushed;
  if (r == TM_OK || r == TM_E_NOT_YET)
    tm_link_arm(link);
  else
    tm_link_kill(link, r);
}

/* Only those that have something are taken off the loop, so holding costs nothing for the thousands that have not. */
static void leave_unread(struct tm_link *link)
{
  link->unread = true;
  TAILQ_INSERT_TAIL(&link->ctx->unread, link, unread_entry);
  event_del(link->readable);
}

void tm_link_read_again(struct tm_link *link)
{
  link->unread = false;
  TAILQ_REMOVE(&link->ctx->unread, link, unread_entry);
  link->got_ms = tm_link_now(link->ctx);
  if (event_add(link->readable, NULL) != 0)
    tm_link_kill(link, TM_E_NOMEM);
}

void tm_link_on_readable(evutil_socket_t fd, short what, void *arg)
{
  struct tm_link *link = arg;
  size_t want = TM_LINK_READ_MAX;
  ssize_t n;

  (void)what;
  if (link->ctx->held && link->accepted && link->state == TM_LINK_UP) {
    leave_unread(link);
    return;
  }
  if (link->state == TM_LINK_HANDSHAKE)
    want = TM_LINK_HANDSHAKE_MAX - link->handshake_bytes;
  want = tm_link_may_read(link, want);
  if (want == 0)
    return;
  n = recv(fd, link->ctx->in, want, 0);
  link->ctx->io.reads += n > 0;
  if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
    return;
  if (link->state == TM_LINK_FLUSH || link->state == TM_LINK_LINGER)
    discard(link, n);
  else if (n < 0)
    tm_link_kill(link, errno == ECONNRESET ? TM_E_CLOSED : TM_E_IO);
  else {
    tm_link_has_read(link, (size_t)n);
    process(link, (size_t)n);
  }
}

/* Before the link is up: what TLS wants to say. */
static void push_control(struct tm_link *link)
{
  int r = push_out(link);

  if (r == TM_E_NOT_YET)
    event_add(link->writable, NULL);
  else if (r != TM_OK)
    tm_link_kill(link, r);
}

/* TCP is there, or not. */
static void connected(struct tm_link *link)
{
  int error = 0;
  socklen_t len = sizeof error;

  if (getsockopt(link->fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0 || error != 0) {
    tm_link_kill(link, TM_E_IO);
    return;
  }
  link->state = TM_LINK_HANDSHAKE;
  if (event_add(link->readable, NULL) != 0) {
    tm_link_kill(link, TM_E_NOMEM);
    return;
  }
  /* Says hello; there is nothing to read yet. */
  link->ctx->reading = NULL;
  if (tm_tls_handshake(link->tls) != TM_E_NOT_YET)
    tm_link_kill(link, TM_E_IO);
  else
    push_control(link);
}

void tm_link_on_writable(evutil_socket_t fd, short what, void *arg)
{
  struct tm_link *link = arg;

  (void)fd;
  (void)what;
  if (link->state == TM_LINK_CONNECTING) {
    connected(link);
    return;
  }
  if (link->state == TM_LINK_HANDSHAKE || link->state == TM_LINK_WELCOME) {
    push_control(link);
    return;
  }
  tm_link_flush(link);
  if (link->state == TM_LINK_UP && link->was_full && tm_link_queued(link) <= link->ctx->config.queue_cells / 2) {
    link->was_full = false;
    if (link->events.writable != NULL)
      link->events.writable(link->events_arg, link);
  }
}
