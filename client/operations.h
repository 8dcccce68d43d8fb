/*
 * What the daemon does for a request: from frames to the engine's user side and back, with errors that
 * say what happened and what to do. No socket, no loop. One thread, the engine's.
 */
#ifndef TM_CLIENT_OPERATIONS_H
#define TM_CLIENT_OPERATIONS_H

#include <stdbool.h>

#include "client/control.h"
#include "client/engine.h"
#include "client/uplink.h"

struct tm_operations {
  struct tm_client *engine;
  struct tm_uplink *uplink; /* NULL: status leaves the link out */
  bool stop;                /* set by "stop" */
};

/* A tm_control_handle; arg: struct tm_operations. answer->head is NULL only when memory is out. */
void tm_operations_handle(void *arg, const struct tm_frame *request, struct tm_answer *answer);

#endif
