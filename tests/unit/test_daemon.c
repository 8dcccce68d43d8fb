/* A whole daemon over a stand-in of the engine, and what may be done to its socket. */
#include "config.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <sodium.h>

#include "base/clock.h"
#include "base/config/command.h"
#include "base/log.h"
#include "client/control.h"
#include "client/daemon.h"
#include "client/engine.h"
#include "client/session.h"

#define WAIT_MS 20000

struct fixture {
  char dir[64];
  pid_t pid;
  struct tm_place place;
};

static int give_empty(void *arg, bool wrong, struct tm_passphrase *p, struct tm_failure *failure)
{
  (void)arg;
  p->text[0] = '\0';
  return wrong ? (tm_failure_set(failure, "passphrase", "wrong"), TM_E_AUTH) : TM_OK;
}

static bool tell_ready(void *arg)
{
  int fd = *(int *)arg;

  return write(fd, "r", 1) == 1 && close(fd) == 0;
}

static void start_daemon(struct fixture *f)
{
  int pipe_fd[2];
  char byte;

  assert_int_equal(pipe(pipe_fd), 0);
  f->pid = fork();
  if (f->pid == 0) {
    struct tm_failure failure;
    const struct tm_daemon_start start = {.dir = f->dir, .passphrase = give_empty, .ready = tell_ready, .arg = &pipe_fd[1],
                                          .own_log = true};
    close(pipe_fd[0]);
    _exit(tm_daemon_run(&start, &failure));
  }
  close(pipe_fd[1]);
  assert_int_equal(read(pipe_fd[0], &byte, 1), 1);
  close(pipe_fd[0]);
}

static int end_of(struct fixture *f)
{
  int status = 0;

  assert_int_equal(waitpid(f->pid, &status, 0), f->pid);
  f->pid = 0;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 100 + WTERMSIG(status);
}

static void remove_file(const struct fixture *f, const char *name)
{
  char path[128];

  snprintf(path, sizeof path, "%s/%s", f->dir, name);
  unlink(path);
}

static int set_up(void **state)
{
  struct fixture *f = calloc(1, sizeof *f);

  memcpy(f->dir, "/tmp/tidemill-daemon-XXXXXX", sizeof "/tmp/tidemill-daemon-XXXXXX");
  if (mkdtemp(f->dir) == NULL)
    return -1;
  if (tm_client_create(f->dir, "", "", 0, (const uint8_t *)"", 0, &tm_clock_system, &tm_rng_system) != TM_OK)
    return -1;
  f->place.dir = f->dir;
  *state = f;
  start_daemon(f);
  return 0;
}

static int tear_down(void **state)
{
  struct fixture *f = *state;

  if (f->pid > 0) {
    kill(f->pid, SIGTERM);
    if (end_of(f) != 0)
      return -1;
  }
  remove_file(f, "fake.state");
  remove_file(f, "daemon.log");
  if (rmdir(f->dir) != 0) /* the socket is gone */
    return -1;
  free(f);
  return 0;
}

static int connect_raw(const struct fixture *f)
{
  struct sockaddr_un addr = {.sun_family = AF_UNIX};
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

  snprintf(addr.sun_path, sizeof addr.sun_path, "%s/socket", f->dir);
  assert_int_equal(connect(fd, (const struct sockaddr *)&addr, sizeof addr), 0);
  return fd;
}

/* Reads until the daemon closes or nothing comes for wait_ms; the bytes are counted. True: closed. */
static bool closed_within(int fd, int wait_ms, size_t *bytes)
{
  static char sink[65536];

  *bytes = 0;
  for (;;) {
    struct pollfd p = {.fd = fd, .events = POLLIN};
    ssize_t n;
    if (poll(&p, 1, wait_ms) <= 0)
      return false;
    n = read(fd, sink, sizeof sink);
    if (n <= 0)
      return true;
    *bytes += (size_t)n;
  }
}

static void put(int fd, const void *data, size_t len) { assert_int_equal(send(fd, data, len, MSG_NOSIGNAL), (ssize_t)len); }

static struct tm_session *open_session(const struct fixture *f)
{
  struct tm_session *s = NULL;
  struct tm_failure failure;

  assert_int_equal(tm_session_open(&s, &f->place, TM_SESSION_ONLY_RUNNING, &failure), TM_EXIT_OK);
  return s;
}

static int call(struct tm_session *s, json_t *request, const void *body, size_t len, struct tm_frame *answer)
{
  struct tm_failure failure;

  return tm_session_call(s, request, body, len, answer, &failure);
}

static void must(struct tm_session *s, json_t *request)
{
  struct tm_frame answer;

  assert_int_equal(call(s, request, NULL, 0, &answer), TM_EXIT_OK);
  tm_frame_clear(&answer);
}

static void must_send(struct tm_session *s, const void *body, size_t len)
{
  struct tm_frame answer;

  assert_int_equal(call(s, json_pack("{s:s, s:s, s:s}", "op", "send", "name", "bob", "file", "f"), body, len, &answer), TM_EXIT_OK);
  tm_frame_clear(&answer);
}

