/* Against peers that take more than their part: who may connect, who gives way, and how fast a link is read. */
#include "config.h"

#include <sys/socket.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "link/internal.h"

/* A record on the wire with one cell in it. */
#define SEALED_CELL (TM_CELL_LEN + 22)
#define RESUME_CELLS 8 /* that a link must have earned before it is read again */

static const char *const names[TM_LINK_REFUSALS] = {
  [TM_LINK_REFUSED_PLACES] = "places",
  [TM_LINK_REFUSED_FILES] = "files",
  [TM_LINK_REFUSED_ADDRESS] = "address",
  [TM_LINK_REFUSED_NETWORK] = "network",
  [TM_LINK_REFUSED_HANDSHAKES] = "handshakes",
  [TM_LINK_REFUSED_SLOW_HANDSHAKE] = "slow_handshake",
  [TM_LINK_REFUSED_BAD_HANDSHAKE] = "bad_handshake",
  [TM_LINK_REFUSED_FIRST_CELL] = "first_cell",
  [TM_LINK_REFUSED_BAD_CELL] = "bad_cell",
  [TM_LINK_REFUSED_SILENT] = "silent",
  [TM_LINK_REFUSED_STALLED] = "stalled",
  [TM_LINK_REFUSED_FLOOD] = "flood",
  [TM_LINK_REFUSED_FULL] = "full",
  [TM_LINK_REFUSED_IDLE] = "idle",
};

const char *tm_link_refusal_name(enum tm_link_refusal reason)
{
  return (unsigned)reason < TM_LINK_REFUSALS ? names[reason] : "unknown";
}

int tm_link_reserve(void) { return socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0); }

void tm_link_limits_free(struct tm_link_context *ctx)
{
  tm_prefixes_free(ctx->prefixes);
  free(ctx->exempt);
  if (ctx->reserve >= 0)
    close(ctx->reserve);
}

void tm_link_context_set_limits(struct tm_link_context *ctx, const struct tm_link_limits *limits)
{
  struct tm_link *link;

  ctx->config.limits = *limits;
  TAILQ_FOREACH(link, &ctx->links, entry)
    if (link->accepted && !link->got_cell)
      tm_link_arm(link);
}

struct tm_link_refused tm_link_context_refused(const struct tm_link_context *ctx)
{
  struct tm_link_refused refused = {.handshakes = ctx->n_handshakes};

  memcpy(refused.n, ctx->refused, sizeof refused.n);
  return refused;
}

/* ---- those who are known beforehand ---- */

static int by_value(const void *a, const void *b)
{
  uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

  return (x > y) - (x < y);
}

int tm_link_context_exempt(struct tm_link_context *ctx, const struct sockaddr_storage *addresses, size_t n)
{
  uint64_t *exempt = calloc(n + 1, sizeof *exempt);

  free(ctx->exempt);
  ctx->exempt = exempt;
  ctx->n_exempt = 0;
  if (exempt == NULL)
    return TM_E_NOMEM;
  for (size_t i = 0; i < n; i++)
    exempt[i] = tm_prefix_of(ctx->prefixes, (const struct sockaddr *)&addresses[i]).whole;
  qsort(exempt, n, sizeof *exempt, by_value);
  ctx->n_exempt = n;
  return TM_OK;
}

static bool is_exempt(const struct tm_link_context *ctx, const struct tm_prefix *prefix)
{
  return ctx->n_exempt > 0 && bsearch(&prefix->whole, ctx->exempt, ctx->n_exempt, sizeof *ctx->exempt, by_value) != NULL;
}

/* ---- who may come, and who gives way ---- */

/* As TLS says that it cannot now, for reasons of its own: alert internal_error, in clear. It is not worth waiting for. */
void tm_link_turn_away(struct tm_link_context *ctx, int fd, enum tm_link_refusal reason)
{
  static const uint8_t alert[] = {21, 3, 3, 0, 2, 2, 80};

  ctx->refused[reason]++;
  if (send(fd, alert, sizeof alert, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)sizeof alert)
    shutdown(fd, SHUT_WR);
  close(fd);
}

static enum tm_link_refusal reason_of(int level) { return level == 0 ? TM_LINK_REFUSED_ADDRESS : TM_LINK_REFUSED_NETWORK; }

/*
 * An honest handshake takes a few round trips, so the oldest is most likely of those who keep theirs open. Who is bound by no quota could else push out
 * everybody who is, by connecting fast: so such a one takes the place of another such one, if there is any.
 */
