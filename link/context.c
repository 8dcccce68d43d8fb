#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"

#include "link/internal.h"

uint64_t tm_link_now(const struct tm_link_context *ctx) { return tm_clock_mono_ms(ctx->config.clock); }

void tm_link_config_default(struct tm_link_config *config)
{
  *config = (struct tm_link_config){
    .handshake_ms = 10000,
    .idle_ms = 60000,
    .keepalive_ms = 15000,
    .stall_ms = 30000,
    .queue_cells = 256,
    .max_links = 10000,
  };
}

void tm_link_turn_later(struct tm_link_context *ctx) { event_active(ctx->turn, EV_TIMEOUT, 0); }

static void on_turn(evutil_socket_t fd, short what, void *arg)
{
  struct tm_link_context *ctx = arg;
  struct tm_link *link;

  (void)fd;
  (void)what;
  while ((link = TAILQ_FIRST(&ctx->dirty)) != NULL) {
    TAILQ_REMOVE(&ctx->dirty, link, dirty_entry);
    link->dirty = false;
    tm_link_flush(link);
  }
  while ((link = TAILQ_FIRST(&ctx->dead)) != NULL)
    tm_link_bury(link);
}

void tm_link_tally_add(struct tm_link_context *ctx, struct tm_link_tally *tally)
{
  uint64_t now = tm_link_now(ctx);

  tally->n++;
  if (tally->logged_ms != 0 && now - tally->logged_ms < TM_LINK_LOG_EVERY_MS)
    return;
  tm_log(TM_LOG_WARN, "link", tally->event, TM_KV_INT("count", tally->n), TM_KV_END);
  tally->n = 0;
  tally->logged_ms = now;
}

static bool fill_pool(struct tm_link_context *ctx)
{
  while (ctx->pool_n < TM_LINK_POOL_CHUNKS && ctx->pool_n * TM_LINK_CHUNK_CELLS < ctx->config.spare_cells) {
    struct tm_link_chunk *chunk = malloc(sizeof *chunk);
    if (chunk == NULL)
      return false;
    TAILQ_INSERT_HEAD(&ctx->pool, chunk, entry);
    ctx->pool_n++;
  }
  return true;
}

static void empty_pool(struct tm_link_context *ctx)
{
  struct tm_link_chunk *chunk;

  while ((chunk = TAILQ_FIRST(&ctx->pool)) != NULL) {
    TAILQ_REMOVE(&ctx->pool, chunk, entry);
    free(chunk);
  }
}

int tm_link_context_new(struct tm_link_context **out, const struct tm_link_config *config)
{
  struct tm_link_context *ctx = calloc(1, sizeof *ctx);
  int r;

  *out = NULL;
  if (ctx == NULL)
    return TM_E_NOMEM;
  ctx->config = *config;
  ctx->config.identity_seed = NULL; /* the caller's memory; TLS has its own copy */
  ctx->over_limit.event = "links-over-limit";
  ctx->accept_failed.event = "accept-failed";
  TAILQ_INIT(&ctx->links);
  TAILQ_INIT(&ctx->dirty);
  TAILQ_INIT(&ctx->dead);
  TAILQ_INIT(&ctx->unread);
  TAILQ_INIT(&ctx->handshakes);
  TAILQ_INIT(&ctx->ending);
  ctx->reserve = tm_link_reserve();
  LIST_INIT(&ctx->listeners);
  LIST_INIT(&ctx->dialers);
  TAILQ_INIT(&ctx->pool);
  r = config->identity_seed != NULL ? tm_prefixes_new(&ctx->prefixes, config->rng, config->max_links) : TM_OK; /* others accept nothing */
  if (r == TM_OK)
    r = tm_tls_new(&ctx->tls, config->identity_seed);
  if (r == TM_OK) {
    ctx->turn = event_new(config->base, -1, 0, on_turn, ctx);
    r = ctx->turn != NULL && fill_pool(ctx) ? TM_OK : TM_E_NOMEM;
  }
  if (r != TM_OK) {
    empty_pool(ctx);
    if (ctx->turn != NULL)
      event_free(ctx->turn);
    tm_tls_free(ctx->tls);
    tm_link_limits_free(ctx);
    free(ctx);
    return r;
  }
  *out = ctx;
  return TM_OK;
}

void tm_link_context_hold(struct tm_link_context *ctx, bool held)
{
  struct tm_link *link;

  ctx->held = held;
  while (!held && (link = TAILQ_FIRST(&ctx->unread)) != NULL)
    tm_link_read_again(link);
}

struct tm_link_io tm_link_context_io(const struct tm_link_context *ctx) { return ctx->io; }

void tm_link_context_free(struct tm_link_context *ctx)
{
  struct tm_link *link;

  if (ctx == NULL)
    return;
  ctx->closing = true;
  while ((link = TAILQ_FIRST(&ctx->links)) != NULL)
    tm_link_kill(link, TM_OK);
  while ((link = TAILQ_FIRST(&ctx->dead)) != NULL)
    tm_link_bury(link);
  tm_link_dialers_free(ctx);
  tm_link_listeners_free(ctx);
  empty_pool(ctx);
  event_free(ctx->turn);
  tm_tls_free(ctx->tls);
  tm_link_limits_free(ctx);
  free(ctx);
}
