/*
 * What the operator's commands and a running relay say to each other over the control socket (tidemill-relay(8), CONTROL SOCKET): lines of JSON. A command
 * sends {"op": "status"}; the relay answers each request with one line, {"ok": true, "status": {...}} or
 * {"ok": false, "error": {"code": ..., "message": ...}}.
 *
 * Bytes in, bytes out; no socket here. One thread. Memory is what the limits below say.
 */
#ifndef TM_RELAY_CONTROL_PROTOCOL_H
#define TM_RELAY_CONTROL_PROTOCOL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

#define TM_RELAY_CONTROL_REQUEST_MAX 1024        /* bytes of a request, without the newline */
#define TM_RELAY_CONTROL_ANSWER_MAX (64u * 1024) /* bytes of an answer, without the newline */

enum tm_relay_control_op { TM_RELAY_CONTROL_STATUS };

/* Takes requests apart as bytes arrive; all zero at first. */
struct tm_relay_control_reader {
  char line[TM_RELAY_CONTROL_REQUEST_MAX];
  size_t len;
};

/*
 * Takes up to len bytes and stops behind the first line's end: then *whole is true, and *op is what it asks for. *used: how many bytes were
 * taken. Errors: TM_E_TOO_BIG (the line), TM_E_SYNTAX (not one JSON object with a text "op", or a member twice), TM_E_UNKNOWN (an op that
 * does not exist). After an error the stream has lost its place: say so (tm_relay_control_complaint) and close it.
 */
int tm_relay_control_take(struct tm_relay_control_reader *reader, const void *data, size_t len, size_t *used, enum tm_relay_control_op *op,
                          bool *whole) TM_MUST_CHECK;

/* The line of an error answer, newline included, static. err: one of those above. */
const char *tm_relay_control_complaint(int err);

#endif
