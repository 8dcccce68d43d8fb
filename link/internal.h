/*
 * What the files of this room share; nobody else includes it, tests aside. Thread: the loop's.
 *
 * Life of a link: tm_link_kill takes it off the network at once (sockets and events are gone, state DEAD) and puts it
 * on the context's list of the dead; its memory stays until the context's turn event, which calls `down` and frees
 * it. So code that has called a callback only needs to look at the state afterwards, and a callback may do to any
 * link what it likes.
 *
 * The context's turn event runs once at the end of each turn of the loop in which there was something to do: it
 * encrypts and writes what was queued (that is how many sends become one write), then buries the dead.
 */
#ifndef TM_LINK_INTERNAL_H
#define TM_LINK_INTERNAL_H

#include <sys/queue.h>
#include <sys/socket.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <event2/event.h>
#include <event2/util.h>

#include "link/link.h"
#include "link/prefix.h"
#include "link/tls.h"

#define TM_LINK_READ_MAX 262144      /* bytes that one wake of one link reads; then it is the next one's turn */
#define TM_LINK_HANDSHAKE_MAX 32768  /* bytes that a peer may send until TLS is done */
#define TM_LINK_FIRST_MAX 65536      /* bytes that an accepted peer may send behind it until a cell is whole */
#define TM_LINK_FLOOD_PAUSES 16      /* times in a row that one is held back before it is cut off */
#define TM_LINK_CHUNK_CELLS 6        /* one record */
#define TM_LINK_BATCH_RECORDS 16     /* records in one write */
#define TM_LINK_PLAIN_CELLS 64       /* cells in one call of `cells` */
#define TM_LINK_CONTROL_MAX 65536    /* bytes that TLS itself may have waiting besides a batch */
#define TM_LINK_POOL_CHUNKS 256      /* unused chunks that a context keeps, 3.7 MB */
#define TM_LINK_LOG_EVERY_MS 60000   /* counted events are logged at most so often */

/* One more than the records: room for a change of keys. */
#define TM_LINK_BATCH_MAX ((TM_LINK_BATCH_RECORDS + 1) * TM_TLS_SEALED_MAX)

_Static_assert(TM_LINK_CHUNK_CELLS * TM_CELL_LEN == TM_TLS_RECORD_MAX, "a chunk is a record");

enum tm_link_state {
  TM_LINK_CONNECTING, /* dialled, TCP is not there yet   -> HANDSHAKE, DEAD */
  TM_LINK_HANDSHAKE,  /* TLS                             -> WELCOME, UP, DEAD */
  TM_LINK_WELCOME,    /* dialled, TLS is done            -> UP, DEAD */
  TM_LINK_UP,         /*                                 -> FLUSH, DEAD */
  TM_LINK_FLUSH,      /* closed by us, cells still go out -> LINGER, DEAD */
  /* all is sent, waits for the peer's end, so that its kernel does not throw our last bytes away -> DEAD */
  TM_LINK_LINGER,
  TM_LINK_DEAD
};

struct tm_link_chunk {
  TAILQ_ENTRY(tm_link_chunk) entry;
  size_t n;
  uint8_t cells[TM_LINK_CHUNK_CELLS * TM_CELL_LEN];
};

TAILQ_HEAD(tm_link_chunks, tm_link_chunk);

struct tm_link {
  TAILQ_ENTRY(tm_link) entry;       /* links or dead of the context */
  TAILQ_ENTRY(tm_link) dirty_entry; /* dirty of the context */
  TAILQ_ENTRY(tm_link) unread_entry; /* unread of the context */
  TAILQ_ENTRY(tm_link) weak_entry;   /* handshakes or ending of the context, while accepted and in such a state */
  struct tm_link_context *ctx;
  enum tm_link_state state;
  int reason;
  bool accepted;
  bool want_anonymous;
  bool dirty;
  bool unread;    /* bytes wait in the kernel while the context is held */
  bool paused;    /* not read until resume_ms, as it sent too much */
  bool got_cell;  /* a good one, since it is up */
  bool reported;  /* the user knows this link: `down` is due */
  bool was_full;  /* a send was refused: `writable` is due */
  bool said_goodbye;
  bool stalled;   /* bytes wait; since stalled_ms less than a cell has left */
  bool anonymous; /* the peer has no certificate (accepted) or we have none (dialled) */
  uint8_t identity[TM_LINK_IDENTITY_LEN]; /* dialled: the pin; accepted: the peer's */
  uint8_t handle[TM_SPHINX_HANDLE_LEN];

  evutil_socket_t fd;
  struct event *readable;
  struct event *writable;
  struct event *timer;
  struct tm_tls_session *tls;

  struct tm_prefix prefix; /* accepted: of its address ... */
  bool counts_handshake, counts_link; /* ... and what is counted there */
  size_t first_bytes;      /* that came since it is up, until the first cell */

  struct tm_link_rate rate;
  uint64_t stock_us, stock_ms; /* stock, and when it was reckoned */
  uint64_t resume_ms;
  unsigned pauses;             /* since the stock was last as full as it began */

  struct tm_link_events events;
  void *events_arg;
  void *user_arg;
  struct tm_link_dialer *dialer; /* NULL: not a dialler's, or the dialler is gone */

  size_t partial_len;
  uint8_t *partial; /* NULL: nothing; our own writer never splits a cell between records */
  size_t handshake_bytes;

