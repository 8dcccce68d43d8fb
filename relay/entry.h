/*
 * The clients of an entry (doc/spec/mixing.md, section 6). Each link is a session under its handle. Downward a clock of the entry's own sends one cell
 * to each client every interval: a reply if one waits, else a piece of the document if it was asked for, else padding.
 *
 * Replies wait as items in a bounded queue per session; they are held until their cell is on the link, and counted then. Upward each link is read at a
 * multiple of the rate of a client's clock and no faster. A client that sends no packets has a place only until somebody else wants it. Loop thread.
 */
#ifndef TM_RELAY_ENTRY_H
#define TM_RELAY_ENTRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/rng.h"
#include "directory/document.h"
#include "link/link.h"
#include "relay/counters.h"
#include "relay/slab.h"

struct event_base;
struct tm_entry;

struct tm_entry_config {
  struct event_base *base;
  const struct tm_rng *rng;
  struct tm_slab *slab;
  struct tm_counters *counters; /* out.client and drop.client_gone are counted here */
  uint32_t max_clients;
  uint32_t client_queue;        /* replies that wait, per client */
  uint32_t replies_max;         /* replies that wait, of all clients */
  uint32_t client_idle_ms;      /* after so long without a packet, and no less than forty ticks, a client's place is free for others */
  uint32_t rate_percent;        /* of the rate of a client's clock, at which its link is read */
};

/* Errors: TM_E_NOMEM. */
int tm_entry_new(struct tm_entry **out, const struct tm_entry_config *config) TM_MUST_CHECK;
void tm_entry_free(struct tm_entry *entry); /* the links are gone; NULL is fine */

/* The document to serve and the interval to keep; NULL: none. It lives until the next call; clients in the middle of the last one start over. */
void tm_entry_set_document(struct tm_entry *entry, const struct tm_document *doc, uint64_t now_ms);

/* How many replies may wait for a client from now on; those that wait already stay. */
void tm_entry_set_queue(struct tm_entry *entry, uint32_t client_queue);

/* The link of a client came up now (monotonic clock): takes it (and its arg), or false: no room. */
bool tm_entry_up(struct tm_entry *entry, struct tm_link *link, uint64_t now_ms);
void tm_entry_down(struct tm_entry *entry, struct tm_link *link);

/* Would tm_entry_up take one more? Perhaps in the place of an idle one. */
bool tm_entry_has_room(const struct tm_entry *entry, uint64_t now_ms);
/* One more packet has come from that client. */
void tm_entry_heard(struct tm_entry *entry, struct tm_link *link, uint64_t now_ms);
/* Other values of the configuration. */
void tm_entry_set_limits(struct tm_entry *entry, uint32_t client_idle_ms, uint32_t rate_percent);

/* Sends every client away: this relay is an entry no more. Their `down` follows. */
void tm_entry_close_all(struct tm_entry *entry);

/* A client asks for the document. */
void tm_entry_ask(struct tm_entry *entry, struct tm_link *link, const uint8_t digest[static TM_CELL_DIGEST_LEN]);

/*
 * Queues a reply for the session that item->next names, and takes the item over. Errors, the item stays the caller's: TM_E_NOT_FOUND (no such
 * session), TM_E_FULL.
 */
int tm_entry_reply(struct tm_entry *entry, uint32_t index) TM_MUST_CHECK;

size_t tm_entry_held(const struct tm_entry *entry); /* items in queues, counted there */
size_t tm_entry_clients(const struct tm_entry *entry);

#endif
