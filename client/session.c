#include "config.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "base/clock.h"
#include "base/config/command.h"
#include "client/control.h"
#include "client/spawn.h"

#include "client/session.h"

#define READ_LEN 16384
#define TRIES 200 /* for a daemon that somebody starts, or that ends, just now */
#define TRY_MS 50

struct tm_session {
  int fd;
  bool started;
  bool changed;
  struct tm_frames *frames;
  size_t at, len; /* of in */
  uint8_t in[READ_LEN];
};

/* ---- connecting ---- */

/* Connects to DIR/socket by its short name, because a path to it may be longer than a socket's address can be. -1: errno says why. */
static int connect_in(int dir)
{
  const struct sockaddr_un addr = {.sun_family = AF_UNIX, .sun_path = TM_CONTROL_SOCKET};
  int here = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  int error = 0;

  if (here < 0 || fd < 0 || fchdir(dir) != 0)
    error = errno;
  else if (connect(fd, (const struct sockaddr *)&addr, sizeof addr) != 0)
    error = errno;
  else if (!tm_control_same_user(fd))
    error = EPERM; /* texts and codes go to nobody else */
  if (here >= 0 && fchdir(here) != 0 && error == 0)
    error = errno;
  if (here >= 0)
    close(here);
  if (error != 0 && fd >= 0) {
    close(fd);
    fd = -1;
  }
  errno = error;
  return fd;
}

static bool nobody_there(int error) { return error == ENOENT || error == ECONNREFUSED; }

/* Starts one, or finds the one that another command starts meanwhile. The lock is the directory's own. */
static int connect_or_start(struct tm_session *s, int dir, const struct tm_place *place, struct tm_failure *failure)
{
  int code = TM_EXIT_OK;

  while (flock(dir, LOCK_EX) != 0)
    if (errno != EINTR)
      return tm_failure_set(failure, "io", "The state directory %s cannot be locked: %s.", place->dir, strerror(errno));
  s->fd = connect_in(dir);
  for (int i = 0; s->fd < 0 && nobody_there(errno) && i < TRIES; i++) {
    code = tm_spawn_daemon(place, failure);
    s->started = code == TM_EXIT_OK;
    if (code != TM_EXIT_OK && strcmp(failure->code, "running") != 0)
      break;
    if (code != TM_EXIT_OK)
      poll(NULL, 0, TRY_MS); /* it ends just now, or one in the foreground starts */
    s->fd = connect_in(dir);
  }
  flock(dir, LOCK_UN);
  if (s->fd >= 0)
    return TM_EXIT_OK;
  return code != TM_EXIT_OK ? code : tm_failure_set(failure, "daemon", "The daemon cannot be reached: %s.", strerror(errno));
}

