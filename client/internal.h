/*
 * What the files of the engine share: the client itself, and what one part asks of another. Nothing of it may be used
 * from outside (engine.h is for that). One thread.
 *
 * Every entry point begins with tm_engine_begin and ends with tm_engine_finish, which writes what changed in one
 * transaction. A failure to write is final: memory may be ahead of the disk, so nothing more is sent, and every further
 * call says so.
 */
#ifndef TM_CLIENT_INTERNAL_H
#define TM_CLIENT_INTERNAL_H

#include "box/request.h"
#include "box/work.h"
#include "client/conv.h"
#include "client/engine.h"
#include "client/guard.h"
#include "client/message.h"
#include "client/network.h"
#include "client/pending.h"
#include "client/pool.h"
#include "client/schedule.h"
#include "client/state.h"

/* Limits of ours (doc/spec/client.md). */
#define TM_OUTBOX_MESSAGES_MAX 1024u
#define TM_OUTBOX_BYTES_MAX (64ull * 1024 * 1024)
#define TM_INBOX_BYTES_MAX (256ull * 1024 * 1024) /* not read yet, of one contact */
#define TM_AHEAD_MAX 1024u                        /* a message so far beyond the first missing one is not taken */
#define TM_ANNOUNCED_MAX 16u                      /* bulk messages of one contact that are on their way */
#define TM_TRANSFERS_MAX 8u     /* bulk messages that are moved at a time, half of them for each way */
#define TM_TRANSFER_WINDOW 256u /* requests of one of them that are out */
#define TM_RESEND_S 20u         /* at least; and at least TM_RESEND_SLOTS slots */
#define TM_RESEND_SLOTS 20u
#define TM_SILENT_ROUNDS 8u /* of two requests, until a piece whose stores are silent is given up */
#define TM_EFFORT_AHEAD 8u  /* pieces that are worked for before their turn */
#define TM_GIVE_UP 4u /* a piece that is in one store is put to the other so often */

struct tm_transfers;

struct tm_client {
  struct tm_clock clock;
  struct tm_rng rng;
  struct tm_state *state;
  int failed; /* TM_OK, or why nothing works any more */

  struct tm_trust *trust;
  struct tm_document *doc; /* perhaps expired; never NULL */
  struct tm_network *net;
  const struct tm_params *params;
  uint64_t asked_ms; /* when the entry was last asked for a document; 0: never */

  tm_sphinx *sphinx;
  struct tm_schedule *schedule;
  struct tm_pool *pool;
  struct tm_conv *conv; /* TM_CONV_MAX */
  struct tm_pending *pending;
  struct tm_transfers *transfers;
  uint64_t slot;       /* the last one that everything was moved to; 0: none */
  uint64_t settled_ms; /* when boxes were last looked over */
  bool rolled;         /* since the last checkpoint */
  unsigned turn;       /* of choosing among kinds of work */
  uint64_t work_order; /* the last that was given out */
  uint64_t working;    /* the one that a proof is searched for; 0: none */
  bool stores_full;    /* a box was refused by both its stores, and none has been stored since */

  struct tm_guard *guard;
  bool link_up;
  uint8_t entry[32]; /* identity of the entry that we have, or try to have, a link to */
  uint8_t handle[TM_SPHINX_HANDLE_LEN];

  bool prepared;               /* packet is what leaves at the next tick */
  struct tm_request *upcoming; /* its request; NULL: nobody waits for an answer */
  bool upcoming_loop;
  uint64_t prepared_epoch;
  uint8_t packet[TM_SPHINX_PACKET_LEN];

  bool changed; /* something that a user may want to see */
  void (*on_change)(void *arg);
  void *on_change_arg;
  uint64_t ticks, requests, loops, loops_back, replies, retries, bad_replies;
};

