/*
 * Making headers (section 6), for packets and for reply blocks. The keys of the hops stay in ctx->path until the
 * caller has used them and calls tm_header_wipe, which it does on every path.
 */
#ifndef TM_SPHINX_HEADER_H
#define TM_SPHINX_HEADER_H

#include "sphinx/context.h"

struct tm_header_job {
  const tm_sphinx_node *path;
  size_t hops;
  uint8_t command;      /* TM_SPHINX_DELIVER or TM_SPHINX_REPLY */
  const uint8_t *field; /* its 32 bytes; NULL: from random */
  const uint8_t *random; /* TM_SPHINX_CREATE_RANDOM_LEN */
  uint8_t *header;      /* TM_SPHINX_HEADER_LEN, written; undefined on error */
  int error;            /* TM_SPHINX_OK, E_PATH, E_POINT or E_LOW_ORDER */
};

/* Makes n <= TM_PATHS_MAX headers, with the keys of job i in ctx->path[i]. */
void tm_header_create(tm_sphinx *ctx, struct tm_header_job job[], size_t n);

/* Encrypts the payloads of those without an error for all hops, the last first, with the keys of the headers just made. */
void tm_header_encrypt_payloads(tm_sphinx *ctx, const struct tm_header_job job[], uint8_t *const payload[], size_t n);

void tm_header_wipe(tm_sphinx *ctx, size_t n);

#endif
