/*
 * The daemon: one process per state directory that owns the engine, the link to the entry and the socket for commands. It runs until
 * SIGTERM, SIGINT or the request "stop". Main thread of its process; changes the working directory to the state directory.
 */
#ifndef TM_CLIENT_DAEMON_H
#define TM_CLIENT_DAEMON_H

#include <stdbool.h>

#include "client/failure.h"
#include "client/passphrase.h"

#define TM_DAEMON_LOG "daemon.log"          /* within the state directory */
#define TM_DAEMON_LOG_OLD "daemon.log.old"
#define TM_DAEMON_LOG_MAX (512 * 1024)      /* bytes, of each of the two */

struct tm_daemon_start {
  const char *dir;
  /* Gives the next passphrase to try, in *p; TM_OK, or what ends the start (the failure is written then). wrong: the last one was. */
  int (*passphrase)(void *arg, bool wrong, struct tm_passphrase *p, struct tm_failure *failure);
  /* Commands are answered from now on. May be NULL. False: stop again. */
  bool (*ready)(void *arg);
  void *arg;
  bool own_log; /* standard error goes to TM_DAEMON_LOG once the state is open */
};

/* Runs it. Returns an exit code; not TM_EXIT_OK: *failure says why it could not start, or ended. */
int tm_daemon_run(const struct tm_daemon_start *start, struct tm_failure *failure);

#endif
