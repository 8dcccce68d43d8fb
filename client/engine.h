/*
 * libtidemill: the client's engine (doc/spec/client.md). It owns the state and decides what to send; it has no socket,
 * no event loop and reads time and randomness only from what it was given. A daemon gives it ticks, replies and
 * documents, and the user's commands.
 *
 * One thread. One process per state directory (the daemon holds a lock; tm_client_open takes it: TM_E_EXISTS if
 * somebody has it). Everything that matters is on disk, in one SQLite transaction, before a function that reports
 * success returns, so a crash at any moment leaves it usable. Every secret, name and text is sealed under a key that
 * Argon2id makes of the passphrase.
 */
#ifndef TM_CLIENT_ENGINE_H
#define TM_CLIENT_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/rng.h"
#include "box/invite.h"
#include "box/pairing.h"
#include "box/work.h"
#include "directory/document.h"
#include "sphinx/sphinx.h"

#define TM_CLIENT_STATE_FILE "state.db" /* in the state directory: there is a state */
#define TM_CLIENT_NAME_MAX 63 /* contact names: bytes of valid UTF-8, no control characters */
#define TM_CLIENT_TEXT_MAX (1024u * 1024)
#define TM_CLIENT_FILE_MAX (16u * 1024 * 1024)
#define TM_CLIENT_NEVER_S (100ull * 365 * 86400) /* status: the clock is too slow to catch up */
#define TM_CLIENT_INVITE_S (7u * 24 * 3600)      /* how long an invite waits, unless the boxes expire sooner */

struct tm_client;

/* ---- life ---- */

/*
 * Makes a state directory (mode 0700; one that is there must be the user's, and gets it) with a new state. trust: authorities as text (directory.md); document: signed,
 * checked now. passphrase may be empty (the caller has asked for that explicitly). Errors: TM_E_EXISTS, TM_E_IO,
 * TM_E_NOMEM and those of tm_document_open.
 */
int tm_client_create(const char *dir, const char *passphrase, const char *trust, size_t trust_len,
                     const uint8_t *document, size_t document_len, const struct tm_clock *clock,
                     const struct tm_rng *rng) TM_MUST_CHECK;
/* Errors: TM_E_NOT_FOUND (no state there), TM_E_AUTH (wrong passphrase), TM_E_EXISTS (in use), TM_E_IO, TM_E_NOMEM,
 * TM_E_UNKNOWN (a newer program's state). An expired document is not an error here. */
int tm_client_open(struct tm_client **out, const char *dir, const char *passphrase, const struct tm_clock *clock,
                   const struct tm_rng *rng) TM_MUST_CHECK;
void tm_client_close(struct tm_client *c); /* NULL is fine; wipes */

/* TM_OK, or why the state could not be written: then nothing works any more until it is opened again. */
int tm_client_failure(const struct tm_client *c);

/* ---- network side ---- */

/*
 * The entry to hold a link to: the guard, or its spare when told that the guard failed; NULL: the document has none. An
 * expired document still names it, so that a newer one can be asked for there. Valid until the next document.
 */
const struct tm_relay_info *tm_client_entry(struct tm_client *c);
/* The link to the entry could not be made or broke (failed), or is up with that session handle. */
void tm_client_link_down(struct tm_client *c, bool failed);
void tm_client_link_up(struct tm_client *c, const uint8_t handle[static TM_SPHINX_HANDLE_LEN]);
/* When the next packet is due, on the monotonic clock in ms with a fraction; only while the link is up and the document
 * valid, else HUGE_VAL. */
double tm_client_next_tick(const struct tm_client *c);
/* The packet that is due, and draws the next tick. Always gives one: request or loop, real or decoy. It was made before,
 * so that this takes the same short time whatever it is. Errors: TM_E_STATE (link down or no valid document), TM_E_IO,
 * TM_E_NOMEM (tm_client_failure). */
int tm_client_tick(struct tm_client *c, uint8_t packet[static TM_SPHINX_PACKET_LEN]) TM_MUST_CHECK;
/* Makes the packet of the next tick, and writes to disk what it depends on; to be called when the last one has left.
 * What it takes must not show in when a packet leaves. Without it the next tick does it. Errors: TM_E_IO, TM_E_NOMEM. */
int tm_client_prepare(struct tm_client *c) TM_MUST_CHECK;
/*
 * A proof of work that the engine wants, for a put. It is searched for somewhere else, with tm_box_work_search and in as
 * many calls as that takes, and given back with tm_client_work_done; until then the engine wants no other. To be asked
 * after tm_client_prepare and tm_client_work_done. false: none. The caller wipes it.
 */
bool tm_client_work_next(struct tm_client *c, struct tm_box_work *work);
void tm_client_work_done(struct tm_client *c, const struct tm_box_work *work);
/* What the entry handed on. An unknown identifier or a broken payload is counted and forgotten. payload is used as
 * scratch. */
void tm_client_reply(struct tm_client *c, const uint8_t surb_id[static TM_SPHINX_SURB_ID_LEN],
                     uint8_t payload[static TM_SPHINX_PAYLOAD_LEN]);
/* Digest of the text of the document held, 32 bytes, for the document request. */
const uint8_t *tm_client_document_digest(const struct tm_client *c);
/* Should the daemon ask the entry for a document now? (past half of its validity, or none valid; at most once per some
 * minutes or a tenth of the validity) */
bool tm_client_document_due(struct tm_client *c);
/* A newer one. Errors: those of tm_document_open; TM_E_EXISTS (older or the same), TM_E_CONFLICT (another network). The
 * old one stays then. */
int tm_client_document(struct tm_client *c, const uint8_t *bytes, size_t len) TM_MUST_CHECK;

/* ---- user side ---- */

