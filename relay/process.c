#include "config.h"

#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/types.h>

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "directory/document.h"
#include "relay/worker.h"

#include "relay/process.h"

#define FILES_BESIDES_LINKS 256 /* event loop, rings, database, log */
#define FILES_AT_LEAST 64       /* what one worker, a store and some links take */
#define LOCKED_PER_WORKER (256 * 1024)
#define LOCKED_BESIDES (512 * 1024) /* keys, and what libraries lock */

__attribute__((format(printf, 3, 4))) static int fail(char why[static TM_PROCESS_WHY_MAX], int err, const char *format, ...)
{
  va_list ap;

  va_start(ap, format);
  vsnprintf(why, TM_PROCESS_WHY_MAX, format, ap);
  va_end(ap);
  return err;
}

/* ---- who ---- */

/* The one that `user` names. */
static int find_user(const struct tm_relay_config *config, struct passwd **user, char *why)
{
  *user = getpwnam(config->user);
  if (*user != NULL)
    return TM_OK;
  return fail(why, TM_E_NOT_FOUND, "user = %s: there is no such user; make one (useradd --system --no-create-home %s), or name another", config->user,
              config->user);
}

/* Whom root is to become. uid 0 only where the configuration names root. */
static int choose(const struct tm_relay_config *config, struct passwd **user, char *why)
{
  struct stat st;

  errno = 0;
  if (config->user != NULL)
    return find_user(config, user, why);
  if (stat(config->state_dir, &st) != 0)
    return fail(why, TM_E_NOT_FOUND, "%s: %s; a relay that root starts becomes the owner of its state-dir", config->state_dir, strerror(errno));
  if (st.st_uid == 0)
    return fail(why, TM_E_STATE, "it does not run as root. Give %s to the user that it shall be (chown -R), or name that user with \"user = NAME\"; "
                "\"user = root\" is for tests on machines that have nothing else", config->state_dir);
  *user = getpwuid(st.st_uid);
  if (*user == NULL)
    return fail(why, TM_E_NOT_FOUND, "%s belongs to user %lu, who has no name here; give it to one who has", config->state_dir,
                (unsigned long)st.st_uid);
  return TM_OK;
}

/* Not root, and asked to be somebody. */
static int check_self(const struct tm_relay_config *config, char *why)
{
  const struct passwd *user = getpwnam(config->user);

  if (user == NULL)
    return fail(why, TM_E_NOT_FOUND, "user = %s: there is no such user", config->user);
  if (user->pw_uid != geteuid())
    return fail(why, TM_E_STATE, "user = %s: only root can become another user; start it as %s or as root", config->user, config->user);
  return TM_OK;
}

int tm_process_become(const struct tm_relay_config *config, char why[static TM_PROCESS_WHY_MAX])
{
  struct passwd *user;
  int err;

  if (geteuid() != 0)
    return config->user == NULL ? TM_OK : check_self(config, why);
  err = choose(config, &user, why);
  if (err != TM_OK || user->pw_uid == 0)
    return err;
  if (initgroups(user->pw_name, user->pw_gid) != 0 || setresgid(user->pw_gid, user->pw_gid, user->pw_gid) != 0 ||
      setresuid(user->pw_uid, user->pw_uid, user->pw_uid) != 0)
    return fail(why, TM_E_IO, "cannot become %s: %s", user->pw_name, strerror(errno));
  if (setuid(0) == 0 || geteuid() != user->pw_uid || getegid() != user->pw_gid)
    return fail(why, TM_E_IO, "cannot become %s: root could come back", user->pw_name);
  return TM_OK;
}

/* For keygen: a directory that root makes belongs to the user that the relay shall be. */
static int make_for(const struct tm_relay_config *config, char *why)
{
  struct passwd *user = NULL;

  if (config->user != NULL && find_user(config, &user, why) != TM_OK)
    return TM_E_NOT_FOUND;
  if (tm_dir_make(config->state_dir) != TM_OK)
    return fail(why, TM_E_IO, "%s: it is no directory, and none can be made there", config->state_dir);
  if (geteuid() == 0 && user != NULL && lchown(config->state_dir, user->pw_uid, user->pw_gid) != 0)
    return fail(why, TM_E_IO, "%s: cannot be given to %s: %s", config->state_dir, config->user, strerror(errno));
  return TM_OK;
}

int tm_process_make_state(const struct tm_relay_config *config, char why[static TM_PROCESS_WHY_MAX])
{
  struct stat st;
  bool missing = stat(config->state_dir, &st) != 0;
  int err = TM_OK;

  if (missing)
    err = make_for(config, why);
  if (err == TM_OK && geteuid() == 0 && config->user == NULL && (missing || st.st_uid == 0))
    return TM_OK; /* whose it will be is decided before the relay runs */
  if (err == TM_OK)
    err = tm_process_become(config, why);
  return err == TM_OK ? tm_process_check_state(config, why) : err;
}

