/*
 * Joins the engine to the network: holds the link to the entry that the engine names (pinned identity, address from the document), sends
 * one packet at each tick of the engine's clock, hands on what the entry sends, and fetches documents. What a user does never touches the
 * moments at which it sends; nothing here looks at it.
 *
 * One thread, the one that runs the event base. It owns its link context; engine and base must outlive it.
 */
#ifndef TM_CLIENT_UPLINK_H
#define TM_CLIENT_UPLINK_H

#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/rng.h"
#include "client/engine.h"

struct event_base;
struct tm_uplink;

#define TM_UPLINK_FIRST_MS 500       /* backoff after the first failure; doubles, drawn from its upper half */
#define TM_UPLINK_MOST_MS 60000
#define TM_UPLINK_DOCUMENT_MS 120000 /* a document that is not whole by then is given up */

enum tm_uplink_state {
  TM_UPLINK_IDLE = 1,   /* no entry: no valid document */
  TM_UPLINK_WAITING = 2,/* between two attempts */
  TM_UPLINK_DIALLING = 3,
  TM_UPLINK_UP = 4
};

struct tm_uplink_status {
  enum tm_uplink_state state;
  int reason;              /* enum tm_err: why the last link ended or could not be made; TM_OK: none yet */
  uint64_t sent, received; /* packets and replies, all links together */
  uint64_t unsent;         /* ticks whose packet did not fit into the link's queue */
  uint64_t documents;      /* taken over from an entry */
};

/* Errors: TM_E_NOMEM, TM_E_IO. */
int tm_uplink_new(struct tm_uplink **out, struct event_base *base, struct tm_client *engine, const struct tm_clock *clock,
                  const struct tm_rng *rng) TM_MUST_CHECK;
void tm_uplink_free(struct tm_uplink *u); /* closes the link, tells the engine; NULL is fine */
/* The document has changed by other means: another entry may be due, and a wait is over. */
void tm_uplink_refresh(struct tm_uplink *u);
/* The status' reason, for people. */
const char *tm_uplink_reason(int reason);
void tm_uplink_get_status(const struct tm_uplink *u, struct tm_uplink_status *status);

#endif
