#include "config.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/listener.h>

#include "link/link.h"

#include "relay/metrics_server.h"

#define HEADERS_MAX 4096
#define SWEEP_MS 100

/* evhttp counts no connections and lets one live that sends a byte now and then. So each is held here as well. */
struct connection {
  struct bufferevent *bev; /* NULL: this place is free */
  unsigned sweeps;         /* that it has seen */
};

struct tm_metrics_server {
  struct event_base *base;
  struct evhttp *http;
  struct evconnlistener *listener; /* http's */
  struct event *sweep;             /* runs while there are connections */
  unsigned sweeps_max;
  struct connection connection[TM_METRICS_CONNECTIONS_MAX];
  size_t n;
  char *text;
  size_t len;
};

/* ---- connections ---- */

static void let_go(struct tm_metrics_server *s, struct connection *c)
{
  bufferevent_decref(c->bev); /* closes the socket, if http is done with it */
  c->bev = NULL;
  if (s->n-- == TM_METRICS_CONNECTIONS_MAX)
    evconnlistener_enable(s->listener);
}

/* http has freed it, and only our reference is left: then it has no callbacks any more. */
static bool is_over(const struct connection *c)
{
  bufferevent_data_cb readable = NULL, written = NULL;
  bufferevent_event_cb event = NULL;

  bufferevent_getcb(c->bev, &readable, &written, &event, NULL);
  return readable == NULL && written == NULL && event == NULL;
}

static void on_sweep(evutil_socket_t fd, short what, void *arg)
{
  struct tm_metrics_server *s = arg;

  (void)fd;
  (void)what;
  for (size_t i = 0; i < TM_METRICS_CONNECTIONS_MAX; i++) {
    struct connection *c = &s->connection[i];
    if (c->bev == NULL)
      continue;
    if (is_over(c))
      let_go(s, c);
    else if (++c->sweeps >= s->sweeps_max)
      shutdown(bufferevent_getfd(c->bev), SHUT_RDWR); /* http sees its end, and frees it */
  }
  if (s->n == 0)
    event_del(s->sweep);
}

/* http asks for a bufferevent for each connection that it has accepted. */
static struct bufferevent *on_connection(struct event_base *base, void *arg)
{
  struct tm_metrics_server *s = arg;
  const struct timeval often = {.tv_usec = SWEEP_MS * 1000};
  struct bufferevent *bev = bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE);

  for (size_t i = 0; bev != NULL && i < TM_METRICS_CONNECTIONS_MAX; i++)
    if (s->connection[i].bev == NULL) {
      bufferevent_incref(bev);
      s->connection[i] = (struct connection){.bev = bev};
      s->n++;
      break;
    }
  if (s->n == TM_METRICS_CONNECTIONS_MAX)
    evconnlistener_disable(s->listener);
  event_add(s->sweep, &often);
  return bev;
}

/* ---- requests ---- */

static void on_metrics(struct evhttp_request *request, void *arg)
{
  struct tm_metrics_server *s = arg;
  struct evkeyvalq *headers = evhttp_request_get_output_headers(request);

  evhttp_add_header(headers, "Connection", "close");
  if (s->text == NULL || evbuffer_add(evhttp_request_get_output_buffer(request), s->text, s->len) != 0) {
    evhttp_send_error(request, HTTP_SERVUNAVAIL, NULL);
    return;
  }
  evhttp_add_header(headers, "Content-Type", "text/plain; version=0.0.4; charset=utf-8");
  evhttp_send_reply(request, HTTP_OK, NULL, NULL);
}

static void on_other(struct evhttp_request *request, void *arg)
{
  (void)arg;
  evhttp_add_header(evhttp_request_get_output_headers(request), "Connection", "close");
  evhttp_send_error(request, HTTP_NOTFOUND, NULL);
}

/* ---- life ---- */

/* The system has no descriptor. The waiting connection would wake us at once, again and again; it waits for the next metrics. arg is http's. */
static void on_no_accept(struct evconnlistener *listener, void *arg)
{
  (void)arg;
  evconnlistener_disable(listener);
}

static int listen_on(struct tm_metrics_server *s, const char *address)
{
  struct sockaddr_storage addr;
  socklen_t len;
  struct evhttp_bound_socket *bound;

  if (tm_link_address_parse(address, &addr, &len) != TM_OK)
    return TM_E_SYNTAX;
  s->listener = evconnlistener_new_bind(s->base, NULL, NULL, LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC | LEV_OPT_REUSEABLE,
                                        TM_METRICS_CONNECTIONS_MAX, (struct sockaddr *)&addr, (int)len);
  if (s->listener == NULL)
    return TM_E_IO;
  evconnlistener_set_error_cb(s->listener, on_no_accept);
  bound = evhttp_bind_listener(s->http, s->listener);
  if (bound != NULL)
    return TM_OK;
  evconnlistener_free(s->listener);
  s->listener = NULL;
  return TM_E_NOMEM;
}

static int build(struct tm_metrics_server *s, const char *address, unsigned patience_ms)
{
  s->http = evhttp_new(s->base);
  s->sweep = event_new(s->base, -1, EV_PERSIST, on_sweep, s);
  if (s->http == NULL || s->sweep == NULL || evhttp_set_cb(s->http, "/metrics", on_metrics, s) != 0)
    return TM_E_NOMEM;
  s->sweeps_max = patience_ms / SWEEP_MS;
  evhttp_set_gencb(s->http, on_other, s);
  evhttp_set_allowed_methods(s->http, EVHTTP_REQ_GET | EVHTTP_REQ_HEAD);
  evhttp_set_max_headers_size(s->http, HEADERS_MAX);
  evhttp_set_max_body_size(s->http, 0);
  evhttp_set_timeout(s->http, (int)(patience_ms / 1000) + 1);
  evhttp_set_bevcb(s->http, on_connection, s);
  return listen_on(s, address);
}

int tm_metrics_server_new(struct tm_metrics_server **out, struct event_base *base, const char *address, unsigned patience_ms)
{
  struct tm_metrics_server *s = calloc(1, sizeof *s);
  int err, error;

  *out = NULL;
  if (s == NULL)
    return TM_E_NOMEM;
  s->base = base;
  err = build(s, address, patience_ms);
  if (err != TM_OK) {
    error = errno;
    tm_metrics_server_free(s);
    errno = error;
    return err;
  }
  *out = s;
  return TM_OK;
}

void tm_metrics_server_free(struct tm_metrics_server *server)
{
  if (server == NULL)
    return;
  if (server->http != NULL)
    evhttp_free(server->http); /* the listener, too */
  for (size_t i = 0; i < TM_METRICS_CONNECTIONS_MAX; i++)
    if (server->connection[i].bev != NULL)
      bufferevent_decref(server->connection[i].bev);
  if (server->sweep != NULL)
    event_free(server->sweep);
  free(server->text);
  free(server);
}

void tm_metrics_server_set(struct tm_metrics_server *server, char *text, size_t len)
{
  free(server->text);
  server->text = text;
  server->len = text == NULL ? 0 : len;
  if (server->n < TM_METRICS_CONNECTIONS_MAX)
    evconnlistener_enable(server->listener);
}

uint16_t tm_metrics_server_port(const struct tm_metrics_server *server)
{
  struct sockaddr_storage addr;
  socklen_t len = sizeof addr;

  if (getsockname(evconnlistener_get_fd(server->listener), (struct sockaddr *)&addr, &len) != 0)
    return 0;
  return ntohs(addr.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&addr)->sin6_port : ((struct sockaddr_in *)&addr)->sin_port);
}
