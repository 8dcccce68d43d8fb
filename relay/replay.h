/*
 * The replay sets: one per mix key, each tag at most once (doc/spec/mixing.md, section 4).
 *
 * A batch of tags is inserted and tested in one step under one mutex, which every worker takes once per batch; the batch gets a ticket, and no
 * packet of it may leave, be stored or be handed over before tm_replay_durable says that the ticket is on disk. The sets are in memory,
 * so tickets are durable at once; a restart forgets them.
 *
 * A set is a table of whole 128-bit tags, probed linearly from a home that SipHash picks under a secret key of the set, so that nobody
 * can aim collisions. It grows by doubling, and moves old entries over a few with every batch. It is bounded: a full one lets nothing pass.
 */
#ifndef TM_RELAY_REPLAY_H
#define TM_RELAY_REPLAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/rng.h"
#include "sphinx/sphinx.h"

#define TM_REPLAY_TAGS_MAX (1ull << 32)

enum tm_replay_verdict {
  TM_REPLAY_NEW = 0,   /* was not there, is now */
  TM_REPLAY_KNOWN = 1,
  TM_REPLAY_FULL = 2   /* not there, and no room to remember it */
};

struct tm_replay;     /* what the sets of a relay share: mutex, tickets */
struct tm_replay_set; /* of one mix key */

struct tm_replay_query {
  struct tm_replay_set *set;
  uint8_t tag[TM_SPHINX_REPLAY_TAG_LEN];
  enum tm_replay_verdict verdict; /* written */
};

/* Errors: TM_E_NOMEM. */
int tm_replay_new(struct tm_replay **out) TM_MUST_CHECK;
void tm_replay_free(struct tm_replay *replay); /* its sets are gone before; NULL is fine */

/* A set for at most max_tags. Errors: TM_E_NOMEM, TM_E_TOO_BIG (0, or over TM_REPLAY_TAGS_MAX). */
int tm_replay_set_new(struct tm_replay_set **out, uint64_t max_tags, const struct tm_rng *rng) TM_MUST_CHECK;
void tm_replay_set_free(struct tm_replay_set *set); /* no worker uses it any more; NULL is fine */
uint64_t tm_replay_set_count(const struct tm_replay_set *set); /* while no batch is under way */

/* Any thread. Returns the batch's ticket, never 0. The same tag twice in one batch: the second is known. */
uint64_t tm_replay_check(struct tm_replay *replay, struct tm_replay_query *queries, size_t n) TM_MUST_CHECK;

/* Any thread. Ticket 0 (no tag was inserted) always is. */
bool tm_replay_durable(const struct tm_replay *replay, uint64_t ticket);

/* For tests: tickets above this one count as not durable until it is raised. UINT64_MAX at start. */
void tm_replay_hold(struct tm_replay *replay, uint64_t ticket);

#endif
