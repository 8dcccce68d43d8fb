/*
 * A peer made of OpenSSL and a socket alone, that can do everything wrong: a client against our listener, or a server
 * against our dialler.
 */
#ifndef TM_TESTS_LINK_RAW_H
#define TM_TESTS_LINK_RAW_H

#include <openssl/ssl.h>

#include "link_support.h"

struct raw {
  struct net *net;
  int fd;
  SSL_CTX *ctx;
  SSL *ssl;
  unsigned tickets, key_updates; /* came in */
};

/* A context as a good peer's; cert and key from seed, or neither where it is NULL. */
SSL_CTX *raw_context(bool server, const uint8_t *seed);
EVP_PKEY *raw_ed25519(const uint8_t seed[32]);
X509 *raw_certificate(EVP_PKEY *key); /* self-signed */

/* TCP only. */
void raw_connect(struct raw *raw, struct net *net);
/* A listening socket for net->addr, so that net_dial comes to us; then the accepted one. */
int raw_listen(struct net *net);
int raw_accept(struct net *net, int listening);

/* Takes ctx over; the handshake still has to be made. */
void raw_tls(struct raw *raw, struct net *net, int fd, SSL_CTX *ctx, bool server);
/* 1: done; else SSL's error. Runs the net meanwhile. */
int raw_handshake(struct raw *raw);
/* Connects and shakes hands as a good client. */
void raw_client(struct raw *raw, struct net *net, const uint8_t *seed);
/* Reads exactly one cell. */
void raw_read_cell(struct raw *raw, uint8_t cell[TM_CELL_LEN]);
bool raw_write(struct raw *raw, const void *data, size_t len); /* all of it; false: the peer is gone */
void raw_send_plain(struct raw *raw, const void *data, size_t len); /* past TLS */
/* Waits until the peer has closed the connection; whatever comes before is thrown away. */
void raw_wait_closed(struct raw *raw);
void raw_free(struct raw *raw);

#endif
