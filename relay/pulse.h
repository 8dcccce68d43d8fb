/*
 * Does a thread make progress? It counts its turns; somebody who looks now and then sees that it has work and makes none. One such look costs nothing
 * in the thread itself. A pulse belongs to whoever looks; the numbers come from the thread's module.
 */
#ifndef TM_RELAY_PULSE_H
#define TM_RELAY_PULSE_H

#include <stdbool.h>
#include <stdint.h>

/* One moment of a thread: how often it came round, and has it anything to do? */
struct tm_turns {
  uint64_t n;
  bool work;
};

/* Zeros at start. */
struct tm_pulse {
  uint64_t n;
  uint64_t since_ms; /* with work and without a turn since then */
  bool began;
};

/* True: it has had work for longer than limit_ms and has not come round once. */
static inline bool tm_pulse_is_stuck(struct tm_pulse *pulse, struct tm_turns turns, uint64_t now_ms, uint64_t limit_ms)
{
  if (!pulse->began || !turns.work || turns.n != pulse->n) {
    pulse->began = true;
    pulse->n = turns.n;
    pulse->since_ms = now_ms;
  }
  return now_ms - pulse->since_ms > limit_ms;
}

#endif
