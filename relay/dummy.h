/*
 * Packets that a relay makes of its own accord (doc/spec/mixing.md, sections 5.3 and 5.7). Loop thread.
 *
 * Dummies: requests to read a box that does not exist, along the layers that are left to a store, with a
 * reply block back to a session that does not exist. To everyone on the way they are requests and replies like any other.
 *
 * Loops: packets round the ring to the relay itself. When one is home, the field of its last hop says so: the time by which it has to be there, and a MAC
 * over it under a key that only this object has. So nothing is kept of a loop while it is on its way, and nobody else can make one that counts.
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
 * Makes one for self, at that time: packet, and the relay to send it to. self: its place by the document; its keys are not looked at. Errors:
 * TM_E_NOT_FOUND (the document does not have the relays or keys for a path), TM_E_STATE (a key that does not work); packet and next are then zero.
 */
int tm_dummy_make(struct tm_dummy *dummy, const struct tm_document *doc, const struct tm_relay_info *self, uint64_t now_s,
                  uint8_t packet[static TM_SPHINX_PACKET_LEN], uint8_t next[static TM_SPHINX_IDENTITY_LEN]) TM_MUST_CHECK;

/*
 * The same for a loop; it is lost if it is not home by `home_ms` beyond the delays that are drawn for its hops (monotonic). Errors: as above.
 */
int tm_loop_make(struct tm_dummy *dummy, const struct tm_document *doc, const struct tm_relay_info *self, uint64_t now_s, uint64_t home_ms,
                 uint8_t packet[static TM_SPHINX_PACKET_LEN], uint8_t next[static TM_SPHINX_IDENTITY_LEN]) TM_MUST_CHECK;

enum tm_loop { TM_LOOP_NONE, TM_LOOP_HOME, TM_LOOP_LATE };

/* Is what came with REPLY and this field a loop of ours? A MAC costs little beside opening the packet. */
enum tm_loop tm_loop_judge(const struct tm_dummy *dummy, const uint8_t field[static TM_SPHINX_HANDLE_LEN + TM_SPHINX_SURB_ID_LEN],
                           uint64_t now_ms);

/* An exponential delay for one hop: 0 where the network's strategy does not ask for any. */
uint32_t tm_dummy_delay(const struct tm_dummy *dummy, const struct tm_params *params);

#endif
