/*
 * Boxes and the sequences that they stand in (doc/spec/boxes.md). A box is a fixed-size, signed ciphertext under an id
 * that only writer and reader can compute. Bytes in, bytes out; randomness is an argument; any thread.
 *
 * Everything in tm_box_writer and tm_box_reader is secret; the caller keeps them in locked or wiped memory. A per-index
 * scalar never leaves this room: with a read capability it would give the root scalar away.
 */
#ifndef TM_BOX_BOX_H
#define TM_BOX_BOX_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define TM_BOX_ID_LEN 32
#define TM_BOX_SIGNATURE_LEN 64
#define TM_BOX_LEN 1472                        /* nonce (24), ciphertext, tag (16) */
#define TM_BOX_TEXT_LEN (TM_BOX_LEN - 24 - 16) /* 1432: plaintext of every box */
#define TM_BOX_SEED_LEN 32
#define TM_BOX_CHAIN_LEN 32
#define TM_BOX_CAPABILITY_LEN 72  /* root point A (32), chain key (32), index that it belongs to (8) */
#define TM_BOX_SEAL_RANDOM_LEN 56 /* nonce (24), signing randomness (32) */

struct tm_box_writer {
  uint8_t scalar[32]; /* root scalar a, reduced */
  uint8_t prefix[32]; /* secret that goes into signing nonces */
  uint8_t point[32];  /* A = a B */
  uint8_t chain[TM_BOX_CHAIN_LEN];
  uint64_t index; /* slot number, or piece number of a bulk sequence, that chain belongs to */
};

struct tm_box_reader {
  uint8_t point[32];
  uint8_t chain[TM_BOX_CHAIN_LEN];
  uint64_t index;
};

/*
 * Does the crypto library behave as everything here relies on (points, unclamped scalars, signatures, known answers)? A
 * store and a client MUST ask once at start and refuse to run otherwise. Starts libsodium. Errors: TM_E_STATE.
 */
int tm_box_self_test(void) TM_MUST_CHECK;

/* The writer's side of a sequence that begins at index, from a uniform secret seed. */
void tm_box_writer_init(struct tm_box_writer *w, const uint8_t seed[static TM_BOX_SEED_LEN], uint64_t index);
/* What the reader gets: the sequence from the writer's present index on, nothing before it. Secret. */
void tm_box_capability(const struct tm_box_writer *w, uint8_t capability[static TM_BOX_CAPABILITY_LEN]);
/* Errors: TM_E_POINT; *r is then zero. */
int tm_box_reader_init(struct tm_box_reader *r, const uint8_t capability[static TM_BOX_CAPABILITY_LEN]) TM_MUST_CHECK;
void tm_box_reader_capability(const struct tm_box_reader *r, uint8_t capability[static TM_BOX_CAPABILITY_LEN]);

/*
 * Moves the chain forward to index and forgets what is before; the present index itself changes nothing. Errors:
 * TM_E_STATE (index lies behind), TM_E_TOO_BIG (over TM_BOX_STEP_MAX steps, about 5 s of them); nothing has changed
 * then.
 */
#define TM_BOX_STEP_MAX 10000000u
int tm_box_writer_advance(struct tm_box_writer *w, uint64_t index) TM_MUST_CHECK;
int tm_box_reader_advance(struct tm_box_reader *r, uint64_t index) TM_MUST_CHECK;

/*
 * The id at the present index. Errors: TM_E_POINT (a hash that reduces to zero: never seen; or a struct that init did
 * not make); id is then zero.
 */
int tm_box_writer_id(const struct tm_box_writer *w, uint8_t id[static TM_BOX_ID_LEN]) TM_MUST_CHECK;
int tm_box_reader_id(const struct tm_box_reader *r, uint8_t id[static TM_BOX_ID_LEN]) TM_MUST_CHECK;

/*
 * Seals text into the box of the writer's present index and signs it. The caller must never seal two texts at one
 * index. Errors: TM_E_POINT; outputs are then zero.
 */
int tm_box_seal(const struct tm_box_writer *w, const uint8_t text[static TM_BOX_TEXT_LEN],
                const uint8_t random[static TM_BOX_SEAL_RANDOM_LEN], uint8_t id[static TM_BOX_ID_LEN],
                uint8_t box[static TM_BOX_LEN], uint8_t signature[static TM_BOX_SIGNATURE_LEN]) TM_MUST_CHECK;
/*
 * Opens the box of the reader's present index; checks signature and seal. Errors: TM_E_POINT, TM_E_SIGNATURE,
 * TM_E_AUTH; text is then zero.
 */
int tm_box_open(const struct tm_box_reader *r, const uint8_t box[static TM_BOX_LEN],
                const uint8_t signature[static TM_BOX_SIGNATURE_LEN],
                uint8_t text[static TM_BOX_TEXT_LEN]) TM_MUST_CHECK;

/*
 * What a store checks: the id is a canonical point of the prime-order subgroup and signed this box. Errors: TM_E_POINT,
 * TM_E_SIGNATURE.
 */
int tm_box_verify(const uint8_t id[static TM_BOX_ID_LEN], const uint8_t box[static TM_BOX_LEN],
                  const uint8_t signature[static TM_BOX_SIGNATURE_LEN]) TM_MUST_CHECK;

/* An id that nobody holds: a random point of the subgroup from 64 uniform bytes, for decoy reads. */
void tm_box_decoy_id(const uint8_t random[static 64], uint8_t id[static TM_BOX_ID_LEN]);

/*
 * Rendezvous hashing: writes the indices of the two stores of an id, the one to be asked first in front.
 * identities: n different store identities of 32 bytes each, n >= 2; n = 1 gives the one store twice, n = 0 aborts.
 * epoch-independent; the same stores for every order of the list.
 */
void tm_box_stores(const uint8_t id[static TM_BOX_ID_LEN], const uint8_t (*identities)[32], size_t n,
                   size_t choice[static 2]);

#endif
