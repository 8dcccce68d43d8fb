#include "config.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <sodium.h>

#include "base/rng.h"
#include "link/cell.h"
#include "sphinx/sphinx.h"

#include "relay/capacity.h"

#define SAFE 0.8             /* of the sustained rate nothing is lost at (doc/performance.md) */
#define REST_US 2.5          /* beside the packet crypto, where CHACHA_US holds */
#define CHACHA_US 0.97       /* libsodium's ChaCha20 over TM_SPHINX_BODY_LEN bytes on that machine */
#define TAG_BYTES 16

struct bench {
  tm_sphinx *sphinx;
  tm_sphinx_key *key;
  uint8_t made[TM_SPHINX_BATCH_MAX][TM_SPHINX_PACKET_LEN], work[TM_SPHINX_BATCH_MAX][TM_SPHINX_PACKET_LEN];
  uint8_t *at[TM_SPHINX_BATCH_MAX];
  size_t len[TM_SPHINX_BATCH_MAX];
  tm_sphinx_hop hop[TM_SPHINX_BATCH_MAX];
};

static double cpu_us(void)
{
  struct timespec t;

  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static int make_packets(struct bench *b)
{
  uint8_t secret[32], random[TM_SPHINX_CREATE_RANDOM_LEN];
  static const uint8_t body[TM_SPHINX_BODY_LEN];
  tm_sphinx_node path[TM_SPHINX_HOPS_MAX] = {{.delay_ms = 0}};
  int r;

  tm_rng_fill(&tm_rng_system, secret, sizeof secret);
  r = tm_sphinx_key_new(&b->key, secret);
  sodium_memzero(secret, sizeof secret);
  for (size_t i = 0; r == TM_SPHINX_OK && i < TM_SPHINX_HOPS_MAX; i++) {
    tm_rng_fill(&tm_rng_system, path[i].identity, sizeof path[i].identity);
    tm_sphinx_key_point(b->key, path[i].mix_point);
  }
  for (size_t i = 0; r == TM_SPHINX_OK && i < TM_SPHINX_BATCH_MAX; i++) {
    tm_rng_fill(&tm_rng_system, random, sizeof random);
    b->at[i] = b->work[i];
    b->len[i] = TM_SPHINX_PACKET_LEN;
    r = tm_sphinx_create(b->sphinx, path, TM_SPHINX_HOPS_MAX, body, random, b->made[i]);
  }
  return r == TM_SPHINX_OK ? TM_OK : TM_E_NOMEM;
}

/* One batch; its processor time. */
static double open_batch(struct bench *b)
{
  double begin;

  memcpy(b->work, b->made, sizeof b->work);
  begin = cpu_us();
  (void)!tm_sphinx_unwrap_headers(b->sphinx, b->key, b->at, b->len, b->hop, TM_SPHINX_BATCH_MAX);
  (void)!tm_sphinx_unwrap_bodies(b->sphinx, b->at, b->hop, TM_SPHINX_BATCH_MAX);
  return cpu_us() - begin;
}

static double measure_chacha(struct bench *b)
{
  static const uint8_t key[crypto_stream_chacha20_KEYBYTES], nonce[crypto_stream_chacha20_NONCEBYTES];
  double begin = cpu_us();

  for (unsigned i = 0; i < 1024; i++)
    crypto_stream_chacha20_xor(b->work[0], b->work[0], TM_SPHINX_BODY_LEN, nonce, key);
  return (cpu_us() - begin) / 1024;
}

int tm_capacity_measure(struct tm_capacity_speed *speed, unsigned ms)
{
  struct bench *b = calloc(1, sizeof *b);
  double spent = 0;
  size_t n = 0;
  int err = TM_E_NOMEM;

  memset(speed, 0, sizeof *speed);
  if (b != NULL && tm_sphinx_new(&b->sphinx, NULL, TM_SPHINX_BODY_LEN) == TM_SPHINX_OK)
    err = make_packets(b);
  if (err == TM_OK) {
    (void)open_batch(b); /* warm */
    while (spent < ms * 1000.0) {
      spent += open_batch(b);
      n += TM_SPHINX_BATCH_MAX;
    }
    speed->unwrap_us = spent / (double)n;
    speed->rest_us = REST_US * measure_chacha(b) / CHACHA_US;
    snprintf(speed->backend, sizeof speed->backend, "%s", tm_sphinx_backend_name(b->sphinx));
  }
  if (b != NULL) {
    tm_sphinx_free(b->sphinx);
    tm_sphinx_key_free(b->key);
    sodium_memzero(b, sizeof *b);
  }
  free(b);
  return err;
}

static double least(double a, double b) { return a < b ? a : b; }

struct tm_capacity tm_capacity_estimate(const struct tm_capacity_speed *speed, unsigned cores, const struct tm_relay_config *config,
                                        const struct tm_params *params)
{
  struct tm_capacity c = {.speed = *speed, .cores = cores, .workers = config->workers > 0 ? config->workers : cores};
  double alive_s = (double)params->epoch_s + params->key_grace_s;

  /* All cores, all workers, and the one thread that serves the links. */
  c.packets_per_s = least(cores / (speed->unwrap_us + speed->rest_us), c.workers / speed->unwrap_us);
  c.packets_per_s = SAFE * 1e6 * least(c.packets_per_s, 1 / speed->rest_us);
  c.mbit_per_s = c.packets_per_s * TM_CELL_LEN * 8 / 1e6;
  c.epoch_s = params->epoch_s;
  c.grace_s = params->key_grace_s;
  c.tag_packets_per_s = (double)config->replay_max_tags / alive_s;
  c.tags_wanted = (uint64_t)(c.packets_per_s * alive_s);
  c.tag_bytes = config->replay_max_tags * TAG_BYTES;
  if ((config->roles & TM_ROLE_ENTRY) != 0)
    c.client_packets_per_s = 2e6 * config->max_clients / params->tick_us; /* each is answered */
  return c;
}

void tm_capacity_print(const struct tm_capacity *c, FILE *out)
{
  fprintf(out, "this machine carries about %.0f packets a second without loss (%u cores, %u workers; packet crypto %s, %.1f us a packet)\n",
          c->packets_per_s, c->cores, c->workers, c->speed.backend, c->speed.unwrap_us);
  fprintf(out, "that is %.0f Mbit/s each way, and %" PRIu64 " replay tags over an epoch and its grace (%" PRIu64 " + %" PRIu64 " s): %" PRIu64
               " MB of memory\n",
          c->mbit_per_s, c->tags_wanted, c->epoch_s, c->grace_s, c->tags_wanted * TAG_BYTES / 1000000);
  fprintf(out, "replay-max-tags lets %.0f packets a second through all the time, in %" PRIu64 " MB, twice that during the grace\n",
          c->tag_packets_per_s, c->tag_bytes / 1000000);
}