  struct tm_link_chunks queue;
  size_t queue_cells;   /* in queue */
  uint8_t *out;         /* sealed bytes that the kernel has not taken */
  size_t out_cap, out_len, out_at;
  size_t flight_cells;  /* cells of the last batch, of which bytes are in out */
  size_t flight_len;    /* its length on the wire */
  size_t progress;      /* bytes that left since stalled_ms */

  uint64_t born_ms, up_ms, got_ms, sent_ms, stalled_ms, closed_ms;
  uint64_t timer_ms; /* when the timer goes off; 0: not set */
};

/* Events worth a line in the log, but not one line each. */
struct tm_link_tally {
  const char *event;
  uint64_t n;
  uint64_t logged_ms;
};

TAILQ_HEAD(tm_link_list, tm_link);

struct tm_link_context {
  struct tm_link_config config;
  struct tm_tls *tls;
  struct event *turn;
  struct tm_link_list links, dirty, dead;
  struct tm_link_list unread; /* not waited for while held */
  bool held;
  LIST_HEAD(, tm_link_listener) listeners;
  LIST_HEAD(, tm_link_dialer) dialers;
  bool closing;
  uint32_t accepted;
  struct tm_link_tally over_limit, accept_failed;
  struct tm_link_list handshakes, ending; /* of accepted links: who gives way first, in this order */
  uint32_t n_handshakes;
  struct tm_prefixes *prefixes;
  uint64_t *exempt; /* whole addresses, hashed, ascending */
  size_t n_exempt;
  uint64_t refused[TM_LINK_REFUSALS];
  int reserve; /* a descriptor to give up when there is no other; -1: gone */
  struct tm_link_io io;

  /* Shared by all links, as one is read or written at a time. */
  struct tm_link *reading;    /* whose bytes are in in */
  size_t in_len, in_at;
  struct tm_link *collecting; /* whose sealed records go to batch and not to its own out */
  size_t batch_len;
  struct tm_link_chunks pool;
  size_t pool_n;
  uint8_t in[TM_LINK_READ_MAX];
  uint8_t plain[TM_LINK_PLAIN_CELLS * TM_CELL_LEN];
  uint8_t batch[TM_LINK_BATCH_MAX];
};

/* context.c */
void tm_link_turn_later(struct tm_link_context *ctx);
void tm_link_tally_add(struct tm_link_context *ctx, struct tm_link_tally *tally);
uint64_t tm_link_now(const struct tm_link_context *ctx);

/* link.c */
struct tm_link_start {
  evutil_socket_t fd; /* taken over, also on error */
  bool accepted;
  bool want_anonymous;
  const uint8_t *identity; /* dialled: the pin */
  const struct tm_link_events *events;
  void *arg;
  struct tm_link_dialer *dialer;
  struct tm_prefix prefix;     /* accepted ... */
  bool counted;                /* ... and its handshake is counted there */
};
int tm_link_new(struct tm_link_context *ctx, const struct tm_link_start *start, struct tm_link **out) TM_MUST_CHECK;
void tm_link_kill(struct tm_link *link, int reason);
void tm_link_notify_down(struct tm_link *link); /* once at most */
void tm_link_bury(struct tm_link *link);        /* off the list of the dead: `down`, free */
void tm_link_arm(struct tm_link *link);         /* sets the timer to the next thing due */
void tm_link_mark_dirty(struct tm_link *link);
int tm_link_enqueue(struct tm_link *link, const uint8_t cell[static TM_CELL_LEN]) TM_MUST_CHECK;
int tm_link_dial_for(struct tm_link_context *ctx, const struct tm_link_start *start, const struct sockaddr *addr,
                     socklen_t addr_len, struct tm_link **out) TM_MUST_CHECK;

/* limits.c */
int tm_link_reserve(void); /* a descriptor that is good for nothing else; -1 */
void tm_link_limits_free(struct tm_link_context *ctx);
/* One more connection: may it begin a handshake? False: it is refused, counted, and fd closed. */
bool tm_link_may_connect(struct tm_link_context *ctx, const struct sockaddr *peer, struct tm_link_start *start) TM_MUST_CHECK;
void tm_link_never_began(struct tm_link_context *ctx, const struct tm_link_start *start); /* there is no link after all */
void tm_link_turn_away(struct tm_link_context *ctx, int fd, enum tm_link_refusal reason);
void tm_link_begin(struct tm_link *link, const struct tm_link_start *start);
/* TLS is done, and it is a client's: has it a place? It is counted then. */
bool tm_link_may_stay(struct tm_link *link) TM_MUST_CHECK;
void tm_link_is_up(struct tm_link *link);            /* its state is not HANDSHAKE any more */
void tm_link_close_begins(struct tm_link *link);     /* its state is FLUSH now */
void tm_link_dies(struct tm_link *link, int reason); /* before its state changes */
size_t tm_link_may_read(struct tm_link *link, size_t want); /* 0: it is paused now, or cut off */
void tm_link_has_read(struct tm_link *link, size_t n);
void tm_link_resume(struct tm_link *link);

/* io.c */
extern const struct tm_tls_owner tm_link_tls_owner;
void tm_link_on_readable(evutil_socket_t fd, short what, void *arg);
void tm_link_on_writable(evutil_socket_t fd, short what, void *arg);
void tm_link_flush(struct tm_link *link);
void tm_link_read_again(struct tm_link *link); /* off the list of the unread */

/* listener.c, dialer.c: for the context's end, and for the life of a dialler's link */
void tm_link_listeners_free(struct tm_link_context *ctx);
void tm_link_dialers_free(struct tm_link_context *ctx);
void tm_link_dialer_lost(struct tm_link_dialer *dialer, const struct tm_link *link);

#endif
