/* What clients ask of stores through the network of relay_support.h, packet by packet. */
#ifndef TESTS_UNIT_RELAY_REQUESTS_H
#define TESTS_UNIT_RELAY_REQUESTS_H

#include "box/work.h"
#include "tests/unit/relay_support.h"

/* A request that is on its way, and what its answer needs. */
struct net_asked {
  uint8_t surb_id[TM_SPHINX_SURB_ID_LEN];
  tm_sphinx_surb_keys keys;
  uint8_t payload[TM_SPHINX_PAYLOAD_LEN];
};

void net_make_packet(struct net *net, const tm_sphinx_node *path, size_t hops, const uint8_t *body, uint8_t *packet);
/* Along relays that are ended by NET_RELAYS, with a body of zeros. */
void net_send_along(struct net *net, const unsigned *relays);
/* id NULL: a decoy. */
void net_get_packet(struct net *net, unsigned store, const uint8_t *id, struct net_asked *asked, uint8_t *packet);
void net_put_packet(struct net *net, unsigned store, const uint8_t *id, const uint8_t *signature, const uint8_t *box,
                    struct net_asked *asked, uint8_t *packet);
/* A put whose proof of work has too few bits. */
void net_idle_packet(struct net *net, unsigned store, const uint8_t *id, const uint8_t *signature, const uint8_t *box,
                     struct net_asked *asked, uint8_t *packet);

/* For net_pump_until: has the answer to that struct net_asked come? Does that relay (unsigned) hold one packet? */
bool net_has_answer(struct net *net, void *asked);
bool net_holds_one(struct net *net, void *relay);
/* Waits for the answer, and opens it. */
enum tm_box_status net_answer_of(struct net *net, struct net_asked *asked, struct tm_box_answer *answer);

#endif
