/*
 * One of the client's conversations: a contact, a pairing, or a decoy (a conversation with itself). K of them have a
 * place in the rotation; contacts whose pairing came to nothing stay listed without one. All secret: they live in
 * sodium_malloc'ed memory.
 *
 * On disk every one is one sealed row of the same length, whatever its kind. Private to the engine; one thread.
 */
#ifndef TM_CLIENT_CONV_H
#define TM_CLIENT_CONV_H

#include <stdbool.h>
#include <stdint.h>

#include "box/box.h"
#include "box/invite.h"
#include "box/pairing.h"
#include "client/engine.h"
#include "client/state.h"

#define TM_CONV_WINDOW 64      /* slots of one sequence that may be read at a time: bits of read_done */
#define TM_CONV_PLACES_MAX 256 /* the most sequences that a document can ask for */
#define TM_CONV_GONE_MAX 32
#define TM_CONV_MAX (TM_CONV_PLACES_MAX + TM_CONV_GONE_MAX)

enum tm_conv_kind {
  TM_CONV_DECOY = 1,
  TM_CONV_INVITER = 2,
  TM_CONV_ACCEPTOR = 3,
  TM_CONV_CONTACT = 4,
  TM_CONV_GONE = 5 /* expired, revoked or contested: listed, without keys and without a place */
};

struct tm_conv {
  bool used;
  bool dirty;  /* differs from its row */
  uint64_t id; /* row; never used again */
  enum tm_conv_kind kind;
  enum tm_contact_state state;
  bool contested;
  char name[TM_CLIENT_NAME_MAX + 1];
  uint64_t since_s, expires_s;

  /* Pairing; zero in other kinds. */
  uint8_t code[TM_INVITE_SECRET_SYMBOLS];
  uint8_t ephemeral[32];
  uint8_t peer_public[32];
  bool has_peer_public;
  bool has_text;       /* text is to be written into a meeting slot from text_slot on */
  uint64_t text_slot;  /* UINT64_MAX: it is in a box that is not settled */
  uint64_t text_boxed; /* the slot of the last box with it; 0: none yet */
  uint8_t text[TM_BOX_TEXT_LEN];
  uint8_t safety[TM_PAIRING_SAFETY_LEN]; /* kept for good */

  /* Sequences. has_writer: ours; the chain belongs to a slot that we have not written in. has_reader: the peer's, or
   * our own (decoy). */
  bool has_writer, has_reader;
  struct tm_box_writer writer;
  struct tm_box_reader reader; /* its index is read_base (but for pairings, which read the meeting sequence) */
  uint64_t write_slot;         /* the first slot that may still be written */
  uint64_t read_base;          /* the oldest slot not read yet */
  uint64_t read_done;          /* bit i: slot read_base + i has been read */

  /* Messages. */
  uint32_t next_number; /* of our next message */
  uint32_t acked;       /* the peer has all of ours up to it */
  uint32_t received;    /* we have all of the peer's up to it */
  bool ack_due;
  uint64_t heard_slot; /* the newest slot in which the peer wrote something that we read */

  /* Not on disk. */
  uint32_t generation; /* moves when reads that are out no longer count */
  uint64_t read_sent;  /* bit i: a read of slot read_base + i waits to be sent again, or for an answer */
  bool decoy_write;    /* decoy: writes in this slot */
  uint64_t write_at_ms; /* wall: the moment of the present slot at which it is decided whether it writes */
  bool write_decided;
  bool write_now; /* decided: yes, and not done yet */
  bool waiting;        /* there may be messages to pack */
};

/* An array of TM_CONV_MAX in locked memory, all unused; freed with sodium_free. NULL: no memory. */
struct tm_conv *tm_conv_table_new(void);
/* A wiped, unused one made used with a row of its own (a write, committed by the caller). NULL: the table is full. */
struct tm_conv *tm_conv_add(struct tm_conv *table, struct tm_state *s, enum tm_conv_kind kind);
/* Deletes the row and wipes. Messages and pending boxes are the caller's. */
void tm_conv_remove(struct tm_conv *conv, struct tm_state *s);
/* Writes the rows of all that are dirty. */
void tm_conv_save(struct tm_conv *table, struct tm_state *s);
/* Reads all rows into an empty table. Errors: TM_E_AUTH, TM_E_SYNTAX, TM_E_FULL, TM_E_IO. */
int tm_conv_load(struct tm_conv *table, struct tm_state *s) TM_MUST_CHECK;

struct tm_conv *tm_conv_by_id(struct tm_conv *table, uint64_t id); /* NULL: gone */
struct tm_conv *tm_conv_by_name(struct tm_conv *table, const char *name);
static inline bool tm_conv_has_place(const struct tm_conv *c) { return c->used && c->kind != TM_CONV_GONE; }

#endif
