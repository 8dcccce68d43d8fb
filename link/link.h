/*
 * Links: TLS 1.3 with pinned Ed25519 keys, carrying cells (doc/spec/link.md). Built on libevent and OpenSSL.
 *
 * One thread, the one that runs the event base, calls everything here and gets every callback.
 * A tm_link is made by tm_link_dial or a listener and belongs to this room; its last sign of life is the `down`
 * callback, after which the pointer is dead. `down` is called exactly once for every link whose `up` or whose dial
 * was reported, also after tm_link_close. Callbacks may call tm_link_send and tm_link_close on any link, the calling
 * one too.
 *
 * Memory per link is bounded: one reading buffer while data is in hand and a queue of queue_cells cells.
 * The pinned key is all that counts of a certificate; it is compared in constant time.
 */
#ifndef TM_LINK_LINK_H
#define TM_LINK_LINK_H

#include <sys/socket.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/rng.h"
#include "link/cell.h"

#define TM_LINK_IDENTITY_LEN 32

struct event_base;
struct tm_link;
struct tm_link_context;
struct tm_link_listener;
struct tm_link_dialer;

/* What peers of one address, or of one network of addresses, may have; 0: as much as they like. */
struct tm_link_quota {
  uint32_t links;      /* of clients, at a time */
  uint32_t handshakes; /* in progress at a time */
  uint32_t connects;   /* connections a minute, and as many at once */
};

/* Against peers that cost more than they should (doc/spec/link.md, section 7), of accepted links only. All zero: none. */
struct tm_link_limits {
  struct tm_link_quota address; /* IPv4: /32, IPv6: /64 */
  struct tm_link_quota network; /* IPv4: /24, IPv6: /48 */
  uint32_t handshakes;    /* in progress, of all peers together: one more, and the oldest gives way; 0: no limit of their own */
  uint32_t first_cell_ms; /* from `up` until the first good cell has come; 0: for ever */
};

/* Why a peer was refused or cut off. */
enum tm_link_refusal {
  TM_LINK_REFUSED_PLACES,         /* max_links are there */
  TM_LINK_REFUSED_FILES,          /* the system has no descriptor */
  TM_LINK_REFUSED_ADDRESS,        /* a quota of its address */
  TM_LINK_REFUSED_NETWORK,        /* a quota of its network */
  TM_LINK_REFUSED_HANDSHAKES,     /* gave way to younger handshakes */
  TM_LINK_REFUSED_SLOW_HANDSHAKE, /* handshake_ms */
  TM_LINK_REFUSED_BAD_HANDSHAKE,  /* no good TLS, a wrong key, or too many bytes */
  TM_LINK_REFUSED_FIRST_CELL,     /* none in time, or in so many bytes */
  TM_LINK_REFUSED_BAD_CELL,       /* a bad cell, or bad TLS */
  TM_LINK_REFUSED_SILENT,         /* idle_ms */
  TM_LINK_REFUSED_STALLED,        /* stall_ms */
  TM_LINK_REFUSED_FLOOD,          /* sends faster than it may, and goes on */
  TM_LINK_REFUSED_FULL,           /* the user has no place for it: tm_link_refuse */
  TM_LINK_REFUSED_IDLE,           /* the user gave its place to somebody else: tm_link_refuse */
  TM_LINK_REFUSALS
};

/* A name for counters; never NULL. */
const char *tm_link_refusal_name(enum tm_link_refusal reason);

struct tm_link_config {
  struct event_base *base;
  const struct tm_clock *clock;
  const struct tm_rng *rng;
  const uint8_t *identity_seed; /* 32-byte Ed25519 seed of this relay, copied; NULL: an anonymous client */
  uint32_t handshake_ms;        /* from connect or accept until `up`; else TM_E_TIMEOUT */
  uint32_t idle_ms;             /* no whole cell received for so long: TM_E_TIMEOUT; 0: never */
  /* nothing sent for so long: a padding cell goes out; 0: never (a client's own clock sends) */
  uint32_t keepalive_ms;
  uint32_t stall_ms;            /* bytes wait and less than a cell left for so long: TM_E_TIMEOUT */
  uint32_t queue_cells;         /* cells that wait to be written, per link */
  uint32_t spare_cells;         /* memory for so many waiting cells, of all links, is there from the start; more is asked for when needed */
  /* accepted and in handshake together, per context; one more takes the place of a link that is being closed, or of the oldest handshake, or is refused */
  uint32_t max_links;
  struct tm_link_limits limits;
};
/* 10 s, 60 s, 15 s, 30 s, 256, 0, 10,000; base, clock, rng and identity_seed are for the caller. */
void tm_link_config_default(struct tm_link_config *config);