int tm_process_check_state(const struct tm_relay_config *config, char why[static TM_PROCESS_WHY_MAX])
{
  struct stat st;

  if (stat(config->state_dir, &st) != 0)
    return fail(why, errno == ENOENT ? TM_E_NOT_FOUND : TM_E_IO, "%s: %s%s", config->state_dir, strerror(errno),
                errno == ENOENT ? "; keygen makes it" : "");
  if (!S_ISDIR(st.st_mode))
    return fail(why, TM_E_IO, "%s: it is no directory", config->state_dir);
  if (st.st_uid != geteuid())
    return fail(why, TM_E_AUTH, "%s: it belongs to user %lu, and the relay is user %lu; give it to the relay's user (chown -R)", config->state_dir,
                (unsigned long)st.st_uid, (unsigned long)geteuid());
  if ((st.st_mode & (S_IWGRP | S_IWOTH)) != 0)
    return fail(why, TM_E_AUTH, "%s: others may write there; make it private (chmod 700)", config->state_dir);
  return TM_OK;
}

/* ---- how much ---- */

static rlim_t locked_bytes(const struct tm_relay_config *config)
{
  long cores = sysconf(_SC_NPROCESSORS_ONLN);
  rlim_t workers = config->workers > 0 ? config->workers : cores > 0 ? (rlim_t)cores : 1;

  return LOCKED_BESIDES + (workers < TM_WORKERS_MAX ? workers : TM_WORKERS_MAX) * LOCKED_PER_WORKER;
}

/* Returns the limit that then holds. */
static rlim_t raise_limit(__rlimit_resource_t which, rlim_t want)
{
  struct rlimit old, limit;

  if (getrlimit(which, &old) != 0)
    return 0;
  limit = old;
  if (limit.rlim_cur >= want)
    return limit.rlim_cur;
  limit.rlim_cur = want;
  if (limit.rlim_max < want)
    limit.rlim_max = want; /* root may */
  if (setrlimit(which, &limit) == 0)
    return limit.rlim_cur;
  limit.rlim_cur = limit.rlim_max = old.rlim_max;
  return setrlimit(which, &limit) == 0 ? limit.rlim_cur : old.rlim_cur;
}

uint64_t tm_process_files(const struct tm_relay_config *config)
{
  uint64_t links = (config->roles & TM_ROLE_ENTRY) != 0 ? config->max_clients : 0;

  return links + 2 * TM_DOCUMENT_RELAYS_MAX + config->handshakes_max + FILES_BESIDES_LINKS;
}

/* A link is a descriptor, and the usual soft limit of 1,024 is no relay's. */
int tm_process_limits(const struct tm_relay_config *config, char why[static TM_PROCESS_WHY_MAX])
{
  rlim_t want = tm_process_files(config);
  rlim_t have = raise_limit(RLIMIT_NOFILE, want);

  (void)raise_limit(RLIMIT_MEMLOCK, locked_bytes(config)); /* tm_process_check_locking looks what came of it */
  if (have < FILES_AT_LEAST)
    return fail(why, TM_E_FULL, "only %llu files may be open, and a relay needs %d and one for each link; raise the limit (ulimit -n, LimitNOFILE)",
                (unsigned long long)have, FILES_AT_LEAST);
  if (have < want)
    tm_log(TM_LOG_WARN, "relay", "fewer files may be open than links are allowed; raise the limit (ulimit -n, LimitNOFILE)",
           TM_KV_INT("limit", have), TM_KV_INT("wanted", want), TM_KV_END);
  return TM_OK;
}

/* libsodium goes on without a word when it cannot lock, so it is tried here with as much as it will want. */
void tm_process_check_locking(const struct tm_relay_config *config)
{
  size_t len = locked_bytes(config);
  void *memory = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  bool good = memory != MAP_FAILED && mlock(memory, len) == 0;

  if (!good)
    tm_log(TM_LOG_WARN, "relay", "not enough memory can be locked, and keys may be written to swap; raise the limit (ulimit -l, LimitMEMLOCK)",
           TM_KV_INT("wanted_kb", len / 1024), TM_KV_NAME("reason", strerror(errno)), TM_KV_END);
  if (memory != MAP_FAILED)
    munmap(memory, len);
}

void tm_process_harden(void)
{
  static const struct rlimit none = {0, 0};
  bool good = setrlimit(RLIMIT_CORE, &none) == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;

#ifndef TM_INSTRUMENTED /* the search for leaks traces its own threads */
  good = good && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0;
#endif
  if (!good)
    tm_log(TM_LOG_WARN, "relay", "core files, tracing or new privileges cannot be ruled out", TM_KV_NAME("reason", strerror(errno)), TM_KV_END);
}
