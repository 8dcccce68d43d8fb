/*
 * Constant-rate padding of links between relays (doc/spec/mixing.md, section 1.1): a clock of beats, and the cells of one link that wait for
 * theirs. The number of beats depends on time alone. Loop thread; no socket and no event loop in here.
 */
#ifndef TM_RELAY_PACE_H
#define TM_RELAY_PACE_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "link/cell.h"

#define TM_PACE_MISSED_MS 100 /* beats that are later than that are left out */

/* ---- beats ---- */

struct tm_pace {
  uint32_t interval_us; /* 0: off */
  uint64_t next_us;     /* the next beat, by the monotonic clock */
};

/* From now on a beat each interval_us, the first after one interval. */
void tm_pace_start(struct tm_pace *pace, uint32_t interval_us, uint64_t now_ms);
/* Beats since the last call. After a standstill those of the last TM_PACE_MISSED_MS, or one. */
size_t tm_pace_beats(struct tm_pace *pace, uint64_t now_ms);

/* ---- cells that wait ---- */

/* First in, first out. A zeroed struct has no room. */
struct tm_pace_queue {
  uint8_t *cells;
  size_t cap, first, n;
};

/* Room for cap cells (> 0) in a queue that has none. Errors: TM_E_NOMEM. */
int tm_pace_queue_init(struct tm_pace_queue *queue, size_t cap) TM_MUST_CHECK;
void tm_pace_queue_free(struct tm_pace_queue *queue); /* leaves zeros */
/* A place at the end, for the caller to fill with TM_CELL_LEN bytes; NULL: full. */
uint8_t *tm_pace_queue_add(struct tm_pace_queue *queue);
const uint8_t *tm_pace_queue_first(const struct tm_pace_queue *queue); /* NULL: empty */
void tm_pace_queue_drop(struct tm_pace_queue *queue);                  /* the first one */

#endif
