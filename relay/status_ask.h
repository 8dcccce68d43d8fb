/*
 * Asks a running relay for its status, over its control socket. Blocking, at most ten seconds; for commands.
 */
#ifndef TM_RELAY_STATUS_ASK_H
#define TM_RELAY_STATUS_ASK_H

#include "base/err.h"
#include "relay/options.h"

struct json_t;

#define TM_STATUS_REASON_MAX (TM_OPTION_PATH_MAX + 256)

/*
 * *status: as tidemill-relay(8) documents it, for the caller to free. Errors, why then says in a sentence what is wrong and *status is NULL:
 * TM_E_NOT_FOUND (it does not run), TM_E_AUTH (not for this user), TM_E_CLOSED (it hung up), TM_E_TIMEOUT, TM_E_SYNTAX, TM_E_IO, TM_E_NOMEM.
 */
int tm_status_ask(const struct tm_relay_config *config, struct json_t **status, char why[static TM_STATUS_REASON_MAX]) TM_MUST_CHECK;

#endif
