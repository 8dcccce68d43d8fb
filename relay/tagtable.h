/*
 * A set of 64-bit fingerprints that grows without ever stopping: what a replay set is in memory.
 *
 * Linear probing over lines of 64 bytes, eight fingerprints each. A fingerprint's home is line floor(fingerprint * lines / 2^64), so homes keep
 * the order of the fingerprints. At a load of 8/10 a table of half as many lines again is made, and every insertion moves two lines over, from
 * the first to the last: at any moment fingerprints with their home in front of the border are in the new table (or still behind the border in the
 * old one, if they were pushed there), all others in the old one. So both are used once only, memory behind the border goes back to the system, and
 * there are never more than 15 bytes of them for each fingerprint, from a few thousand up, plus the 16 MiB that are touched ahead.
 *
 * A fingerprint is told from n others with an error of at most (n + 1) / 2^64, if they come from a secret random function; zero and one are
 * the same to the table.
 *
 * One thread at a time may use a table; tm_tagtable_chore may run beside it (see there).
 */
#ifndef TM_RELAY_TAGTABLE_H
#define TM_RELAY_TAGTABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define TM_TAGTABLE_LINE 8 /* fingerprints in a line */

struct tm_taglines {
  uint64_t (*line)[TM_TAGTABLE_LINE]; /* NULL: none */
  uint64_t homes; /* lines that are homes; a few more follow for what is pushed past the end */
  uint64_t reach; /* no fingerprint is further from its home, in lines */
};

/* To be treated as opaque; it stands here so that it can be part of something else. */
struct tm_tagtable {
  struct tm_taglines now;
  struct tm_taglines next;  /* line != NULL: growing */
  struct tm_taglines spent; /* moved over, not given back yet */
  uint64_t moved;           /* lines of now that are in next */
  uint64_t touched;         /* lines of next that have memory */
  uint64_t freed;           /* lines of now, or of spent, that have none any more */
  uint64_t count;
  uint64_t expected; /* no table is made larger than for so many, unless there are more */
};

enum tm_tag_verdict { TM_TAG_NEW, TM_TAG_KNOWN, TM_TAG_NO_ROOM /* no memory to grow */ };

/* Errors: TM_E_NOMEM. */
int tm_tagtable_init(struct tm_tagtable *table, uint64_t expected) TM_MUST_CHECK;
void tm_tagtable_wipe(struct tm_tagtable *table); /* no chore is under way */

/* Fetches the cache line where a fingerprint will be looked for. */
void tm_tagtable_prefetch(const struct tm_tagtable *table, uint64_t tag);
/* Looks it up and inserts it, and moves lines if the table grows. insert false: looks only, NEW means that it is not there. */
enum tm_tag_verdict tm_tagtable_insert(struct tm_tagtable *table, uint64_t tag, bool insert);

/* Bytes of memory that the table has now, without what chores have touched ahead and not given back yet. */
uint64_t tm_tagtable_bytes(const struct tm_tagtable *table);

/*
 * Work with pages, for another thread: what can be touched ahead or given back now. It asks while it has the table to itself; does the work while
 * others use it (the work changes no byte that anybody may look at, and no other chore of that table is under way); and then, with the table to
 * itself again, says that it is done. False: there is nothing to do.
 */
struct tm_tagtable_chore {
  enum { TM_CHORE_TOUCH, TM_CHORE_FREE, TM_CHORE_UNMAP } what;
  void *at;
  size_t len;
  uint64_t to; /* touched, or freed, when it is done */
  bool is_spent;
};
bool tm_tagtable_chore(struct tm_tagtable *table, struct tm_tagtable_chore *chore);
void tm_tagtable_chore_do(const struct tm_tagtable_chore *chore);
void tm_tagtable_chore_done(struct tm_tagtable *table, const struct tm_tagtable_chore *chore);
/* Is it time to look for chores? Cheap. */
bool tm_tagtable_has_chore(const struct tm_tagtable *table);

#endif
