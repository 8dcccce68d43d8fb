/* The filter of system calls, and the process around the engine. Each try in a child, as nothing of it is undone. */
#include "config.h"

#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <linux/netlink.h>
#include <unistd.h>

#include <fcntl.h>
#include <pthread.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/log.h"
#include "relay/process.h"
#include "relay/sandbox.h"

#define EXIT_NOT_CLOSED 90

/* Runs it in a child; returns what waitpid says, and what the child wrote to standard error. */
static int in_child(int (*run)(void), char said[static 4096])
{
  int status, out[2];
  size_t len = 0;
  ssize_t n;
  pid_t pid;

  assert_int_equal(pipe(out), 0);
  pid = fork();
  assert_true(pid >= 0);
  if (pid == 0) {
    dup2(out[1], STDERR_FILENO);
    close(out[0]);
    close(out[1]);
    _exit(run());
  }
  close(out[1]);
  while (len < 4095 && (n = read(out[0], said + len, 4095 - len)) > 0)
    len += (size_t)n;
  said[len] = '\0';
  close(out[0]);
  assert_int_equal(waitpid(pid, &status, 0), pid);
  return status;
}

/* ---- forbidden ---- */

static void *nothing(void *arg) { return arg; }

static int (*forbidden)(void);

static int after_closing(void)
{
  if (tm_sandbox_close() != TM_OK)
    return EXIT_NOT_CLOSED;
  return forbidden();
}

#if defined HAVE_SECCOMP && !defined TM_INSTRUMENTED

static int run_program(void)
{
  char *argv[] = {(char[]){"true"}, NULL};
  return execv("/bin/true", argv);
}
static int trace(void) { return (int)ptrace(PTRACE_TRACEME, 0, NULL, NULL); }
static int become_root(void) { return setuid(0); }
static int make_child(void) { return (int)fork(); }
static int raise_core(void) { return setrlimit(RLIMIT_CORE, &(struct rlimit){1, 1}); }
static int talk_to_kernel(void) { return socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE); }
static int talk_to_service(void) { return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0); }
static int send_datagrams(void) { return socket(AF_INET, SOCK_DGRAM, 0); }
static int listen_anew(void) { return listen(0, 1); }
static int map_code(void) { return mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED; }
static int be_dumped(void) { return prctl(PR_SET_DUMPABLE, 1, 0, 0, 0); }
static int take_answer(void) { return signal(SIGSYS, SIG_IGN) == SIG_ERR; }
static int change_mode(void) { return chmod("/", 0755); }
static int kill_parent(void) { return kill(getppid(), 0); }

static int make_code(void)
{
  void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return mprotect(p, 4096, PROT_READ | PROT_EXEC);
}

static int make_thread(void)
{
  pthread_t thread;
  return pthread_create(&thread, NULL, nothing, NULL);
}

/* Here the C library blocks all signals, and the kernel ends it without a word from us. */
static void test_a_new_thread_ends_it(void **state)
{
  char said[4096];
  int status;

  (void)state;
  forbidden = make_thread;
  status = in_child(after_closing, said);
  assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
}

static void test_forbidden_calls_end_it(void **state)
{
  static int (*const calls[])(void) = {run_program,    trace,       become_root, make_child, raise_core,  talk_to_kernel, talk_to_service, send_datagrams,
                                       listen_anew,    map_code,    make_code,   be_dumped,  take_answer, change_mode,    kill_parent};
  char said[4096];

  (void)state;
  for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
    int status;
    forbidden = calls[i];
    status = in_child(after_closing, said);
    if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGSYS)
      fail_msg("call %zu did not end the process by SIGSYS, status %x: %s", i, (unsigned)status, said);
    if (strstr(said, "a system call that no relay makes") == NULL || strstr(said, "call=") == NULL)
      fail_msg("call %zu: the log does not say so: %s", i, said);
  }
}

/* Another thread is filtered, too. */
static int pipe_to_thread[2];

static void *call_when_told(void *arg)
{
  char c;
  (void)arg;
  if (read(pipe_to_thread[0], &c, 1) == 1)
    (void)talk_to_kernel();
  return NULL;
}

static int another_thread(void)
{
  pthread_t thread;

  if (pipe(pipe_to_thread) != 0 || pthread_create(&thread, NULL, call_when_told, NULL) != 0 || tm_sandbox_close() != TM_OK)
    return EXIT_NOT_CLOSED;
  if (write(pipe_to_thread[1], "", 1) == 1)
    pthread_join(thread, NULL);
  return 0;
}

