/* The relay's control socket: who may ask, and clients that are slow, silent, many or mad. */
#include "config.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <event2/event.h>

#include "base/clock.h"
#include "base/local_socket.h"
#include "relay/control.h"

#define ASK "{\"op\": \"status\"}\n"
#define GENEROUS_MS 20000

struct fixture {
  char dir[32];
  char path[64];
  struct event_base *base;
  struct tm_relay_control *control;
  const char *answer;
  unsigned asked;
};

static const char *on_request(void *arg, enum tm_relay_control_op op)
{
  struct fixture *f = arg;

  assert_int_equal(op, TM_RELAY_CONTROL_STATUS);
  f->asked++;
  return f->answer;
}

static void setup(struct fixture *f, unsigned patience_ms)
{
  *f = (struct fixture){.dir = "/tmp/tidemill-test-XXXXXX", .answer = "{\"ok\":true}\n"};
  assert_non_null(mkdtemp(f->dir));
  snprintf(f->path, sizeof f->path, "%s/control", f->dir);
  f->base = event_base_new();
  assert_int_equal(tm_relay_control_new(&f->control, f->base, f->path, patience_ms, on_request, f), TM_OK);
}

static void teardown(struct fixture *f)
{
  tm_relay_control_free(f->control);
  event_base_free(f->base);
  assert_int_equal(access(f->path, F_OK), -1); /* the name has gone */
  assert_int_equal(rmdir(f->dir), 0);
}

static int join(struct fixture *f)
{
  int fd = tm_local_socket_connect(f->path);

  assert_true(fd >= 0);
  assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
  return fd;
}

static void say(int fd, const char *text) { assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text)); }

/* Turns the loop until a line has come (its length, without its end), or the other side has hung up (-1). */
static int hear(struct fixture *f, int fd, char *line, size_t cap)
{
  uint64_t until = tm_clock_mono_ms(&tm_clock_system) + GENEROUS_MS;
  size_t len = 0;

  while (tm_clock_mono_ms(&tm_clock_system) < until && len < cap - 1) {
    ssize_t n;
    event_base_loop(f->base, EVLOOP_NONBLOCK);
    n = recv(fd, line + len, 1, 0);
    if (n == 0 || (n < 0 && errno != EAGAIN))
      return -1;
    if (n == 1 && line[len++] == '\n') {
      line[--len] = '\0';
      return (int)len;
    }
    if (n < 0)
      usleep(200);
  }
  fail_msg("nothing came");
  return -1;
}

static void expect(struct fixture *f, int fd, const char *text)
{
  char line[256];

  assert_true(hear(f, fd, line, sizeof line) >= 0);
  if (strstr(line, text) == NULL)
    fail_msg("\"%s\" is not in %s", text, line);
}

static void expect_end(struct fixture *f, int fd)
{
  char line[256];

  assert_int_equal(hear(f, fd, line, sizeof line), -1);
  close(fd);
}

static void test_answers(void **state)
{
  struct fixture f;
  struct stat st;
  int fd;

  (void)state;
  setup(&f, GENEROUS_MS);
  assert_int_equal(stat(f.path, &st), 0);
  assert_true(S_ISSOCK(st.st_mode));
  assert_int_equal(st.st_mode & 0777, 0600);
  fd = join(&f);
  assert_int_equal(tm_local_socket_peer(fd), geteuid());
  say(fd, ASK);
  expect(&f, fd, "\"ok\":true");
  say(fd, "{\"op\": \"sta"); /* in two pieces, and one more behind it */
  event_base_loop(f.base, EVLOOP_NONBLOCK);
  say(fd, "tus\"}\n" ASK);
  expect(&f, fd, "\"ok\":true");
  expect(&f, fd, "\"ok\":true");
  assert_int_equal(f.asked, 3);
  close(fd);
  teardown(&f);
}

static void test_nonsense_gets_an_error_and_the_end(void **state)
{
  static const struct {
    const char *text, *code;
  } cases[] = {{"\n", "syntax"},
               {"hello\n", "syntax"},
               {"[]\n", "syntax"},
               {"{\"op\": 1}\n", "syntax"},
               {"{\"op\": \"status\", \"op\": \"status\"}\n", "syntax"},
               {"{\"op\": \"status\"} {}\n", "syntax"},
               {"{\"op\": \"shutdown\"}\n", "unknown"}};
  char big[TM_RELAY_CONTROL_REQUEST_MAX + 2];
  struct fixture f;
  int fd;

  (void)state;
  setup(&f, GENEROUS_MS);
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    fd = join(&f);
    say(fd, cases[i].text);
    say(fd, ASK); /* not heard any more */
    expect(&f, fd, cases[i].code);
    expect_end(&f, fd);
  }
  memset(big, ' ', sizeof big);
  big[sizeof big - 1] = '\0';
  fd = join(&f);
  say(fd, big);
  expect(&f, fd, "too-big");
  expect_end(&f, fd);
  assert_int_equal(f.asked, 0);
  teardown(&f);
}

static void test_longest_request_is_taken(void **state)
{
  char big[TM_RELAY_CONTROL_REQUEST_MAX + 2];
  struct fixture f;
  int fd;

  (void)state;
  setup(&f, GENEROUS_MS);
  memset(big, ' ', sizeof big);
  memcpy(big, ASK, sizeof ASK - 2);
  big[sizeof big - 2] = '\n';
  big[sizeof big - 1] = '\0';
  fd = join(&f);
  say(fd, big);
  expect(&f, fd, "\"ok\":true");
  close(fd);
  teardown(&f);
}

