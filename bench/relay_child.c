#include "config.h"

#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <event2/event.h>

#include "base/log.h"
#include "relay/engine.h"

#include "bench/relay_child.h"

#define THREAD_CPU_CLOCK(tid) ((clockid_t)((~(unsigned)(tid)) << 3 | 6))

enum op { START, STATS, PROFILE_BEGIN, PROFILE_END, STOP };

struct request {
  enum op op;
  char config[256];
};

/* ---- in the child ---- */

struct relay {
  int fd;
  struct tm_relay_config config;
  struct tm_engine *engine;
  char backend[32];
};

static double timespec_us(const struct timespec *t) { return (double)t->tv_sec * 1e6 + (double)t->tv_nsec / 1e3; }
static double timeval_us(const struct timeval *t) { return (double)t->tv_sec * 1e6 + (double)t->tv_usec; }

static void add_thread(struct tm_bench_stats *s, const char *tid)
{
  char path[64];
  struct timespec t;
  FILE *f;

  if (s->threads == TM_BENCH_THREADS_MAX || clock_gettime(THREAD_CPU_CLOCK(strtol(tid, NULL, 10)), &t) != 0)
    return;
  snprintf(path, sizeof path, "/proc/self/task/%.16s/comm", tid);
  f = fopen(path, "re");
  if (f == NULL)
    return;
  if (fgets(s->thread[s->threads].name, sizeof s->thread[0].name, f) != NULL) {
    s->thread[s->threads].name[strcspn(s->thread[s->threads].name, "\n")] = '\0';
    s->thread[s->threads++].cpu_us = timespec_us(&t);
  }
  fclose(f);
}

static void look_at_threads(struct tm_bench_stats *s)
{
  DIR *dir = opendir("/proc/self/task");
  struct dirent *entry;

  while (dir != NULL && (entry = readdir(dir)) != NULL)
    if (entry->d_name[0] != '.')
      add_thread(s, entry->d_name);
  if (dir != NULL)
    closedir(dir);
}

static double resident_mb(void)
{
  FILE *f = fopen("/proc/self/statm", "re");
  unsigned long size = 0, resident = 0;

  if (f == NULL)
    return 0;
  if (fscanf(f, "%lu %lu", &size, &resident) != 2)
    resident = 0;
  fclose(f);
  return (double)resident * (double)sysconf(_SC_PAGESIZE) / 1e6;
}

static void look(struct relay *r, struct tm_bench_stats *s)
{
  struct timespec now;
  struct rusage u;

  getrusage(RUSAGE_SELF, &u);
  clock_gettime(CLOCK_MONOTONIC, &now);
  s->now_us = timespec_us(&now);
  s->user_us = timeval_us(&u.ru_utime);
  s->system_us = timeval_us(&u.ru_stime);
  s->voluntary = (uint64_t)u.ru_nvcsw;
  s->involuntary = (uint64_t)u.ru_nivcsw;
  s->rss_mb = resident_mb();
  s->snapshot = tm_engine_snapshot(r->engine);
  s->balanced = tm_snapshot_balanced(&s->snapshot);
  s->snapshot.name = NULL;
  s->io = tm_engine_io(r->engine);
  memcpy(s->backend, r->backend, sizeof s->backend);
  look_at_threads(s);
}

static void answer(struct relay *r, const struct tm_bench_stats *s)
{
  if (send(r->fd, s, sizeof *s, MSG_NOSIGNAL) != (ssize_t)sizeof *s)
    _exit(1); /* nobody listens any more */
}

static void on_request(evutil_socket_t fd, short what, void *arg)
{
  struct relay *r = arg;
  struct tm_bench_stats s = {.err = TM_OK};
  struct request request;

  (void)what;
  if (recv(fd, &request, sizeof request, 0) != (ssize_t)sizeof request)
    _exit(1);
  if (request.op == STOP) {
    tm_engine_stop(r->engine);
    return;
  }
  if (request.op == PROFILE_BEGIN)
    s.err = tm_bench_profile_start();
  if (request.op == PROFILE_END)
    tm_bench_profile_stop(&s.profile);
  look(r, &s);
  answer(r, &s);
}

