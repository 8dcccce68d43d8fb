#include "config.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <ftw.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "base/clock.h"
#include "base/file.h"
#include "directory/assemble.h"
#include "directory/note.h"
#include "directory/params.h"
#include "relay/keys.h"

#include "bench/relay_world.h"

#define EPOCH_S 2592000
#define OTHERS 8 /* relays that only fill the document */

static uint64_t now_s(void) { return tm_clock_wall_ms(&tm_clock_system) / 1000; }

/* ---- the directory ---- */

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
  (void)st;
  (void)kind;
  (void)ftw;
  return remove(path);
}

static int make_dir(struct tm_bench_world *w)
{
  const char *base = getenv("TMPDIR");

  if (base == NULL || strlen(base) > 128)
    base = "/tmp";
  snprintf(w->dir, sizeof w->dir, "%s/tidemill-bench-XXXXXX", base);
  if (mkdtemp(w->dir) == NULL) {
    w->dir[0] = '\0';
    return TM_E_IO;
  }
  snprintf(w->config, sizeof w->config, "%s/relay.conf", w->dir);
  return TM_OK;
}

static int write_file(const struct tm_bench_world *w, const char *name, const char *text, size_t len)
{
  char path[256];

  snprintf(path, sizeof path, "%s/%s", w->dir, name);
  return tm_file_write(path, 0600, text, len);
}