static void oldest_handshake_gives_way(struct tm_link_context *ctx, const struct tm_link_start *newcomer)
{
  struct tm_link *oldest = TAILQ_FIRST(&ctx->handshakes), *link;

  if (!newcomer->counted)
    TAILQ_FOREACH(link, &ctx->handshakes, weak_entry)
      if (!link->counts_handshake) {
        oldest = link;
        break;
      }
  ctx->refused[TM_LINK_REFUSED_HANDSHAKES]++;
  tm_link_kill(oldest, TM_OK);
}

static bool make_place(struct tm_link_context *ctx, const struct tm_link_start *newcomer)
{
  if (ctx->accepted < ctx->config.max_links)
    return true;
  if (!TAILQ_EMPTY(&ctx->ending))
    tm_link_kill(TAILQ_FIRST(&ctx->ending), TM_OK);
  else if (!TAILQ_EMPTY(&ctx->handshakes))
    oldest_handshake_gives_way(ctx, newcomer);
  else
    return false;
  return true;
}

bool tm_link_may_connect(struct tm_link_context *ctx, const struct sockaddr *peer, struct tm_link_start *start)
{
  const struct tm_link_quota quotas[TM_PREFIX_LEVELS] = {ctx->config.limits.address, ctx->config.limits.network};
  uint32_t most = ctx->config.limits.handshakes;
  int level;

  start->prefix = tm_prefix_of(ctx->prefixes, peer);
  start->counted = !is_exempt(ctx, &start->prefix);
  level = start->counted ? tm_prefix_connect(ctx->prefixes, &start->prefix, quotas, tm_link_now(ctx)) : -1;
  if (level >= 0) {
    tm_link_turn_away(ctx, start->fd, reason_of(level));
    return false;
  }
  if (!make_place(ctx, start)) {
    tm_link_turn_away(ctx, start->fd, TM_LINK_REFUSED_PLACES);
    tm_link_tally_add(ctx, &ctx->over_limit);
    tm_link_never_began(ctx, start);
    return false;
  }
  if (most != 0 && ctx->n_handshakes >= most)
    oldest_handshake_gives_way(ctx, start);
  return true;
}

void tm_link_never_began(struct tm_link_context *ctx, const struct tm_link_start *start)
{
  if (start->counted)
    tm_prefix_handshake_over(ctx->prefixes, &start->prefix);
}

void tm_link_begin(struct tm_link *link, const struct tm_link_start *start)
{
  link->prefix = start->prefix;
  link->counts_handshake = start->counted;
  TAILQ_INSERT_TAIL(&link->ctx->handshakes, link, weak_entry);
  link->ctx->n_handshakes++;
}

/* In a handshake still, for all that is counted? The other list is of those that are being closed. */
static bool is_handshake(const struct tm_link *link) { return link->state == TM_LINK_HANDSHAKE; }

static void handshake_over(struct tm_link *link)
{
  TAILQ_REMOVE(&link->ctx->handshakes, link, weak_entry);
  link->ctx->n_handshakes--;
  if (link->counts_handshake)
    tm_prefix_handshake_over(link->ctx->prefixes, &link->prefix);
  link->counts_handshake = false;
}

bool tm_link_may_stay(struct tm_link *link)
{
  struct tm_link_context *ctx = link->ctx;
  const struct tm_link_quota quotas[TM_PREFIX_LEVELS] = {ctx->config.limits.address, ctx->config.limits.network};
  int level;

  if (!link->events.judge(link->events_arg, NULL)) {
    ctx->refused[TM_LINK_REFUSED_FULL]++;
    return false;
  }
  level = tm_prefix_link(ctx->prefixes, &link->prefix, quotas, tm_link_now(ctx));
  link->counts_link = level < 0;
  if (level >= 0)
    ctx->refused[reason_of(level)]++;
  return level < 0;
}

void tm_link_is_up(struct tm_link *link)
{
  link->up_ms = link->stock_ms = tm_link_now(link->ctx);
  if (link->accepted)
    handshake_over(link);
}

void tm_link_close_begins(struct tm_link *link)
{
  if (!link->accepted)
    return;
  TAILQ_INSERT_TAIL(&link->ctx->ending, link, weak_entry);
  if (link->paused) {
    link->paused = false;
    event_add(link->readable, NULL); /* to see its end */
  }
}

