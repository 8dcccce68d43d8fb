#include "config.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>
#include <event2/event.h>
#include <sodium.h>

#include "base/file.h"
#include "directory/assemble.h"
#include "directory/note.h"
#include "relay/keys.h"

#include "tests/unit/relay_support.h"

#define EPOCHS 3

static atomic_int_least64_t wall_offset_ms;

static uint64_t test_mono(void *ctx)
{
  (void)ctx;
  return tm_clock_mono_ms(&tm_clock_system);
}

static uint64_t test_wall(void *ctx)
{
  (void)ctx;
  return tm_clock_wall_ms(&tm_clock_system) + (uint64_t)atomic_load(&wall_offset_ms);
}

static const struct tm_clock test_clock = {test_mono, test_wall, NULL};

void net_set_wall_offset(int64_t seconds) { atomic_store(&wall_offset_ms, seconds * 1000); }

static uint64_t now_s(void) { return tm_clock_wall_ms(&test_clock) / 1000; }

struct tm_params net_params(void)
{
  return (struct tm_params){
    .epoch_s = 86400,
    .key_grace_s = 3600,
    .packet_hops = 5,
    .packet_body = TM_SPHINX_BODY_LEN,
    .strategy = TM_STRATEGY_POISSON,
    .mean_delay_ms = 5,
    .pool_interval_ms = 50,
    .pool_min = 2,
    .pool_share_permille = 600,
    .pool_floor = 4,
    .slot_ms = 2000,
    .slot_lag_ms = 1000,
    .sequences = 2,
    .tick_us = 50000,
    .request_permille = 800,
    .downlink_us = 8000,
    .decoy_write_permille = 500,
    .request_timeout_ms = 2000,
    .box_expiry_s = 600,
    .work_bits = 4,
  };
}

/* ---- making a network ---- */

static const struct {
  const char *name;
  unsigned role, layer;
} plan[NET_RELAYS] = {
  {"entry1", TM_ROLE_ENTRY, 0}, {"mix1", TM_ROLE_MIX, 1},     {"mix2", TM_ROLE_MIX, 2},
  {"mix3", TM_ROLE_MIX, 3},     {"store1", TM_ROLE_STORE, 0}, {"store2", TM_ROLE_STORE, 0},
  {"store3", TM_ROLE_ENTRY | TM_ROLE_STORE, 0},
};

/* A port that nobody has, and that nobody else gets: the socket stays, and lets only those in who name the port. */
static void hold_port(struct net_relay *r)
{
  struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t len = sizeof addr;
  int one = 1;

  r->holds_port = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  assert_int_equal(setsockopt(r->holds_port, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one), 0);
  assert_int_equal(bind(r->holds_port, (struct sockaddr *)&addr, sizeof addr), 0);
  assert_int_equal(getsockname(r->holds_port, (struct sockaddr *)&addr, &len), 0);
  r->port = ntohs(addr.sin_port);
}

static void write_text(const char *dir, const char *name, const char *text)
{
  char path[192];

  snprintf(path, sizeof path, "%s/%s", dir, name);
  assert_int_equal(tm_file_write(path, 0600, text, strlen(text)), TM_OK);
}

static void signer_of(struct net *net, struct tm_note_signer *signer)
{
  uint8_t seed[32];

  /* The directory's name is random; so is the seed. */
  crypto_generichash(seed, sizeof seed, (const uint8_t *)net->dir, strlen(net->dir), NULL, 0);
  assert_int_equal(tm_note_signer_make(signer, "authority1", seed), TM_OK);
}

static void make_authorities(struct net *net)
{
  struct tm_note_signer signer;
  char text[TM_NOTE_VERIFIER_LEN + 1];

  signer_of(net, &signer);
  tm_note_key_format(&signer.pub, text);
  strcat(text, "\n");
  write_text(net->dir, "authorities", text);
}

