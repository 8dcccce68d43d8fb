/*
 * Which passphrase to try next: that of a file if one is named; else the empty one, then what the user types. Main thread of a command.
 */
#ifndef TM_CLIENT_UNLOCK_H
#define TM_CLIENT_UNLOCK_H

#include <stdbool.h>

#include "client/failure.h"
#include "client/passphrase.h"

#define TM_UNLOCK_ASKS 3

struct tm_unlock {
  const char *file; /* NULL: none named */
  int tries;        /* so far; 0 at first */
};

/*
 * The next one into *p. wrong: the last one did not open the state. Fits struct tm_daemon_start. Returns TM_OK or an error, with *failure
 * written.
 */
int tm_unlock_next(void *arg, bool wrong, struct tm_passphrase *p, struct tm_failure *failure);

/* Reads the passphrase file or says what is wrong with it. Returns likewise. */
int tm_unlock_file(const char *path, struct tm_passphrase *p, struct tm_failure *failure);

#endif
