/*
 * A relay's own word about itself, signed by its identity key (doc/spec/directory.md): what authorities make documents
 * from. Bytes in, bytes out. A tm_descriptor is read-only after it is made, and may be shared by threads.
 */
#ifndef TM_DIRECTORY_DESCRIPTOR_H
#define TM_DIRECTORY_DESCRIPTOR_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "directory/document.h"
#include "directory/text.h"

#define TM_DESCRIPTOR_MAX (32 * 1024) /* bytes */

struct tm_descriptor;

/*
 * Checks form and signature. The key that must have signed stands inside; who that is, is for the caller to judge.
 * fault: may be NULL. Errors: TM_E_TOO_BIG, TM_E_SYNTAX, TM_E_UNKNOWN, TM_E_POINT, TM_E_SIGNATURE, TM_E_NOMEM; *out is
 * then NULL.
 */
int tm_descriptor_open(struct tm_descriptor **out, const void *bytes, size_t len, struct tm_fault *fault) TM_MUST_CHECK;
void tm_descriptor_free(struct tm_descriptor *descriptor); /* NULL is fine */
const struct tm_relay_info *tm_descriptor_relay(const struct tm_descriptor *descriptor);
uint64_t tm_descriptor_published(const struct tm_descriptor *descriptor); /* unix seconds */

/*
 * Makes one: a signed note of *len bytes with a NUL behind, for the caller to free. relay->identity must be the public
 * key of seed (32-byte Ed25519 seed, secret). What it makes, tm_descriptor_open accepts. Errors: those of
 * tm_descriptor_open; *out is then NULL.
 */
int tm_descriptor_make(char **out, size_t *len, const struct tm_relay_info *relay, uint64_t published_s,
                       const uint8_t seed[static 32]) TM_MUST_CHECK;

#endif
