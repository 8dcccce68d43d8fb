#include "config.h"

#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "box/internal.h"

#include "box/work.h"

#define HASH_LEN 32
#define STEP 20 /* a step for each twentieth of the quota, from the middle on */

static const char personal[17] = "tidemill.effort1";

/* The hash of everything in front of the nonce. */
static void begin(crypto_generichash_blake2b_state *state, const uint8_t store[static 32], uint64_t epoch,
                  const uint8_t id[static TM_BOX_ID_LEN])
{
  uint8_t number[8];

  tm_box_store64(number, epoch);
  if (crypto_generichash_blake2b_init_salt_personal(state, NULL, 0, HASH_LEN, NULL, (const uint8_t *)personal) != 0)
    abort(); /* only for lengths that are a mistake of this room */
  crypto_generichash_blake2b_update(state, store, 32);
  crypto_generichash_blake2b_update(state, number, sizeof number);
  crypto_generichash_blake2b_update(state, id, TM_BOX_ID_LEN);
}

static unsigned leading_zeros(uint64_t v) { return v == 0 ? 64 : (unsigned)__builtin_clzll(v); }

static unsigned bits_of(const crypto_generichash_blake2b_state *begun, uint64_t nonce)
{
  crypto_generichash_blake2b_state state = *begun;
  uint8_t number[TM_BOX_WORK_NONCE_LEN], hash[HASH_LEN];

  tm_box_store64(number, nonce);
  crypto_generichash_blake2b_update(&state, number, sizeof number);
  crypto_generichash_blake2b_final(&state, hash, sizeof hash);
  return leading_zeros(tm_box_load64(hash));
}

unsigned tm_box_work_bits(const uint8_t store[static 32], uint64_t epoch, const uint8_t id[static TM_BOX_ID_LEN],
                          uint64_t nonce)
{
  crypto_generichash_blake2b_state state;

  begin(&state, store, epoch, id);
  return bits_of(&state, nonce);
}

bool tm_box_work_search(struct tm_box_work *work, uint32_t tries)
{
  crypto_generichash_blake2b_state state;
  bool found = false;

  begin(&state, work->store, work->epoch, work->id);
  for (uint32_t i = 0; i < tries && !found; i++) {
    found = bits_of(&state, work->nonce) >= work->bits;
    work->nonce += !found;
  }
  sodium_memzero(&state, sizeof state);
  return found;
}

void tm_box_work_token(uint64_t nonce, uint8_t token[static TM_BOX_TOKEN_LEN])
{
  memset(token, 0, TM_BOX_TOKEN_LEN);
  tm_box_store64(token, nonce);
}

uint64_t tm_box_work_nonce(const uint8_t token[static TM_BOX_TOKEN_LEN]) { return tm_box_load64(token); }

unsigned tm_box_work_asked(uint64_t boxes, uint64_t quota)
{
  uint64_t twentieth = quota / STEP > 0 ? quota / STEP : 1;
  uint64_t half = quota - quota / 2;
  uint64_t steps = boxes < half ? 0 : 1 + (boxes - half) / twentieth;

  return steps < TM_BOX_WORK_STEPS_MAX ? (unsigned)steps : TM_BOX_WORK_STEPS_MAX;
}

unsigned tm_box_work_taken(uint64_t boxes, uint64_t quota)
{
  unsigned asked = tm_box_work_asked(boxes, quota);

  return asked > 0 ? asked - 1 : 0;
}
