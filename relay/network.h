/*
 * A relay's links: one dialled to every relay that it sends to, one accepted from every relay that sends to it, and those of clients
 * (doc/spec/mixing.md, section 1). Who may do what comes from the document. Loop thread.
 */
#ifndef TM_RELAY_NETWORK_H
#define TM_RELAY_NETWORK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/rng.h"
#include "directory/document.h"
#include "link/link.h"

struct tm_network;

struct tm_network_config {
  struct event_base *base;
  const struct tm_clock *clock;
  const struct tm_rng *rng;
  const uint8_t *seed;    /* identity, 32 bytes; used during tm_network_new only */
  unsigned roles;         /* what this relay is willing to be; it is what the document says as well */
  unsigned layer;
  uint32_t egress_queue;  /* cells per link */
  uint32_t max_clients;
  uint32_t handshake_ms;
  struct tm_link_limits limits; /* handshakes are the links that there may be besides those of clients and relays */
};

struct tm_network_events {
  /* Cells from a relay that may send to us: n whole ones. */
  void (*relay_cells)(void *arg, const uint8_t *cells, size_t n);
  /* Would client_up take one more? */
  bool (*client_room)(void *arg);
  /* A client's link. client_up says whether there is room for it; client_down comes for those that had it. */
  bool (*client_up)(void *arg, struct tm_link *link);
  void (*client_cells)(void *arg, struct tm_link *link, const uint8_t *cells, size_t n);
  void (*client_down)(void *arg, struct tm_link *link);
};

/* events is copied. Errors: TM_E_NOMEM, TM_E_IO. */
int tm_network_new(struct tm_network **out, const struct tm_network_config *config, const struct tm_network_events *events, void *arg)
  TM_MUST_CHECK;
void tm_network_free(struct tm_network *net); /* closes everything, client_down included; NULL is fine */

/* address: as tm_link_address_parse takes it. Errors: TM_E_SYNTAX, TM_E_IO, TM_E_NOMEM. */
int tm_network_listen(struct tm_network *net, const char *address) TM_MUST_CHECK;
uint16_t tm_network_port(const struct tm_network *net);
void tm_network_stop_listening(struct tm_network *net);

/*
 * The document that holds from now on (copied from; it need not live): dials who is new in it, closes links to and from who is not in it any
 * more, and paces those that it dials if link_us says so. Returns TM_E_NOT_FOUND if this relay itself is not in it, or TM_E_CONFLICT if it is there with other roles; it then is what both
 * agree on. TM_E_NOMEM: some relays are not dialled.
 */
int tm_network_document(struct tm_network *net, const struct tm_document *doc) TM_MUST_CHECK;
/* This relay by the present document, roles cut to what it is willing to be; NULL: not in it. */
const struct tm_relay_info *tm_network_self(const struct tm_network *net);
/* Its roles by the present document, cut in the same way; 0: not in it. */
unsigned tm_network_roles(const struct tm_network *net);
const uint8_t *tm_network_identity(const struct tm_network *net); /* 32 bytes */

/* Are packets from this relay to itself part of the ring (a mix that is a store or entry, too)? */
bool tm_network_is_loopback(const struct tm_network *net, const uint8_t identity[static 32]);

/* Errors: TM_E_NOT_FOUND (not a relay that we send to), TM_E_CLOSED (no link to it now), TM_E_FULL. */
int tm_network_send(struct tm_network *net, const uint8_t identity[static 32], const uint8_t packet[static TM_SPHINX_PACKET_LEN])
  TM_MUST_CHECK;

/* While held, nothing is read from those who send to us. */
void tm_network_hold(struct tm_network *net, bool held);

/* Others from now on; handshakes must be the same. */
void tm_network_set_limits(struct tm_network *net, const struct tm_link_limits *limits);
struct tm_link_refused tm_network_refused(const struct tm_network *net);

struct tm_link_io tm_network_io(const struct tm_network *net);
size_t tm_network_relay_links(const struct tm_network *net); /* up, both directions */
size_t tm_network_queued(const struct tm_network *net);      /* cells on dialled links that the kernel has not taken; padding counts once it is in a link */

#endif