static json_t *request(const char *op) { return json_pack("{s:s}", "op", op); }

static void test_socket_mode(void **state)
{
  struct fixture *f = *state;
  char path[128];
  struct stat st;

  snprintf(path, sizeof path, "%s/socket", f->dir);
  assert_int_equal(stat(path, &st), 0);
  assert_true(S_ISSOCK(st.st_mode));
  assert_int_equal(st.st_mode & 0777, 0600);
}

static void test_request_and_answer(void **state)
{
  struct fixture *f = *state;
  struct tm_session *s = open_session(f);
  struct tm_frame answer;
  struct tm_failure failure;

  assert_int_equal(call(s, request("hello"), NULL, 0, &answer), TM_EXIT_OK);
  assert_int_equal(tm_member_number(answer.head, "pid", 0), f->pid);
  tm_frame_clear(&answer);
  assert_int_equal(tm_session_call(s, json_pack("{s:s, s:s}", "op", "safety", "name", "nobody"), NULL, 0, &answer, &failure),
                   TM_EXIT_NO_CONTACT);
  assert_string_equal(failure.code, "no-contact");
  assert_null(answer.head);
  must(s, request("hello")); /* goes on after an error */
  tm_session_close(s);
}

static void test_nonsense_is_closed(void **state)
{
  static const char *const nonsense[] = {"\n", "GET / HTTP/1.0\r\n\r\n", "{\"op\":\n", "\x00\x01\x02\n", "{\"bytes\":-1}\n"};
  struct fixture *f = *state;
  size_t n;

  for (size_t i = 0; i < sizeof nonsense / sizeof nonsense[0]; i++) {
    int fd = connect_raw(f);
    put(fd, nonsense[i], strlen(nonsense[i]) + (nonsense[i][0] == '\0' ? 4 : 0));
    assert_true(closed_within(fd, WAIT_MS, &n));
    assert_int_equal(n, 0);
    close(fd);
  }
}

static void test_endless_line_is_closed(void **state)
{
  struct fixture *f = *state;
  char spaces[4096];
  int fd = connect_raw(f);
  size_t sent = 0;
  ssize_t n = 1;
  size_t got;

  memset(spaces, ' ', sizeof spaces);
  while (n > 0 && sent < 100u * 1024 * 1024) {
    n = send(fd, spaces, sizeof spaces, MSG_NOSIGNAL);
    sent += n > 0 ? (size_t)n : 0;
  }
  assert_true(n < 0);
  assert_true(sent < 2u * 1024 * 1024); /* what the kernel holds, and one line */
  closed_within(fd, WAIT_MS, &got);
  close(fd);
}

/* Many requests in one write, and one request in many. */
static void test_cut_anyhow(void **state)
{
  static const char line[] = "{\"op\":\"hello\"}\n";
  struct fixture *f = *state;
  char all[50 * (sizeof line - 1)];
  int fd = connect_raw(f);
  size_t n;
  size_t one;

  for (size_t i = 0; i < 50; i++)
    memcpy(all + i * (sizeof line - 1), line, sizeof line - 1);
  put(fd, all, sizeof all);
  assert_false(closed_within(fd, 500, &n));
  for (size_t i = 0; i < sizeof line - 1; i++)
    put(fd, line + i, 1);
  assert_false(closed_within(fd, 500, &one));
  assert_true(one > 0);
  assert_int_equal(n, 50 * one);
  close(fd);
}

static void test_too_many_clients(void **state)
{
  struct fixture *f = *state;
  int fds[TM_CONTROL_CLIENTS_MAX];
  struct tm_session *s;
  size_t n;
  int extra;

  for (size_t i = 0; i < TM_CONTROL_CLIENTS_MAX; i++)
    fds[i] = connect_raw(f);
  extra = connect_raw(f);
  assert_true(closed_within(extra, WAIT_MS, &n));
  close(extra);
  for (size_t i = 0; i < TM_CONTROL_CLIENTS_MAX; i++) {
    assert_false(closed_within(fds[i], 0, &n));
    close(fds[i]);
  }
  poll(NULL, 0, 200); /* it sees them go */
  s = open_session(f);
  must(s, request("hello"));
  tm_session_close(s);
}

static void test_large_file_there_and_back(void **state)
{
  const size_t len = 5u * 1024 * 1024 + 17;
  struct fixture *f = *state;
  struct tm_session *s = open_session(f);
  uint8_t *data = malloc(len);
  struct tm_frame answer;

  randombytes_buf(data, len);
  must(s, json_pack("{s:s, s:s}", "op", "invite", "name", "bob"));
  must_send(s, data, len);
  assert_int_equal(call(s, json_pack("{s:s, s:i, s:b, s:b}", "op", "next", "after", 0, "unread", 1, "files", 1), NULL, 0, &answer),
                   TM_EXIT_OK);
  assert_int_equal(answer.body_len, len);
  assert_memory_equal(answer.body, data, len);
  tm_frame_clear(&answer);
  free(data);
  tm_session_close(s);
}

