/*
 * The configured authorities as keys. Used inside directory/, its programs and tests only; users see tm_trust_parse of
 * directory/document.h.
 */
#ifndef TM_DIRECTORY_TRUST_H
#define TM_DIRECTORY_TRUST_H

#include "directory/document.h"
#include "directory/note.h"

#define TM_TRUST_MAX (16 * 1024) /* bytes of a trust file */

/* tm_trust_count of them, in the file's order. */
const struct tm_note_key *tm_trust_keys(const struct tm_trust *trust);

#endif