/* engine.c */
int tm_engine_begin(struct tm_client *c) TM_MUST_CHECK;           /* TM_OK or why nothing works any more */
int tm_engine_finish(struct tm_client *c, int err) TM_MUST_CHECK; /* passes err on, unless writing failed */
uint64_t tm_engine_wall_ms(const struct tm_client *c);
static inline uint64_t tm_engine_wall_s(const struct tm_client *c) { return tm_engine_wall_ms(c) / 1000; }
bool tm_engine_document_valid(const struct tm_client *c); /* now */
uint64_t tm_engine_epoch(const struct tm_client *c);
uint64_t tm_engine_slot(const struct tm_client *c);         /* the present one */
uint64_t tm_engine_readable_end(const struct tm_client *c); /* the first slot that may not be read yet */
uint64_t tm_engine_slot_deadline_ms(const struct tm_client *c, uint64_t slot); /* wall: when it may be read */
uint64_t tm_engine_resend_s(const struct tm_client *c);
double tm_engine_request_ms(const struct tm_client *c);                 /* mean time between two requests */
const struct tm_relay_info *tm_engine_entry(const struct tm_client *c); /* in the present document; NULL: gone */
void tm_engine_drop_prepared(struct tm_client *c);
void tm_engine_store_document(struct tm_state *s, const struct tm_document *doc);

/* packet.c: packets of requests and of loops into c->packet. A request without way (a key is missing) is an error:
 * TM_E_NOT_FOUND. */
int tm_packet_store(struct tm_client *c, struct tm_request *r, const uint8_t *signature,
                    const uint8_t *box) TM_MUST_CHECK;
int tm_packet_decoy(struct tm_client *c,
                    struct tm_request *r) TM_MUST_CHECK; /* r may be NULL: the answer is not waited for */
int tm_packet_loop(struct tm_client *c, struct tm_request *r) TM_MUST_CHECK;

/* work.c: what the next packet is. */
void tm_work_prepare(struct tm_client *c);
/* An answer, or that none came (NULL), to a request that is out; r is another or free afterwards. */
void tm_work_answer(struct tm_client *c, struct tm_request *r, const struct tm_box_answer *answer);
/* Requests whose time is over. */
void tm_work_overdue(struct tm_client *c);
/* The link is gone, and with it all answers. */
void tm_work_link_lost(struct tm_client *c);
/* What to do after a store did not give what was read for. */
enum tm_next { TM_NEXT_AGAIN, TM_NEXT_MISSING };
enum tm_next tm_work_next_store(struct tm_request *r, bool answered, bool hurry); /* hurry: two silent stores end it */
void tm_work_later(struct tm_client *c, struct tm_request *r); /* again after a request's time-out */

/* effort.c: proofs of work for puts. */
/* May its packet be made? false: it is a put without a good proof, and WORKING now. */
bool tm_effort_ready(struct tm_client *c, struct tm_request *r);
struct tm_request *tm_effort_take(struct tm_client *c, enum tm_request_kind kind); /* proved, and never sent; NULL: none */
void tm_effort_settle(struct tm_client *c); /* those that were sent before and are proved now: READY */
size_t tm_effort_pieces(struct tm_client *c); /* that are WORKING before they were ever sent */
/* The store wants more work. false: not more than it got, or more than it may ask for. */
bool tm_effort_raise(struct tm_client *c, struct tm_request *r, const struct tm_box_answer *answer);

/* reading.c: slots of sequences. */
struct tm_request *tm_reading_next(struct tm_client *c); /* the oldest unread closed slot; NULL: none. PREPARED */
int tm_reading_packet(struct tm_client *c, struct tm_request *r) TM_MUST_CHECK; /* TM_E_STATE: no longer wanted */
void tm_reading_answer(struct tm_client *c, struct tm_request *r, const struct tm_box_answer *answer);
void tm_reading_restart(struct tm_conv *conv, uint64_t slot); /* from that slot on, another sequence perhaps */
/* Gives up what is before that slot. Reads of later slots that are out go on: they are not asked for again. */
void tm_reading_skip(struct tm_conv *conv, uint64_t slot);

