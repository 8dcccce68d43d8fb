/*
 * The relay's control socket: a Unix socket on which the relay's own user, and root, ask how it is. What the relay is protected against:
 * other users (mode 0600, SO_PEERCRED), nonsense, requests that do not end, readers that do not read, silence, and many connections. A
 * connection's next request is not looked at before the last answer has left, so it has one request and one answer in memory.
 *
 * Loop thread.
 */
#ifndef TM_RELAY_CONTROL_H
#define TM_RELAY_CONTROL_H

#include "base/err.h"
#include "relay/control_protocol.h"

struct event_base;
struct tm_relay_control;

#define TM_RELAY_CONTROL_SOCKET "control"  /* within the state directory, unless control-socket says otherwise */
#define TM_RELAY_CONTROL_CLIENTS_MAX 16    /* more are closed at once */
#define TM_RELAY_CONTROL_PATIENCE_MS 10000 /* for a whole request since the last answer, and for an answer to be read: then closed */

/* The line that answers a request, newline included, which stays the callee's until the next call; NULL: no memory. */
typedef const char *tm_relay_control_answer(void *arg, enum tm_relay_control_op op);

/* Listens. patience_ms: TM_RELAY_CONTROL_PATIENCE_MS. Errors: TM_E_IO (errno as of tm_local_socket_bind), TM_E_NOMEM. */
int tm_relay_control_new(struct tm_relay_control **out, struct event_base *base, const char *path, unsigned patience_ms,
                         tm_relay_control_answer *answer, void *arg) TM_MUST_CHECK;
/* Closes everything and removes the name. NULL is fine. */
void tm_relay_control_free(struct tm_relay_control *control);

#endif
