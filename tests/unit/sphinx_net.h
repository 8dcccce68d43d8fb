/*
 * Five relays and a sender for the packet's tests: everything from fixed seeds. A failure inside is a failure of the
 * test.
 */
#ifndef TM_TESTS_SPHINX_NET_H
#define TM_TESTS_SPHINX_NET_H

#include <stddef.h>
#include <stdint.h>

#include "sphinx/context.h"
#include "sphinx/sphinx.h"

#define NET_PACKET_CAP (TM_SPHINX_HEADER_LEN + TM_SPHINX_TAG_LEN + TM_SPHINX_BODY_MAX)

struct net {
  tm_sphinx *ctx;
  size_t len; /* of a packet */
  tm_sphinx_key *key[TM_SPHINX_HOPS_MAX];
  tm_sphinx_node path[TM_SPHINX_HOPS_MAX];
  uint8_t body[TM_SPHINX_BODY_MAX];
};

/* The back-end of every net made from now on; NULL for the library's choice. */
extern const char *net_backend;

/* Bytes that depend on the seed alone. */
void net_random(uint8_t *out, size_t len, uint32_t seed);

struct net *net_new(size_t body_len);
void net_free(struct net *n);

/* A packet over the first hops relays. */
void net_create(struct net *n, size_t hops, uint32_t seed, uint8_t *packet);

/* Both steps at relay i, which must go well. */
void net_unwrap(struct net *n, size_t i, uint8_t *packet, tm_sphinx_hop *hop);

/* The header step at relay i alone; returns the verdict. */
int net_header(struct net *n, size_t i, uint8_t *packet, size_t len, tm_sphinx_hop *hop);

/* What relay i derives from the element of this packet: K(0) to K(4). */
void net_keys(struct net *n, size_t i, const uint8_t *packet, uint8_t keys[static TM_KDF_ALL_LEN]);

/* Changes the routing block of a packet for relay i by xor with 53 bytes, and makes its MAC good again. */
void net_forge(struct net *n, size_t i, uint8_t *packet, const uint8_t *difference);

/* Runs a group of tests once for each back-end, as net_backend; those that this CPU lacks are skipped. How many groups failed. */
int net_run_backends(int (*run)(void));

/* A test for each back-end that cannot run: it is skipped, by a name that says why, unless that cannot be. 0, or it failed. */
int net_skip_backend(const char *name);

/* Is everything a context uses as scratch zero? */
int net_scratch_is_zero(const tm_sphinx *ctx);

#endif