static void make_relay(struct net *net, unsigned i, const char *extra)
{
  static const char *const roles[] = {
    [TM_ROLE_ENTRY] = "entry", [TM_ROLE_MIX] = "mix", [TM_ROLE_STORE] = "store", [TM_ROLE_ENTRY | TM_ROLE_STORE] = "entry, store"};
  struct net_relay *r = &net->relay[i];
  char text[2048], path[192], layer[32] = "", dir[sizeof net->dir];
  uint8_t *seed, secret[crypto_sign_SECRETKEYBYTES];

  memcpy(dir, net->dir, sizeof dir);
  snprintf(r->dir, sizeof r->dir, "%s/%s", dir, plan[i].name);
  assert_int_equal(tm_dir_make(r->dir), TM_OK);
  assert_int_equal(tm_identity_make(r->dir, &tm_rng_system), TM_OK);
  for (uint64_t e = 0; e < EPOCHS; e++)
    assert_int_equal(tm_mix_key_make(r->dir, net->first_epoch + e, &tm_rng_system), TM_OK);
  assert_int_equal(tm_identity_load(r->dir, &seed), TM_OK);
  crypto_sign_seed_keypair(r->identity, secret, seed);
  sodium_free(seed);
  hold_port(r);
  if (plan[i].layer > 0)
    snprintf(layer, sizeof layer, "layer = %u\n", plan[i].layer);
  snprintf(text, sizeof text,
           "name = \"%s\"\nstate-dir = \"%s\"\naddress = \"127.0.0.1:%u\"\nroles = {%s}\n%sauthorities = \"%s/authorities\"\n"
           "document = \"%s/document\"\nworkers = 2\nmax-clients = 4\nlog-level = error\n%s",
           plan[i].name, r->dir, r->port, roles[plan[i].role], layer, dir, dir, extra);
  snprintf(path, sizeof path, "%s/relay.conf", r->dir);
  assert_int_equal(tm_options_parse(&tm_relay_options, path, text, strlen(text), &r->config, stderr), TM_OK);
}

static void relay_info(struct net *net, unsigned i, struct tm_relay_info *info, struct tm_mix_key keys[EPOCHS])
{
  struct net_relay *r = &net->relay[i];

  *info = (struct tm_relay_info){.roles = net->role[i], .layer = net->layer[i], .n_keys = EPOCHS, .keys = keys};
  snprintf(info->name, sizeof info->name, "%s", plan[i].name);
  snprintf(info->address, sizeof info->address, "127.0.0.1:%u", r->port);
  memcpy(info->identity, r->identity, sizeof info->identity);
  for (uint64_t e = 0; e < EPOCHS; e++) {
    tm_sphinx_key *key;
    assert_int_equal(tm_mix_key_load(r->dir, net->first_epoch + e, &key), TM_OK);
    keys[e].epoch = net->first_epoch + e;
    tm_sphinx_key_point(key, keys[e].point);
    tm_sphinx_key_free(key);
  }
}

void net_write_document(struct net *net, uint64_t valid_s, unsigned without_relay)
{
  struct tm_relay_info relays[NET_RELAYS];
  struct tm_mix_key keys[NET_RELAYS][EPOCHS];
  struct tm_document_draft draft = {.network = "test", .valid_from = now_s(), .params = net->params, .relays = relays};
  struct tm_note_signer signer;
  struct tm_fault fault;
  char *text, *note, path[192];
  size_t len, note_len;
  int err;

  draft.valid_until = draft.valid_from + valid_s;
  for (unsigned i = 0; i < NET_RELAYS; i++)
    if (i != without_relay) {
      relay_info(net, i, &relays[draft.n], keys[i]);
      draft.n++;
    }
  err = tm_document_assemble(&draft, &text, &len, &fault);
  if (err != TM_OK)
    print_error("document: %s\n", fault.what);
  assert_int_equal(err, TM_OK);
  signer_of(net, &signer);
  assert_int_equal(tm_note_sign(&signer, text, len, &note, &note_len), TM_OK);
  snprintf(path, sizeof path, "%s/document", net->dir);
  assert_int_equal(tm_file_write(path, 0600, note, note_len), TM_OK);
  free(text);
  free(note);
}

struct net *net_start(const struct tm_params *params, const char *extra)
{
  struct net *net = calloc(1, sizeof *net);

