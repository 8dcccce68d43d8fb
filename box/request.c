#include "config.h"

#include <stdbool.h>
#include <stdlib.h>

#include "base/wire.h"

#include "box/request.h"

#define REQUEST_RESERVED 2
#define REQUEST_FILL 3
#define ANSWER_WORK 1
#define ANSWER_FILL 476

_Static_assert(2 + REQUEST_RESERVED + TM_BOX_TOKEN_LEN + TM_SPHINX_SURB_LEN + TM_BOX_ID_LEN + TM_BOX_SIGNATURE_LEN +
                       TM_BOX_LEN + REQUEST_FILL ==
                   TM_SPHINX_BODY_LEN,
               "request");
_Static_assert(3 + ANSWER_WORK + TM_BOX_ID_LEN + TM_BOX_SIGNATURE_LEN + TM_BOX_LEN + ANSWER_FILL ==
                   TM_SPHINX_BODY_LEN,
               "answer");

static void write_request(uint8_t body[static TM_SPHINX_BODY_LEN], enum tm_box_op op, const uint8_t *token,
                          const uint8_t surb[static TM_SPHINX_SURB_LEN], const uint8_t id[static TM_BOX_ID_LEN],
                          const uint8_t signature[static TM_BOX_SIGNATURE_LEN], const uint8_t box[static TM_BOX_LEN])
{
  struct tm_writer w = tm_writer_init(body, TM_SPHINX_BODY_LEN);

  tm_write_u8(&w, TM_BOX_VERSION);
  tm_write_u8(&w, (uint8_t)op);
  tm_write_zeros(&w, REQUEST_RESERVED);
  if (token != NULL)
    tm_write_bytes(&w, token, TM_BOX_TOKEN_LEN);
  else
    tm_write_zeros(&w, TM_BOX_TOKEN_LEN);
  tm_write_bytes(&w, surb, TM_SPHINX_SURB_LEN);
  tm_write_bytes(&w, id, TM_BOX_ID_LEN);
  tm_write_bytes(&w, signature, TM_BOX_SIGNATURE_LEN);
  tm_write_bytes(&w, box, TM_BOX_LEN);
  tm_write_fill(&w);
}

void tm_box_put_write(uint8_t body[static TM_SPHINX_BODY_LEN], const uint8_t *token,
                      const uint8_t surb[static TM_SPHINX_SURB_LEN], const uint8_t id[static TM_BOX_ID_LEN],
                      const uint8_t signature[static TM_BOX_SIGNATURE_LEN], const uint8_t box[static TM_BOX_LEN])
{
  write_request(body, TM_BOX_PUT, token, surb, id, signature, box);
}

void tm_box_get_write(uint8_t body[static TM_SPHINX_BODY_LEN], const uint8_t *token,
                      const uint8_t surb[static TM_SPHINX_SURB_LEN], const uint8_t id[static TM_BOX_ID_LEN],
                      const uint8_t random[static TM_BOX_GET_RANDOM_LEN])
{
  write_request(body, TM_BOX_GET, token, surb, id, random, random + TM_BOX_SIGNATURE_LEN);
}

static bool op_is_known(uint8_t op) { return op == TM_BOX_PUT || op == TM_BOX_GET; }

int tm_box_request_parse(const uint8_t body[static TM_SPHINX_BODY_LEN], struct tm_box_request *request)
{
  struct tm_reader r = tm_reader_init(body, TM_SPHINX_BODY_LEN);
  struct tm_box_request q = {0};
  uint8_t version = tm_read_u8(&r), op = tm_read_u8(&r);
  int err;

  *request = q;
  if (version != TM_BOX_VERSION || !op_is_known(op))
    return TM_E_UNKNOWN;
  q.op = (enum tm_box_op)op;
  tm_read_zeros(&r, REQUEST_RESERVED);
  q.token = tm_read_view(&r, TM_BOX_TOKEN_LEN);
  q.surb = tm_read_view(&r, TM_SPHINX_SURB_LEN);
  q.id = tm_read_view(&r, TM_BOX_ID_LEN);
  q.signature = tm_read_view(&r, TM_BOX_SIGNATURE_LEN);
  q.box = tm_read_view(&r, TM_BOX_LEN);
  tm_read_zeros(&r, REQUEST_FILL);
  if (q.op == TM_BOX_GET)
    q.signature = q.box = NULL;
  err = tm_reader_end(&r);
  if (err == TM_OK)
    *request = q;
  return err;
}

