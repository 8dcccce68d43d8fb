#include "config.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include <event2/event.h>

#include "base/config/command.h"
#include "base/log.h"
#include "client/control.h"
#include "client/engine.h"
#include "client/operations.h"
#include "client/uplink.h"

#include "client/daemon.h"

#define LOG_CHECK_S 60
#define STATE_CHECK_S 1
#define FAREWELL_MS 1000 /* for the last answer to leave */
#define POLL_STOP_MS 20

static const int ending_signals[] = {SIGTERM, SIGINT, SIGHUP};
#define N_SIGNALS (sizeof ending_signals / sizeof ending_signals[0])

struct daemon {
  const struct tm_daemon_start *start;
  struct event_base *base;
  struct tm_client *engine;
  struct tm_uplink *uplink;
  struct tm_control *control;
  struct tm_operations ops;
  struct event *signals[N_SIGNALS];
  struct event *log_check;
  struct event *stop_check;
  struct event *state_check;
};

/* ---- the log ---- */

/* Standard error becomes a fresh or continued log file; a long one is put aside first. */
static void open_log(void)
{
  struct stat st;
  int fd;

  if (stat(TM_DAEMON_LOG, &st) == 0 && st.st_size > TM_DAEMON_LOG_MAX)
    rename(TM_DAEMON_LOG, TM_DAEMON_LOG_OLD);
  fd = open(TM_DAEMON_LOG, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0)
    return; /* without a log rather than not at all */
  dup2(fd, STDERR_FILENO);
  close(fd);
}

static void on_log_check(evutil_socket_t fd, short what, void *arg)
{
  struct stat st;

  (void)fd;
  (void)what;
  (void)arg;
  if (fstat(STDERR_FILENO, &st) == 0 && st.st_size > TM_DAEMON_LOG_MAX)
    open_log();
}

/* ---- events ---- */

static void on_signal(evutil_socket_t fd, short what, void *arg)
{
  struct daemon *d = arg;

  (void)fd;
  (void)what;
  event_base_loopexit(d->base, NULL);
}

/* After "stop": leaves once its answer has. */
static void on_stop_check(evutil_socket_t fd, short what, void *arg)
{
  struct daemon *d = arg;

  (void)fd;
  (void)what;
  if (tm_control_idle(d->control))
    event_base_loopexit(d->base, NULL);
}

/* An engine that could not write does nothing more. The end lets the next command start a new one, when there is room again. */
static void on_state_check(evutil_socket_t fd, short what, void *arg)
{
  struct daemon *d = arg;

  (void)fd;
  (void)what;
  if (tm_client_failure(d->engine) != TM_OK)
    event_base_loopexit(d->base, NULL);
}

static void on_request(void *arg, const struct tm_frame *request, struct tm_answer *answer)
{
  const struct timeval soon = {0, POLL_STOP_MS * 1000};
  const struct timeval latest = {FAREWELL_MS / 1000, FAREWELL_MS % 1000 * 1000};
  struct daemon *d = arg;
  bool stopping = d->ops.stop;

  tm_operations_handle(&d->ops, request, answer);
  if (!d->ops.stop || stopping)
    return;
  tm_control_stop(d->control);
  event_add(d->stop_check, &soon);
  event_base_loopexit(d->base, &latest);
}

static void on_change(void *arg)
{
  struct daemon *d = arg;

  if (d->control != NULL)
    tm_control_notify(d->control);
}

/* ---- start ---- */

static int enter_directory(const char *dir, struct tm_failure *failure)
{
  if (chdir(dir) == 0)
    return TM_EXIT_OK;
  if (errno == ENOENT)
    return tm_failure_set(failure, "no-state", "There is no Tidemill state in %s. `tidemill init` makes one.", dir);
  return tm_failure_set(failure, "io", "The state directory %s cannot be entered: %s.", dir, strerror(errno));
}

static int fail_open(int err, const char *dir, struct tm_failure *failure)
{
  switch (err) {
  case TM_E_NOT_FOUND:
    return tm_failure_set(failure, "no-state", "There is no Tidemill state in %s. `tidemill init` makes one.", dir);
  case TM_E_EXISTS:
    return tm_failure_set(failure, "running", "A daemon runs for %s already.", dir);
  case TM_E_UNKNOWN:
    return tm_failure_set(failure, "newer-state", "The state in %s was written by a newer version of this program.", dir);
  case TM_E_SYNTAX:
    return tm_failure_set(failure, "damaged", "The state in %s is damaged and cannot be opened.", dir);
  case TM_E_IO:
    if (errno == 0)
      return fail_open(TM_E_SYNTAX, dir, failure);
    return tm_failure_set(failure, "io", "The state in %s cannot be opened: %s.", dir, strerror(errno));
  default:
    return tm_failure_set(failure, "failed", "The state in %s cannot be opened: %s.", dir, tm_strerror(err));
  }
}

