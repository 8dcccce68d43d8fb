/*
 * A document's text, once its signatures are known to be good or are not asked for. Used inside directory/, its
 * programs and tests only.
 */
#ifndef TM_DIRECTORY_PARSE_H
#define TM_DIRECTORY_PARSE_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "directory/document.h"
#include "directory/text.h"

#define TM_DOCUMENT_HEAD "tidemill document 1"
#define TM_DOCUMENT_VALID_MAX_S (92u * 86400) /* longest validity */
#define TM_DOCUMENT_STORES_MIN 2              /* each box goes to two */

struct tm_document {
  char network[TM_RELAY_NAME_MAX + 1];
  uint64_t valid_from, valid_until, epoch;
  struct tm_params params;
  struct tm_relay_info *relays;
  size_t n_relays;
  struct tm_mix_key *keys; /* of all relays */
  size_t n_keys;
  const struct tm_relay_info **by_identity;
  uint8_t *bytes; /* signatures and all; NULL while only the text was read */
  size_t len;
  uint8_t digest[32];
  uint8_t text_digest[32];
};

/*
 * Reads a text without its signatures, and checks all but the time. fault: written, never NULL.
 * Errors: TM_E_SYNTAX, TM_E_UNKNOWN, TM_E_POINT, TM_E_TOO_BIG, TM_E_NOMEM; *out is then NULL.
 */
int tm_document_parse(struct tm_document **out, const char *text, size_t len, struct tm_fault *fault) TM_MUST_CHECK;

/* What no single line can say: names, identities, addresses and points unique, every role there. Errors: TM_E_SYNTAX,
 * TM_E_NOMEM. */
int tm_document_cross_check(struct tm_document *doc, struct tm_fault *fault) TM_MUST_CHECK;

#endif
