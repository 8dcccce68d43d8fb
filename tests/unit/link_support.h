/*
 * What the tests of links share: an event base that runs until something is true, users of links that write down what
 * happens to them, and contexts with short time-outs.
 */
#ifndef TM_TESTS_LINK_SUPPORT_H
#define TM_TESTS_LINK_SUPPORT_H

#include <stdarg.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <event2/event.h>

#include "link/link.h"

#define WAIT_MS 20000

/* One user of links. */
struct ear {
  bool allow_relays, allow_anonymous;
  int judged, ups, downs, writables;
  int reason;           /* of the last `down` */
  struct tm_link *link; /* last that came up */
  bool alive;           /* it is still there */
  size_t cells;         /* all that came */
  size_t calls;         /* of `cells` */
  bool in_order;        /* the packets carried 0, 1, 2, ... */
  uint8_t last[TM_CELL_LEN];
  uint8_t peer[TM_LINK_IDENTITY_LEN];
  bool anonymous;
  void (*on_up)(struct ear *ear, struct tm_link *link);
  void (*on_cells)(struct ear *ear, struct tm_link *link);
  void (*on_writable)(struct ear *ear, struct tm_link *link);
  void (*on_down)(struct ear *ear, struct tm_link *link);
  void *arg;
};

/* A relay that listens, and one who dials it: a relay or an anonymous client. */
struct net {
  struct event_base *base;
  struct event *tick;
  struct tm_link_config accept_config, dial_config;
  struct tm_link_context *acceptor, *dialler;
  struct tm_link_listener *listener;
  struct sockaddr_storage addr;
  socklen_t addr_len;
  struct ear a, d; /* ears of both */
  void (*pump)(void *arg); /* called once a turn */
  void *pump_arg;
  uint64_t turns;
};

extern const struct tm_link_events ear_events;
extern const uint8_t accept_seed[32], dial_seed[32], other_seed[32];

void identity_of(const uint8_t seed[32], uint8_t identity[32]);
void ear_init(struct ear *ear);

/* Contexts are made by net_start, so that a test may change the configurations first. */
void net_init(struct net *net, bool anonymous);
void net_start(struct net *net, bool want_anonymous);
struct tm_link *net_dial(struct net *net); /* with the right pin */
void net_up(struct net *net);              /* dials and waits until both ends are up */
void net_end(struct net *net);

uint64_t real_ms(void);
void run_once(struct net *net); /* one turn of the loop, 2 ms at the latest, then the pump */
void run_for(struct net *net, uint64_t ms);

#define WAIT(net, condition)                              \
  do {                                                    \
    uint64_t wait_end_ = real_ms() + WAIT_MS;             \
    while (!(condition) && real_ms() < wait_end_)         \
      run_once(net);                              \
    assert_true(condition);                               \
  } while (0)

/* A packet cell that carries that number. */
void numbered_cell(uint8_t cell[TM_CELL_LEN], uint32_t number);
void send_numbered(struct tm_link *link, uint32_t number);

#endif
