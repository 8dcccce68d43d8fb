/*
 * Packets for a relay that is measured: real ones, made in advance or while it runs, each sent once. A packet goes over the relay to a sink; as the bench
 * has the relay's mix key, it knows by what eight bytes the sink will find the packet to begin, and how long the relay is asked to hold it.
 *
 * A ring of slots. Makers (threads of this module) fill slots in order, the loop thread alone sends, recognises and retires them, in any order;
 * a slot is filled again when all before it are retired, too.
 */
#ifndef TM_BENCH_RELAY_PACKETS_H
#define TM_BENCH_RELAY_PACKETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "bench/relay_world.h"

struct tm_bench_packets;

/* A packet on its way. */
struct tm_bench_flight {
  uint64_t sent_ns; /* monotonic */
  uint32_t delay_ms;
};

/* n slots. Errors: TM_E_NOMEM, TM_E_STATE (no packet back-end). world outlives it. */
int tm_bench_packets_new(struct tm_bench_packets **out, const struct tm_bench_world *world, size_t n) TM_MUST_CHECK;
void tm_bench_packets_free(struct tm_bench_packets *p); /* ends its threads; NULL is fine */

/*
 * Fills n slots, all empty, with packets whose delays have that mean, and returns when it is done. *stop: gives up.
 * Errors: TM_E_CLOSED (gave up), TM_E_IO (no thread), TM_E_STATE (a packet does not open: a bug).
 */
int tm_bench_packets_make(struct tm_bench_packets *p, size_t n, uint32_t mean_delay_ms, const volatile int *stop) TM_MUST_CHECK;
/* Goes on filling slots as they become free, in a thread of its own, until it is freed. Errors: TM_E_IO. */
int tm_bench_packets_live(struct tm_bench_packets *p, uint32_t mean_delay_ms) TM_MUST_CHECK;

/* Forgets what was made and not sent; nothing is under way. */
void tm_bench_packets_discard(struct tm_bench_packets *p);

size_t tm_bench_packets_ready(const struct tm_bench_packets *p); /* made and not sent */
/* The next cell to send; NULL: none is ready. It stays the next one until tm_bench_packets_sent. */
const uint8_t *tm_bench_packets_next(struct tm_bench_packets *p);
void tm_bench_packets_sent(struct tm_bench_packets *p, uint64_t now_ns);
/* The loop of a sink got this packet: true, and *flight, if it is one that is under way. It is retired. */
bool tm_bench_packets_came(struct tm_bench_packets *p, const uint8_t *packet, struct tm_bench_flight *flight);
size_t tm_bench_packets_under_way(const struct tm_bench_packets *p);
/* Retires those that are late by more than so long: lost. Returns how many. */
size_t tm_bench_packets_expire(struct tm_bench_packets *p, uint64_t now_ns, uint64_t late_ns);

#endif
