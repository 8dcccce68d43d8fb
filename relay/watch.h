/*
 * The document of a relay: read from its file, verified, read again when the file changes (doc/spec/mixing.md, section 8). Loop thread.
 */
#ifndef TM_RELAY_WATCH_H
#define TM_RELAY_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "directory/document.h"

struct tm_watch;

/* Reads the authorities' file. path, the document's, is not copied. Errors: TM_E_NOT_FOUND, TM_E_IO, TM_E_NOMEM and those of tm_trust_parse. */
int tm_watch_new(struct tm_watch **out, const char *authorities, const char *path) TM_MUST_CHECK;
void tm_watch_free(struct tm_watch *watch); /* with the document; NULL is fine */

/*
 * Looks whether the file changed since the last look (forced: reads it anyway). Errors, the last good document stays then: TM_E_NOT_FOUND, TM_E_IO,
 * TM_E_EXISTS (nothing new), TM_E_CONFLICT (another network's, or older than what we have), and those of tm_document_open.
 * TM_OK: there is a new one; the last one is dead.
 */
int tm_watch_look(struct tm_watch *watch, uint64_t now_s, bool forced) TM_MUST_CHECK;

/* The last good document, valid still or not; NULL: none yet. */
const struct tm_document *tm_watch_document(const struct tm_watch *watch);

#endif
