#include "config.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "link/internal.h"

#define ACCEPTS_PER_WAKE 64
#define BACKLOG 512
#define PAUSE_MS 200 /* after the system had no descriptor or memory for one more */

struct tm_link_listener {
  LIST_ENTRY(tm_link_listener) entry;
  struct tm_link_context *ctx;
  evutil_socket_t fd;
  uint16_t port;
  bool want_anonymous;
  struct event *readable;
  struct event *resume;
  unsigned failures; /* in a row, to get a descriptor */
  struct tm_link_events events;
  void *arg;
};

static bool is_our_trouble(int error)
{
  return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

/* The waiting connection stays in the backlog and would wake us at once, again and again. */
static void pause_accepting(struct tm_link_listener *listener)
{
  struct timeval tv = {0, PAUSE_MS * 1000};

  tm_link_tally_add(listener->ctx, &listener->ctx->accept_failed);
  event_del(listener->readable);
  event_add(listener->resume, &tv);
}

/*
 * Those who wait may have to wait a little. If there is still none then, they are told that there is no place, through the descriptor that was kept for
 * this, instead of being left to time out.
 */
static void no_descriptor(struct tm_link_listener *listener, int error)
{
  struct tm_link_context *ctx = listener->ctx;
  int fd;

  pause_accepting(listener);
  if (listener->failures++ == 0 || error != EMFILE)
    return;
  for (int i = 0; i < ACCEPTS_PER_WAKE && ctx->reserve >= 0; i++) {
    close(ctx->reserve);
    ctx->reserve = -1;
    fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0)
      tm_link_turn_away(ctx, fd, TM_LINK_REFUSED_FILES);
    ctx->reserve = tm_link_reserve();
    if (fd < 0)
      break;
  }
}

static void on_resume(evutil_socket_t fd, short what, void *arg)
{
  struct tm_link_listener *listener = arg;

  (void)fd;
  (void)what;
  if (listener->ctx->reserve < 0)
    listener->ctx->reserve = tm_link_reserve();
  event_add(listener->readable, NULL);
}

static void on_accept(evutil_socket_t fd, short what, void *arg)
{
  struct tm_link_listener *listener = arg;
  struct tm_link_context *ctx = listener->ctx;
  struct tm_link_start start = {.accepted = true, .want_anonymous = listener->want_anonymous,
                                .events = &listener->events, .arg = listener->arg};
  struct sockaddr_storage addr;
  socklen_t len;
  struct tm_link *link;

  (void)what;
  for (int i = 0; i < ACCEPTS_PER_WAKE; i++) {
    len = sizeof addr;
    start.fd = accept4(fd, (struct sockaddr *)&addr, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (start.fd < 0) {
      if (is_our_trouble(errno))
        no_descriptor(listener, errno);
      else if (errno == ECONNABORTED || errno == EINTR)
        continue;
      return;
    }
    listener->failures = 0;
    if (!tm_link_may_connect(ctx, (struct sockaddr *)&addr, &start))
      continue;
    if (tm_link_new(ctx, &start, &link) != TM_OK) {
      tm_link_never_began(ctx, &start);
      pause_accepting(listener);
      return;
    }
  }
}

static evutil_socket_t open_socket(const struct sockaddr *addr, socklen_t addr_len)
{
  int fd = socket(addr->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  int one = 1;
  int error;

  if (fd < 0)
    return -1;
  if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) == 0 &&
      (addr->sa_family != AF_INET6 || setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one) == 0) &&
      bind(fd, addr, addr_len) == 0 && listen(fd, BACKLOG) == 0)
    return fd;
  error = errno;
  close(fd);
  errno = error;
  return -1;
}

static uint16_t bound_port(evutil_socket_t fd)
{
  struct sockaddr_storage addr;
  socklen_t len = sizeof addr;

  memset(&addr, 0, sizeof addr);
  if (getsockname(fd, (struct sockaddr *)&addr, &len) != 0)
    return 0;
  return ntohs(addr.ss_family == AF_INET6 ? ((const struct sockaddr_in6 *)&addr)->sin6_port
                                          : ((const struct sockaddr_in *)&addr)->sin_port);
}

int tm_link_listen(struct tm_link_context *ctx, const struct sockaddr *addr, socklen_t addr_len, bool want_anonymous,
                   const struct tm_link_events *events, void *arg, struct tm_link_listener **out)
{
  struct tm_link_listener *listener;

  *out = NULL;
  if (ctx->closing || !tm_tls_has_identity(ctx->tls))
    return TM_E_STATE;
  listener = calloc(1, sizeof *listener);
  if (listener == NULL)
    return TM_E_NOMEM;
  listener->fd = open_socket(addr, addr_len);
  if (listener->fd < 0) {
    free(listener);
    return TM_E_IO;
  }
  listener->ctx = ctx;
  listener->port = bound_port(listener->fd);
  listener->want_anonymous = want_anonymous;
  listener->events = *events;
  listener->arg = arg;
  LIST_INSERT_HEAD(&ctx->listeners, listener, entry);
  listener->readable = event_new(ctx->config.base, listener->fd, EV_READ | EV_PERSIST, on_accept, listener);
  listener->resume = event_new(ctx->config.base, -1, 0, on_resume, listener);
  if (listener->readable == NULL || listener->resume == NULL || event_add(listener->readable, NULL) != 0) {
    tm_link_listener_free(listener);
    return TM_E_NOMEM;
  }
  *out = listener;
  return TM_OK;
}

uint16_t tm_link_listener_port(const struct tm_link_listener *listener) { return listener->port; }

void tm_link_listener_free(struct tm_link_listener *listener)
{
  if (listener == NULL)
    return;
  LIST_REMOVE(listener, entry);
  if (listener->readable != NULL)
    event_free(listener->readable);
  if (listener->resume != NULL)
    event_free(listener->resume);
  close(listener->fd);
  free(listener);
}

void tm_link_listeners_free(struct tm_link_context *ctx)
{
  struct tm_link_listener *listener;

  while ((listener = LIST_FIRST(&ctx->listeners)) != NULL)
    tm_link_listener_free(listener);
}
