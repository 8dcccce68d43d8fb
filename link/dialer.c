#include "config.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "link/internal.h"

struct tm_link_dialer {
  LIST_ENTRY(tm_link_dialer) entry;
  struct tm_link_context *ctx;
  struct sockaddr_storage addr;
  socklen_t addr_len;
  uint8_t identity[TM_LINK_IDENTITY_LEN];
  uint32_t first_ms, most_ms;
  uint32_t backoff_ms; /* the next wait is drawn from its upper half */
  struct tm_link_events events;
  void *arg;
  struct tm_link *link; /* present attempt or link; NULL: waits */
  int reason;
  struct event *timer;
};

/* ---- one attempt ---- */

static evutil_socket_t start_connect(const struct sockaddr *addr, socklen_t addr_len)
{
  int fd = socket(addr->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  int error;

  if (fd < 0)
    return -1;
  if (connect(fd, addr, addr_len) == 0 || errno == EINPROGRESS)
    return fd;
  error = errno;
  close(fd);
  errno = error;
  return -1;
}

int tm_link_dial_for(struct tm_link_context *ctx, const struct tm_link_start *start, const struct sockaddr *addr,
                     socklen_t addr_len, struct tm_link **out)
{
  struct tm_link_start with_socket = *start;

  *out = NULL;
  if (ctx->closing)
    return TM_E_STATE;
  with_socket.fd = start_connect(addr, addr_len);
  if (with_socket.fd < 0)
    return TM_E_IO;
  return tm_link_new(ctx, &with_socket, out);
}

int tm_link_dial(struct tm_link_context *ctx, const struct sockaddr *addr, socklen_t addr_len,
                 const uint8_t identity[static TM_LINK_IDENTITY_LEN], const struct tm_link_events *events, void *arg,
                 struct tm_link **out)
{
  struct tm_link_start start = {.identity = identity, .events = events, .arg = arg};
  int r = tm_link_dial_for(ctx, &start, addr, addr_len, out);

  if (r == TM_OK)
    (*out)->reported = true;
  return r;
}

/* ---- again and again ---- */

static void wait_for(struct tm_link_dialer *dialer, uint32_t ms)
{
  struct timeval tv = {.tv_sec = ms / 1000, .tv_usec = (suseconds_t)(ms % 1000) * 1000};

  event_add(dialer->timer, &tv);
}

/* Drawn, so that those who lost the same relay at the same moment do not come back at the same moment. */
static void wait_backoff(struct tm_link_dialer *dialer)
{
  uint32_t half = dialer->backoff_ms / 2;
  uint32_t ms = half + tm_rng_below(dialer->ctx->config.rng, dialer->backoff_ms - half + 1);

  dialer->backoff_ms = dialer->backoff_ms > dialer->most_ms / 2 ? dialer->most_ms : 2 * dialer->backoff_ms;
  wait_for(dialer, ms);
}

static void on_due(evutil_socket_t fd, short what, void *arg)
{
  struct tm_link_dialer *dialer = arg;
  struct tm_link_start start = {
    .identity = dialer->identity, .events = &dialer->events, .arg = dialer->arg, .dialer = dialer};
  int r;

  (void)fd;
  (void)what;
  r = tm_link_dial_for(dialer->ctx, &start, (const struct sockaddr *)&dialer->addr, dialer->addr_len, &dialer->link);
  if (r != TM_OK) {
    dialer->reason = r;
    wait_backoff(dialer);
  }
}

void tm_link_dialer_lost(struct tm_link_dialer *dialer, const struct tm_link *link)
{
  dialer->link = NULL;
  dialer->reason = link->reason;
  if (dialer->ctx->closing)
    return;
  if (link->reported && tm_link_now(dialer->ctx) - link->born_ms >= dialer->most_ms)
    dialer->backoff_ms = dialer->first_ms;
  wait_backoff(dialer);
}

int tm_link_dialer_new(struct tm_link_context *ctx, const struct sockaddr *addr, socklen_t addr_len,
                       const uint8_t identity[static TM_LINK_IDENTITY_LEN], uint32_t first_ms, uint32_t most_ms,
                       const struct tm_link_events *events, void *arg, struct tm_link_dialer **out)
{
  struct tm_link_dialer *dialer;

  *out = NULL;
  if (ctx->closing || addr_len > sizeof dialer->addr)
    return TM_E_STATE;
  dialer = calloc(1, sizeof *dialer);
  if (dialer == NULL)
    return TM_E_NOMEM;
  dialer->timer = event_new(ctx->config.base, -1, 0, on_due, dialer);
  if (dialer->timer == NULL) {
    free(dialer);
    return TM_E_NOMEM;
  }
  dialer->ctx = ctx;
  memcpy(&dialer->addr, addr, addr_len);
  dialer->addr_len = addr_len;
  memcpy(dialer->identity, identity, sizeof dialer->identity);
  dialer->first_ms = first_ms > 0 ? first_ms : 1;
  dialer->most_ms = most_ms > dialer->first_ms ? most_ms : dialer->first_ms;
  dialer->backoff_ms = dialer->first_ms;
  dialer->events = *events;
  dialer->arg = arg;
  LIST_INSERT_HEAD(&ctx->dialers, dialer, entry);
  wait_for(dialer, 0);
  *out = dialer;
  return TM_OK;
}

struct tm_link *tm_link_dialer_link(const struct tm_link_dialer *dialer)
{
  return dialer->link != NULL && dialer->link->state == TM_LINK_UP ? dialer->link : NULL;
}

int tm_link_dialer_reason(const struct tm_link_dialer *dialer) { return dialer->reason; }

void tm_link_dialer_free(struct tm_link_dialer *dialer)
{
  struct tm_link *link;

  if (dialer == NULL)
    return;
  link = dialer->link;
  LIST_REMOVE(dialer, entry);
  event_free(dialer->timer);
  free(dialer);
  if (link == NULL)
    return;
  /* At once, as the user's argument may not live longer than the dialler; what the kernel takes now still goes out. */
  link->dialer = NULL;
  tm_link_flush(link);
  tm_link_kill(link, TM_OK);
  tm_link_notify_down(link);
}

void tm_link_dialers_free(struct tm_link_context *ctx)
{
  struct tm_link_dialer *dialer;

  while ((dialer = LIST_FIRST(&ctx->dialers)) != NULL)
    tm_link_dialer_free(dialer);
}
