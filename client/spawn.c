#include "config.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/config/command.h"
#include "client/startup.h"
#include "client/unlock.h"

#include "client/spawn.h"

/* In the grandchild, after fork: only what is safe there. Does not return. */
static void become_daemon(int channel, char *const argv[], const char *self)
{
  static const int defaults[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGPIPE};
  sigset_t none;
  int null = open("/dev/null", O_RDWR | O_CLOEXEC);

  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  for (size_t i = 0; i < sizeof defaults / sizeof defaults[0]; i++)
    signal(defaults[i], SIG_DFL);
  if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0 || dup2(null, STDERR_FILENO) < 0)
    _exit(TM_EXIT_FAILED);
  if (channel == TM_STARTUP_FD ? fcntl(channel, F_SETFD, 0) < 0 : dup2(channel, TM_STARTUP_FD) < 0)
    _exit(TM_EXIT_FAILED);
  closefrom(TM_STARTUP_FD + 1);
  execv(self, argv);
  _exit(TM_EXIT_FAILED);
}

/* Twice forked, so that the daemon is nobody's child and the caller has nothing to wait for later. */
static int launch(int channel, const char *dir)
{
  char self[PATH_MAX] = "/proc/self/exe";
  char *argv[] = {(char[]){"tidemill"}, (char[]){"--state"}, strdup(dir), (char[]){"daemon"}, (char[]){"--started"}, NULL};
  ssize_t len = readlink("/proc/self/exe", self, sizeof self - 1);
  int status = 0;
  pid_t child = -1;

  if (len > 0)
    self[len] = '\0';
  if (access(self, X_OK) != 0) /* replaced meanwhile: the one that runs is still there under this name */
    memcpy(self, "/proc/self/exe", sizeof "/proc/self/exe");
  if (argv[2] != NULL)
    child = fork();
  if (child == 0) {
    if (setsid() < 0)
      _exit(TM_EXIT_FAILED);
    child = fork();
    if (child == 0)
      become_daemon(channel, argv, self);
    _exit(child < 0 ? TM_EXIT_FAILED : TM_EXIT_OK);
  }
  free(argv[2]);
  if (child < 0)
    return -1;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR)
    ;
  return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -1;
}

static int fail_start(int err, struct tm_failure *failure)
{
  if (err == TM_E_TIMEOUT)
    return tm_failure_set(failure, "daemon", "The daemon did not get ready within %d seconds.", TM_STARTUP_WAIT_MS / 1000);
  return tm_failure_set(failure, "daemon", "The daemon ended while it started (%s). `tidemill daemon --foreground` shows what it says.",
                        tm_strerror(err));
}

/* The conversation of startup.h, until the daemon is ready or has failed. */
static int accompany(int channel, const struct tm_place *place, struct tm_passphrase *p, struct tm_failure *failure)
{
  struct tm_unlock unlock = {.file = place->passphrase_file};
  enum tm_startup result = TM_STARTUP_WRONG_PASSPHRASE;
  bool wrong = false;

  while (result == TM_STARTUP_WRONG_PASSPHRASE) {
    int err;
    if (tm_unlock_next(&unlock, wrong, p, failure) != TM_OK)
      return tm_failure_exit(failure->code);
    err = tm_startup_send_passphrase(channel, p);
    if (err == TM_OK || err == TM_E_CLOSED) /* it may have said why before it left */
      err = tm_startup_await(channel, &result, failure);
    if (err != TM_OK)
      return fail_start(err, failure);
    wrong = true;
  }
  return result == TM_STARTUP_READY ? TM_EXIT_OK : tm_failure_exit(failure->code);
}

int tm_spawn_daemon(const struct tm_place *place, struct tm_failure *failure)
{
  struct tm_passphrase *p = tm_passphrase_new();
  int pair[2] = {-1, -1};
  int code;

  if (p == NULL)
    return tm_failure_set(failure, "no-memory", "There is no memory that can be locked for the passphrase.");
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0 || launch(pair[1], place->dir) != 0) {
    code = tm_failure_set(failure, "daemon", "The daemon could not be started: %s.", strerror(errno));
  } else {
    close(pair[1]);
    pair[1] = -1;
    code = accompany(pair[0], place, p, failure);
  }
  for (int i = 0; i < 2; i++)
    if (pair[i] >= 0)
      close(pair[i]);
  tm_passphrase_free(p);
  return code;
}
