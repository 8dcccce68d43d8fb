/* Answers, as a client gets them from a store: what parses is written back to the same bytes. */
#include "config.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "box/request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void require(bool truth)
{
  if (!truth)
    abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
  uint8_t *body = calloc(1, TM_SPHINX_BODY_LEN), again[TM_SPHINX_BODY_LEN];
  struct tm_box_answer a;

  if (body == NULL)
    abort();
  memcpy(body, data, len < TM_SPHINX_BODY_LEN ? len : TM_SPHINX_BODY_LEN);
  if (tm_box_answer_parse(body, &a) != TM_OK) {
    require(a.op == 0 && a.status == 0 && a.id == NULL && a.signature == NULL && a.box == NULL);
  } else {
    require((a.status == TM_BOX_FOUND) == (a.box != NULL) && (a.status == TM_BOX_FOUND) == (a.signature != NULL));
    require((a.status == TM_BOX_WORK) == (a.work != 0) && a.work <= TM_BOX_WORK_MAX);
    if (a.status == TM_BOX_WORK)
      tm_box_answer_work_write(again, a.id, a.work);
    else
      tm_box_answer_write(again, a.op, a.status, a.id, a.signature, a.box);
    require(memcmp(again, body, sizeof again) == 0);
  }
  free(body);
  return 0;
}
