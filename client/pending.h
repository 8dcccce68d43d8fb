/*
 * Boxes of slots that are sealed and on disk, and wait for their stores' answers. A row is written before the first
 * put, and what is sent is only ever what it holds: so a crash never leads to a second text under one index. Private to
 * the engine; one thread.
 */
#ifndef TM_CLIENT_PENDING_H
#define TM_CLIENT_PENDING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "box/box.h"
#include "client/state.h"

#define TM_PENDING_MAX 1024
#define TM_PENDING_CONFLICT(k) (4u << (k)) /* in done: another box is in store k */
#define TM_PENDING_CONFLICTS 15u           /* in both */

struct tm_pending {
  bool used;
  uint64_t conv;
  uint64_t slot;
  unsigned full; /* bit k: store k has said that it is full; not kept on disk */
  unsigned done; /* bit k: store k has answered for good; and the marks above */
  bool accepted; /* one has stored it in time */
  bool has_ack;  /* carries an acknowledgement */
  bool has_text; /* carries a pairing message */
  uint8_t id[TM_BOX_ID_LEN];
  uint8_t signature[TM_BOX_SIGNATURE_LEN];
  uint8_t box[TM_BOX_LEN];
};

struct tm_pending *tm_pending_table_new(void); /* TM_PENDING_MAX, unused; freed with free; NULL: no memory */
/* A free one, not on disk yet. NULL: full. */
struct tm_pending *tm_pending_free_one(struct tm_pending *table);
void tm_pending_insert(struct tm_pending *p, struct tm_state *s);
void tm_pending_update(struct tm_pending *p, struct tm_state *s); /* done and accepted */
void tm_pending_remove(struct tm_pending *p, struct tm_state *s);
struct tm_pending *tm_pending_find(struct tm_pending *table, uint64_t conv, uint64_t slot); /* NULL: none */
/* Errors: TM_E_AUTH, TM_E_SYNTAX, TM_E_FULL, TM_E_IO. */
int tm_pending_load(struct tm_pending *table, struct tm_state *s) TM_MUST_CHECK;

#endif
