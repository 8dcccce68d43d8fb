/*
 * Packets live in one slab, sized at start; what travels between threads are their indices. The loop thread alone takes and gives
 * back; whoever holds an index (ring, batch, mix, queue) alone may touch the item. A given-back item is wiped.
 */
#ifndef TM_RELAY_SLAB_H
#define TM_RELAY_SLAB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "sphinx/sphinx.h"

#define TM_SLAB_NONE UINT32_MAX
#define TM_SLAB_MAX (1u << 24)

struct tm_item {
  uint64_t ticket;    /* replay tag is on disk when tm_replay_durable(ticket); 0: has none */
  uint32_t delay_ms;  /* to hold it */
  uint32_t list;      /* the next item of whatever list it stands in */
  uint8_t drop;       /* enum tm_drop: set by the thread that gave up on it */
  uint8_t command;    /* TM_SPHINX_FORWARD, DELIVER or REPLY */
  bool box_good;      /* DELIVER of a PUT: the box's signature verified; not looked at unless work_good */
  bool work_good;     /* DELIVER of a PUT: its proof of work has the bits that the store takes */
  uint8_t next[TM_SPHINX_IDENTITY_LEN]; /* FORWARD: relay; REPLY: session handle, SURB identifier */
  uint8_t packet[TM_SPHINX_PACKET_LEN];
};

struct tm_slab;

/* n items, 0 < n <= TM_SLAB_MAX; memory is touched only as they are used. Errors: TM_E_NOMEM, TM_E_TOO_BIG. */
int tm_slab_new(struct tm_slab **out, size_t n) TM_MUST_CHECK;
void tm_slab_free(struct tm_slab *slab); /* wipes; NULL is fine */

/* A fresh item, all zero but its packet; TM_SLAB_NONE: none is free. */
uint32_t tm_slab_take(struct tm_slab *slab);
/* Giving back what is not taken aborts: two owners would be a bug of ours. */
void tm_slab_give(struct tm_slab *slab, uint32_t index);
struct tm_item *tm_slab_item(struct tm_slab *slab, uint32_t index);

size_t tm_slab_used(const struct tm_slab *slab);

#endif
