/*
 * What became of every packet, in totals: the accounting equation of a relay (doc/spec/mixing.md, section 9).
 *
 *   in.link + in.own + in.reply = out.link + out.store + out.client + out.loop + held + sum of drop.*
 *
 * `held` is counted where packets are (rings, batches, mix, queues), never derived from the rest: else the equation could not fail.
 * The loop thread alone owns these numbers; workers and store report through the items that they hand back. Nothing here can name a
 * packet, a peer or a client.
 */
#ifndef TM_RELAY_COUNTERS_H
#define TM_RELAY_COUNTERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "link/link.h"

struct json_t;

/* Why a packet went no further. */
enum tm_drop {
  TM_DROP_NONE = 0,
  TM_DROP_LENGTH,          /* header step, doc/spec/packet.md section 8 */
  TM_DROP_NONCANONICAL,
  TM_DROP_LOW_ORDER,
  TM_DROP_MAC,
  TM_DROP_COMMAND,
  TM_DROP_REPLAY,          /* replay set: known */
  TM_DROP_REPLAY_FULL,     /* replay set: no room, so nobody knows */
  TM_DROP_REPLAY_JOURNAL,  /* replay set: its tag could not be put on disk */
  TM_DROP_TAG,             /* body step */
  TM_DROP_NO_KEY,          /* this relay has no live mix key */
  TM_DROP_NO_DOCUMENT,     /* no valid document: nothing is forwarded */
  TM_DROP_INGRESS_FULL,
  TM_DROP_DELAY,           /* its header asks for a longer delay than any honest sender draws */
  TM_DROP_MIX_FULL,
  TM_DROP_EGRESS_FULL,
  TM_DROP_NO_LINK,         /* the next relay cannot be reached now */
  TM_DROP_UNKNOWN_NEXT,    /* not a relay that this one may send to */
  TM_DROP_UNKNOWN_SESSION, /* reply to a handle that no link has */
  TM_DROP_DOWNLINK_FULL,   /* a client's queue of replies */
  TM_DROP_CLIENT_GONE,     /* its link closed while replies waited */
  TM_DROP_ROLE,            /* a command for a role that this relay does not have */
  TM_DROP_STORE_FULL,      /* the queue to the store */
  TM_DROP_STORE_MALFORMED, /* not a request */
  TM_DROP_OWN_FAILED,      /* a dummy that could not be made */
  TM_DROP_SHUTDOWN,
  TM_DROPS
};

/* The name in the counters file; never NULL. */
const char *tm_drop_name(enum tm_drop reason);

/* What a verdict of the packet room means for the accounting. */
enum tm_drop tm_drop_of_verdict(int verdict);

struct tm_counters {
  uint64_t in_link, in_own, in_reply;
  uint64_t out_link, out_store, out_client, out_loop;
  uint64_t drop[TM_DROPS];
};

/* Totals of the store, for the counters file. */
struct tm_store_totals {
  uint64_t boxes, put, get_hit, get_miss, conflict, refused, full, failed, expired;
  uint64_t work; /* puts with too little of it */
};

/* A relay's own packets, for the counters file. */
struct tm_cover_totals {
  uint64_t loops, dummies; /* sent into the mix */
  uint64_t home, late;     /* loops that came home in time, and not */
  uint64_t alarms;         /* how often loops did not come home */
  bool alarm, held;        /* at this moment: they do not; the mix is held for it */
};

/* Packets whose payload was changed on their way, for the counters file: relay/tagging.h. */
struct tm_tagging_totals {
  uint64_t failures, alarms;
  bool alarm; /* at this moment */
};

/* One moment of a relay, taken by the loop thread while nothing is in its own hands. */
struct tm_snapshot {
  const char *name;
  unsigned roles; /* enum tm_role bits */
  struct tm_counters totals;
  uint64_t held;
  uint64_t slab_used; /* an independent count of the same: items that are not free */
  struct tm_store_totals store;
  struct tm_cover_totals cover;
  struct tm_tagging_totals tagging;
  uint64_t relay_links, client_links;
  struct tm_link_refused refused; /* peers, by reason, and handshakes of this moment */
};

/* Does the equation hold, and does the slab agree with what is held? */
bool tm_snapshot_balanced(const struct tm_snapshot *snapshot);

/* The counters file's, for the caller to free; NULL: no memory. */
struct json_t *tm_snapshot_json(const struct tm_snapshot *snapshot);
struct json_t *tm_roles_json(unsigned roles); /* enum tm_role bits, as a list of names */

/* Writes the snapshot as JSON, atomically. Errors: TM_E_IO, TM_E_NOMEM; the old file then stays. */
int tm_snapshot_write(const struct tm_snapshot *snapshot, const char *path) TM_MUST_CHECK;

#endif
