/* Requests, as a store gets them from anybody: what parses is written back to the same bytes, and its box gets a
 * verdict. */
#include "config.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "box/request.h"

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
    if (q.op == TM_BOX_PUT && tm_box_verify(q.id, q.box, q.signature) == TM_OK) {
      /* A good box with one bit turned is none. */
      body[TM_SPHINX_BODY_LEN - 4] ^= 1;
      require(tm_box_verify(q.id, q.box, q.signature) == TM_E_SIGNATURE);
    }
  }
  free(body);
  return 0;
}
