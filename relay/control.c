#include "config.h"

#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>

#include "base/local_socket.h"

#include "relay/control.h"

#define PAUSE_MS 1000 /* after the system had no descriptor for one more */

struct client {
  LIST_ENTRY(client) entry;
  struct tm_relay_control *control;
  struct bufferevent *bev;
  struct event *patience;
  struct tm_relay_control_reader reader;
  bool answering; /* an answer has not left */
  bool leaving;   /* and is the last one */
};

struct tm_relay_control {
  struct event_base *base;
  struct evconnlistener *listener;
  struct event *resume;
  char *path;
  struct timeval patience;
  tm_relay_control_answer *answer;
  void *arg;
  LIST_HEAD(, client) clients;
  size_t n_clients;
};

/* ---- one client ---- */

static void client_free(struct client *c)
{
  LIST_REMOVE(c, entry);
  c->control->n_clients--;
  if (c->patience != NULL)
    event_free(c->patience);
  if (c->bev != NULL)
    bufferevent_free(c->bev);
  free(c);
}

static void on_impatience(evutil_socket_t fd, short what, void *arg)
{
  (void)fd;
  (void)what;
  client_free(arg);
}

static bool client_say(struct client *c, const char *line)
{
  c->answering = true;
  event_add(c->patience, &c->control->patience);
  return line != NULL && bufferevent_write(c->bev, line, strlen(line)) == 0;
}

/* Takes what has come, until an answer is on its way. False: the client must go. */
static bool client_work(struct client *c)
{
  struct evbuffer *in = bufferevent_get_input(c->bev);
  struct evbuffer_iovec piece;

  while (!c->answering && evbuffer_peek(in, -1, NULL, &piece, 1) > 0 && piece.iov_len > 0) {
    enum tm_relay_control_op op;
    size_t used;
    bool whole;
    int err = tm_relay_control_take(&c->reader, piece.iov_base, piece.iov_len, &used, &op, &whole);
    evbuffer_drain(in, used);
    c->leaving = err != TM_OK;
    if (c->leaving || whole)
      return client_say(c, c->leaving ? tm_relay_control_complaint(err) : c->control->answer(c->control->arg, op));
  }
  return true;
}

static void on_readable(struct bufferevent *bev, void *arg)
{
  (void)bev;
  if (!client_work(arg))
    client_free(arg);
}

/* The answer has left. */
static void on_written(struct bufferevent *bev, void *arg)
{
  struct client *c = arg;

  (void)bev;
  if (!c->answering)
    return;
  c->answering = false;
  event_add(c->patience, &c->control->patience);
  if (c->leaving || !client_work(c))
    client_free(c);
}

static void on_gone(struct bufferevent *bev, short what, void *arg)
{
  (void)bev;
  (void)what;
  client_free(arg);
}

/* ---- the socket ---- */

/* The user that the relay runs as, and who could become that anyway. */
static bool may_ask(int fd)
{
  uid_t peer = tm_local_socket_peer(fd);

  return peer == geteuid() || peer == 0;
}

static struct client *client_new(struct tm_relay_control *control, int fd)
{
  struct client *c = calloc(1, sizeof *c);

  if (c == NULL) {
    close(fd);
    return NULL;
  }
  c->control = control;
  LIST_INSERT_HEAD(&control->clients, c, entry);
  control->n_clients++;
  c->patience = evtimer_new(control->base, on_impatience, c);
  c->bev = bufferevent_socket_new(control->base, fd, BEV_OPT_CLOSE_ON_FREE);
  if (c->bev == NULL)
    close(fd);
  if (c->patience != NULL && c->bev != NULL && event_add(c->patience, &control->patience) == 0)
    return c;
  client_free(c);
  return NULL;
}

static void on_client(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *addr, int len, void *arg)
{
  struct tm_relay_control *control = arg;
  struct client *c;

  (void)listener;
  (void)addr;
  (void)len;
  if (!may_ask(fd) || control->n_clients >= TM_RELAY_CONTROL_CLIENTS_MAX) {
    close(fd);
    return;
  }
  c = client_new(control, fd);
  if (c == NULL)
    return;
  bufferevent_setcb(c->bev, on_readable, on_written, on_gone, c);
  bufferevent_setwatermark(c->bev, EV_READ, 0, TM_RELAY_CONTROL_REQUEST_MAX);
  bufferevent_enable(c->bev, EV_READ | EV_WRITE);
}

/* The waiting connection stays in the backlog and would wake us at once, again and again. */
static void on_no_accept(struct evconnlistener *listener, void *arg)
{
  struct tm_relay_control *control = arg;
  const struct timeval pause = {.tv_sec = PAUSE_MS / 1000};

  if (event_add(control->resume, &pause) == 0)
    evconnlistener_disable(listener);
}

static void on_resume(evutil_socket_t fd, short what, void *arg)
{
  struct tm_relay_control *control = arg;

  (void)fd;
  (void)what;
  evconnlistener_enable(control->listener);
}

static int listen_on(struct tm_relay_control *control)
{
  int fd = tm_local_socket_bind(control->path);

  if (fd < 0)
    return TM_E_IO;
  control->listener = evconnlistener_new(control->base, on_client, control, LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC,
                                         TM_RELAY_CONTROL_CLIENTS_MAX, fd);
  if (control->listener != NULL) {
    evconnlistener_set_error_cb(control->listener, on_no_accept);
    return TM_OK;
  }
  close(fd);
  unlink(control->path);
  return TM_E_NOMEM;
}

int tm_relay_control_new(struct tm_relay_control **out, struct event_base *base, const char *path, unsigned patience_ms,
                         tm_relay_control_answer *answer, void *arg)
{
  struct tm_relay_control *control = calloc(1, sizeof *control);
  int err = TM_E_NOMEM;

  *out = NULL;
  if (control == NULL)
    return TM_E_NOMEM;
  LIST_INIT(&control->clients);
  control->base = base;
  control->patience = (struct timeval){.tv_sec = patience_ms / 1000, .tv_usec = (suseconds_t)(patience_ms % 1000) * 1000};
  control->answer = answer;
  control->arg = arg;
  control->path = strdup(path);
  control->resume = evtimer_new(base, on_resume, control);
  if (control->path != NULL && control->resume != NULL)
    err = listen_on(control);
  if (err != TM_OK) {
    tm_relay_control_free(control);
    return err;
  }
  *out = control;
  return TM_OK;
}

void tm_relay_control_free(struct tm_relay_control *control)
{
  if (control == NULL)
    return;
  if (control->listener != NULL) {
    evconnlistener_free(control->listener);
    unlink(control->path);
  }
  if (control->resume != NULL)
    event_free(control->resume);
  while (!LIST_EMPTY(&control->clients))
    client_free(LIST_FIRST(&control->clients));
  free(control->path);
  free(control);
}
