/*
 * Notices that packets are kept away from a relay, by the loops that it sends to itself (doc/spec/mixing.md, section 5.6). Nobody can tell them from
 * other packets, so who keeps packets away keeps them away, too.
 *
 * Loops that leave at random times and take random times come home at random times: a Poisson process, of the rate at which they are sent. The
 * alarm is raised while the last 1, 8 or 32 of them took so long to come home that this happens by itself once in 20,000 loops. No loop has to be
 * known, so it takes no memory of them, and a loop's way does not delay it. Owner: one thread; time is passed in.
 */
#ifndef TM_RELAY_ALARM_H
#define TM_RELAY_ALARM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TM_ALARM_LOOPS 32

struct tm_alarm {
  double mean;                   /* time between two loops that come home; 0: none are sent, and it is never raised */
  uint64_t home[TM_ALARM_LOOPS]; /* when the last ones came, a ring ... */
  size_t next;                   /* ... and where the next goes */
};

/* mean: of the time between two loops, in the unit of now. from: when the first may be home. */
void tm_alarm_init(struct tm_alarm *alarm, double mean, uint64_t from);
void tm_alarm_home(struct tm_alarm *alarm, uint64_t now);
bool tm_alarm_is_raised(const struct tm_alarm *alarm, uint64_t now);
/* The moment from which it is raised if no loop comes home before; UINT64_MAX: never. */
uint64_t tm_alarm_due(const struct tm_alarm *alarm);

#endif
