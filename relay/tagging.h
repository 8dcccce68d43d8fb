/*
 * Notices packets that were changed on their way (doc/spec/mixing.md, section 9.1). At a packet's last hop the MAC says that the header is good, and the zero
 * tag that the payload is as it was sent. Where only the tag fails, somebody who had the packet before spoilt it, to know it again; or its sender did.
 * Honest packets never fail, so one is an alarm. It stays raised until there was none for a time.
 *
 * Owner: one thread; time is passed in. Nothing here names a packet or a peer.
 */
#ifndef TM_RELAY_TAGGING_H
#define TM_RELAY_TAGGING_H

#include <stdbool.h>
#include <stdint.h>

#define TM_TAGGING_QUIET_MS 60000 /* without a failure: the alarm is over */
#define TM_TAGGING_SAY_MS 60000   /* it is said no more often than that */

struct tm_tagging {
  uint64_t failures; /* packets */
  uint64_t alarms;   /* how often it was raised */
  bool raised;
  uint64_t last_ms;  /* of the last failure */
  bool said;
  uint64_t said_ms;
};

/* All zeros is a good beginning. One packet failed now (monotonic clock); true: it is time to say so in the log. */
bool tm_tagging_failed(struct tm_tagging *tagging, uint64_t now_ms);
/* To be called now and then: the end of an alarm. */
void tm_tagging_watch(struct tm_tagging *tagging, uint64_t now_ms);

#endif
