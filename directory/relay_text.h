/*
 * The lines about one relay, which descriptors and documents share: from "relay NAME" to "end". Used inside directory/
 * only; no state.
 */
#ifndef TM_DIRECTORY_RELAY_TEXT_H
#define TM_DIRECTORY_RELAY_TEXT_H

#include <stdio.h>

#include "directory/document.h"
#include "directory/text.h"

#define TM_EPOCH_MAX UINT64_C(253402300799) /* the year 9999 with epochs of a second */

/*
 * Reads one block. keys: room for cap keys; relay->keys will point there. *line: of its first line.
 * Errors: TM_E_SYNTAX, TM_E_UNKNOWN, TM_E_POINT, TM_E_TOO_BIG (more than cap or TM_DOCUMENT_KEYS_MAX keys).
 */
int tm_relay_text_read(struct tm_text *text, struct tm_relay_info *relay, struct tm_mix_key *keys, size_t cap,
                       unsigned *line) TM_MUST_CHECK;
void tm_relay_text_write(FILE *out, const struct tm_relay_info *relay);

#endif
