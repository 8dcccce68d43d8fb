/*
 * A status as Prometheus reads it (text format 0.0.4), with less in it than the status: totals of packets are rounded down to whole
 * TM_METRICS_STEP, and so is what counts packets at this moment (doc/spec/mixing.md, section 9.3). No state; any thread.
 */
#ifndef TM_RELAY_METRICS_H
#define TM_RELAY_METRICS_H

#include <stddef.h>

#include "relay/status.h"

#define TM_METRICS_STEP 10

/* The text, for the caller to free; NULL: no memory. */
char *tm_metrics_text(const struct tm_status *status, size_t *len);

#endif
