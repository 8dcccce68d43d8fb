/*
 * What a tm_sphinx and a tm_sphinx_key hold. One allocation each, in locked memory; every function that uses scratch
 * wipes what it used before it returns.
 */
#ifndef TM_SPHINX_CONTEXT_H
#define TM_SPHINX_CONTEXT_H

#include <stddef.h>
#include <stdint.h>

#include "sphinx/backend.h"
#include "sphinx/point.h"
#include "sphinx/sphinx.h"

struct tm_sphinx_key {
  uint8_t secret[32]; /* clamped */
  uint8_t y[32];      /* public, X25519 form */
  uint8_t point[32];  /* public, Ed25519 form */
};

/* One packet in the header step. */
struct tm_lane {
  uint8_t input[TM_KDF_INPUT_LEN]; /* alpha | Y | s */
  uint8_t keys[2 * TM_KDF_LEN];    /* K(0) | K(1): MAC, stream; blinding, replay tag */
  uint8_t mac[TM_SPHINX_MAC_LEN];
  uint8_t routing[TM_STREAM_LEN];  /* block | next beta */
  uint8_t alpha[TM_SPHINX_ELEMENT_LEN];
};

/* Headers that are made together: enough to fill lanes, and few enough for memory that is locked. */
#define TM_PATHS_MAX 32

/* One header in the making. */
struct tm_path {
  uint8_t y[TM_SPHINX_HOPS_MAX][32];
  uint8_t alpha[TM_SPHINX_HOPS_MAX][TM_SPHINX_ELEMENT_LEN];
  uint8_t keys[TM_SPHINX_HOPS_MAX][TM_KDF_ALL_LEN];
  uint8_t stream[TM_SPHINX_HOPS_MAX][TM_STREAM_LEN];
  uint8_t input[TM_KDF_INPUT_LEN];
  uint8_t blinding[32];
  uint8_t scalar[32];
  uint8_t filler[TM_SPHINX_ROUTING_LEN];
  uint8_t reply_key[TM_SPHINX_PAYLOAD_KEY_LEN];
};

struct tm_sphinx {
  const struct tm_sphinx_backend *backend;
  size_t body_len;
  struct tm_lane lane[TM_SPHINX_BATCH_MAX];
  struct tm_path path[TM_PATHS_MAX];
  struct tm_point_cache cache;
};

/* Where the keys of section 3 lie in the output of the key derivation. */
static inline const uint8_t *tm_keys_mac(const uint8_t *keys) { return keys; }
static inline const uint8_t *tm_keys_stream(const uint8_t *keys) { return keys + 32; }
static inline const uint8_t *tm_keys_blind(const uint8_t *keys) { return keys + 64; }
static inline const uint8_t *tm_keys_replay_tag(const uint8_t *keys) { return keys + 96; }
static inline const uint8_t *tm_keys_payload(const uint8_t *keys) { return keys + 128; }

static inline size_t tm_payload_len(const tm_sphinx *ctx) { return TM_SPHINX_TAG_LEN + ctx->body_len; }

#endif