static int connect_place(struct tm_session *s, const struct tm_place *place, enum tm_session_start how, struct tm_failure *failure)
{
  int dir = open(place->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  int code = TM_EXIT_OK;

  if (dir < 0 && errno == ENOENT)
    return tm_failure_set(failure, "no-state", "There is no Tidemill state in %s. `tidemill init` makes one.", place->dir);
  if (dir < 0)
    return tm_failure_set(failure, "io", "The state directory %s cannot be opened: %s.", place->dir, strerror(errno));
  s->fd = connect_in(dir);
  if (s->fd < 0 && !nobody_there(errno))
    code = tm_failure_set(failure, "daemon", "The daemon cannot be reached: %s.", strerror(errno));
  else if (s->fd < 0 && how == TM_SESSION_ONLY_RUNNING)
    code = tm_failure_set(failure, "not-running", "No daemon runs for %s.", place->dir);
  else if (s->fd < 0)
    code = connect_or_start(s, dir, place, failure);
  close(dir);
  return code;
}

static int greet(struct tm_session *s, struct tm_failure *failure)
{
  struct tm_frame answer;
  int code = tm_session_call(s, json_pack("{s:s}", "op", "hello"), NULL, 0, &answer, failure);

  if (code == TM_EXIT_OK && tm_member_number(answer.head, "protocol", 0) != TM_CONTROL_VERSION)
    code = tm_failure_set(failure, "daemon", "The daemon that runs is of another version. `tidemill stop` ends it; the next command starts "
                                             "this one.");
  tm_frame_clear(&answer);
  return code;
}

int tm_session_open(struct tm_session **out, const struct tm_place *place, enum tm_session_start how, struct tm_failure *failure)
{
  struct tm_session *s = calloc(1, sizeof *s);
  int code;

  *out = NULL;
  if (s == NULL)
    return tm_failure_set(failure, "no-memory", "Out of memory.");
  s->fd = -1;
  s->frames = tm_frames_new();
  code = s->frames == NULL ? tm_failure_set(failure, "no-memory", "Out of memory.") : connect_place(s, place, how, failure);
  if (code == TM_EXIT_OK && how == TM_SESSION_START)
    code = greet(s, failure);
  if (code != TM_EXIT_OK) {
    tm_session_close(s);
    return code;
  }
  *out = s;
  return TM_EXIT_OK;
}

void tm_session_close(struct tm_session *s)
{
  if (s == NULL)
    return;
  if (s->fd >= 0)
    close(s->fd);
  tm_frames_free(s->frames);
  sodium_memzero(s, sizeof *s);
  free(s);
}

bool tm_session_started(const struct tm_session *s) { return s->started; }

/* ---- talking ---- */

static int write_all(int fd, const void *data, size_t len)
{
  const uint8_t *at = data;

  while (len > 0) {
    ssize_t n = send(fd, at, len, MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR)
      continue;
    if (n <= 0)
      return TM_E_CLOSED;
    at += n;
    len -= (size_t)n;
  }
  return TM_OK;
}

/* Reads more into s->in, which is used up. Errors: TM_E_TIMEOUT, TM_E_STATE (a signal), TM_E_CLOSED. */
static int read_more(struct tm_session *s, uint64_t until_ms)
{
  uint64_t now = tm_clock_mono_ms(&tm_clock_system);
  struct pollfd p = {.fd = s->fd, .events = POLLIN};
  int ready = poll(&p, 1, until_ms > now ? (int)(until_ms - now) : 0);
  ssize_t n;

  if (ready <= 0)
    return ready == 0 ? TM_E_TIMEOUT : errno == EINTR ? TM_E_STATE : TM_E_CLOSED;
  n = recv(s->fd, s->in, sizeof s->in, 0);
  if (n < 0 && errno == EINTR)
    return TM_E_STATE;
  if (n <= 0)
    return TM_E_CLOSED;
  s->at = 0;
  s->len = (size_t)n;
  return TM_OK;
}

/* The next frame. Errors: those of read_more and tm_frames_take. */
static int next_frame(struct tm_session *s, uint64_t until_ms, struct tm_frame *frame)
{
  bool whole = false;
  int err = TM_OK;

  *frame = (struct tm_frame){0};
  while (err == TM_OK && !whole) {
    size_t used = 0;
    if (s->at == s->len)
      err = read_more(s, until_ms);
    if (err != TM_OK)
      break;
    err = tm_frames_take(s->frames, s->in + s->at, s->len - s->at, &used, frame, &whole);
    s->at += used;
  }
  return err;
}

static uint64_t until(int wait_ms) { return tm_clock_mono_ms(&tm_clock_system) + (uint64_t)wait_ms; }

static int send_request(struct tm_session *s, json_t *request, const void *body, size_t len)
{
  char line[TM_CONTROL_LINE_LEN];
  size_t line_len = 0;
  int err = TM_E_NOMEM;

  if (request != NULL && (len == 0 || json_object_set_new(request, "bytes", json_integer((json_int_t)len)) == 0))
    err = tm_frame_line(request, line, &line_len);
  if (err == TM_OK)
    err = write_all(s->fd, line, line_len);
  if (err == TM_OK && len > 0)
    err = write_all(s->fd, body, len);
  sodium_memzero(line, sizeof line);
  return err;
}

static int check_answer(const struct tm_frame *answer, struct tm_failure *failure)
{
  const json_t *error = json_object_get(answer->head, "error");
  const char *code = tm_member_text(error, "code");
  const char *message = tm_member_text(error, "message");

  if (tm_member_bool(answer->head, "ok"))
    return TM_EXIT_OK;
  return tm_failure_set(failure, code != NULL ? code : "failed", "%s", message != NULL ? message : "The daemon refused without a reason.");
}

static int fail_talk(int err, struct tm_failure *failure)
{
  if (err == TM_E_CLOSED)
    return tm_failure_set(failure, "daemon", "The daemon has ended. The next command starts it again; %s in the state directory may say why.",
                          "daemon.log");
  if (err == TM_E_TIMEOUT)
    return tm_failure_set(failure, "daemon", "The daemon does not answer.");
  if (err == TM_E_NOMEM)
    return tm_failure_set(failure, "bad-request", "The request could not be made: a name or code that is not UTF-8, or no memory.");
  return tm_failure_set(failure, "daemon", "The daemon was not understood: %s.", tm_strerror(err));
}

int tm_session_call(struct tm_session *s, json_t *request, const void *body, size_t len, struct tm_frame *answer,
                    struct tm_failure *failure)
{
  uint64_t limit = until(TM_SESSION_ANSWER_MS);
  int err = send_request(s, request, body, len);
  int code;

  *answer = (struct tm_frame){0};
  json_decref(request);
  while (err == TM_OK && answer->head == NULL) {
    do
      err = next_frame(s, limit, answer);
    while (err == TM_E_STATE);
    if (err == TM_OK && tm_member_text(answer->head, "event") != NULL) {
      s->changed = true;
      tm_frame_clear(answer);
    }
  }
  code = err == TM_OK ? check_answer(answer, failure) : fail_talk(err, failure);
  if (code != TM_EXIT_OK)
    tm_frame_clear(answer);
  return code;
}

int tm_session_wait(struct tm_session *s, int wait_ms)
{
  uint64_t limit = until(wait_ms);
  int err = TM_OK;

  while (err == TM_OK && !s->changed) {
    struct tm_frame frame;
    err = next_frame(s, limit, &frame);
    s->changed = err == TM_OK && tm_member_text(frame.head, "event") != NULL;
    tm_frame_clear(&frame);
  }
  s->changed = false;
  return err;
}

int tm_session_await_end(struct tm_session *s, int wait_ms)
{
  uint64_t limit = until(wait_ms);
  int err = TM_OK;

  while (err == TM_OK || err == TM_E_STATE)
    err = read_more(s, limit);
  return err == TM_E_CLOSED ? TM_OK : err;
}
