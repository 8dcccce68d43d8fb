/*
 * How a relay is, at one moment: what the status command shows, and the metrics. Totals, counts and times of the relay's own making; there is
 * no place in it for a packet, a peer or a client. Loop thread.
 */
#ifndef TM_RELAY_STATUS_H
#define TM_RELAY_STATUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "directory/document.h"
#include "link/link.h"
#include "relay/counters.h"
#include "relay/keys.h"
#include "relay/rates.h"

struct json_t;
struct tm_engine;

enum tm_relay_state {
  TM_STATE_RUNNING,
  TM_STATE_WAITING,  /* no valid document: everything is dropped */
  TM_STATE_KEYLESS,  /* no mix key for this epoch: likewise */
  TM_STATE_DRAINING
};

/* One live mix key and its replay set. Times: unix seconds. */
struct tm_status_key {
  uint64_t epoch;
  uint64_t begins_s;
  uint64_t ends_s;      /* with its grace */
  uint64_t tags;        /* packets that were opened with it */
  uint64_t tags_bytes;  /* memory of its replay set */
  bool failed;          /* its journal cannot be written */
};

struct tm_status {
  struct tm_snapshot totals;
  uint64_t now_s;     /* unix */
  uint64_t uptime_s;
  enum tm_relay_state state;
  unsigned layer;

  /* The document. has_document: there is one, valid still or not. The rest of this part is zero without. */
  bool has_document, valid;
  const struct tm_document *document; /* as long as the engine has it: within one turn of the loop */
  unsigned document_roles;            /* what the document and the configuration both name */
  uint64_t document_keys;             /* mix keys of this relay in it ... */
  uint64_t document_last_epoch;       /* ... and the last one's epoch */

  const char *strategy; /* NULL: no mix yet */
  uint64_t mix_packets, mix_max;
  double entropy_bits;

  uint64_t relay_links_expected; /* while all relays that the document names are up */
  uint64_t clients_max;
  struct tm_link_io io;
  double rate[TM_RATES];         /* a second, over the last rate_ms */
  uint64_t rate_ms;

  struct tm_status_key key[TM_KEYS_LIVE_MAX];
  size_t n_keys;
  uint64_t tags_max;             /* of each */
  uint64_t epoch;                /* the present one; 0 without document */
  uint32_t epoch_s;
  uint64_t keys_made;            /* files of mix keys that there are ... */
  uint64_t last_key_epoch;       /* ... and the last one's epoch */

  uint64_t store_max;            /* boxes; 0: not a store */
  uint64_t allocated, resident;  /* bytes, by jemalloc; 0: another allocator */
};

/* Reads directories and asks each replay set: some tenths of a millisecond. */
void tm_engine_status(struct tm_engine *engine, struct tm_status *status);
/* The totals of which rates are made. */
void tm_engine_rate_totals(struct tm_engine *engine, uint64_t total[static TM_RATES]);

const char *tm_relay_state_name(enum tm_relay_state state);
/* As tidemill-relay(8) documents it, for the caller to free; NULL: no memory. */
struct json_t *tm_status_json(const struct tm_status *status);

#endif