static struct tm_writer begin_answer(uint8_t body[static TM_SPHINX_BODY_LEN], enum tm_box_op op,
                                     enum tm_box_status status, unsigned work, const uint8_t id[static TM_BOX_ID_LEN])
{
  struct tm_writer w = tm_writer_init(body, TM_SPHINX_BODY_LEN);

  tm_write_u8(&w, TM_BOX_VERSION);
  tm_write_u8(&w, (uint8_t)op);
  tm_write_u8(&w, (uint8_t)status);
  tm_write_u8(&w, (uint8_t)work);
  tm_write_bytes(&w, id, TM_BOX_ID_LEN);
  return w;
}

void tm_box_answer_work_write(uint8_t body[static TM_SPHINX_BODY_LEN], const uint8_t id[static TM_BOX_ID_LEN],
                              unsigned bits)
{
  struct tm_writer w = begin_answer(body, TM_BOX_PUT, TM_BOX_WORK, bits, id);

  tm_write_fill(&w);
}

void tm_box_answer_write(uint8_t body[static TM_SPHINX_BODY_LEN], enum tm_box_op op, enum tm_box_status status,
                         const uint8_t id[static TM_BOX_ID_LEN], const uint8_t *signature, const uint8_t *box)
{
  struct tm_writer w = begin_answer(body, op, status, 0, id);

  if (status == TM_BOX_FOUND) {
    if (signature == NULL || box == NULL)
      abort(); /* the caller's mistake */
    tm_write_bytes(&w, signature, TM_BOX_SIGNATURE_LEN);
    tm_write_bytes(&w, box, TM_BOX_LEN);
  }
  tm_write_fill(&w);
}

/* Can an answer to op have this status? */
static bool status_fits(enum tm_box_op op, uint8_t status)
{
  switch (status) {
  case TM_BOX_STORED:
  case TM_BOX_REFUSED:
  case TM_BOX_CONFLICT:
  case TM_BOX_FULL:
  case TM_BOX_WORK:
    return op == TM_BOX_PUT;
  case TM_BOX_FOUND:
  case TM_BOX_MISSING:
    return op == TM_BOX_GET;
  case TM_BOX_FAILED:
    return true;
  default:
    return false;
  }
}

int tm_box_answer_parse(const uint8_t body[static TM_SPHINX_BODY_LEN], struct tm_box_answer *answer)
{
  struct tm_reader r = tm_reader_init(body, TM_SPHINX_BODY_LEN);
  struct tm_box_answer a = {0};
  uint8_t version = tm_read_u8(&r), op = tm_read_u8(&r), status = tm_read_u8(&r);
  int err;

  *answer = a;
  if (version != TM_BOX_VERSION || !op_is_known(op) || status == 0 || status > TM_BOX_WORK)
    return TM_E_UNKNOWN;
  if (!status_fits((enum tm_box_op)op, status))
    return TM_E_SYNTAX;
  a.op = (enum tm_box_op)op;
  a.status = (enum tm_box_status)status;
  a.work = tm_read_u8(&r);
  if (a.status == TM_BOX_WORK ? a.work == 0 || a.work > TM_BOX_WORK_MAX : a.work != 0)
    return TM_E_SYNTAX;
  a.id = tm_read_view(&r, TM_BOX_ID_LEN);
  if (a.status == TM_BOX_FOUND) {
    a.signature = tm_read_view(&r, TM_BOX_SIGNATURE_LEN);
    a.box = tm_read_view(&r, TM_BOX_LEN);
  }
  tm_read_zeros(&r, tm_reader_left(&r));
  err = tm_reader_end(&r);
  if (err == TM_OK)
    *answer = a;
  return err;
}
