/*
 * A relay's own cover traffic (doc/spec/mixing.md, sections 5.3, 5.6 and 5.7): when it sends loops to itself and dummies, what it makes of loops that do
 * not come home, and when it holds its mix for that.
 *
 * It makes no packets and knows none: it is told the time, and says what is due. Times are monotonic milliseconds. Owner: one thread.
 */
#ifndef TM_RELAY_COVER_H
#define TM_RELAY_COVER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/rng.h"
#include "directory/document.h"
#include "relay/alarm.h"

#define TM_COVER_NEVER UINT64_MAX
#define TM_COVER_EXTRA 4     /* while the alarm is raised: so many more dummies in loop_ms */
#define TM_COVER_REST 4      /* request_timeout_ms, at least, from the beginning of one hold to that of the next */
#define TM_COVER_LATE_MS 1000 /* a relay that was away for longer does not make up for what it missed */

enum tm_cover_kind { TM_COVER_NONE, TM_COVER_LOOP, TM_COVER_DUMMY };

struct tm_cover {
  const struct tm_rng *rng;
  bool runs;
  uint32_t loop_ms, dummy_ms, timeout_ms; /* of the document */
  double next_loop, next_dummy;           /* INFINITY: never */
  struct tm_alarm alarm;
  bool raised;
  uint64_t alarms;     /* how often it was raised, since the relay started */
  uint64_t hold_until; /* the mix is held before it ... */
  uint64_t rest_until; /* ... and not again before it */
};

void tm_cover_init(struct tm_cover *cover, const struct tm_rng *rng); /* rng outlives it */
/* Under those parameters, from now on; changes nothing while they stay the same. */
void tm_cover_run(struct tm_cover *cover, const struct tm_params *params, uint64_t now);
void tm_cover_stop(struct tm_cover *cover);

/* What is due by now, one at a time; NONE: nothing more. */
enum tm_cover_kind tm_cover_take(struct tm_cover *cover, uint64_t now);
/* When to look again: something is due, the alarm is raised, or the hold ends. TM_COVER_NEVER: not before tm_cover_run. */
uint64_t tm_cover_next_ms(const struct tm_cover *cover, uint64_t now);

/* One of its loops came home. */
void tm_cover_home(struct tm_cover *cover, uint64_t now);
/* Judges the loops at that time; true: the alarm was raised or has ended. */
bool tm_cover_watch(struct tm_cover *cover, uint64_t now);
/* Is the mix to be held at that time? */
bool tm_cover_holds(const struct tm_cover *cover, uint64_t now);

#endif
