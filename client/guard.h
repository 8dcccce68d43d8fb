/*
 * The client's entry, chosen once and kept for months, and a spare. Whoever changes entries often meets a bad one
 * sooner or later. Private to the engine; one thread.
 */
#ifndef TM_CLIENT_GUARD_H
#define TM_CLIENT_GUARD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/rng.h"
#include "client/network.h"
#include "client/state.h"

#define TM_GUARD_FAILURES 3u /* so many in a row, over TM_GUARD_PATIENCE_MS at least, and the spare takes over */
#define TM_GUARD_PATIENCE_MS 20000u
#define TM_GUARD_RETRY_MS 600000u     /* after so long with the spare the first choice is tried again */
#define TM_GUARD_LIFE_S (90u * 86400) /* and up to a third more, drawn */

struct tm_guard;

int tm_guard_new(struct tm_guard **out) TM_MUST_CHECK; /* TM_E_NOMEM */
void tm_guard_free(struct tm_guard *g);
/* Reads it; none stored is fine. Errors: TM_E_AUTH, TM_E_SYNTAX, TM_E_IO. */
int tm_guard_load(struct tm_guard *g, struct tm_state *s) TM_MUST_CHECK;
/* Drops choices that are gone from the document or too old, and fills up; writes if something changed. */
void tm_guard_update(struct tm_guard *g, struct tm_state *s, const struct tm_network *net, const struct tm_rng *rng,
                     uint64_t now_s);
/* The one to use now; NULL: the document has no entry. */
const struct tm_relay_info *tm_guard_entry(struct tm_guard *g, const struct tm_network *net, uint64_t mono_ms);
void tm_guard_failed(struct tm_guard *g, uint64_t mono_ms);
void tm_guard_worked(struct tm_guard *g, const uint8_t identity[static 32]);

#endif