static void test_it_holds_for_all_threads(void **state)
{
  char said[4096];
  int status = in_child(another_thread, said);

  (void)state;
  assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
}

#else

static void test_the_log_says_that_there_is_none(void **state)
{
  char said[4096];

  (void)state;
  forbidden = getpagesize;
  assert_true(WIFEXITED(in_child(after_closing, said)));
  assert_non_null(strstr(said, "no filter of system calls: this program is built with"));
}

#endif

/* ---- allowed ---- */

static int what_relays_do(void)
{
  char name[] = "/tmp/tidemill-test-XXXXXX", other[64];
  uint8_t bytes[64];
  int fd = mkstemp(name), inet = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  void *memory = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  bool good = fd >= 0 && inet >= 0 && memory != MAP_FAILED;

  snprintf(other, sizeof other, "%s.new", name);
  good = good && write(fd, bytes, sizeof bytes) == sizeof bytes && fdatasync(fd) == 0 && ftruncate(fd, 8) == 0 && rename(name, other) == 0 &&
         unlink(other) == 0 && socket(AF_INET6, SOCK_STREAM, 0) >= -1 && getentropy(bytes, sizeof bytes) == 0;
  good = good && mprotect(memory, 65536, PROT_NONE) == 0 && munmap(memory, 65536) == 0 && raise(0) == 0;
  good = good && socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0) >= 0;
  return good ? 0 : 1;
}

static void test_what_relays_do_goes_on(void **state)
{
  char said[4096];
  int status;

  (void)state;
  forbidden = what_relays_do;
  status = in_child(after_closing, said);
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
    fail_msg("status %x: %s", (unsigned)status, said);
}

/* On one processor, threads that were just made have not begun when the filter closes. */
static int young_threads(void)
{
  pthread_t thread[16];
  cpu_set_t one;
  size_t n = 0;

  CPU_ZERO(&one);
  CPU_SET((size_t)sched_getcpu(), &one);
  if (sched_setaffinity(0, sizeof one, &one) != 0)
    return 91;
  while (n < 16 && pthread_create(&thread[n], NULL, nothing, NULL) == 0)
    n++;
  if (tm_sandbox_close() != TM_OK)
    return EXIT_NOT_CLOSED;
  for (size_t i = 0; i < n; i++)
    pthread_join(thread[i], NULL);
  return n == 16 ? 0 : 92;
}

static void test_threads_that_have_not_begun_go_on(void **state)
{
  char said[4096];
  int status = in_child(young_threads, said);

  (void)state;
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
    fail_msg("status %x: %s", (unsigned)status, said);
}

/* ---- the process ---- */

static struct tm_relay_config config;
static char dir[] = "/tmp/tidemill-test-XXXXXX";

static int become(void)
{
  char why[TM_PROCESS_WHY_MAX] = "";
  int err = tm_process_become(&config, why);

  fputs(why, stderr);
  return -err;
}

static int become_and_look(void)
{
  int r = become();

  return r != 0 ? r : geteuid() == 65534 && getegid() != 0 && getgroups(0, NULL) <= 1 && setuid(0) != 0 ? 0 : 91;
}

static void expect(int (*run)(void), int err, const char *text)
{
  char said[4096];
  int status = in_child(run, said);

  if (!WIFEXITED(status) || WEXITSTATUS(status) != -err || (text == NULL ? said[0] != '\0' : strstr(said, text) == NULL))
    fail_msg("status %x: %s", (unsigned)status, said);
}

static void test_it_is_never_root_by_itself(void **state)
{
  (void)state;
  config = (struct tm_relay_config){.state_dir = dir};
  if (geteuid() == 0) {
    expect(become, TM_E_STATE, "it does not run as root");
    config.user = (char[]){"no-such-user-here"};
    expect(become, TM_E_NOT_FOUND, "there is no such user; make one (useradd");
    config.user = (char[]){"root"};
    expect(become, TM_OK, NULL);
    config.user = (char[]){"nobody"};
    expect(become_and_look, TM_OK, NULL);
    config.user = NULL;
    assert_int_equal(chown(dir, 65534, 65534), 0);
    expect(become_and_look, TM_OK, NULL);
    assert_int_equal(chown(dir, 0, 0), 0);
  } else {
    expect(become, TM_OK, NULL);
    config.user = (char[]){"root"};
    expect(become, TM_E_STATE, "only root can become another user");
    config.user = getpwuid(geteuid()) != NULL ? getpwuid(geteuid())->pw_name : NULL;
    expect(become, TM_OK, NULL);
  }
}

