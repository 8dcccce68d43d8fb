/*
 * Time, passed in, so that a mix or a whole client can run under a virtual clock. Protocol code never
 * reads the system's clock by itself. A tm_clock may be called from any thread if its functions may.
 */
#ifndef TM_BASE_CLOCK_H
#define TM_BASE_CLOCK_H

#include <stdint.h>

struct tm_clock {
  uint64_t (*mono_ms)(void *ctx); /* monotonic milliseconds since some start: delays, time-outs */
  uint64_t (*wall_ms)(void *ctx); /* milliseconds since 1970 UTC: epochs, slots, validity */
  void *ctx;
};

static inline uint64_t tm_clock_mono_ms(const struct tm_clock *c) { return c->mono_ms(c->ctx); }
static inline uint64_t tm_clock_wall_ms(const struct tm_clock *c) { return c->wall_ms(c->ctx); }

/* The system's clock; any thread. */
extern const struct tm_clock tm_clock_system;

/* A clock that stands still until its owner moves it; one thread. clock.ctx must point at the struct itself. */
struct tm_clock_virtual {
  uint64_t mono_ms;
  uint64_t wall_ms;
};
struct tm_clock tm_clock_virtual_init(struct tm_clock_virtual *v, uint64_t wall_ms);
void tm_clock_virtual_advance(struct tm_clock_virtual *v, uint64_t ms);

/*
 * RFC 3339 in UTC, to the second: "2026-11-24T04:00:00Z". text holds TM_TIME_TEXT_LEN bytes with the
 * final NUL; years 1970 to 9999. Parsing takes exactly this form. Errors: TM_E_SYNTAX.
 */
#define TM_TIME_TEXT_LEN 21
void tm_time_format(uint64_t unix_s, char text[TM_TIME_TEXT_LEN]);
int tm_time_parse(const char *text, uint64_t *unix_s) __attribute__((warn_unused_result));

#endif
