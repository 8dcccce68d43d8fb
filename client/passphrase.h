/*
 * Passphrases of the state: from a file or from the terminal, without echo. In memory that is locked and wiped. Main thread of a command.
 */
#ifndef TM_CLIENT_PASSPHRASE_H
#define TM_CLIENT_PASSPHRASE_H

#include <stddef.h>

#include "base/err.h"

#define TM_PASSPHRASE_MAX 1000 /* bytes */

struct tm_passphrase {
  char text[TM_PASSPHRASE_MAX + 1];
};
/* An empty one in locked memory; NULL: out of memory. */
struct tm_passphrase *tm_passphrase_new(void);
void tm_passphrase_free(struct tm_passphrase *p); /* NULL is fine; wipes */

/*
 * The first line of a file, without its end. Errors: TM_E_NOT_FOUND, TM_E_IO (errno), TM_E_TOO_BIG, TM_E_SYNTAX (a NUL, or more than one
 * line), TM_E_NOMEM.
 */
int tm_passphrase_from_file(const char *path, struct tm_passphrase *p) TM_MUST_CHECK;
/*
 * Asks on the controlling terminal. Errors: TM_E_STATE (there is none), TM_E_TOO_BIG, TM_E_IO, TM_E_CLOSED (the user gave up). A signal
 * that would end the program still does, after the terminal has its echo back.
 */
int tm_passphrase_ask(const char *prompt, struct tm_passphrase *p) TM_MUST_CHECK;

/* A line of what is secret but not a passphrase (an invite code), asked in the same way, echo or not. cap: with the NUL. */
int tm_secret_ask(const char *prompt, int echo, char *text, size_t cap) TM_MUST_CHECK;

#endif
