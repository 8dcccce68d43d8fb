/*
 * The daemon's Unix socket: accepts commands of the same user, takes their frames, has each request handled and sends the answer.
 * What it is protected against: other users (mode 0600, SO_PEERCRED), nonsense, too many clients, half a frame that never ends, and readers
 * that don't read. A connection's next request is not looked at before the last answer has left, so its memory is one request and one answer.
 *
 * One thread, the one that runs the event base, which must outlive it.
 */
#ifndef TM_CLIENT_CONTROL_H
#define TM_CLIENT_CONTROL_H

#include <stdbool.h>

#include "base/err.h"
#include "client/protocol.h"

struct event_base;
struct tm_control;

#define TM_CONTROL_SOCKET "socket" /* within the state directory */
#define TM_CONTROL_CLIENTS_MAX 32
#define TM_CONTROL_STALL_S 30      /* half a frame, or an answer that nobody reads, for so long: closed */
#define TM_CONTROL_NOTIFY_MS 50    /* changes are reported at most so often */

/* An answer in the making. head and body become the connection's. */
struct tm_answer {
  json_t *head;
  uint8_t *body;   /* malloc'ed; NULL: none */
  size_t body_len;
  bool watch;      /* from now on tell this connection of changes */
};
typedef void tm_control_handle(void *arg, const struct tm_frame *request, struct tm_answer *answer);

/*
 * Listens on path, which the caller may change the meaning of by chdir; what is left over there of an earlier daemon is removed, so the
 * caller must hold the state's lock. Errors: TM_E_NOMEM, TM_E_IO (errno).
 */
int tm_control_new(struct tm_control **out, struct event_base *base, const char *path, tm_control_handle *handle,
                   void *arg) TM_MUST_CHECK;
/* No new clients, and the socket's name is gone; those who are there stay. */
void tm_control_stop(struct tm_control *control);
void tm_control_free(struct tm_control *control); /* closes what is left; NULL is fine */
/* Something changed: who watches is told soon. */
void tm_control_notify(struct tm_control *control);
/* Is the other end of a connected Unix socket a process of this user? */
bool tm_control_same_user(int fd);
bool tm_control_idle(const struct tm_control *control); /* no answer waits to be read */

#endif
