/*
 * A whole link over a socket pair, against a peer whose bytes are the input. The first byte chooses:
 *   0 the rest is what an accepting link gets instead of TLS, 1 what a dialled link gets;
 *   2 a good handshake, then each 4 bytes make one cell: type, where to spoil it (2), with what;
 *   3 a good handshake, then the rest is put on the wire as it is.
 * Whatever comes: no cell that the rules forbid is handed on, `down` comes once, and nothing is left over.
 */
#include "config.h"

#include <sys/socket.h>

#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sodium.h>

#include "link/internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

struct seen {
  int ups, downs;
  bool accepted;
};

static struct event_base *base;
static SSL_CTX *peer_ctx;
static const uint8_t seed[32] = {1};

static void require(bool truth)
{
  if (!truth)
    abort();
}

static bool judge(void *arg, const uint8_t *identity)
{
  (void)arg;
  (void)identity;
  return true;
}

static void up(void *arg, struct tm_link *link)
{
  (void)link;
  ((struct seen *)arg)->ups++;
}

static void cells(void *arg, struct tm_link *link, const uint8_t *cell, size_t n)
{
  const struct seen *seen = arg;
  struct tm_cell_view view;

  require(seen->ups == 1 && seen->downs == 0 && n > 0);
  for (size_t i = 0; i < n; i++) {
    require(tm_cell_parse(cell + i * TM_CELL_LEN, &view) == TM_OK);
    require(seen->accepted ? view.type == TM_CELL_PACKET || view.type == TM_CELL_DOC_REQUEST
                           : view.type == TM_CELL_REPLY || view.type == TM_CELL_DOC_PIECE);
    if (i == 0 && cell[5] == 0xff)
      tm_link_close(link);
  }
}

static void down(void *arg, struct tm_link *link, int reason)
{
  (void)link;
  (void)reason;
  ((struct seen *)arg)->downs++;
}

static const struct tm_link_events events = {judge, up, cells, NULL, down};

static void start_once(void)
{
  if (base != NULL)
    return;
  require(sodium_init() >= 0);
  signal(SIGPIPE, SIG_IGN);
  base = event_base_new();
  peer_ctx = SSL_CTX_new(TLS_client_method());
  require(base != NULL && peer_ctx != NULL);
}

static void turn(void) { event_base_loop(base, EVLOOP_NONBLOCK); }

static void send_raw(int fd, const uint8_t *data, size_t len)
{
  while (len > 0) {
    ssize_t n = send(fd, data, len < 1000 ? len : 1000, MSG_NOSIGNAL);
    if (n <= 0)
      break;
    data += n;
    len -= (size_t)n;
    turn();
  }
}

static void make_cell(uint8_t *cell, const uint8_t spec[4])
{
  static const uint8_t zeros[TM_SPHINX_PACKET_LEN];
  size_t at = ((size_t)spec[1] << 8 | spec[2]) % TM_CELL_LEN;

  switch (spec[0] % 6) {
  case 0: tm_cell_padding(cell); break;
  case 1: tm_cell_packet(cell, zeros); break;
  case 2: tm_cell_welcome(cell, zeros); break;
  case 3: tm_cell_reply(cell, zeros, zeros); break;
  case 4: tm_cell_doc_request(cell, zeros); break;
  default: tm_cell_doc_piece(cell, zeros, 20, 10, zeros, 10); break;
  }
  cell[at] ^= spec[3];
}

static void send_cells(SSL *ssl, const uint8_t *data, size_t len)
{
  uint8_t cell[TM_CELL_LEN];

  for (; len >= 4; data += 4, len -= 4) {
    make_cell(cell, data);
    ERR_clear_error();
    if (SSL_write(ssl, cell, sizeof cell) <= 0)
      break;
    turn();
  }
}

static void talk(int fd, const uint8_t *data, size_t len, unsigned mode)
{
  SSL *ssl = SSL_new(peer_ctx);
  int r = 0;

  require(ssl != NULL);
  SSL_set_fd(ssl, fd);
  SSL_set_connect_state(ssl);
  for (int i = 0; i < 20 && r != 1; i++) {
    ERR_clear_error();
    r = SSL_do_handshake(ssl);
    turn();
  }
  require(r == 1);
  if (mode == 2)
    send_cells(ssl, data, len);
  else
    send_raw(fd, data, len);
  SSL_free(ssl);
}

static struct tm_link_context *context_new(bool with_identity)
{
  struct tm_link_config config;
  struct tm_link_context *ctx;

  tm_link_config_default(&config);
  config.base = base;
  config.clock = &tm_clock_system;
  config.rng = &tm_rng_system;
  config.identity_seed = with_identity ? seed : NULL;
  require(tm_link_context_new(&ctx, &config) == TM_OK);
  return ctx;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
  struct seen seen = {.accepted = true};
  struct tm_link_start start = {.want_anonymous = true, .identity = seed, .events = &events, .arg = &seen};
  struct tm_link_context *ctx;
  struct tm_link *link;
  unsigned mode;
  int pair[2];

  if (len == 0 || len > 20000)
    return 0;
  start_once();
  mode = data[0] % 4;
  start.accepted = seen.accepted = mode != 1;
  require(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) == 0);
  start.fd = pair[0];
  ctx = context_new(start.accepted);
  require(tm_link_new(ctx, &start, &link) == TM_OK);
  turn();
  if (mode < 2)
    send_raw(pair[1], data + 1, len - 1);
  else
    talk(pair[1], data + 1, len - 1, mode);
  shutdown(pair[1], SHUT_WR);
  turn();
  turn();
  tm_link_context_free(ctx);
  turn();
  require(seen.downs == seen.ups && seen.ups <= 1);
  close(pair[1]);
  return 0;
}
