/*
 * The proof of work that a PUT carries, so that filling a store costs something (doc/spec/boxes.md, section 8.1). It is
 * one hash over the store, the epoch, the id and a nonce that begins with enough zero bits. Nothing in it is secret but
 * for how ids belong together, so who holds a struct tm_box_work wipes it. Bytes in, bytes out; any thread.
 */
#ifndef TM_BOX_WORK_H
#define TM_BOX_WORK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "box/request.h"

#define TM_BOX_WORK_NONCE_LEN 8 /* the beginning of the token; the rest is zero */
#define TM_BOX_WORK_STEPS_MAX 10 /* so many bits over the document's work_bits a store may ask for, and no more */

/* A proof that is searched for, or has been found. */
struct tm_box_work {
  uint8_t store[32]; /* the store's identity */
  uint64_t epoch;
  uint8_t id[TM_BOX_ID_LEN];
  uint64_t nonce; /* the next to try; found: the one */
  unsigned bits;  /* zero bits that are needed, 0 to TM_BOX_WORK_MAX */
};

/* How many zero bits the hash of this begins with, at most 64. */
unsigned tm_box_work_bits(const uint8_t store[static 32], uint64_t epoch, const uint8_t id[static TM_BOX_ID_LEN],
                          uint64_t nonce);

/*
 * Tries up to that many nonces, upwards from work->nonce on. true: it is one. false: go on by another call. On average
 * 2^bits tries are needed.
 */
bool tm_box_work_search(struct tm_box_work *work, uint32_t tries) TM_MUST_CHECK;

void tm_box_work_token(uint64_t nonce, uint8_t token[static TM_BOX_TOKEN_LEN]);
uint64_t tm_box_work_nonce(const uint8_t token[static TM_BOX_TOKEN_LEN]);

/*
 * The steps by which a store that has `boxes` of `quota` boxes raises the document's work_bits: what it asks for, and
 * what it takes; the second is at most one lower, so that what was asked for is good for a while. asked is at most
 * TM_BOX_WORK_STEPS_MAX.
 */
unsigned tm_box_work_asked(uint64_t boxes, uint64_t quota);
unsigned tm_box_work_taken(uint64_t boxes, uint64_t quota);

#endif
