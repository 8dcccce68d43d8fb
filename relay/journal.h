/*
 * The journal of a replay set: the fingerprints of all packets that a mix key has opened, on disk (doc/spec/mixing.md, section 4.2).
 *
 * A file is a header, two marks and frames. Each frame is written with one call and synced before the next, so a crash can tear the last one only,
 * and what is behind it is zero, as the file is zeroed ahead. Everything is authenticated under keys that come from the mix key, so a file belongs to
 * one key, and says nothing any more when that is erased. A mark says how many frames were surely on disk; it is renewed every TM_JOURNAL_MARK_EVERY frames and
 * at the end.
 *
 * Blocking. A journal belongs to one thread at a time. No times are read or written.
 */
#ifndef TM_RELAY_JOURNAL_H
#define TM_RELAY_JOURNAL_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define TM_JOURNAL_BLOCK 4096
#define TM_JOURNAL_FRAMES_AT (3 * TM_JOURNAL_BLOCK)
#define TM_JOURNAL_TAGS_MAX 4096 /* in a frame */
#define TM_JOURNAL_MAC_LEN 16
#define TM_JOURNAL_HEAD_LEN 12   /* of a frame: number, count */
#define TM_JOURNAL_FRAME_MAX (TM_JOURNAL_HEAD_LEN + 8 * TM_JOURNAL_TAGS_MAX + TM_JOURNAL_MAC_LEN)
#define TM_JOURNAL_MARK_EVERY 64

/* Secret. */
struct tm_journal_keys {
  uint8_t tag[16]; /* SipHash: tag to fingerprint */
  uint8_t mac[32];
};

struct tm_journal;

void tm_journal_keys_derive(struct tm_journal_keys *keys, const uint8_t mix_secret[static 32], uint64_t epoch);

/* The bytes of a journal without frames. */
void tm_journal_fresh(uint8_t out[static TM_JOURNAL_FRAMES_AT], const struct tm_journal_keys *keys, uint64_t epoch);

/* Is there a journal of those keys? Looks at its header only. Errors: those of tm_journal_open. */
int tm_journal_probe(const char *path, const struct tm_journal_keys *keys, uint64_t epoch) TM_MUST_CHECK;

/* Gets the fingerprints of one frame; an error ends the reading. */
typedef int (*tm_journal_found)(void *arg, const uint64_t *tags, size_t n);

/*
 * Reads a journal, gives all that it holds to found, makes it ready for more, and syncs. A torn last frame is removed. Errors: TM_E_NOT_FOUND; TM_E_AUTH (of other
 * keys, or its header is damaged); TM_E_SYNTAX (damaged: something is missing that was on disk before); TM_E_IO (errno), TM_E_FULL (the disk is), TM_E_NOMEM; what found gives.
 */
int tm_journal_open(struct tm_journal **out, const char *path, const struct tm_journal_keys *keys, uint64_t epoch, tm_journal_found found,
                    void *arg) TM_MUST_CHECK;
/* Writes the last mark, if nothing went wrong, and closes. NULL is fine. */
void tm_journal_close(struct tm_journal *journal);

/* Bytes that are zeroed and free. Frames need as many. */
uint64_t tm_journal_room(const struct tm_journal *journal);
/* Makes more room and syncs it. Errors: TM_E_FULL (nothing changed, try again later), TM_E_IO (as for append). */
int tm_journal_extend(struct tm_journal *journal) TM_MUST_CHECK;
/* Sorts up to TM_JOURNAL_TAGS_MAX fingerprints and writes them as one frame, on disk when it returns. Errors: TM_E_FULL (no room); TM_E_IO: the journal must not be used any more. */
int tm_journal_append(struct tm_journal *journal, uint64_t *tags, size_t n) TM_MUST_CHECK;

#endif