/* Why it was cut off, if it was; what the peer did by itself does not count. */
static enum tm_link_refusal why(const struct tm_link *link, int reason)
{
  if (link->state == TM_LINK_HANDSHAKE) {
    if (reason == TM_E_TIMEOUT)
      return TM_LINK_REFUSED_SLOW_HANDSHAKE;
    return reason == TM_E_SYNTAX || reason == TM_E_PEER ? TM_LINK_REFUSED_BAD_HANDSHAKE : TM_LINK_REFUSALS;
  }
  if (link->state != TM_LINK_UP)
    return TM_LINK_REFUSALS;
  if (!link->got_cell && (reason == TM_E_TIMEOUT || reason == TM_E_TOO_BIG))
    return TM_LINK_REFUSED_FIRST_CELL;
  if (reason == TM_E_TIMEOUT)
    return link->stalled && tm_link_now(link->ctx) >= link->stalled_ms + link->ctx->config.stall_ms ? TM_LINK_REFUSED_STALLED : TM_LINK_REFUSED_SILENT;
  return reason == TM_E_SYNTAX ? TM_LINK_REFUSED_BAD_CELL : TM_LINK_REFUSALS;
}

void tm_link_dies(struct tm_link *link, int reason)
{
  struct tm_link_context *ctx = link->ctx;
  enum tm_link_refusal refusal = why(link, reason);

  if (!link->accepted)
    return;
  if (refusal < TM_LINK_REFUSALS && !ctx->closing)
    ctx->refused[refusal]++;
  if (is_handshake(link))
    handshake_over(link);
  else if (link->state == TM_LINK_FLUSH || link->state == TM_LINK_LINGER)
    TAILQ_REMOVE(&ctx->ending, link, weak_entry);
  if (link->counts_link)
    tm_prefix_link_over(ctx->prefixes, &link->prefix);
  link->counts_link = false;
}

void tm_link_refuse(struct tm_link *link, enum tm_link_refusal reason)
{
  if (link->state == TM_LINK_UP || link->state == TM_LINK_HANDSHAKE)
    link->ctx->refused[reason]++;
  tm_link_close(link);
}

/* ---- how fast ---- */

void tm_link_set_rate(struct tm_link *link, const struct tm_link_rate *rate)
{
  if (link->rate.cell_us == 0) {
    link->stock_us = rate->first_us;
    link->stock_ms = tm_link_now(link->ctx);
  }
  link->rate = *rate;
  if (link->stock_us > rate->most_us)
    link->stock_us = rate->most_us;
}

static void earn(struct tm_link *link)
{
  uint64_t now = tm_link_now(link->ctx);
  uint64_t room = link->rate.most_us - link->stock_us;
  uint64_t since_ms = now - link->stock_ms;

  link->stock_us = since_ms > room / 1000 ? link->rate.most_us : link->stock_us + since_ms * 1000;
  link->stock_ms = now;
  if (link->stock_us >= link->rate.first_us)
    link->pauses = 0;
}

static void pause_reading(struct tm_link *link)
{
  uint64_t due_us = RESUME_CELLS * link->rate.cell_us;
  uint64_t wait_us;

  if (++link->pauses > TM_LINK_FLOOD_PAUSES) {
    tm_link_refuse(link, TM_LINK_REFUSED_FLOOD);
    return;
  }
  if (due_us > link->rate.first_us / 2)
    due_us = link->rate.first_us / 2;
  wait_us = due_us > link->stock_us ? due_us - link->stock_us : 0;
  link->paused = true;
  link->resume_ms = link->stock_ms + wait_us / 1000 + 1;
  event_del(link->readable);
  tm_link_arm(link);
}

size_t tm_link_may_read(struct tm_link *link, size_t want)
{
  uint64_t cells;

  if (link->rate.cell_us == 0 || link->state != TM_LINK_UP)
    return want;
  earn(link);
  cells = link->stock_us / link->rate.cell_us;
  if (cells == 0) {
    pause_reading(link);
    return 0;
  }
  return cells < want / SEALED_CELL ? cells * SEALED_CELL : want;
}

void tm_link_has_read(struct tm_link *link, size_t n)
{
  uint64_t cost = n * link->rate.cell_us / SEALED_CELL;

  link->stock_us -= cost < link->stock_us ? cost : link->stock_us;
  if (link->state == TM_LINK_UP && link->accepted && !link->got_cell)
    link->first_bytes += n;
}

void tm_link_resume(struct tm_link *link)
{
  link->paused = false;
  link->got_ms = tm_link_now(link->ctx);
  if (event_add(link->readable, NULL) != 0)
    tm_link_kill(link, TM_E_NOMEM);
}
