/*
 * Between a command that starts a daemon and that daemon, over a socket pair that only they have: the command sends passphrases to try, the
 * daemon says how its start went. After "ready" it is closed. Blocking, with an end to each wait.
 *
 *   command -> daemon: length (2), passphrase
 *   daemon -> command: result (1): enum tm_startup; with TM_STARTUP_FAILED a struct tm_failure behind it
 */
#ifndef TM_CLIENT_STARTUP_H
#define TM_CLIENT_STARTUP_H

#include "base/err.h"
#include "client/failure.h"
#include "client/passphrase.h"

#define TM_STARTUP_FD 3            /* the daemon's end */
#define TM_STARTUP_WAIT_MS 120000  /* Argon2id on a small machine, and a database to recover */

enum tm_startup { TM_STARTUP_READY = 1, TM_STARTUP_WRONG_PASSPHRASE = 2, TM_STARTUP_FAILED = 3 };

/* All: TM_E_CLOSED (the other is gone), TM_E_TIMEOUT, TM_E_IO. */
int tm_startup_send_passphrase(int fd, const struct tm_passphrase *p) TM_MUST_CHECK;
int tm_startup_receive_passphrase(int fd, struct tm_passphrase *p) TM_MUST_CHECK;  /* waits for a person: without end; also TM_E_SYNTAX */
int tm_startup_report(int fd, enum tm_startup result, const struct tm_failure *failure) TM_MUST_CHECK;
int tm_startup_await(int fd, enum tm_startup *result, struct tm_failure *failure) TM_MUST_CHECK; /* also TM_E_SYNTAX */

#endif
