#include "config.h"

#include <sys/queue.h>
#include <unistd.h>

#include <stdlib.h>
#include <string.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <sodium.h>

#include "base/file.h"
#include "base/local_socket.h"
#include "base/log.h"

#include "client/control.h"

struct client {
  LIST_ENTRY(client) entry;
  struct tm_control *control;
  struct bufferevent *bev;
  struct tm_frames *frames;
  struct event *stall; /* runs while half a frame is there, or an answer has not left */
  bool answering;      /* an answer has not left */
  bool watching;
  bool changed;        /* since it was told last */
};

struct tm_control {
  struct event_base *base;
  struct evconnlistener *listener;
  struct event *notify;
  char *path;
  tm_control_handle *handle;
  void *arg;
  LIST_HEAD(, client) clients;
  size_t n_clients;
};

/* ---- one client ---- */

static void client_free(struct client *c)
{
  LIST_REMOVE(c, entry);
  c->control->n_clients--;
  if (c->stall != NULL)
    event_free(c->stall);
  if (c->bev != NULL)
    bufferevent_free(c->bev);
  tm_frames_free(c->frames);
  free(c);
}

static void on_stall(evutil_socket_t fd, short what, void *arg)
{
  (void)fd;
  (void)what;
  tm_log(TM_LOG_INFO, "client", "a command stopped in the middle", TM_KV_END);
  client_free(arg);
}

static void watch_for_stall(struct client *c)
{
  const struct timeval limit = {TM_CONTROL_STALL_S, 0};

  if (!c->answering && tm_frames_between(c->frames))
    event_del(c->stall);
  else if (!event_pending(c->stall, EV_TIMEOUT, NULL))
    event_add(c->stall, &limit);
}

static void wipe_body(const void *data, size_t len, void *arg)
{
  (void)data;
  tm_file_free(arg, len);
}

/* Queues a frame and takes over body. False: the client must go. */
static bool client_send(struct client *c, const json_t *head, uint8_t *body, size_t body_len)
{
  char line[TM_CONTROL_LINE_LEN];
  size_t len = 0;
  int err = tm_frame_line(head, line, &len);

  if (err == TM_OK && bufferevent_write(c->bev, line, len) != 0)
    err = TM_E_NOMEM;
  sodium_memzero(line, sizeof line); /* an invite code, perhaps */
  if (err != TM_OK) {
    tm_log(TM_LOG_ERROR, "client", "an answer could not be written", TM_KV_NAME("reason", tm_strerror(err)), TM_KV_END);
    tm_file_free(body, body_len);
    return false;
  }
  if (body_len > 0 && evbuffer_add_reference(bufferevent_get_output(c->bev), body, body_len, wipe_body, body) != 0) {
    tm_file_free(body, body_len);
    return false;
  }
  c->answering = true;
  return true;
}

static bool client_tell(struct client *c)
{
  json_t *head = json_pack("{s:s}", "event", "change");
  bool good = head != NULL && client_send(c, head, NULL, 0);

  json_decref(head);
  c->changed = false;
  return good;
}

static bool client_answer(struct client *c, struct tm_frame *request)
{
  struct tm_answer answer = {0};
  bool good;

  c->control->handle(c->control->arg, request, &answer);
  tm_frame_clear(request);
  c->watching |= answer.watch;
  if (answer.body_len == 0) {
    free(answer.body);
    answer.body = NULL;
  }
  good = client_send(c, answer.head, answer.body, answer.body_len); /* a head of NULL is no JSON: the client goes */
  json_decref(answer.head);
  return good;
}

/* Takes what has come, until an answer is on its way. False: the client must go. */
static bool client_work(struct client *c)
{
  struct evbuffer *in = bufferevent_get_input(c->bev);

  while (!c->answering) {
    struct evbuffer_iovec piece;
    struct tm_frame request;
    size_t used = 0;
    bool whole = false;
    int err;

    if (c->watching && c->changed && tm_frames_between(c->frames))
      return client_tell(c);
    if (evbuffer_peek(in, -1, NULL, &piece, 1) < 1 || piece.iov_len == 0)
      return true;
    err = tm_frames_take(c->frames, piece.iov_base, piece.iov_len, &used, &request, &whole);
    evbuffer_drain(in, used);
    if (err != TM_OK) {
      tm_log(TM_LOG_INFO, "client", "a command sent what is no request", TM_KV_NAME("reason", tm_strerror(err)), TM_KV_END);
      return false;
    }
    if (whole)
      return client_answer(c, &request);
  }
  return true;
}

