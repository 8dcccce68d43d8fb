/*
 * A whole network in one process, for tests: an entry, three mixes, three stores (the last an entry as well), each an engine of its own, driven in turns by one thread; and a client
 * that can send anything.
 */
#ifndef TESTS_UNIT_RELAY_SUPPORT_H
#define TESTS_UNIT_RELAY_SUPPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "directory/document.h"
#include "link/link.h"
#include "relay/engine.h"
#include "sphinx/sphinx.h"

enum { NET_ENTRY, NET_MIX1, NET_MIX2, NET_MIX3, NET_STORE1, NET_STORE2, NET_STORE3, NET_RELAYS };

#define NET_CELLS_MAX 256

struct net_relay {
  char dir[96];
  int holds_port; /* a socket that is only bound */
  uint16_t port;
  uint8_t identity[32];
  struct tm_relay_config config;
  struct tm_engine *engine; /* NULL: not running */
};

struct net_client {
  struct event_base *base;
  struct tm_link_context *links;
  struct tm_link *link; /* NULL: down */
  bool up;
  int down_reason;
  size_t n_cells; /* that came: replies and document pieces */
  uint8_t cells[NET_CELLS_MAX][TM_CELL_LEN];
};

struct net {
  char dir[64];
  struct tm_params params;
  struct net_relay relay[NET_RELAYS];
  uint64_t first_epoch;
  unsigned role[NET_RELAYS], layer[NET_RELAYS]; /* in documents to come; what it was made for, at first */
  struct net_client client;
  tm_sphinx *sphinx;
};

/* Moves everybody's wall clock by so many seconds, from the system's. */
void net_set_wall_offset(int64_t seconds);

/* Parameters that suit a test: tiny delays. */
struct tm_params net_params(void);
/* Makes keys, document and engines, and connects the client. extra: more lines of configuration for every relay; may be "". */
struct net *net_start(const struct tm_params *params, const char *extra);
void net_stop(struct net *net);
/* Writes a document valid from now for that long. */
void net_write_document(struct net *net, uint64_t valid_s, unsigned without_relay /* NET_RELAYS: none */);

/* Drives all for so long, and checks that every relay's equation holds all the time. */
void net_pump(struct net *net, unsigned ms);
/* Drives until that is true; fails the test after 10 s. */
void net_pump_until(struct net *net, bool (*done)(struct net *net, void *arg), void *arg);

struct tm_snapshot net_snapshot(struct net *net, unsigned relay);
uint64_t net_dropped(struct net *net, unsigned relay, enum tm_drop reason);
/* Drives until that relay has dropped n for that reason. */
void net_expect_drop(struct net *net, unsigned relay, enum tm_drop reason, uint64_t n);

/* A path of those relays, ended by NET_RELAYS; returns how many. */
size_t net_path(struct net *net, tm_sphinx_node path[static TM_SPHINX_HOPS_MAX], const unsigned *relays, uint32_t delay_ms);
/* entry, 1, 2, 3, store. */
size_t net_path_to_store(struct net *net, unsigned store, tm_sphinx_node path[static TM_SPHINX_HOPS_MAX]);
/* A reply block to this client. */
void net_surb(struct net *net, uint8_t surb[static TM_SPHINX_SURB_LEN], uint8_t id[static TM_SPHINX_SURB_ID_LEN], tm_sphinx_surb_keys *keys);

void net_connect(struct net *net);
void net_send(struct net *net, const uint8_t packet[static TM_SPHINX_PACKET_LEN]);
void net_send_cell(struct net *net, const uint8_t cell[static TM_CELL_LEN]);

#endif