/* Errors: TM_E_NOMEM, TM_E_IO (OpenSSL cannot make the certificate). */
int tm_link_context_new(struct tm_link_context **out, const struct tm_link_config *config) TM_MUST_CHECK;
/*
 * Closes everything of this context at once, with `down` callbacks, and frees it, its listeners and its diallers. Not
 * from within a callback.
 */
void tm_link_context_free(struct tm_link_context *ctx);

/* What passed through the system, of all links of a context together. */
struct tm_link_io {
  uint64_t reads, writes;       /* system calls that moved bytes */
  uint64_t cells_in, cells_out; /* padding and all */
};
struct tm_link_io tm_link_context_io(const struct tm_link_context *ctx);

/*
 * Backpressure: while held, nothing is read from accepted links that are up (handshakes and dialled links go on), so that the kernel, and then the
 * peers, hold back what the user has no place for. One more batch of the calling link may still come. Silence does not count meanwhile.
 */
void tm_link_context_hold(struct tm_link_context *ctx, bool held);

/* Others from now on; handshakes and links that are there stay. */
void tm_link_context_set_limits(struct tm_link_context *ctx, const struct tm_link_limits *limits);
/*
 * Peers from these n addresses (the ports do not count; copied) are bound by no quota until it is clear who they are; a client is, then. Replaces the
 * former ones. Errors: TM_E_NOMEM, and there are none then.
 */
int tm_link_context_exempt(struct tm_link_context *ctx, const struct sockaddr_storage *addresses, size_t n) TM_MUST_CHECK;
/* How many were refused or cut off so far, by reason; and handshakes in progress now. */
struct tm_link_refused {
  uint64_t n[TM_LINK_REFUSALS];
  uint64_t handshakes;
};
struct tm_link_refused tm_link_context_refused(const struct tm_link_context *ctx);

struct tm_link_events {
  /*
   * During the handshake: may a peer with that identity (32 bytes; NULL: anonymous, only on accept) have a link? NULL
   * here: on accept everybody is refused; on dial only the pinned key counts anyway.
   */
  bool (*judge)(void *arg, const uint8_t *identity);
  /*
   * The link carries cells now. Dialled: TLS is done, the pin matched and WELCOME has come. Accepted: TLS is done and
   * judged, WELCOME is queued.
   */
  void (*up)(void *arg, struct tm_link *link);
  /*
   * n whole cells, one behind the other, n * TM_CELL_LEN bytes, valid during the call. WELCOME and PADDING are
   * filtered out by this room.
   */
  void (*cells)(void *arg, struct tm_link *link, const uint8_t *cells, size_t n);
  /* The queue was full and has room again (half of it). May be NULL. */
  void (*writable)(void *arg, struct tm_link *link);
  /*
   * Dead now; reason: TM_OK closed by us, TM_E_CLOSED by the peer, TM_E_TIMEOUT, TM_E_PEER wrong pin or refused,
   * TM_E_SYNTAX bad cell or bad TLS, TM_E_UNKNOWN another version of the link protocol, TM_E_FULL (dialled) the peer has no place for us now, TM_E_IO,
   * TM_E_NOMEM.
   */
  void (*down)(void *arg, struct tm_link *link, int reason);
};

/*
 * Accepts links at that address; want_anonymous says whether peers without certificate are possible at all. arg is
 * passed to the events.
 * Errors: TM_E_IO (errno: EADDRINUSE, ...), TM_E_NOMEM, TM_E_STATE (a context without identity, or one that is being
 * freed).
 */