/* Neither says nothing, nor keeps a request going byte by byte. */
static void test_silence_ends(void **state)
{
  struct fixture f;
  int silent, dripping;
  char line[16];
  uint64_t until = tm_clock_mono_ms(&tm_clock_system) + GENEROUS_MS;

  (void)state;
  setup(&f, 300);
  silent = join(&f);
  dripping = join(&f);
  while (send(dripping, " ", 1, MSG_NOSIGNAL) == 1) {
    event_base_loop(f.base, EVLOOP_NONBLOCK);
    usleep(5000);
    assert_true(tm_clock_mono_ms(&tm_clock_system) < until);
  }
  close(dripping);
  assert_int_equal(hear(&f, silent, line, sizeof line), -1);
  close(silent);
  teardown(&f);
}

/* A reader that never reads fills its socket, and is done with; another one is served meanwhile. */
static void test_reader_that_does_not_read(void **state)
{
  static char answer[TM_RELAY_CONTROL_ANSWER_MAX];
  uint64_t until = tm_clock_mono_ms(&tm_clock_system) + GENEROUS_MS;
  struct fixture f;
  int lazy, other;

  (void)state;
  setup(&f, 500);
  memset(answer, 'x', sizeof answer - 2);
  answer[sizeof answer - 2] = '\n';
  f.answer = answer;
  lazy = join(&f);
  for (unsigned last = UINT32_MAX; send(lazy, ASK, sizeof ASK - 1, MSG_NOSIGNAL) > 0 || errno == EAGAIN; last = f.asked) {
    event_base_loop(f.base, EVLOOP_NONBLOCK);
    assert_true(tm_clock_mono_ms(&tm_clock_system) < until);
    if (f.asked == last) /* stuck */
      usleep(2000);
  }
  close(lazy);
  f.answer = "{\"ok\":true}\n";
  other = join(&f);
  say(other, ASK);
  expect(&f, other, "\"ok\":true");
  close(other);
  teardown(&f);
}

static void test_many(void **state)
{
  struct fixture f;
  int fd[TM_RELAY_CONTROL_CLIENTS_MAX], one;

  (void)state;
  setup(&f, GENEROUS_MS);
  for (size_t i = 0; i < TM_RELAY_CONTROL_CLIENTS_MAX; i++) {
    fd[i] = join(&f);
    say(fd[i], ASK);
    expect(&f, fd[i], "\"ok\":true");
  }
  one = join(&f);
  expect_end(&f, one);
  close(fd[0]);
  event_base_loop(f.base, EVLOOP_NONBLOCK);
  one = join(&f);
  say(one, ASK);
  expect(&f, one, "\"ok\":true");
  close(one);
  for (size_t i = 1; i < TM_RELAY_CONTROL_CLIENTS_MAX; i++)
    close(fd[i]);
  teardown(&f);
}

static void test_no_memory_for_an_answer(void **state)
{
  struct fixture f;
  int fd;

  (void)state;
  setup(&f, GENEROUS_MS);
  f.answer = NULL;
  fd = join(&f);
  say(fd, ASK);
  expect_end(&f, fd);
  teardown(&f);
}

/* ---- names ---- */

static void test_names(void **state)
{
  char dir[] = "/tmp/tidemill-test-XXXXXX", path[400], deep[300];
  struct stat st;
  int fd, again;

  (void)state;
  assert_non_null(mkdtemp(dir));
  snprintf(path, sizeof path, "%s/s", dir);
  errno = 0;
  assert_int_equal(tm_local_socket_connect(path), -1);
  assert_int_equal(errno, ENOENT);
  fd = tm_local_socket_bind(path);
  assert_true(fd >= 0);
  assert_int_equal(listen(fd, 1), 0);
  /* Somebody is there. */
  assert_int_equal(tm_local_socket_bind(path), -1);
  assert_int_equal(errno, EADDRINUSE);
  close(fd);
  assert_int_equal(tm_local_socket_connect(path), -1);
  assert_int_equal(errno, ECONNREFUSED);
  /* Nobody any more: what a killed relay leaves is no obstacle. */
  again = tm_local_socket_bind(path);
  assert_true(again >= 0);
  close(again);
  unlink(path);
  /* What is no socket stays. */
  again = open(path, O_CREAT | O_WRONLY, 0600);
  close(again);
  assert_int_equal(tm_local_socket_bind(path), -1);
  assert_int_equal(errno, EEXIST);
  assert_int_equal(stat(path, &st), 0);
  unlink(path);
  /* Longer than an address can be. */
  memset(deep, 'd', sizeof deep);
  snprintf(path, sizeof path, "%s/%.200s", dir, deep);
  assert_int_equal(mkdir(path, 0700), 0);
  snprintf(path, sizeof path, "%s/%.200s/s", dir, deep);
  fd = tm_local_socket_bind(path);
  assert_true(fd >= 0);
  assert_int_equal(listen(fd, 1), 0);
  assert_int_equal(stat(path, &st), 0);
  assert_int_equal(st.st_mode & 0777, 0600);
  again = tm_local_socket_connect(path);
  assert_true(again >= 0);
  close(again);
  close(fd);
  unlink(path);
  snprintf(path, sizeof path, "%.200s", deep);
  assert_int_equal(tm_local_socket_bind(path), -1);
  assert_int_equal(errno, ENAMETOOLONG);
  snprintf(path, sizeof path, "%s/%.200s", dir, deep);
  rmdir(path);
  assert_int_equal(rmdir(dir), 0);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_answers),      cmocka_unit_test(test_nonsense_gets_an_error_and_the_end),
    cmocka_unit_test(test_silence_ends), cmocka_unit_test(test_longest_request_is_taken),
    cmocka_unit_test(test_many),         cmocka_unit_test(test_reader_that_does_not_read),
    cmocka_unit_test(test_names),        cmocka_unit_test(test_no_memory_for_an_answer),
  };

  return cmocka_run_group_tests_name("control", tests, NULL, NULL);
}