/* writing.c: boxes of slots. */
struct tm_request *tm_writing_next(struct tm_client *c);
int tm_writing_packet(struct tm_client *c, struct tm_request *r) TM_MUST_CHECK;
void tm_writing_answer(struct tm_client *c, struct tm_request *r, const struct tm_box_answer *answer);
void tm_writing_settle(struct tm_client *c); /* boxes whose time is over */
bool tm_writing_is_wanted(struct tm_client *c, const struct tm_request *r); /* its put may still come in time */
/* Draws the moment in the present slot at which it is decided whether that place writes. */
void tm_writing_draw(struct tm_client *c, struct tm_conv *conv);
void tm_writing_decide(struct tm_client *c); /* those whose moment has come */
void tm_writing_resume(struct tm_client *c); /* after opening: requests for boxes that are not done */
void tm_writing_forget(struct tm_client *c, uint64_t conv);

/* bulk.c: pieces of long messages. */
int tm_bulk_new(struct tm_transfers **out) TM_MUST_CHECK;
void tm_bulk_free(struct tm_transfers *t);
struct tm_request *tm_bulk_next(struct tm_client *c);
int tm_bulk_packet(struct tm_client *c, struct tm_request *r) TM_MUST_CHECK;
void tm_bulk_answer(struct tm_client *c, struct tm_request *r, const struct tm_box_answer *answer);
bool tm_bulk_is_wanted(struct tm_client *c, const struct tm_request *r);
void tm_bulk_drop(struct tm_client *c, uint64_t message);                           /* stops moving it */
bool tm_bulk_progress(const struct tm_client *c, uint64_t message, uint32_t *done); /* false: it is not being moved */
/* A fresh one-time sequence for a message of ours: seed, capability, piece key; nothing is stored yet. */
void tm_bulk_fresh(struct tm_client *c, struct tm_message_row *row);
void tm_bulk_restart(struct tm_client *c, struct tm_message_row *row); /* all pieces again, under a fresh sequence */

/* conversation.c: records. */
/* Packs what waits into a box's text; false: nothing does. Messages in it become BOXED in that slot. */
bool tm_conversation_pack(struct tm_client *c, struct tm_conv *conv, uint64_t slot,
                          uint8_t text[static TM_BOX_TEXT_LEN], bool *has_ack);
void tm_conversation_read(struct tm_client *c, struct tm_conv *conv, uint64_t slot,
                          const uint8_t text[static TM_BOX_TEXT_LEN]);
void tm_conversation_deliver(struct tm_client *c, struct tm_conv *conv); /* what follows without a gap */
void tm_conversation_resend(struct tm_client *c);
void tm_conversation_resume(struct tm_client *c);

/* meeting.c: pairing. */
int tm_meeting_reader(const struct tm_conv *conv, uint64_t slot, struct tm_box_reader *reader) TM_MUST_CHECK;
void tm_meeting_writer(const struct tm_conv *conv, uint64_t slot, struct tm_box_writer *writer);
void tm_meeting_read(struct tm_client *c, struct tm_conv *conv, uint64_t slot,
                     const uint8_t text[static TM_BOX_TEXT_LEN]);
void tm_meeting_accepted(struct tm_client *c, struct tm_conv *conv, uint64_t slot); /* our message is in a store */
void tm_meeting_contest(struct tm_client *c, struct tm_conv *conv);                 /* somebody else used the code */

/* places.c: the K places. */
void tm_places_roll(struct tm_client *c); /* to the present slot */
void tm_places_fill(struct tm_client *c); /* as many as the document says, as far as contacts allow */
struct tm_conv *tm_places_take(struct tm_client *c, enum tm_conv_kind kind); /* instead of a decoy; NULL: none left */
void tm_places_release(struct tm_client *c, struct tm_conv *conv,
                       enum tm_contact_state why); /* listed as that, without a place */
void tm_places_forget(struct tm_client *c, struct tm_conv *conv);
bool tm_places_have_room(const struct tm_client *c);

#endif
