/*
 * A whole network in one process, under a virtual clock and from a seed: relays that unwrap real packets and hold them
 * for the delays in their headers, two or three stores in memory, a signed document, and clients over it. It can lose,
 * delay and double packets, switch stores off, and let them lie. For tests of the client's engine.
 */
#ifndef TM_TESTS_ENGINE_NET_H
#define TM_TESTS_ENGINE_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/rng.h"
#include "client/engine.h"

#define NET_STORES 3
#define NET_STORE0 8 /* relay number of the first store: 2 entries, 3 x 2 mixes, then stores */
#define NET_RELAYS (NET_STORE0 + NET_STORES)
#define NET_USERS 4
#define NET_START_MS UINT64_C(1800000000000)

struct net;

/* What a store was asked: the adversary's record. */
struct net_asked {
  uint64_t at_ms;
  unsigned store; /* 0 .. */
  bool put;
  bool answered; /* its answer was not lost by our own doing */
  int status;    /* 0: the store is down */
  unsigned work; /* a put: bits of its proof, in an epoch that lives */
  uint8_t id[32];
  unsigned user; /* who asked: the test knows, the store doesn't */
};

enum net_lie { NET_HONEST, NET_MISSING, NET_WRONG_BOX, NET_GARBAGE, NET_FULL, NET_FAILED, NET_CONFLICT };

/* Fills in the parameters that tests start from: slots of 2 s, 4 sequences, fast clock. */
void net_params(struct tm_params *params);
struct net *net_new(uint64_t seed, const struct tm_params *params);
void net_free(struct net *net);

struct tm_clock *net_clock(struct net *net);
uint64_t net_now(const struct net *net); /* ms since the start */
/* A document that is valid from now (plus from_s) for that long; freed with free. slot_ms 0: as it was. */
char *net_document(struct net *net, int64_t from_s, uint64_t for_s, const struct tm_params *params, size_t *len);
const char *net_trust(struct net *net);

/* ---- users ---- */

/* A new state under a fresh temporary directory, opened, link up. passphrase empty. */
void net_join(struct net *net, unsigned user);
struct tm_client *net_client(struct net *net, unsigned user);
const char *net_dir(struct net *net, unsigned user);
struct tm_rng *net_user_rng(struct net *net, unsigned user);
void net_close(struct net *net, unsigned user); /* closes the client: the state stays */
void net_open(struct net *net, unsigned user);  /* opens it again, link up */
void net_link(struct net *net, unsigned user, bool up);
/* For a client that somebody else runs: packets in, replies out through on_reply; the handle is given to it. */
void net_attach(struct net *net, unsigned user,
                void (*on_reply)(void *arg, const uint8_t *surb_id, const uint8_t *payload), void *arg);
const uint8_t *net_handle(struct net *net, unsigned user);
void net_inject(struct net *net, unsigned user, const uint8_t *packet);

/* Does all the work that a client wants done, at once. */
void net_labour(struct tm_client *c);

/* Lets ms pass. */
void net_run(struct net *net, uint64_t ms);
/* Until f says yes, at most ms; did it? Looked at every 100 ms. */
bool net_until(struct net *net, uint64_t ms, bool (*f)(void *arg), void *arg);

/* ---- trouble ---- */
void net_lose(struct net *net, unsigned permille); /* of packets, at each way through the network */
void net_double(struct net *net, bool on);         /* every reply arrives twice */
void net_store_up(struct net *net, unsigned store, bool up);
void net_store_lie(struct net *net, unsigned store, enum net_lie lie);
void net_store_erase(struct net *net, unsigned store);
void net_store_ask(struct net *net, unsigned store, unsigned bits); /* of work; 0: what the document says */
void net_work(struct net *net, bool on); /* whether proofs of work are found, at once, or never */

/* ---- what was seen ---- */
size_t net_asked_count(const struct net *net);
const struct net_asked *net_asked(const struct net *net, size_t i);
size_t net_store_boxes(const struct net *net, unsigned store);
/* Times of a user's packets, in microseconds since the start. */
size_t net_ticks(const struct net *net, unsigned user, const double **times);
/* So many of a user's packets changed something on disk while they were handed over. */
size_t net_ticks_that_wrote(const struct net *net, unsigned user);

#endif