  assert_non_null(net);
  snprintf(net->dir, sizeof net->dir, "/tmp/tidemill-test-XXXXXX");
  assert_non_null(mkdtemp(net->dir));
  net->params = *params;
  net->first_epoch = now_s() / params->epoch_s;
  assert_int_equal(tm_sphinx_new(&net->sphinx, NULL, TM_SPHINX_BODY_LEN), TM_SPHINX_OK);
  make_authorities(net);
  for (unsigned i = 0; i < NET_RELAYS; i++) {
    net->role[i] = plan[i].role;
    net->layer[i] = plan[i].layer;
    make_relay(net, i, extra);
  }
  net_write_document(net, 3600, NET_RELAYS);
  tm_log_set_level(TM_LOG_ERROR);
  for (unsigned i = 0; i < NET_RELAYS; i++) {
    struct tm_engine_config config = {.relay = &net->relay[i].config, .clock = &test_clock, .rng = &tm_rng_system};
    assert_int_equal(tm_engine_new(&net->relay[i].engine, &config), TM_OK);
  }
  net_connect(net);
  return net;
}

void net_stop(struct net *net)
{
  char command[128];

  tm_link_context_free(net->client.links);
  event_base_free(net->client.base);
  for (unsigned i = 0; i < NET_RELAYS; i++) {
    tm_engine_free(net->relay[i].engine);
    tm_options_free(&tm_relay_options, &net->relay[i].config);
    close(net->relay[i].holds_port);
  }
  tm_sphinx_free(net->sphinx);
  snprintf(command, sizeof command, "rm -rf '%s'", net->dir);
  assert_int_equal(system(command), 0);
  free(net);
  net_set_wall_offset(0);
}

/* ---- the client ---- */

static void client_up(void *arg, struct tm_link *link)
{
  (void)link;
  ((struct net_client *)arg)->up = true;
}

static void client_cells(void *arg, struct tm_link *link, const uint8_t *cells, size_t n)
{
  struct net_client *c = arg;

  (void)link;
  for (size_t i = 0; i < n && c->n_cells < NET_CELLS_MAX; i++)
    memcpy(c->cells[c->n_cells++], cells + i * TM_CELL_LEN, TM_CELL_LEN);
}

static void client_down(void *arg, struct tm_link *link, int reason)
{
  struct net_client *c = arg;

  (void)link;
  c->link = NULL;
  c->up = false;
  c->down_reason = reason;
}

static const struct tm_link_events client_events = {.up = client_up, .cells = client_cells, .down = client_down};

static bool is_ready(struct net *net, void *arg)
{
  (void)arg;
  for (unsigned i = 0; i < NET_RELAYS; i++) {
    static const uint64_t links[NET_RELAYS] = {2, 5, 2, 5, 2, 2, 2};
    struct tm_snapshot s = net_snapshot(net, i);
    if (net->relay[i].engine != NULL && s.relay_links < links[i])
      return false;
  }
  return net->client.up;
}

void net_connect(struct net *net)
{
  struct net_client *c = &net->client;
  struct tm_link_config config;
  struct sockaddr_storage addr;
  socklen_t len;
  char text[64];

  if (c->base == NULL) {
    c->base = event_base_new();
    tm_link_config_default(&config);
    config.base = c->base;
    config.clock = &tm_clock_system;
    config.rng = &tm_rng_system;
    config.keepalive_ms = 0;
    assert_int_equal(tm_link_context_new(&c->links, &config), TM_OK);
  }
  snprintf(text, sizeof text, "127.0.0.1:%u", net->relay[NET_ENTRY].port);
  assert_int_equal(tm_link_address_parse(text, &addr, &len), TM_OK);
  assert_int_equal(tm_link_dial(c->links, (struct sockaddr *)&addr, len, net->relay[NET_ENTRY].identity, &client_events, c, &c->link),
                   TM_OK);
  net_pump_until(net, is_ready, NULL);
}

void net_send_cell(struct net *net, const uint8_t cell[static TM_CELL_LEN])
{
  assert_non_null(net->client.link);
  assert_int_equal(tm_link_send(net->client.link, cell), TM_OK);
}

void net_send(struct net *net, const uint8_t packet[static TM_SPHINX_PACKET_LEN])
{
  uint8_t cell[TM_CELL_LEN];

  tm_cell_packet(cell, packet);
  net_send_cell(net, cell);
}

/* ---- driving ---- */

struct tm_snapshot net_snapshot(struct net *net, unsigned relay)
{
  if (net->relay[relay].engine == NULL)
    return (struct tm_snapshot){.name = ""};
  return tm_engine_snapshot(net->relay[relay].engine);
}