static void test_state_is_ours_alone(void **state)
{
  char why[TM_PROCESS_WHY_MAX];

  (void)state;
  config = (struct tm_relay_config){.state_dir = dir};
  assert_int_equal(tm_process_check_state(&config, why), TM_OK);
  assert_int_equal(chmod(dir, 0770), 0);
  assert_int_equal(tm_process_check_state(&config, why), TM_E_AUTH);
  assert_non_null(strstr(why, "chmod 700"));
  assert_int_equal(chmod(dir, 0700), 0);
  config.state_dir = (char[]){"/nonexistent-state"};
  assert_int_equal(tm_process_check_state(&config, why), TM_E_NOT_FOUND);
  assert_non_null(strstr(why, "keygen makes it"));
  config.state_dir = (char[]){"/dev/null"};
  assert_int_equal(tm_process_check_state(&config, why), TM_E_IO);
  config.state_dir = (char[]){"/proc/1"};
  if (geteuid() != 0)
    assert_int_equal(tm_process_check_state(&config, why), TM_E_AUTH);
}

static int harden(void)
{
  struct rlimit core;

  tm_process_harden();
#ifndef TM_INSTRUMENTED
  if (prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) != 0)
    return 1;
#endif
  return getrlimit(RLIMIT_CORE, &core) == 0 && core.rlim_cur == 0 && core.rlim_max == 0 && prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 ? 0 : 1;
}

static void test_no_core_and_no_new_privileges(void **state)
{
  (void)state;
  expect(harden, 0, NULL);
}

static int few_files(void)
{
  char why[TM_PROCESS_WHY_MAX] = "";
  int err;

  if (setrlimit(RLIMIT_NOFILE, &(struct rlimit){32, 32}) != 0 || (geteuid() == 0 && setuid(65534) != 0))
    return 91;
  err = tm_process_limits(&config, why);
  fputs(why, stderr);
  return -err;
}

static void test_too_few_files(void **state)
{
  (void)state;
  config = (struct tm_relay_config){.state_dir = dir, .handshakes_max = 16, .workers = 1};
  expect(few_files, TM_E_FULL, "only 32 files may be open");
}

#ifndef TM_INSTRUMENTED /* a sanitizer locks nothing, and says that it did */
static int little_locked(void)
{
  if (setrlimit(RLIMIT_MEMLOCK, &(struct rlimit){4096, 4096}) != 0 || (geteuid() == 0 && setuid(65534) != 0))
    return 91;
  tm_process_check_locking(&config);
  return 0;
}

static void test_too_little_locked_memory(void **state)
{
  (void)state;
  config = (struct tm_relay_config){.workers = 1};
  expect(little_locked, TM_OK, "not enough memory can be locked");
}
#endif

int main(void)
{
  const struct CMUnitTest tests[] = {
#if defined HAVE_SECCOMP && !defined TM_INSTRUMENTED
    cmocka_unit_test(test_forbidden_calls_end_it),
    cmocka_unit_test(test_a_new_thread_ends_it),
    cmocka_unit_test(test_it_holds_for_all_threads),
#else
    cmocka_unit_test(test_the_log_says_that_there_is_none),
#endif
    cmocka_unit_test(test_what_relays_do_goes_on),
    cmocka_unit_test(test_threads_that_have_not_begun_go_on),
    cmocka_unit_test(test_it_is_never_root_by_itself),
    cmocka_unit_test(test_state_is_ours_alone),
    cmocka_unit_test(test_no_core_and_no_new_privileges),
    cmocka_unit_test(test_too_few_files),
#ifndef TM_INSTRUMENTED
    cmocka_unit_test(test_too_little_locked_memory),
#endif
  };
  int failed;

  if (mkdtemp(dir) == NULL)
    return 1;
  tm_log_set_level(TM_LOG_WARN);
  failed = cmocka_run_group_tests_name("sandbox", tests, NULL, NULL);
  rmdir(dir);
  return failed;
}
