/*
 * What the files of this room share. Nothing of it may be called from outside: a per-index scalar, with a read
 * capability, gives the root scalar away.
 */
#ifndef TM_BOX_INTERNAL_H
#define TM_BOX_INTERNAL_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "box/box.h"

#define TM_BOX_NONCE_LEN 24
#define TM_BOX_TAG_LEN 16
#define TM_BOX_KEY_LEN 32
#define TM_BOX_PERSONAL_LEN 16
#define TM_BOX_DOMAIN "tidemill.signed1" /* in front of every box that is signed */
#define TM_BOX_SIGNED_LEN (TM_BOX_PERSONAL_LEN + TM_BOX_LEN)

/* A part of what is hashed. */
struct tm_bytes {
  const uint8_t *data;
  size_t len;
};

/*
 * HASH of the specification: BLAKE2b of the parts, one behind the other. personal: 16 characters. key: at most 64
 * bytes, or none (NULL, 0). out may be one of the parts or the key: it is written at the end. Wipes its state.
 */
void tm_box_hash(uint8_t *out, size_t out_len, const char *personal, const uint8_t *key, size_t key_len,
                 const struct tm_bytes *parts, size_t n);
#define TM_BOX_HASH(out, out_len, personal, key, key_len, ...) \
  tm_box_hash((out), (out_len), (personal), (key), (key_len), (const struct tm_bytes[]){__VA_ARGS__}, \
              sizeof((const struct tm_bytes[]){__VA_ARGS__}) / sizeof(struct tm_bytes))

/*
 * q = n B, and q = n P for a checked point P; n reduced, as it is. Constant time in n. Errors: TM_E_POINT (n is zero, P
 * is no good point); q is then zero.
 */
int tm_box_multiply_base(uint8_t q[static 32], const uint8_t n[static 32]) TM_MUST_CHECK;
int tm_box_multiply(uint8_t q[static 32], const uint8_t n[static 32], const uint8_t point[static 32]) TM_MUST_CHECK;

void tm_box_store64(uint8_t out[static 8], uint64_t v); /* big-endian */
uint64_t tm_box_load64(const uint8_t in[static 8]);

/* The writer's scalar a_i (which the caller wipes) and id at its present index. Errors: TM_E_POINT; both are zero. */
int tm_box_writer_scalar(const struct tm_box_writer *w, uint8_t scalar[static 32],
                         uint8_t id[static TM_BOX_ID_LEN]) TM_MUST_CHECK;
/* The key of the box at an index. Secret; the caller wipes it. */
void tm_box_key(uint8_t key[static TM_BOX_KEY_LEN], const uint8_t point[static 32],
                const uint8_t chain[static TM_BOX_CHAIN_LEN], uint64_t index);

/* XChaCha20-Poly1305: opens sealed_len bytes, tag included. Errors: TM_E_AUTH; the caller wipes text then. */
int tm_box_aead_open(uint8_t *text, const uint8_t *sealed, size_t sealed_len, const uint8_t *aad, size_t aad_len,
                     const uint8_t nonce[static TM_BOX_NONCE_LEN],
                     const uint8_t key[static TM_BOX_KEY_LEN]) TM_MUST_CHECK;

#endif
