/*
 * A relay's own dummies (doc/spec/mixing.md, section 5): requests to read a box that does not exist, along the layers that are left to a store, with a
 * reply block back to a session that does not exist. To everyone on the way they are requests and replies like any other. Loop thread.
 */
#ifndef TM_RELAY_DUMMY_H
#define TM_RELAY_DUMMY_H

#include <stdint.h>

#include "base/err.h"
#include "base/rng.h"
#include "directory/document.h"
#include "sphinx/sphinx.h"

struct tm_dummy;

/* Errors: TM_E_NOMEM, TM_E_STATE (no packet back-end). */
int tm_dummy_new(struct tm_dummy **out, const struct tm_rng *rng) TM_MUST_CHECK;
void tm_dummy_free(struct tm_dummy *dummy); /* NULL is fine */

/*
 * Makes one for self, at that time: packet, and the relay to send it to. Errors: TM_E_NOT_FOUND (the document does not have the relays or keys for a
 * path), TM_E_STATE (a key that does not work); packet and next are then zero.
 */
int tm_dummy_make(struct tm_dummy *dummy, const struct tm_document *doc, const struct tm_relay_info *self, uint64_t now_s,
                  uint8_t packet[static TM_SPHINX_PACKET_LEN], uint8_t next[static TM_SPHINX_IDENTITY_LEN]) TM_MUST_CHECK;

#endif
