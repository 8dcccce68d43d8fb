/*
 * Writing a document: what an authority signs. What it writes, tm_document_open accepts once it is signed. Any thread.
 */
#ifndef TM_DIRECTORY_ASSEMBLE_H
#define TM_DIRECTORY_ASSEMBLE_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "directory/document.h"
#include "directory/text.h"

struct tm_document_draft {
  const char *network;
  uint64_t valid_from;  /* unix seconds */
  uint64_t valid_until;
  struct tm_params params;
  const struct tm_relay_info *relays; /* in any order */
  size_t n;
};

/*
 * Writes the unsigned text: relays by name, all of their keys. *text is the caller's to free, *len bytes and a NUL
 * behind. It is parsed again before it is returned; fault then says what is wrong. Errors: those of tm_document_parse,
 * TM_E_TOO_BIG (no room for signatures); *text is then NULL.
 */
int tm_document_assemble(const struct tm_document_draft *draft, char **text, size_t *len,
                         struct tm_fault *fault) TM_MUST_CHECK;

#endif
