/*
 * Puts the pieces of a document together that an entry sends (doc/spec/link.md, section 4), in order and without gaps;
 * memory is bounded by TM_DOCUMENT_MAX whatever comes. What it hands out has the announced length and digest, and no more
 * is known about it: the signatures are the directory's business. Bytes in, bytes out; one thread.
 */
#ifndef TM_CLIENT_DOCPIECES_H
#define TM_CLIENT_DOCPIECES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "link/cell.h"

struct tm_docpieces;

struct tm_docpieces *tm_docpieces_new(void); /* NULL: out of memory */
void tm_docpieces_free(struct tm_docpieces *d);
void tm_docpieces_reset(struct tm_docpieces *d); /* forgets what has come: a new request, or a new link */

/*
 * One piece. Each with offset 0 begins anew. *document is set, for *len bytes and until the next call, once all are
 * there. A piece that says "yours is the newest" (total 0) changes nothing. Errors: TM_E_TOO_BIG (total), TM_E_SYNTAX (a
 * piece outside of the document, empty, or one that does not continue what is there), TM_E_AUTH (whole, but the digest is
 * another), TM_E_NOMEM. After an error it has forgotten everything.
 */
int tm_docpieces_take(struct tm_docpieces *d, const uint8_t digest[static TM_CELL_DIGEST_LEN], uint32_t total,
                      uint32_t offset, const uint8_t *data, size_t data_len, const uint8_t **document,
                      size_t *len) TM_MUST_CHECK;

/* How many bytes are there, of how many; 0 of 0 before the first piece. */
void tm_docpieces_progress(const struct tm_docpieces *d, size_t *have, size_t *total);

#endif
