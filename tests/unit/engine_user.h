/* Short words for what people do in tests of the engine. */
#ifndef TM_TESTS_ENGINE_USER_H
#define TM_TESTS_ENGINE_USER_H

#include "engine_net.h"

#define ALICE 0
#define BOB 1
#define CAROL 2

/* A network with Alice and Bob in it, paired. */
struct net *pair_up(uint64_t seed, const struct tm_params *params);
void pair(struct net *net, unsigned a, const char *name_b, unsigned b, const char *name_a);

/* Sends and expects success; returns the number. */
uint32_t say(struct net *net, unsigned user, const char *to, const char *text);
uint32_t send_file(struct net *net, unsigned user, const char *to, const char *name, const uint8_t *data, size_t len);

enum tm_contact_state state_of(struct net *net, unsigned user, const char *name); /* 0: not there */
struct tm_contact contact_of(struct net *net, unsigned user, const char *name);
struct tm_client_status status_of(struct net *net, unsigned user);

/* Everything that a user has got, texts one a line, files as "[name length]". Static memory. */
const char *inbox(struct net *net, unsigned user);
/* Waits until a user has got n messages from name. */
bool wait_received(struct net *net, unsigned user, const char *name, uint32_t n, uint64_t ms);
/* Waits until name has acknowledged n messages of user's. */
bool wait_delivered(struct net *net, unsigned user, const char *name, uint32_t n, uint64_t ms);
bool wait_state(struct net *net, unsigned user, const char *name, enum tm_contact_state state, uint64_t ms);

#endif