static int open_engine(struct daemon *d, struct tm_failure *failure)
{
  struct tm_passphrase *p = tm_passphrase_new();
  bool wrong = false;
  int err = TM_E_AUTH;

  if (p == NULL)
    return tm_failure_set(failure, "no-memory", "There is no memory that can be locked for the passphrase. `ulimit -l` shows the limit.");
  while (err == TM_E_AUTH) {
    if (d->start->passphrase(d->start->arg, wrong, p, failure) != TM_OK) {
      tm_passphrase_free(p);
      return tm_failure_exit(failure->code);
    }
    errno = 0;
    err = tm_client_open(&d->engine, ".", p->text, &tm_clock_system, &tm_rng_system);
    wrong = true;
  }
  tm_passphrase_free(p);
  return err == TM_OK ? TM_EXIT_OK : fail_open(err, d->start->dir, failure);
}

/* A base whose timers keep to the microsecond: the engine's clock is the cover. */
static struct event_base *precise_base(void)
{
  struct event_config *config = event_config_new();
  struct event_base *base = NULL;

  if (config != NULL && event_config_set_flag(config, EVENT_BASE_FLAG_PRECISE_TIMER | EVENT_BASE_FLAG_NOLOCK) == 0)
    base = event_base_new_with_config(config);
  if (config != NULL)
    event_config_free(config);
  return base;
}

static bool make_events(struct daemon *d)
{
  const struct timeval every = {LOG_CHECK_S, 0};
  const struct timeval often = {STATE_CHECK_S, 0};

  d->base = precise_base();
  if (d->base == NULL)
    return false;
  for (size_t i = 0; i < N_SIGNALS; i++) {
    d->signals[i] = evsignal_new(d->base, ending_signals[i], on_signal, d);
    if (d->signals[i] == NULL || event_add(d->signals[i], NULL) != 0)
      return false;
  }
  d->log_check = event_new(d->base, -1, EV_PERSIST, on_log_check, d);
  d->stop_check = event_new(d->base, -1, EV_PERSIST, on_stop_check, d);
  d->state_check = event_new(d->base, -1, EV_PERSIST, on_state_check, d);
  if (d->state_check == NULL || event_add(d->state_check, &often) != 0)
    return false;
  return d->log_check != NULL && d->stop_check != NULL && (!d->start->own_log || event_add(d->log_check, &every) == 0);
}

static int start_serving(struct daemon *d, struct tm_failure *failure)
{
  int err;

  if (!make_events(d))
    return tm_failure_set(failure, "no-memory", "The event loop could not be made: %s.", strerror(errno));
  err = tm_uplink_new(&d->uplink, d->base, d->engine, &tm_clock_system, &tm_rng_system);
  if (err != TM_OK)
    return tm_failure_set(failure, "failed", "The network side could not be made: %s.", tm_strerror(err));
  d->ops = (struct tm_operations){.engine = d->engine, .uplink = d->uplink};
  err = tm_control_new(&d->control, d->base, TM_CONTROL_SOCKET, on_request, d);
  if (err != TM_OK)
    return tm_failure_set(failure, "io", "The socket %s/%s could not be made: %s.", d->start->dir, TM_CONTROL_SOCKET,
                          err == TM_E_IO ? strerror(errno) : tm_strerror(err));
  tm_client_on_change(d->engine, on_change, d);
  return TM_EXIT_OK;
}

/* ---- end ---- */

static void free_event(struct event *e)
{
  if (e != NULL)
    event_free(e);
}

/* The commands' connections last: who asked for the end sees it when all of it is done. */
static void clean_up(struct daemon *d)
{
  if (d->engine != NULL)
    tm_client_on_change(d->engine, NULL, NULL);
  if (d->control != NULL)
    tm_control_stop(d->control);
  tm_uplink_free(d->uplink);
  tm_client_close(d->engine);
  tm_control_free(d->control);
  for (size_t i = 0; i < N_SIGNALS; i++)
    free_event(d->signals[i]);
  free_event(d->log_check);
  free_event(d->stop_check);
  free_event(d->state_check);
  if (d->base != NULL)
    event_base_free(d->base);
}

static int check_engine(const struct daemon *d, struct tm_failure *failure)
{
  int err = tm_client_failure(d->engine);

  if (err == TM_OK)
    return TM_EXIT_OK;
  tm_log(TM_LOG_ERROR, "client", "the state could not be written; is the disk full?", TM_KV_NAME("reason", tm_strerror(err)), TM_KV_END);
  return tm_failure_set(failure, "io", "The state in %s could not be written. Is the disk full? The next command starts the daemon again.",
                        d->start->dir);
}

int tm_daemon_run(const struct tm_daemon_start *start, struct tm_failure *failure)
{
  struct daemon d = {.start = start};
  int code = enter_directory(start->dir, failure);

  signal(SIGPIPE, SIG_IGN);
  umask(077);
  if (code == TM_EXIT_OK)
    code = open_engine(&d, failure);
  if (code == TM_EXIT_OK)
    code = start_serving(&d, failure);
  if (code == TM_EXIT_OK) {
    if (start->own_log)
      open_log();
    tm_log(TM_LOG_INFO, "client", "daemon started", TM_KV_NAME("version", PACKAGE_VERSION), TM_KV_END);
    if (start->ready == NULL || start->ready(start->arg))
      event_base_dispatch(d.base);
    code = check_engine(&d, failure);
    tm_log(TM_LOG_INFO, "client", "daemon ends", TM_KV_END);
  }
  clean_up(&d);
  return code;
}
