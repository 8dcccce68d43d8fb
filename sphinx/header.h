/*
 * Making headers (section 6), for packets and for reply blocks. The keys of the hops stay in ctx->path until the
 * caller has used them and calls tm_header_wipe, which it does on every path.
 */
#ifndef TM_SPHINX_HEADER_H
#define TM_SPHINX_HEADER_H

#include "sphinx/context.h"

/*
 * header: TM_SPHINX_HEADER_LEN bytes, written; undefined on error. command: TM_SPHINX_DELIVER or TM_SPHINX_REPLY;
 * field: its 32 bytes, or NULL to take them from random (TM_SPHINX_CREATE_RANDOM_LEN bytes). Errors:
 * TM_SPHINX_E_PATH, TM_SPHINX_E_POINT, TM_SPHINX_E_LOW_ORDER.
 */
int tm_header_create(tm_sphinx *ctx, const tm_sphinx_node path[], size_t hops, uint8_t command, const uint8_t *field,
                     const uint8_t *random, uint8_t *header) __attribute__((warn_unused_result));

/* Encrypts a payload for all hops, the last first, with the keys of the header just made. */
void tm_header_encrypt_payload(tm_sphinx *ctx, size_t hops, uint8_t *payload);

void tm_header_wipe(tm_sphinx *ctx);

#endif