void tm_bench_world_free(struct tm_bench_world *w)
{
  if (w->dir[0] != '\0')
    (void)nftw(w->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
  tm_sphinx_key_free(w->key);
  sodium_memzero(w, sizeof *w);
}

/* ---- keys ---- */

static int make_peer(struct tm_bench_peer *peer)
{
  uint8_t secret[crypto_sign_SECRETKEYBYTES];
  tm_sphinx_key *key;

  randombytes_buf(peer->seed, sizeof peer->seed);
  crypto_sign_seed_keypair(peer->identity, secret, peer->seed);
  randombytes_buf(secret, sizeof secret);
  if (tm_sphinx_key_new(&key, secret) != TM_SPHINX_OK)
    return TM_E_NOMEM;
  tm_sphinx_key_point(key, peer->point);
  tm_sphinx_key_free(key);
  sodium_memzero(secret, sizeof secret);
  return TM_OK;
}

static int make_relay(struct tm_bench_world *w)
{
  char state[256];
  uint8_t secret[crypto_sign_SECRETKEYBYTES];
  uint8_t *seed;
  uint64_t epoch = now_s() / EPOCH_S;
  int err;

  snprintf(state, sizeof state, "%s/state", w->dir);
  err = tm_dir_make(state);
  if (err == TM_OK)
    err = tm_identity_make(state, &tm_rng_system);
  if (err == TM_OK)
    err = tm_mix_key_make(state, epoch, &tm_rng_system);
  if (err == TM_OK)
    err = tm_mix_key_load(state, epoch, &w->key);
  if (err == TM_OK)
    err = tm_identity_load(state, &seed);
  if (err != TM_OK)
    return err;
  crypto_sign_seed_keypair(w->relay.identity, secret, seed);
  sodium_memzero(secret, sizeof secret);
  sodium_free(seed);
  tm_sphinx_key_point(w->key, w->relay.point);
  return TM_OK;
}

int tm_bench_world_new(struct tm_bench_world *w, const struct tm_bench_world_options *o)
{
  int err;

  *w = (struct tm_bench_world){.entry = o->entry, .peers = o->peers};
  err = make_dir(w);
  for (size_t i = 0; err == TM_OK && i < o->peers; i++) {
    err = make_peer(&w->source[i]);
    if (err == TM_OK)
      err = make_peer(&w->sink[i]);
  }
  if (err == TM_OK)
    err = make_relay(w);
  return err;
}

/* ---- the document ---- */

struct making {
  struct tm_document_draft draft;
  struct tm_relay_info relay[2 * TM_BENCH_PEERS_MAX + OTHERS + 1];
  struct tm_mix_key key[2 * TM_BENCH_PEERS_MAX + OTHERS + 1];
};

static void add(struct making *m, const char *kind, const struct tm_bench_peer *peer, unsigned roles, unsigned layer)
{
  size_t i = m->draft.n++;
  struct tm_relay_info *r = &m->relay[i];

  m->key[i].epoch = m->draft.valid_from / EPOCH_S;
  memcpy(m->key[i].point, peer->point, sizeof m->key[i].point);
  *r = (struct tm_relay_info){.roles = roles, .layer = layer, .n_keys = 1, .keys = &m->key[i]};
  memcpy(r->identity, peer->identity, sizeof r->identity);
  snprintf(r->name, sizeof r->name, "%s%zu", kind, i);
  /* Nobody dials those without a port; an address has to be there all the same, and be its own. */
  snprintf(r->address, sizeof r->address, "127.0.0.1:%u", peer->port > 0 ? peer->port : (unsigned)(i + 1));
}

static int add_other(struct making *m, unsigned roles, unsigned layer)
{
  struct tm_bench_peer peer = {.port = 0};
  int err = make_peer(&peer);

  if (err == TM_OK)
    add(m, "other", &peer, roles, layer);
  return err;
}

/* A network needs an entry, a mix in each layer and two stores. */
static int add_others(struct making *m, const struct tm_bench_world *w)
{
  int err = add_other(m, TM_ROLE_STORE, 0);

  if (err == TM_OK)
    err = add_other(m, TM_ROLE_STORE, 0);
  if (err == TM_OK && !w->entry)
    return add_other(m, TM_ROLE_ENTRY, 0);
  if (err == TM_OK)
    err = add_other(m, TM_ROLE_MIX, 2);
  return err == TM_OK ? add_other(m, TM_ROLE_MIX, 3) : err;
}

static int draft(struct making *m, const struct tm_bench_world *w, const struct tm_bench_world_options *o)
{
  m->draft = (struct tm_document_draft){.network = "bench", .valid_from = now_s(), .valid_until = now_s() + 86400, .relays = m->relay};
  tm_params_standard(&m->draft.params);
  m->draft.params.epoch_s = EPOCH_S;
  m->draft.params.loop_ms = 0; /* sinks bring no loop home: the relay would hold its mix */
  m->draft.params.dummy_ms = 0;
  m->draft.params.mean_delay_ms = o->mean_delay_ms;
  add(m, "relay", &w->relay, w->entry ? TM_ROLE_ENTRY : TM_ROLE_MIX, w->entry ? 0 : 2);
  for (size_t i = 0; i < w->peers; i++) {
    if (!w->entry)
      add(m, "source", &w->source[i], TM_ROLE_MIX, 1);
    add(m, "sink", &w->sink[i], TM_ROLE_MIX, w->entry ? 1 : 3);
  }
  return add_others(m, w);
}

static int sign(const struct tm_bench_world *w, const char *text, size_t len)
{
  struct tm_note_signer signer;
  char verifier[TM_NOTE_VERIFIER_LEN + 1];
  uint8_t seed[TM_NOTE_SEED_LEN];
  char *note = NULL;
  size_t note_len;
  int err;

  randombytes_buf(seed, sizeof seed);
  err = tm_note_signer_make(&signer, "bench", seed);
  if (err == TM_OK)
    err = tm_note_sign(&signer, text, len, &note, &note_len);
  if (err == TM_OK)
    err = write_file(w, "document", note, note_len);
  free(note);
  if (err != TM_OK)
    return err;
  tm_note_key_format(&signer.pub, verifier);
  sodium_memzero(&signer, sizeof signer);
  strcat(verifier, "\n");
  return write_file(w, "authorities", verifier, strlen(verifier));
}

static int write_config(const struct tm_bench_world *w, const struct tm_bench_world_options *o)
{
  char text[2048];
  int len = snprintf(text, sizeof text,
                     "name = \"relay0\"\nstate-dir = \"%s/state\"\naddress = \"127.0.0.1:%u\"\nroles = {%s}\n%s"
                     "authorities = \"%s/authorities\"\ndocument = \"%s/document\"\nworkers = %" PRIu32
                     "\nlog-level = error\nmax-clients = %" PRIu32 "\nlinks-per-address = 0\nlinks-per-network = 0\n%s",
                     w->dir, w->relay.port, w->entry ? "entry" : "mix", w->entry ? "" : "layer = 2\n", w->dir, w->dir, o->workers,
                     o->max_clients > 0 ? o->max_clients : 1, o->extra != NULL ? o->extra : "");

  return write_file(w, "relay.conf", text, (size_t)len);
}

/* After the sinks have theirs: it is none of them. */
static int pick_port(struct tm_bench_world *w)
{
  struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t len = sizeof addr;
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  int err = TM_E_IO;

  if (fd < 0)
    return TM_E_IO;
  if (bind(fd, (struct sockaddr *)&addr, sizeof addr) == 0 && getsockname(fd, (struct sockaddr *)&addr, &len) == 0) {
    w->relay.port = ntohs(addr.sin_port);
    err = TM_OK;
  }
  close(fd);
  return err;
}

int tm_bench_world_publish(struct tm_bench_world *w, const struct tm_bench_world_options *o)
{
  struct making *m = calloc(1, sizeof *m);
  struct tm_fault fault;
  char *text = NULL;
  size_t len;
  int err;

  if (m == NULL)
    return TM_E_NOMEM;
  err = pick_port(w);
  if (err == TM_OK)
    err = draft(m, w, o);
  if (err == TM_OK && tm_document_assemble(&m->draft, &text, &len, &fault) != TM_OK)
    err = TM_E_STATE;
  if (err == TM_OK)
    err = sign(w, text, len);
  free(text);
  free(m);
  return err == TM_OK ? write_config(w, o) : err;
}
