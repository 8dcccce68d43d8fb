/*
 * The replay sets: one per mix key, each tag at most once, also over restarts (doc/spec/mixing.md, section 4).
 *
 * A batch of tags is inserted and tested in one step under one mutex, which every worker takes once per batch; the batch gets a ticket, and no
 * packet of it may leave, be stored or be handed over before tm_replay_durable says that the ticket is on disk.
 *
 * In memory a set is a table of 64-bit fingerprints (tagtable.h): SipHash of the tag under a secret of the mix key, so that nobody can aim at
 * places, and so that the disk tells nothing once the key is erased. A tag that is new is taken for a known one with a probability of at most
 * (n + 1) / 2^64, n the tags in the set: 1.1e-12 for 20 million, 2.4e-10 for TM_REPLAY_TAGS_MAX. A known one is never taken for new.
 *
 * Two threads belong to this module. The journal thread alone owns the journals (journal.h) once they are open: it writes and syncs what is new
 * every TM_REPLAY_GROUP_MS or TM_REPLAY_GROUP_TAGS, one frame and one sync for each set. The helper touches memory ahead of a growing table, and gives back what is behind.
 *
 * Fail closed: a set that is full (its cap, no memory, no disk space) lets nothing pass that it does not know; one whose journal failed lets nothing
 * pass at all, for good, and the tickets that were under way are lost. Both are said in the log once.
 */
#ifndef TM_RELAY_REPLAY_H
#define TM_RELAY_REPLAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "relay/journal.h"
#include "relay/pulse.h"
#include "sphinx/sphinx.h"

#define TM_REPLAY_TAGS_MAX (1ull << 32)
#define TM_REPLAY_GROUP_MS 10
#define TM_REPLAY_GROUP_TAGS 1024

enum tm_replay_verdict {
  TM_REPLAY_NEW = 0,   /* was not there, is now */
  TM_REPLAY_KNOWN = 1,
  TM_REPLAY_FULL = 2,  /* not there, and no room to remember it */
  TM_REPLAY_FAILED = 3 /* the journal cannot be written */
};

struct tm_replay;     /* what the sets of a relay share: mutex, tickets, threads */
struct tm_replay_set; /* of one mix key */

struct tm_replay_query {
  struct tm_replay_set *set;
  uint8_t tag[TM_SPHINX_REPLAY_TAG_LEN];
  enum tm_replay_verdict verdict; /* written */
};

/* Starts the threads. Errors: TM_E_NOMEM, TM_E_IO (no thread). */
int tm_replay_new(struct tm_replay **out) TM_MUST_CHECK;
/* Waits until its sets, which were given to tm_replay_set_free before, are on disk and closed. NULL is fine. */
void tm_replay_free(struct tm_replay *replay);

/*
 * A set for at most max_tags that remembers what the journal at path says, and goes on with it. Blocking: about 0.1 s for each million tags.
 * Errors: TM_E_TOO_BIG (max_tags is 0, or over TM_REPLAY_TAGS_MAX), those of tm_journal_open.
 */
int tm_replay_set_open(struct tm_replay_set **out, struct tm_replay *replay, uint64_t max_tags, const char *path,
                       const struct tm_journal_keys *keys, uint64_t epoch) TM_MUST_CHECK;
/* The same in memory only, for tests and measuring: its tickets are durable at once. Errors: TM_E_NOMEM, TM_E_TOO_BIG. */
int tm_replay_set_new(struct tm_replay_set **out, struct tm_replay *replay, uint64_t max_tags, const uint8_t key[static 16]) TM_MUST_CHECK;
/* Any thread; does not wait. No worker uses the set any more, and nobody may touch it again. What is pending is still written. NULL is fine. */
void tm_replay_set_free(struct tm_replay_set *set);

uint64_t tm_replay_set_count(struct tm_replay_set *set); /* any thread */
uint64_t tm_replay_set_bytes(struct tm_replay_set *set); /* of its table in memory; any thread */
bool tm_replay_set_failed(const struct tm_replay_set *set); /* any thread */

/* Any thread. Returns the batch's ticket, never 0. The same tag twice in one batch: the second is known. */
uint64_t tm_replay_check(struct tm_replay *replay, struct tm_replay_query *queries, size_t n) TM_MUST_CHECK;

/* Any thread. Ticket 0 (no tag was inserted) always is. */
bool tm_replay_durable(const struct tm_replay *replay, uint64_t ticket);
/* Any thread. It never will be: the journal failed. */
bool tm_replay_lost(const struct tm_replay *replay, uint64_t ticket);

/* Any thread: how often the journal thread came round, and is there a tag that it should write? */
struct tm_turns tm_replay_turns(struct tm_replay *replay);

/* For tests: tickets above this one count as not durable until it is raised. UINT64_MAX at start. */
void tm_replay_hold(struct tm_replay *replay, uint64_t ticket);

#endif
