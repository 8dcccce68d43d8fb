/*
 * Rows of messages, ours until the peer has acknowledged them, and the peer's until the contact is forgotten; and
 * pieces of those that are too long for one box. Writes join the state's transaction. Private to the engine; one
 * thread.
 */
#ifndef TM_CLIENT_MESSAGE_H
#define TM_CLIENT_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "box/record.h"
#include "client/state.h"

enum tm_way { TM_WAY_OUT = 0, TM_WAY_IN = 1 };

enum tm_message_state {
  TM_MESSAGE_UPLOADING = 1, /* out: its pieces are on their way to the stores */
  TM_MESSAGE_WAITING = 2,   /* out: for a slot's box */
  TM_MESSAGE_BOXED = 3,     /* out: in the box of row.slot, which is not known to be stored in time yet */
  TM_MESSAGE_ACCEPTED =
      4, /* out: stored in time; until acknowledged, when the row goes; row.due: when to send it again */
  TM_MESSAGE_FETCHING = 5, /* in: announced */
  TM_MESSAGE_FAILED =
      6, /* in: a piece was in neither store, or the whole was not what was announced; waits for a new announcement */
  TM_MESSAGE_COMPLETE = 7, /* in */
  TM_MESSAGE_REFUSED = 8   /* in: over our limits; counts as received, but nothing is shown */
};

enum tm_message_kind { TM_KIND_INLINE = 0, TM_KIND_BULK_TEXT = TM_BULK_TEXT, TM_KIND_BULK_FILE = TM_BULK_FILE };

struct tm_message_row {
  uint64_t id;
  uint64_t conv;
  enum tm_way way;
  uint32_t number;
  enum tm_message_state state;
  uint64_t slot;
  uint64_t due;      /* unix s */
  uint32_t tries;    /* how often it was accepted, and not acknowledged */
  uint64_t size;     /* bytes of content */
  uint64_t delivery; /* in: order in which they became readable, over all contacts; 0: not yet */
  bool unread;
  /* sealed */
  enum tm_message_kind kind;
  uint64_t sent_s, received_s;
  uint8_t hash[32];                          /* bulk */
  uint8_t capability[TM_BOX_CAPABILITY_LEN]; /* bulk */
  uint8_t seed[TM_BOX_SEED_LEN];             /* bulk, out */
  uint8_t piece_key[32]; /* bulk, out: the seals' randomness comes from it, so that a piece is always the same box */
  size_t name_len;
  char name[TM_BULK_NAME_MAX + 1];
};

/* Inserts and sets row->id. body: of an inline text, else NULL. */
void tm_message_insert(struct tm_state *s, struct tm_message_row *row, const uint8_t *body, size_t body_len);
/* Writes everything but the body. */
void tm_message_update(struct tm_state *s, const struct tm_message_row *row);
void tm_message_delete(struct tm_state *s, uint64_t id);   /* with its pieces */
void tm_message_forget(struct tm_state *s, uint64_t conv); /* all of a conversation */

/* Errors of these: TM_E_NOT_FOUND, TM_E_AUTH and TM_E_SYNTAX (damaged), TM_E_IO. */
int tm_message_find(struct tm_state *s, uint64_t conv, enum tm_way way, uint32_t number,
                    struct tm_message_row *row) TM_MUST_CHECK;
/* The first of that conversation and state with a number above after. */
int tm_message_first(struct tm_state *s, uint64_t conv, enum tm_way way, enum tm_message_state state, uint32_t after,
                     struct tm_message_row *row) TM_MUST_CHECK;
/* The oldest of that state in any conversation with id above after. */
int tm_message_oldest(struct tm_state *s, enum tm_way way, enum tm_message_state state, uint64_t after,
                      struct tm_message_row *row) TM_MUST_CHECK;
/* The first readable one with delivery number above after; conv 0: of all. */
int tm_message_delivered(struct tm_state *s, uint64_t conv, uint64_t after, bool only_unread,
                         struct tm_message_row *row) TM_MUST_CHECK;
/* Ours, accepted, and due to be sent again. */
int tm_message_overdue(struct tm_state *s, uint64_t now_s, uint64_t after, struct tm_message_row *row) TM_MUST_CHECK;
/* Content, inline or joined from pieces; freed by the caller with tm_file_free(data, row->size); NUL behind it. */
int tm_message_body(struct tm_state *s, const struct tm_message_row *row, uint8_t **data) TM_MUST_CHECK;

/* All of a conversation that are boxed in that slot change their state. */
void tm_message_settle(struct tm_state *s, uint64_t conv, uint64_t slot, enum tm_message_state state, uint64_t due);
/* Numbers of our messages up to number; ids of the rows, at most cap; returns how many. */
size_t tm_message_acked(struct tm_state *s, uint64_t conv, uint32_t number, uint64_t ids[], size_t cap);

uint64_t tm_message_count(struct tm_state *s, uint64_t conv, enum tm_way way, enum tm_message_state state);
uint64_t tm_message_unread(struct tm_state *s, uint64_t conv);
void tm_message_outbox(struct tm_state *s, uint64_t *count, uint64_t *bytes); /* of all conversations */
/* Last number up to which all of ours are accepted, given the next one to be given out. */
uint32_t tm_message_accepted(struct tm_state *s, uint64_t conv, uint32_t next);

/* Pieces. done: bits of the stores that have it (out), 1 (in). */
void tm_piece_put(struct tm_state *s, uint64_t message, uint32_t n, const uint8_t data[static TM_BULK_PIECE_LEN],
                  unsigned done);
int tm_piece_get(struct tm_state *s, uint64_t message, uint32_t n,
                 uint8_t data[static TM_BULK_PIECE_LEN]) TM_MUST_CHECK;
void tm_piece_mark(struct tm_state *s, uint64_t message, uint32_t n, unsigned done);
void tm_piece_unmark(struct tm_state *s, uint64_t message); /* done = 0 for all */
void tm_piece_delete(struct tm_state *s, uint64_t message);
/* marks[n] = done of the pieces that have a row. */
void tm_piece_marks(struct tm_state *s, uint64_t message, uint8_t marks[], uint32_t pieces);

static inline uint32_t tm_pieces_of(uint64_t size)
{
  return (uint32_t)((size + TM_BULK_PIECE_LEN - 1) / TM_BULK_PIECE_LEN);
}

#endif
