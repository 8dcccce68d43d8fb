#include "config.h"

#include <sys/eventfd.h>
#include <sys/resource.h>

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include <event2/event.h>
#include <sodium.h>

#include "client/labour.h"

#define SLICE 4096 /* tries, about a millisecond, between two looks whether it is to end */
#define NICE 10

enum state { IDLE, ASKED, FOUND };

struct tm_labour {
  struct tm_client *engine;
  struct event *found; /* readable: state is FOUND */
  int fd;
  pthread_t thread;
  bool running;

  pthread_mutex_t mutex;
  pthread_cond_t asked;
  enum state state; /* IDLE -> ASKED (loop) -> FOUND (thread) -> IDLE (loop) */
  bool stop;
  struct tm_box_work work; /* the thread's own while ASKED */
};

static bool is_stopped(struct tm_labour *l)
{
  bool stop;

  pthread_mutex_lock(&l->mutex);
  stop = l->stop;
  pthread_mutex_unlock(&l->mutex);
  return stop;
}

/* Waits for something to search for; false: it is to end. */
static bool await(struct tm_labour *l)
{
  bool go;

  pthread_mutex_lock(&l->mutex);
  while (l->state != ASKED && !l->stop)
    pthread_cond_wait(&l->asked, &l->mutex);
  go = !l->stop;
  pthread_mutex_unlock(&l->mutex);
  return go;
}

static void tell(struct tm_labour *l)
{
  const uint64_t one = 1;

  pthread_mutex_lock(&l->mutex);
  l->state = FOUND;
  pthread_mutex_unlock(&l->mutex);
  while (write(l->fd, &one, sizeof one) < 0)
    if (is_stopped(l))
      return;
}

static void *run(void *arg)
{
  struct tm_labour *l = arg;

  /* On Linux a thread has a priority of its own. It is no matter if it can't be had. */
  (void)setpriority(PRIO_PROCESS, 0, NICE);
  while (await(l)) {
    while (!tm_box_work_search(&l->work, SLICE))
      if (is_stopped(l))
        return NULL;
    tell(l);
  }
  return NULL;
}

static void on_found(evutil_socket_t fd, short what, void *arg)
{
  struct tm_labour *l = arg;
  struct tm_box_work work;
  uint64_t n;
  bool found;

  (void)what;
  if (read(fd, &n, sizeof n) < 0)
    return;
  pthread_mutex_lock(&l->mutex);
  found = l->state == FOUND;
  if (found)
    l->state = IDLE;
  pthread_mutex_unlock(&l->mutex);
  if (!found)
    return;
  work = l->work;
  tm_client_work_done(l->engine, &work);
  sodium_memzero(&work, sizeof work);
  tm_labour_look(l);
}

void tm_labour_look(struct tm_labour *l)
{
  struct tm_box_work work;
  bool idle;

  pthread_mutex_lock(&l->mutex);
  idle = l->state == IDLE;
  pthread_mutex_unlock(&l->mutex);
  if (!idle || !tm_client_work_next(l->engine, &work))
    return;
  pthread_mutex_lock(&l->mutex);
  l->work = work;
  l->state = ASKED;
  pthread_cond_signal(&l->asked);
  pthread_mutex_unlock(&l->mutex);
  sodium_memzero(&work, sizeof work);
}

/* Signals belong to the loop's thread. */
static int start_thread(struct tm_labour *l)
{
  sigset_t all, old;
  int err;

  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &old);
  err = pthread_create(&l->thread, NULL, run, l);
  pthread_sigmask(SIG_SETMASK, &old, NULL);
  l->running = err == 0;
  return err == 0 ? TM_OK : TM_E_IO;
}

int tm_labour_new(struct tm_labour **out, struct event_base *base, struct tm_client *engine)
{
  struct tm_labour *l = calloc(1, sizeof *l);
  int err = TM_OK;

  *out = NULL;
  if (l == NULL)
    return TM_E_NOMEM;
  l->engine = engine;
  l->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  pthread_mutex_init(&l->mutex, NULL);
  pthread_cond_init(&l->asked, NULL);
  if (l->fd < 0)
    err = TM_E_IO;
  if (err == TM_OK)
    l->found = event_new(base, l->fd, EV_READ | EV_PERSIST, on_found, l);
  if (err == TM_OK && (l->found == NULL || event_add(l->found, NULL) != 0))
    err = TM_E_NOMEM;
  if (err == TM_OK)
    err = start_thread(l);
  if (err != TM_OK) {
    tm_labour_free(l);
    return err;
  }
  *out = l;
  return TM_OK;
}

void tm_labour_free(struct tm_labour *l)
{
  if (l == NULL)
    return;
  pthread_mutex_lock(&l->mutex);
  l->stop = true;
  pthread_cond_signal(&l->asked);
  pthread_mutex_unlock(&l->mutex);
  if (l->running)
    pthread_join(l->thread, NULL);
  if (l->found != NULL)
    event_free(l->found);
  if (l->fd >= 0)
    close(l->fd);
  pthread_cond_destroy(&l->asked);
  pthread_mutex_destroy(&l->mutex);
  sodium_memzero(l, sizeof *l);
  free(l);
}
