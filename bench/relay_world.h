/*
 * A network for a relay that is measured: keys, a signed document and a configuration in a temporary directory. The relay is real; all others of the
 * document are the bench itself (sources that send to the relay, sinks that it sends to) or names without anybody behind them.
 *
 * The bench makes the relay's mix key, so it can tell what becomes of a packet there. One thread.
 */
#ifndef TM_BENCH_RELAY_WORLD_H
#define TM_BENCH_RELAY_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "sphinx/sphinx.h"

#define TM_BENCH_PEERS_MAX 32

struct tm_bench_peer {
  uint8_t seed[32];
  uint8_t identity[32];
  uint8_t point[32]; /* a mix key whose secret nobody has */
  uint16_t port;     /* sinks: the caller sets it before tm_bench_world_publish */
};

struct tm_bench_world {
  char dir[192];
  char config[256];         /* the relay's configuration file */
  bool entry;               /* the relay is an entry, its sinks are mixes of layer 1; else a mix of layer 2, between 1 and 3 */
  size_t peers;             /* sources, and as many sinks */
  struct tm_bench_peer source[TM_BENCH_PEERS_MAX], sink[TM_BENCH_PEERS_MAX];
  struct tm_bench_peer relay; /* its point is that of key */
  tm_sphinx_key *key;       /* the relay's of this epoch */
};

struct tm_bench_world_options {
  bool entry;
  size_t peers;
  uint32_t mean_delay_ms;
  uint32_t workers;     /* 0: the relay decides */
  uint32_t max_clients; /* entry only */
  const char *extra;    /* more lines of configuration; NULL: none */
};

/* Makes directory and keys. Errors: TM_E_IO, TM_E_NOMEM. */
int tm_bench_world_new(struct tm_bench_world *w, const struct tm_bench_world_options *o) TM_MUST_CHECK;
/* Picks a port for the relay that is free now, and writes document and configuration. Errors: TM_E_IO, TM_E_NOMEM, TM_E_STATE (the document is not accepted: a bug). */
int tm_bench_world_publish(struct tm_bench_world *w, const struct tm_bench_world_options *o) TM_MUST_CHECK;
/* Removes the directory, wipes keys. Fine on a zeroed struct, and twice. */
void tm_bench_world_free(struct tm_bench_world *w);

#endif