static void turn(struct net *net)
{
  for (unsigned i = 0; i < NET_RELAYS; i++) {
    struct tm_snapshot s;
    if (net->relay[i].engine == NULL)
      continue;
    event_base_loop(tm_engine_base(net->relay[i].engine), EVLOOP_NONBLOCK);
    s = tm_engine_snapshot(net->relay[i].engine);
    if (!tm_snapshot_balanced(&s))
      fail_msg("the equation of %s does not hold", plan[i].name);
  }
  event_base_loop(net->client.base, EVLOOP_NONBLOCK);
  usleep(500);
}

void net_pump(struct net *net, unsigned ms)
{
  uint64_t until = tm_clock_mono_ms(&tm_clock_system) + ms;

  while (tm_clock_mono_ms(&tm_clock_system) < until)
    turn(net);
}

static void show(struct net *net)
{
  for (unsigned i = 0; i < NET_RELAYS; i++) {
    struct tm_snapshot s = net_snapshot(net, i);
    print_error("%s: in %d own %d out %d client %d held %d links %d clients %d", plan[i].name, (int)s.totals.in_link, (int)s.totals.in_own,
                (int)s.totals.out_link, (int)s.totals.out_client, (int)s.held, (int)s.relay_links, (int)s.client_links);
    for (size_t reason = 1; reason < TM_DROPS; reason++)
      if (s.totals.drop[reason] > 0)
        print_error(" %s %d", tm_drop_name((enum tm_drop)reason), (int)s.totals.drop[reason]);
    print_error("\n");
  }
}

void net_pump_until(struct net *net, bool (*done)(struct net *net, void *arg), void *arg)
{
  uint64_t until = tm_clock_mono_ms(&tm_clock_system) + 20000;

  while (!done(net, arg)) {
    turn(net);
    if (tm_clock_mono_ms(&tm_clock_system) >= until) {
      show(net);
      fail_msg("it did not happen in 20 s");
    }
  }
}

uint64_t net_dropped(struct net *net, unsigned relay, enum tm_drop reason) { return net_snapshot(net, relay).totals.drop[reason]; }

struct expected {
  unsigned relay;
  enum tm_drop reason;
  uint64_t n;
};

static bool has_dropped(struct net *net, void *arg)
{
  const struct expected *x = arg;

  return net_dropped(net, x->relay, x->reason) >= x->n;
}

void net_expect_drop(struct net *net, unsigned relay, enum tm_drop reason, uint64_t n)
{
  struct expected x = {relay, reason, n};

  net_pump_until(net, has_dropped, &x);
  assert_int_equal(net_dropped(net, relay, reason), n);
}

/* ---- packets ---- */

size_t net_path(struct net *net, tm_sphinx_node path[static TM_SPHINX_HOPS_MAX], const unsigned *relays, uint32_t delay_ms)
{
  size_t n = 0;

  for (; relays[n] != NET_RELAYS; n++) {
    struct net_relay *r = &net->relay[relays[n]];
    tm_sphinx_key *key;
    assert_int_equal(tm_mix_key_load(r->dir, now_s() / net->params.epoch_s, &key), TM_OK);
    tm_sphinx_key_point(key, path[n].mix_point);
    tm_sphinx_key_free(key);
    memcpy(path[n].identity, r->identity, sizeof path[n].identity);
    path[n].delay_ms = delay_ms;
  }
  return n;
}

size_t net_path_to_store(struct net *net, unsigned store, tm_sphinx_node path[static TM_SPHINX_HOPS_MAX])
{
  unsigned relays[] = {NET_ENTRY, NET_MIX1, NET_MIX2, NET_MIX3, store, NET_RELAYS};

  return net_path(net, path, relays, 3);
}

void net_surb(struct net *net, uint8_t surb[static TM_SPHINX_SURB_LEN], uint8_t id[static TM_SPHINX_SURB_ID_LEN], tm_sphinx_surb_keys *keys)
{
  static const unsigned relays[] = {NET_MIX1, NET_MIX2, NET_MIX3, NET_ENTRY, NET_RELAYS};
  uint8_t random[TM_SPHINX_SURB_RANDOM_LEN];
  tm_sphinx_node path[TM_SPHINX_HOPS_MAX];
  size_t n = net_path(net, path, relays, 3);

  randombytes_buf(random, sizeof random);
  randombytes_buf(id, TM_SPHINX_SURB_ID_LEN);
  assert_int_equal(tm_sphinx_surb_create(net->sphinx, path, n, tm_link_handle(net->client.link), id, random, surb, keys),
                   TM_SPHINX_OK);
}
