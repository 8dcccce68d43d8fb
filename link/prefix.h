/*
 * Who takes how much, by parts of their addresses (doc/spec/link.md, section 7): IPv4 by /32 and /24, IPv6 by /64 and /48. Private to this room; the loop's thread.
 *
 * No address is kept: an entry is known by a hash of the prefix under a key that is drawn when the table is made and dies with it. It counts links and
 * handshakes of this moment and has a stock of connections that fills again; when nothing is counted and the stock is full, it is forgotten. Memory is
 * taken once.
 */
#ifndef TM_LINK_PREFIX_H
#define TM_LINK_PREFIX_H

#include <sys/socket.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/rng.h"
#include "link/link.h"

#define TM_PREFIX_LEVELS 2 /* address, network */

struct tm_prefixes;

/* A peer's address as this table knows it. */
struct tm_prefix {
  uint64_t level[TM_PREFIX_LEVELS];
  uint64_t whole; /* all of it, without the port */
};

/* links: that there may be at a time. Errors: TM_E_NOMEM. */
int tm_prefixes_new(struct tm_prefixes **out, const struct tm_rng *rng, uint32_t links) TM_MUST_CHECK;
void tm_prefixes_free(struct tm_prefixes *table); /* wipes the key; NULL is fine */

struct tm_prefix tm_prefix_of(const struct tm_prefixes *table, const struct sockaddr *addr);

/*
 * One more connection, handshake and, as it may become one, link? -1: yes, and the first two are counted; else the level that has too many, and nothing
 * is counted. quotas: one for each level.
 */
int tm_prefix_connect(struct tm_prefixes *table, const struct tm_prefix *prefix, const struct tm_link_quota *quotas, uint64_t now_ms) TM_MUST_CHECK;
void tm_prefix_handshake_over(struct tm_prefixes *table, const struct tm_prefix *prefix);
/* One more link? As above. */
int tm_prefix_link(struct tm_prefixes *table, const struct tm_prefix *prefix, const struct tm_link_quota *quotas, uint64_t now_ms) TM_MUST_CHECK;
void tm_prefix_link_over(struct tm_prefixes *table, const struct tm_prefix *prefix);

size_t tm_prefixes_used(const struct tm_prefixes *table); /* entries; for tests */

#endif