static void client_go_on(struct client *c)
{
  if (client_work(c))
    watch_for_stall(c);
  else
    client_free(c);
}

static void on_readable(struct bufferevent *bev, void *arg)
{
  (void)bev;
  client_go_on(arg);
}

/* The answer has left. */
static void on_written(struct bufferevent *bev, void *arg)
{
  struct client *c = arg;

  (void)bev;
  c->answering = false;
  event_del(c->stall);
  client_go_on(c);
}

static void on_gone(struct bufferevent *bev, short what, void *arg)
{
  (void)bev;
  (void)what;
  client_free(arg);
}

/* ---- the socket ---- */

bool tm_control_same_user(int fd) { return tm_local_socket_peer(fd) == geteuid(); }

static struct client *client_new(struct tm_control *control, int fd)
{
  struct client *c = calloc(1, sizeof *c);

  if (c == NULL) {
    close(fd);
    return NULL;
  }
  c->control = control;
  LIST_INSERT_HEAD(&control->clients, c, entry);
  control->n_clients++;
  c->frames = tm_frames_new();
  c->stall = evtimer_new(control->base, on_stall, c);
  c->bev = bufferevent_socket_new(control->base, fd, BEV_OPT_CLOSE_ON_FREE);
  if (c->bev == NULL)
    close(fd);
  if (c->frames == NULL || c->stall == NULL || c->bev == NULL) {
    client_free(c);
    return NULL;
  }
  return c;
}

static void on_client(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *addr, int len, void *arg)
{
  struct tm_control *control = arg;
  struct client *c;

  (void)listener;
  (void)addr;
  (void)len;
  if (!tm_control_same_user(fd) || control->n_clients >= TM_CONTROL_CLIENTS_MAX) {
    close(fd);
    return;
  }
  c = client_new(control, fd);
  if (c == NULL)
    return;
  bufferevent_setcb(c->bev, on_readable, on_written, on_gone, c);
  bufferevent_setwatermark(c->bev, EV_READ, 0, TM_CONTROL_LINE_MAX);
  bufferevent_enable(c->bev, EV_READ | EV_WRITE);
}

static void on_notify(evutil_socket_t fd, short what, void *arg)
{
  struct tm_control *control = arg;
  struct client *next;

  (void)fd;
  (void)what;
  for (struct client *c = LIST_FIRST(&control->clients); c != NULL; c = next) {
    next = LIST_NEXT(c, entry);
    c->changed = true;
    if (c->watching && !c->answering)
      client_go_on(c);
  }
}

void tm_control_notify(struct tm_control *control)
{
  const struct timeval soon = {0, TM_CONTROL_NOTIFY_MS * 1000};

  if (!event_pending(control->notify, EV_TIMEOUT, NULL))
    event_add(control->notify, &soon);
}

bool tm_control_idle(const struct tm_control *control)
{
  const struct client *c;

  LIST_FOREACH (c, &control->clients, entry)
    if (c->answering)
      return false;
  return true;
}

static int listen_on(struct tm_control *control)
{
  int fd = tm_local_socket_bind(control->path);

  if (fd < 0)
    return TM_E_IO;
  control->listener = evconnlistener_new(control->base, on_client, control, LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC,
                                         TM_CONTROL_CLIENTS_MAX, fd);
  if (control->listener != NULL)
    return TM_OK;
  close(fd);
  unlink(control->path);
  return TM_E_NOMEM;
}

int tm_control_new(struct tm_control **out, struct event_base *base, const char *path, tm_control_handle *handle, void *arg)
{
  struct tm_control *control = calloc(1, sizeof *control);
  int err = TM_E_NOMEM;

  *out = NULL;
  if (control == NULL)
    return TM_E_NOMEM;
  LIST_INIT(&control->clients);
  control->base = base;
  control->handle = handle;
  control->arg = arg;
  control->path = strdup(path);
  control->notify = evtimer_new(base, on_notify, control);
  if (control->path != NULL && control->notify != NULL)
    err = listen_on(control);
  if (err != TM_OK) {
    tm_control_free(control);
    return err;
  }
  *out = control;
  return TM_OK;
}

void tm_control_stop(struct tm_control *control)
{
  if (control->listener == NULL)
    return;
  evconnlistener_free(control->listener);
  control->listener = NULL;
  unlink(control->path);
}

void tm_control_free(struct tm_control *control)
{
  if (control == NULL)
    return;
  tm_control_stop(control);
  while (!LIST_EMPTY(&control->clients))
    client_free(LIST_FIRST(&control->clients));
  if (control->notify != NULL)
    event_free(control->notify);
  free(control->path);
  free(control);
}
