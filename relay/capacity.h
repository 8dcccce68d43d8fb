/*
 * What this machine carries as a relay, and what that asks of memory and network: an estimate from the measured speed of the packet
 * crypto, for check-config and status. Blocking; in a command, never in a running relay. No state.
 */
#ifndef TM_RELAY_CAPACITY_H
#define TM_RELAY_CAPACITY_H

#include <stdint.h>
#include <stdio.h>

#include "base/err.h"
#include "directory/document.h"
#include "relay/options.h"

/* Of one core, in processor time. */
struct tm_capacity_speed {
  char backend[32];  /* of the packet crypto */
  double unwrap_us;  /* to open one packet, in whole batches */
  double rest_us;    /* for links, queues, mix and replay set: measured elsewhere (doc/performance.md), scaled by this core's speed */
};

struct tm_capacity {
  struct tm_capacity_speed speed;
  unsigned cores, workers;
  double packets_per_s;        /* without loss: four fifths of what the cores have time for */
  double mbit_per_s;           /* each way, at that rate */
  uint64_t epoch_s, grace_s;
  double tag_packets_per_s;    /* what replay-max-tags lets through, over an epoch and its grace */
  uint64_t tags_wanted;        /* what packets_per_s would take */
  uint64_t tag_bytes;          /* memory for replay-max-tags, for each of two keys */
  double client_packets_per_s; /* what max-clients clients send and are sent; 0: no entry */
};

/* Takes ms milliseconds of processor time. Errors: TM_E_NOMEM. */
int tm_capacity_measure(struct tm_capacity_speed *speed, unsigned ms) TM_MUST_CHECK;
/* cores: of the machine; params: the document's, or the default network's. */
struct tm_capacity tm_capacity_estimate(const struct tm_capacity_speed *speed, unsigned cores, const struct tm_relay_config *config,
                                        const struct tm_params *params);
/* In words, some lines. */
void tm_capacity_print(const struct tm_capacity *capacity, FILE *out);

#endif