static int start(struct relay *r, const char *config)
{
  static const struct tm_engine_config defaults = {.clock = &tm_clock_system, .rng = &tm_rng_system};
  struct tm_engine_config engine = defaults;
  tm_sphinx *sphinx;
  int err = tm_options_load(&tm_relay_options, config, &r->config, stderr);

  if (err != TM_OK)
    return err;
  if (tm_sphinx_new(&sphinx, NULL, TM_SPHINX_BODY_LEN) != TM_SPHINX_OK)
    return TM_E_STATE;
  snprintf(r->backend, sizeof r->backend, "%s", tm_sphinx_backend_name(sphinx));
  tm_sphinx_free(sphinx);
  tm_log_set_level(r->config.log_level);
  engine.relay = &r->config;
  return tm_engine_new(&r->engine, &engine);
}

static int be_relay(struct relay *r)
{
  struct tm_bench_stats s = {.err = TM_OK};
  struct request request;
  struct event *event;

  if (recv(r->fd, &request, sizeof request, 0) != (ssize_t)sizeof request || request.op != START)
    return 1;
  s.err = start(r, request.config);
  answer(r, &s);
  if (s.err != TM_OK)
    return 1;
  event = event_new(tm_engine_base(r->engine), r->fd, EV_READ | EV_PERSIST, on_request, r);
  if (event == NULL || event_add(event, NULL) != 0)
    return 1;
  tm_engine_run(r->engine);
  look(r, &s);
  answer(r, &s);
  event_free(event);
  tm_engine_free(r->engine);
  tm_options_free(&tm_relay_options, &r->config);
  return 0;
}

/* ---- in the parent ---- */

int tm_bench_child_fork(struct tm_bench_child *child, const char *backend)
{
  pid_t parent = getpid();
  int pair[2];

  *child = (struct tm_bench_child){.fd = -1};
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
    return TM_E_IO;
  fflush(NULL);
  child->pid = fork();
  if (child->pid == 0) {
    struct relay r = {.fd = pair[1]};
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGINT, SIG_IGN); /* whoever started us ends us */
    signal(SIGPIPE, SIG_IGN);
    close(pair[0]);
    if (getppid() != parent || (backend != NULL && setenv("TIDEMILL_SPHINX_BACKEND", backend, 1) != 0))
      _exit(1);
    _exit(be_relay(&r));
  }
  close(pair[1]);
  if (child->pid < 0) {
    close(pair[0]);
    child->pid = 0;
    return TM_E_IO;
  }
  child->fd = pair[0];
  return TM_OK;
}

static int ask(struct tm_bench_child *child, enum op op, const char *config, struct tm_bench_stats *stats)
{
  struct request request = {.op = op};
  ssize_t n;

  memset(stats, 0, sizeof *stats);
  if (config != NULL)
    snprintf(request.config, sizeof request.config, "%s", config);
  if (send(child->fd, &request, sizeof request, MSG_NOSIGNAL) != (ssize_t)sizeof request)
    return TM_E_CLOSED;
  do
    n = recv(child->fd, stats, sizeof *stats, 0);
  while (n < 0 && errno == EINTR);
  return n == (ssize_t)sizeof *stats ? stats->err : TM_E_CLOSED;
}

int tm_bench_child_start(struct tm_bench_child *child, const char *config)
{
  struct tm_bench_stats stats;

  return ask(child, START, config, &stats);
}

int tm_bench_child_stats(struct tm_bench_child *child, struct tm_bench_stats *stats) { return ask(child, STATS, NULL, stats); }

int tm_bench_child_profile(struct tm_bench_child *child, bool begin, struct tm_bench_stats *stats)
{
  return ask(child, begin ? PROFILE_BEGIN : PROFILE_END, NULL, stats);
}

int tm_bench_child_stop(struct tm_bench_child *child, struct tm_bench_stats *stats) { return ask(child, STOP, NULL, stats); }

void tm_bench_child_end(struct tm_bench_child *child)
{
  if (child->pid <= 0)
    return;
  close(child->fd);
  kill(child->pid, SIGKILL);
  while (waitpid(child->pid, NULL, 0) < 0 && errno == EINTR)
    ;
  child->pid = 0;
}
