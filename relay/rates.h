/*
 * Packets a second over the last minute: a few totals, at moments ten seconds apart. Bytes in, numbers out; time is passed in. One thread.
 */
#ifndef TM_RELAY_RATES_H
#define TM_RELAY_RATES_H

#include <stddef.h>
#include <stdint.h>

#define TM_RATES_KEPT 7
#define TM_RATES_EVERY_MS 10000

enum tm_rate { TM_RATE_IN, TM_RATE_OUT, TM_RATE_DROP, TM_RATE_CELLS_IN, TM_RATE_CELLS_OUT, TM_RATES };

/* All zero at first. */
struct tm_rates {
  struct {
    uint64_t at_ms;
    uint64_t total[TM_RATES];
  } kept[TM_RATES_KEPT];
  size_t n; /* how many there are; the next goes to n % TM_RATES_KEPT */
};

/* Keeps these totals, if the last ones are TM_RATES_EVERY_MS old or there are none. Call it every second. */
void tm_rates_note(struct tm_rates *rates, uint64_t now_ms, const uint64_t total[static TM_RATES]);
/* Writes events a second since the oldest that is kept; returns how many milliseconds that is. 0: nothing is known yet, and all are 0. */
uint64_t tm_rates_over(const struct tm_rates *rates, uint64_t now_ms, const uint64_t total[static TM_RATES], double rate[static TM_RATES]);

#endif