/* A client that never reads its answers costs one answer, and nobody else waits for it. */
static void test_slow_reader(void **state)
{
  const size_t len = 8u * 1024 * 1024;
  static const char line[] = "{\"op\":\"next\",\"after\":0,\"files\":true}\n";
  struct fixture *f = *state;
  struct tm_session *s = open_session(f);
  uint8_t *data = calloc(1, len);
  uint64_t before;
  int fd;

  must(s, json_pack("{s:s, s:s}", "op", "invite", "name", "bob"));
  must_send(s, data, len);
  fd = connect_raw(f);
  for (int i = 0; i < 20; i++)
    put(fd, line, sizeof line - 1);
  poll(NULL, 0, 100);
  before = tm_clock_mono_ms(&tm_clock_system);
  for (int i = 0; i < 20; i++)
    must(s, request("status"));
  assert_true(tm_clock_mono_ms(&tm_clock_system) - before < WAIT_MS / 2);
  close(fd);
  free(data);
  tm_session_close(s);
}

static void test_watch(void **state)
{
  struct fixture *f = *state;
  struct tm_session *watcher = open_session(f);
  struct tm_session *s = open_session(f);

  must(s, json_pack("{s:s, s:s}", "op", "invite", "name", "bob"));
  assert_int_equal(tm_session_wait(s, 300), TM_E_TIMEOUT); /* has not asked */
  must(watcher, request("watch"));
  must_send(s, "x", 1);
  assert_int_equal(tm_session_wait(watcher, WAIT_MS), TM_OK);
  assert_int_equal(tm_session_wait(watcher, 300), TM_E_TIMEOUT);
  must_send(s, "x", 1);
  must_send(s, "x", 1);
  must(watcher, request("hello")); /* an event before the answer is not lost */
  assert_int_equal(tm_session_wait(watcher, WAIT_MS), TM_OK);
  tm_session_close(watcher);
  tm_session_close(s);
}

static void test_stop(void **state)
{
  struct fixture *f = *state;
  struct tm_session *other = open_session(f);
  struct tm_session *s = open_session(f);

  must(s, request("stop"));
  assert_int_equal(tm_session_await_end(s, WAIT_MS), TM_OK);
  assert_int_equal(tm_session_await_end(other, WAIT_MS), TM_OK);
  assert_int_equal(end_of(f), 0);
  tm_session_close(s);
  tm_session_close(other);
}

static void test_second_daemon_is_refused(void **state)
{
  struct fixture *f = *state;
  struct tm_failure failure = {.code = ""};
  const struct tm_daemon_start start = {.dir = f->dir, .passphrase = give_empty};
  struct tm_session *s;
  int code;
  pid_t child = fork();

  if (child == 0) {
    code = tm_daemon_run(&start, &failure);
    _exit(code == TM_EXIT_FAILED && strcmp(failure.code, "running") == 0 ? 0 : 1);
  }
  assert_int_equal(waitpid(child, &code, 0), child);
  assert_true(WIFEXITED(code) && WEXITSTATUS(code) == 0);
  s = open_session(f); /* the first one still answers */
  must(s, request("hello"));
  tm_session_close(s);
}

/* A state that cannot be written ends the daemon, so that the next command starts one that can. */
static void test_failed_state_ends_it(void **state)
{
  struct fixture *f = *state;
  struct tm_session *other = open_session(f);
  struct tm_session *s = open_session(f);
  struct tm_frame answer;

  must(s, json_pack("{s:s, s:s}", "op", "invite", "name", "bob"));
  assert_int_equal(call(s, json_pack("{s:s, s:s}", "op", "send", "name", "bob"), "DISK FULL", 9, &answer), TM_EXIT_FAILED);
  tm_frame_clear(&answer);
  assert_int_equal(tm_session_await_end(other, WAIT_MS), TM_OK);
  assert_int_equal(end_of(f), TM_EXIT_FAILED);
  start_daemon(f);
  tm_session_close(s);
  s = open_session(f);
  must(s, request("hello"));
  tm_session_close(s);
  tm_session_close(other);
}

static void test_stale_socket(void **state)
{
  struct fixture *f = *state;
  struct tm_session *s;

  kill(f->pid, SIGKILL);
  assert_int_equal(end_of(f), 100 + SIGKILL);
  start_daemon(f);
  s = open_session(f);
  must(s, request("hello"));
  tm_session_close(s);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
  const struct CMUnitTest tests[] = {
    T(test_socket_mode),      T(test_request_and_answer), T(test_nonsense_is_closed),        T(test_endless_line_is_closed),
    T(test_cut_anyhow),       T(test_too_many_clients),   T(test_large_file_there_and_back), T(test_slow_reader),
    T(test_watch),            T(test_stop),               T(test_second_daemon_is_refused),  T(test_stale_socket),
    T(test_failed_state_ends_it),
  };

  tm_control_setup();
  tm_log_set_level(TM_LOG_ERROR);
  if (sodium_init() < 0)
    return 1;
  return cmocka_run_group_tests(tests, NULL, NULL);
}
