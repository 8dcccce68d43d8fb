/* Requests, as a store gets them from anybody: what parses is written back to the same bytes, its proof of work counts
 * what a second count does, and its box gets a verdict. */
#include "config.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "box/work.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void require(bool truth)
{
  if (!truth)
    abort();
}

static void write_again(uint8_t *body, const struct tm_box_request *q, const uint8_t *random)
{
  if (q->op == TM_BOX_PUT)
    tm_box_put_write(body, q->token, q->surb, q->id, q->signature, q->box);
  else
    tm_box_get_write(body, q->token, q->surb, q->id, random);
}

/* The bits one by one, by the general function. */
static unsigned count_again(const uint8_t store[static 32], uint64_t epoch, const struct tm_box_request *q)
{
  static const uint8_t personal[17] = "tidemill.effort1";
  uint8_t m[32 + 8 + TM_BOX_ID_LEN + TM_BOX_WORK_NONCE_LEN], hash[32];
  unsigned bits = 0;

  memcpy(m, store, 32);
  for (size_t i = 0; i < 8; i++)
    m[32 + i] = (uint8_t)(epoch >> (56 - 8 * i));
  memcpy(m + 40, q->id, TM_BOX_ID_LEN);
  memcpy(m + 40 + TM_BOX_ID_LEN, q->token, TM_BOX_WORK_NONCE_LEN);
  require(crypto_generichash_blake2b_salt_personal(hash, sizeof hash, m, sizeof m, NULL, 0, NULL, personal) == 0);
  while (bits < 64 && (hash[bits / 8] & (0x80 >> bits % 8)) == 0)
    bits++;
  return bits;
}

/* Store and epoch are the input's, too. */
static void check_work(const struct tm_box_request *q)
{
  uint64_t epoch = q->token[20];
  unsigned bits = tm_box_work_bits(q->surb, epoch, q->id, tm_box_work_nonce(q->token));
  struct tm_box_work work = {.epoch = epoch, .nonce = tm_box_work_nonce(q->token), .bits = bits};

  require(bits == count_again(q->surb, epoch, q));
  memcpy(work.store, q->surb, sizeof work.store);
  memcpy(work.id, q->id, sizeof work.id);
  require(tm_box_work_search(&work, 1) && work.nonce == tm_box_work_nonce(q->token));
  work.bits++;
  require(!tm_box_work_search(&work, 1) && work.nonce == tm_box_work_nonce(q->token) + 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
  uint8_t *body = calloc(1, TM_SPHINX_BODY_LEN), again[TM_SPHINX_BODY_LEN];
  struct tm_box_request q;

  if (body == NULL || sodium_init() < 0)
    abort();
  memcpy(body, data, len < TM_SPHINX_BODY_LEN ? len : TM_SPHINX_BODY_LEN);
  if (tm_box_request_parse(body, &q) != TM_OK) {
    require(q.op == 0 && q.id == NULL && q.surb == NULL && q.token == NULL && q.signature == NULL && q.box == NULL);
  } else {
    require((q.op == TM_BOX_PUT) == (q.box != NULL) && (q.op == TM_BOX_PUT) == (q.signature != NULL));
    write_again(again, &q, q.id + TM_BOX_ID_LEN);
    require(memcmp(again, body, sizeof again) == 0);
    check_work(&q);
    if (q.op == TM_BOX_PUT && tm_box_verify(q.id, q.box, q.signature) == TM_OK) {
      /* A good box with one bit turned is none. */
      body[TM_SPHINX_BODY_LEN - 4] ^= 1;
      require(tm_box_verify(q.id, q.box, q.signature) == TM_E_SIGNATURE);
    }
  }
  free(body);
  return 0;
}
