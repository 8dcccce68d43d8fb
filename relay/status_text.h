/*
 * A status for people: some twenty short lines. No state; any thread.
 */
#ifndef TM_RELAY_STATUS_TEXT_H
#define TM_RELAY_STATUS_TEXT_H

#include <stdio.h>

struct json_t;

/*
 * Writes a status as it came from a relay; what is missing in it reads as 0. before: the same relay's at an earlier moment, seconds ago, for rates
 * between the two; NULL: the relay's own rates are shown.
 */
void tm_status_print(FILE *out, const struct json_t *status, const struct json_t *before, double seconds);

#endif