enum tm_contact_state {
  TM_CONTACT_INVITED = 1,    /* we made the code; nobody used it yet */
  TM_CONTACT_ACCEPTING = 2,  /* we typed the code; the other has not answered yet */
  TM_CONTACT_CONFIRMING = 3, /* inviter: the offer is out */
  TM_CONTACT_READY = 4,
  TM_CONTACT_EXPIRED = 5,  /* the invite timed out or was revoked */
  TM_CONTACT_CONTESTED = 6 /* the code was used by more than one party: do not trust; pair again */
};

struct tm_contact {
  char name[TM_CLIENT_NAME_MAX + 1];
  enum tm_contact_state state;
  bool contested;     /* somebody else used the code too (shown by safety and contacts, whatever the state) */
  uint64_t since_s;   /* unix */
  uint64_t expires_s; /* of a pending invite; else 0 */
  uint32_t sent, accepted,
      delivered;     /* own messages: last number given out; safely in the stores; acknowledged by the peer */
  uint32_t received; /* last number received without a gap */
  uint32_t unread;
};

/* Errors of all that take a name: TM_E_SYNTAX (bad name), TM_E_NOT_FOUND, TM_E_EXISTS. */
/* code: to be shown once. Errors also: TM_E_FULL (all K sequences are taken), TM_E_STATE (no valid document). */
int tm_client_invite(struct tm_client *c, const char *name, char code[static TM_INVITE_TEXT_LEN]) TM_MUST_CHECK;
/* Errors also: TM_E_FULL, TM_E_STATE, TM_E_AUTH (mistyped: *why says how), TM_E_CONFLICT (a code of our own, or one
 * that was typed already). */
int tm_client_accept(struct tm_client *c, const char *name, const char *typed,
                     struct tm_invite_error *why) TM_MUST_CHECK;
/* Takes a pending invite back, or forgets a contact with all keys and messages; its place becomes a decoy again. */
int tm_client_forget(struct tm_client *c, const char *name) TM_MUST_CHECK;
size_t tm_client_contacts(struct tm_client *c);
int tm_client_contact(struct tm_client *c, size_t i, struct tm_contact *contact) TM_MUST_CHECK;
int tm_client_find(struct tm_client *c, const char *name, struct tm_contact *contact) TM_MUST_CHECK;
/* Errors also: TM_E_STATE (not paired yet). */
int tm_client_safety(struct tm_client *c, const char *name, char text[static TM_SAFETY_TEXT_LEN]) TM_MUST_CHECK;

/* Takes a text (UTF-8) or a file into the outbox, durably. file_name NULL: a text. *number: of the message. Errors
 * also: TM_E_STATE, TM_E_TOO_BIG, TM_E_LENGTH (empty), TM_E_SYNTAX (not UTF-8, bad file name), TM_E_FULL (outbox). */
int tm_client_send(struct tm_client *c, const char *name, const char *file_name, const uint8_t *data, size_t len,
                   uint32_t *number) TM_MUST_CHECK;

struct tm_progress {
  uint32_t number;
  uint32_t pieces, done; /* boxes of the message and how many are in both stores, or read */
  bool accepted;         /* in the stores, in time for the peer to read it */
  bool delivered;        /* the peer said so */
};
/* How far a message of ours is. Errors: TM_E_NOT_FOUND. */
int tm_client_progress(struct tm_client *c, const char *name, uint32_t number,
                       struct tm_progress *progress) TM_MUST_CHECK;

struct tm_message {
  uint64_t id;                       /* grows; unique in this state */
  char name[TM_CLIENT_NAME_MAX + 1]; /* from whom */
  uint32_t number;
  uint64_t sent_s, received_s; /* the sender's word; ours */
  bool unread;
  bool file;
  char file_name[256]; /* if file; safe as a name in one's own directory */
  const uint8_t *data; /* text or file content; valid during the callback; NUL behind it */
  size_t len;
};
/* Calls f for each complete message with id > after, oldest first (name NULL: of all), until it returns false. */
int tm_client_messages(struct tm_client *c, const char *name, uint64_t after, bool only_unread,
                       bool (*f)(void *arg, const struct tm_message *m), void *arg) TM_MUST_CHECK;
int tm_client_mark_read(struct tm_client *c, uint64_t id) TM_MUST_CHECK;

/* Files on their way in. Calls f for each announced and incomplete one. */
int tm_client_incoming(struct tm_client *c,
                       bool (*f)(void *arg, const char *name, uint32_t number, uint32_t pieces, uint32_t done),
                       void *arg) TM_MUST_CHECK;

struct tm_client_status {
  bool document_valid;
  uint64_t document_until_s;
  char network[64];
  char entry[TM_RELAY_NAME_MAX + 1]; /* "" : none */
  bool link_up;
  uint32_t sequences, contacts, pending; /* K; places taken by contacts; of those not ready */
  uint64_t slots_behind;                 /* closed slots not read yet, over all sequences */
  uint64_t catch_up_s;                   /* estimate at the clock's ordinary rate */
  double catch_up_per_hour_s;            /* how long one hour offline takes to read */
  uint32_t waiting;                      /* requests that wait to be sent or answered */
  uint32_t working;                      /* of these, puts that wait for their proof of work */
  uint32_t refused;                      /* of these, puts whose store has said that it is full */
  bool stores_full;                      /* both stores of a box have said so, and no box was stored since */
  uint64_t ticks, requests, loops, loops_back, replies, retries, bad_replies; /* since open */
};
void tm_client_status(struct tm_client *c, struct tm_client_status *status);

/* Called, from within the calls above, when something changed that a user may want to see: message, contact or
 * progress. May be NULL. */
void tm_client_on_change(struct tm_client *c, void (*f)(void *arg), void *arg);

#endif
