/*
 * A document as the client uses it: who is in which layer, which stores there are, and paths through them. Reads the
 * document, which must outlive it. Private to the engine; one thread.
 */
#ifndef TM_CLIENT_NETWORK_H
#define TM_CLIENT_NETWORK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/rng.h"
#include "directory/document.h"
#include "sphinx/sphinx.h"

#define TM_PATH_OUT 5  /* entry, three layers, store */
#define TM_PATH_BACK 4 /* three layers, entry */

struct tm_network;

int tm_network_new(struct tm_network **out, const struct tm_document *doc) TM_MUST_CHECK; /* TM_E_NOMEM */
void tm_network_free(struct tm_network *net);                                             /* NULL is fine */

size_t tm_network_entries(const struct tm_network *net);
const struct tm_relay_info *tm_network_entry(const struct tm_network *net, size_t i);
/* The entry with that identity; NULL: there is none any more. */
const struct tm_relay_info *tm_network_find_entry(const struct tm_network *net, const uint8_t identity[static 32]);
/* The k-th store (0 or 1) of an id. */
const struct tm_relay_info *tm_network_store_of(const struct tm_network *net, const uint8_t id[static 32], unsigned k);

/* Could packets travel in that epoch: a key for the entry, for somebody in each layer, for a store, and at least two
 * stores? */
bool tm_network_is_usable(const struct tm_network *net, const struct tm_relay_info *entry, uint64_t epoch);

/*
 * Paths with fresh random mixes and fresh delays. *trip_ms: sum of the delays. Errors: TM_E_NOT_FOUND (somebody on the
 * way has no key for that epoch).
 */
int tm_network_path_out(const struct tm_network *net, const struct tm_rng *rng, uint64_t epoch,
                        const struct tm_relay_info *entry, const struct tm_relay_info *store,
                        tm_sphinx_node path[static TM_PATH_OUT], uint32_t *trip_ms) TM_MUST_CHECK;
int tm_network_path_back(const struct tm_network *net, const struct tm_rng *rng, uint64_t epoch,
                         const struct tm_relay_info *entry, tm_sphinx_node path[static TM_PATH_BACK],
                         uint32_t *trip_ms) TM_MUST_CHECK;
/* A loop: the entry, three layers, the entry again. */
int tm_network_path_loop(const struct tm_network *net, const struct tm_rng *rng, uint64_t epoch,
                         const struct tm_relay_info *entry, tm_sphinx_node path[static TM_PATH_OUT],
                         uint32_t *trip_ms) TM_MUST_CHECK;

/* What a hop holds a packet on average, ms. */
uint32_t tm_network_hop_ms(const struct tm_params *params);

#endif
