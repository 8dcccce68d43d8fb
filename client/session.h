/*
 * A command's side of the daemon's socket. tm_session_open starts a daemon if none runs; two commands at once start only one. Blocking.
 * Main thread of a command.
 *
 * Functions return an exit code; if it is not TM_EXIT_OK, *failure says why.
 */
#ifndef TM_CLIENT_SESSION_H
#define TM_CLIENT_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/failure.h"
#include "client/protocol.h"

#define TM_SESSION_ANSWER_MS 120000 /* the daemon answers at once, but its disk may be slow */

struct tm_session;

struct tm_place {
  const char *dir;
  const char *passphrase_file; /* NULL: none named */
};

enum tm_session_start { TM_SESSION_START, TM_SESSION_ONLY_RUNNING /* failure "not-running" if there is none */ };

int tm_session_open(struct tm_session **out, const struct tm_place *place, enum tm_session_start how, struct tm_failure *failure);
void tm_session_close(struct tm_session *s); /* NULL is fine */
bool tm_session_started(const struct tm_session *s); /* this one started the daemon */

/*
 * Sends a request (taken over; NULL: memory was out) with body (NULL: none) and waits for its answer, which the caller clears. "bytes" is put
 * into the request here.
 */
int tm_session_call(struct tm_session *s, json_t *request, const void *body, size_t len, struct tm_frame *answer,
                    struct tm_failure *failure);

/* After a request "watch": waits for a change. Errors: TM_E_TIMEOUT, TM_E_STATE (a signal came), TM_E_CLOSED. */
int tm_session_wait(struct tm_session *s, int wait_ms) TM_MUST_CHECK;
/* Waits until the daemon has closed the connection. Errors: TM_E_TIMEOUT. */
int tm_session_await_end(struct tm_session *s, int wait_ms) TM_MUST_CHECK;

#endif