int tm_link_listen(struct tm_link_context *ctx, const struct sockaddr *addr, socklen_t addr_len, bool want_anonymous,
                   const struct tm_link_events *events, void *arg, struct tm_link_listener **out) TM_MUST_CHECK;
uint16_t tm_link_listener_port(const struct tm_link_listener *listener);
void tm_link_listener_free(struct tm_link_listener *listener); /* stops accepting; links stay */

/*
 * One attempt to reach the holder of identity there. Errors: TM_E_IO, TM_E_NOMEM, TM_E_STATE (context is being
 * freed); later ones come through `down`.
 */
int tm_link_dial(struct tm_link_context *ctx, const struct sockaddr *addr, socklen_t addr_len,
                 const uint8_t identity[static TM_LINK_IDENTITY_LEN], const struct tm_link_events *events, void *arg,
                 struct tm_link **out) TM_MUST_CHECK;

/*
 * Keeps one link to a peer up: dials again after each `down`, with a backoff that doubles from first_ms to most_ms
 * and is drawn uniformly from its upper half; a link that lived for most_ms starts from first_ms again. The first
 * attempt is made in the next turn of the loop. The events are passed on; `down` only for links that were up: why an
 * attempt failed, tm_link_dialer_reason tells. Errors: TM_E_NOMEM, TM_E_STATE.
 */
int tm_link_dialer_new(struct tm_link_context *ctx, const struct sockaddr *addr, socklen_t addr_len,
                       const uint8_t identity[static TM_LINK_IDENTITY_LEN], uint32_t first_ms, uint32_t most_ms,
                       const struct tm_link_events *events, void *arg, struct tm_link_dialer **out) TM_MUST_CHECK;
struct tm_link *tm_link_dialer_link(const struct tm_link_dialer *dialer); /* NULL unless up */
/* why the last attempt or link ended; TM_OK before that */
int tm_link_dialer_reason(const struct tm_link_dialer *dialer);
/* Closes its link at once, with `down` before this returns; what was queued is offered to the kernel once. */
void tm_link_dialer_free(struct tm_link_dialer *dialer);

/*
 * Queues one cell, copied. Errors: TM_E_FULL (nothing changed), TM_E_CLOSED (closing, or not up yet), TM_E_NOMEM.
 * Many sends in one turn of the loop become one write.
 */
int tm_link_send(struct tm_link *link, const uint8_t cell[static TM_CELL_LEN]) TM_MUST_CHECK;
size_t tm_link_queued(const struct tm_link *link); /* cells that the kernel has not taken yet */
const uint8_t *tm_link_peer(const struct tm_link *link);   /* 32 bytes; NULL: anonymous */
/* session handle, 16 bytes: random on a client link, the same on both sides; zero on a relay link */
const uint8_t *tm_link_handle(const struct tm_link *link);
void *tm_link_arg(const struct tm_link *link);             /* a pointer of the user's, NULL at first */
void tm_link_set_arg(struct tm_link *link, void *arg);
/* Flushes what is queued, at most for stall_ms, then closes; `down` follows later with TM_OK. */
void tm_link_close(struct tm_link *link);

/* Says goodbye as above, and counts why. */
void tm_link_refuse(struct tm_link *link, enum tm_link_refusal reason);

/*
 * How fast that accepted link is read: a cell uses up cell_us microseconds of a stock, which begins with first_us and grows with time up to most_us. What
 * comes on top is not read, but waits at the peer; one who goes on like that is cut off. In bytes: small records use up as much. At a later call first_us
 * is not looked at. cell_us 0: as fast as it sends.
 */
struct tm_link_rate {
  uint64_t cell_us, first_us, most_us;
};
void tm_link_set_rate(struct tm_link *link, const struct tm_link_rate *rate);

/* "127.0.0.1:4711" or "[::1]:4711": numeric only, no look-ups. Errors: TM_E_SYNTAX. */
int tm_link_address_parse(const char *text, struct sockaddr_storage *addr, socklen_t *addr_len) TM_MUST_CHECK;

#endif
