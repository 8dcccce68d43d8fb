/*
 * What client and store say to each other inside a Sphinx body (doc/spec/boxes.md). Bytes in, bytes out; any thread.
 *
 *   request (2048): version 1 (1) | op (1) | zero (2) | token (96) | SURB (377) | id (32) | signature (64) | box (1472)
 *                   | zero (3)
 *   answer (2048):  version 1 (1) | op (1) | status (1) | work (1) | id (32) | signature (64) | box (1472) | zero (476)
 *
 * The token is the proof of work of a PUT (box/work.h); in a GET it has random bytes there. work is zero unless status is
 * WORK.
 *
 * In a GET signature and box are random, so that all requests look alike to whoever compresses or counts. In an answer
 * they are zero unless status is FOUND.
 */
#ifndef TM_BOX_REQUEST_H
#define TM_BOX_REQUEST_H

#include "base/err.h"
#include "box/box.h"
#include "sphinx/sphinx.h"

#define TM_BOX_VERSION 1
#define TM_BOX_TOKEN_LEN 96
#define TM_BOX_WORK_MAX 63

enum tm_box_op { TM_BOX_PUT = 1, TM_BOX_GET = 2 };

enum tm_box_status {
  TM_BOX_STORED = 1,   /* PUT: on disk; also when the same box was there already */
  TM_BOX_FOUND = 2,    /* GET */
  TM_BOX_MISSING = 3,  /* GET */
  TM_BOX_REFUSED = 4,  /* PUT: point or signature bad */
  TM_BOX_CONFLICT = 5, /* PUT: another box has this id */
  TM_BOX_FULL = 6,     /* PUT: quota; try later */
  TM_BOX_FAILED = 7,   /* the store's disk failed; try later */
  TM_BOX_WORK = 8      /* PUT: its proof of work has too few bits */
};

/* A parsed request; pointers look into the body. */
struct tm_box_request {
  enum tm_box_op op;
  const uint8_t *token; /* 96 */
  const uint8_t *surb;  /* TM_SPHINX_SURB_LEN */
  const uint8_t *id;
  const uint8_t *signature; /* PUT */
  const uint8_t *box;       /* PUT */
};

struct tm_box_answer {
  enum tm_box_op op;
  enum tm_box_status status;
  unsigned work; /* WORK: the bits that the store asks for, 1 to TM_BOX_WORK_MAX; else 0 */
  const uint8_t *id;
  const uint8_t *signature; /* FOUND, else NULL */
  const uint8_t *box;       /* FOUND, else NULL */
};

/* token: 96 bytes or NULL for zeros. */
void tm_box_put_write(uint8_t body[static TM_SPHINX_BODY_LEN], const uint8_t *token,
                      const uint8_t surb[static TM_SPHINX_SURB_LEN], const uint8_t id[static TM_BOX_ID_LEN],
                      const uint8_t signature[static TM_BOX_SIGNATURE_LEN], const uint8_t box[static TM_BOX_LEN]);
#define TM_BOX_GET_RANDOM_LEN (TM_BOX_SIGNATURE_LEN + TM_BOX_LEN)
void tm_box_get_write(uint8_t body[static TM_SPHINX_BODY_LEN], const uint8_t *token,
                      const uint8_t surb[static TM_SPHINX_SURB_LEN], const uint8_t id[static TM_BOX_ID_LEN],
                      const uint8_t random[static TM_BOX_GET_RANDOM_LEN]);
/* Errors: TM_E_UNKNOWN (version, op), TM_E_SYNTAX (zeros that are not). */
int tm_box_request_parse(const uint8_t body[static TM_SPHINX_BODY_LEN], struct tm_box_request *request) TM_MUST_CHECK;

/* signature and box: NULL unless status is FOUND. For all status but WORK. */
void tm_box_answer_write(uint8_t body[static TM_SPHINX_BODY_LEN], enum tm_box_op op, enum tm_box_status status,
                         const uint8_t id[static TM_BOX_ID_LEN], const uint8_t *signature, const uint8_t *box);
/* The answer WORK to a PUT. bits: 1 to TM_BOX_WORK_MAX. */
void tm_box_answer_work_write(uint8_t body[static TM_SPHINX_BODY_LEN], const uint8_t id[static TM_BOX_ID_LEN], unsigned bits);
/* Errors: TM_E_UNKNOWN, TM_E_SYNTAX (also a status that its op cannot have). */
int tm_box_answer_parse(const uint8_t body[static TM_SPHINX_BODY_LEN], struct tm_box_answer *answer) TM_MUST_CHECK;

#endif
