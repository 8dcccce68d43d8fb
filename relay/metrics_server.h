/*
 * Serves the metrics: GET /metrics over HTTP on a loopback address. What it serves is a text that somebody else makes from time to time; a
 * request changes nothing and costs a copy. Slow, silent and many clients are bounded: so many connections, each for so long.
 *
 * Loop thread.
 */
#ifndef TM_RELAY_METRICS_SERVER_H
#define TM_RELAY_METRICS_SERVER_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct event_base;
struct tm_metrics_server;

#define TM_METRICS_CONNECTIONS_MAX 16 /* more wait in the kernel */
#define TM_METRICS_PATIENCE_MS 10000  /* life of a connection */

/* address: as tm_link_address_parse takes it. Errors: TM_E_SYNTAX, TM_E_IO (errno), TM_E_NOMEM. */
int tm_metrics_server_new(struct tm_metrics_server **out, struct event_base *base, const char *address, unsigned patience_ms) TM_MUST_CHECK;
void tm_metrics_server_free(struct tm_metrics_server *server); /* NULL is fine */

/* Serves this text from now on; takes it over (free). NULL: requests get 503. */
void tm_metrics_server_set(struct tm_metrics_server *server, char *text, size_t len);
uint16_t tm_metrics_server_port(const struct tm_metrics_server *server);

#endif
