#include "config.h"

#include <netinet/in.h>

#include <signal.h>
#include <string.h>
#include <time.h>

#include <sodium.h>

#include "base/wire.h"

#include "link_support.h"

const uint8_t accept_seed[32] = {1};
const uint8_t dial_seed[32] = {2};
const uint8_t other_seed[32] = {3};

void identity_of(const uint8_t seed[32], uint8_t identity[32])
{
  uint8_t secret[crypto_sign_SECRETKEYBYTES];

  crypto_sign_seed_keypair(identity, secret, seed);
}

uint64_t real_ms(void)
{
  struct timespec t;

  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

void numbered_cell(uint8_t cell[TM_CELL_LEN], uint32_t number)
{
  uint8_t packet[TM_SPHINX_PACKET_LEN];
  struct tm_writer w = tm_writer_init(packet, sizeof packet);

  memset(packet, (int)(number & 0xff), sizeof packet);
  tm_write_u32(&w, number);
  tm_cell_packet(cell, packet);
}

void send_numbered(struct tm_link *link, uint32_t number)
{
  uint8_t cell[TM_CELL_LEN];

  numbered_cell(cell, number);
  assert_int_equal(tm_link_send(link, cell), TM_OK);
}

/* ---- ears ---- */

void ear_init(struct ear *ear)
{
  memset(ear, 0, sizeof *ear);
  ear->in_order = true;
  ear->reason = 1;
}

static bool ear_judge(void *arg, const uint8_t *identity)
{
  struct ear *ear = arg;

  ear->judged++;
  return identity != NULL ? ear->allow_relays : ear->allow_anonymous;
}

static void ear_up(void *arg, struct tm_link *link)
{
  struct ear *ear = arg;
  const uint8_t *peer = tm_link_peer(link);

  ear->ups++;
  ear->link = link;
  ear->alive = true;
  ear->anonymous = peer == NULL;
  if (peer != NULL)
    memcpy(ear->peer, peer, sizeof ear->peer);
  assert_null(tm_link_arg(link));
  tm_link_set_arg(link, ear);
  if (ear->on_up != NULL)
    ear->on_up(ear, link);
}

static void ear_cells(void *arg, struct tm_link *link, const uint8_t *cells, size_t n)
{
  struct ear *ear = arg;
  struct tm_cell_view view;

  assert_ptr_equal(tm_link_arg(link), ear);
  assert_true(n > 0);
  for (size_t i = 0; i < n; i++) {
    assert_int_equal(tm_cell_parse(cells + i * TM_CELL_LEN, &view), TM_OK);
    assert_int_not_equal(view.type, TM_CELL_PADDING);
    assert_int_not_equal(view.type, TM_CELL_WELCOME);
    if (view.type == TM_CELL_PACKET) {
      struct tm_reader r = tm_reader_init(view.packet, 4);
      uint32_t number = tm_read_u32(&r);
      ear->in_order = ear->in_order && number == ear->cells && view.packet[100] == (number & 0xff);
    }
    ear->cells++;
  }
  ear->calls++;
  memcpy(ear->last, cells + (n - 1) * TM_CELL_LEN, TM_CELL_LEN);
  if (ear->on_cells != NULL)
    ear->on_cells(ear, link);
}

static void ear_writable(void *arg, struct tm_link *link)
{
  struct ear *ear = arg;

  ear->writables++;
  if (ear->on_writable != NULL)
    ear->on_writable(ear, link);
}

static void ear_down(void *arg, struct tm_link *link, int reason)
{
  struct ear *ear = arg;

  ear->downs++;
  ear->reason = reason;
  if (ear->link == link)
    ear->alive = false;
  if (ear->on_down != NULL)
    ear->on_down(ear, link);
}

const struct tm_link_events ear_events = {ear_judge, ear_up, ear_cells, ear_writable, ear_down};

/* ---- nets ---- */

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
  (void)fd;
  (void)what;
  (void)arg;
}

static void config_init(struct tm_link_config *config, struct event_base *base, const uint8_t *seed)
{
  tm_link_config_default(config);
  config->base = base;
  config->clock = &tm_clock_system;
  config->rng = &tm_rng_system;
  config->identity_seed = seed;
}

void net_init(struct net *net, bool anonymous)
{
  struct timeval tick = {0, 2000};

  memset(net, 0, sizeof *net);
  signal(SIGPIPE, SIG_DFL); /* links must not need it ignored; a raw peer ignores it for itself */
  assert_true(sodium_init() >= 0);
  net->base = event_base_new();
  assert_non_null(net->base);
  net->tick = event_new(net->base, -1, EV_PERSIST, on_tick, NULL);
  assert_non_null(net->tick);
  event_add(net->tick, &tick);
  config_init(&net->accept_config, net->base, accept_seed);
  config_init(&net->dial_config, net->base, anonymous ? NULL : dial_seed);
  ear_init(&net->a);
  ear_init(&net->d);
  net->a.allow_relays = net->a.allow_anonymous = true;
  assert_int_equal(tm_link_address_parse("127.0.0.1:0", &net->addr, &net->addr_len), TM_OK);
}

void net_start(struct net *net, bool want_anonymous)
{
  assert_int_equal(tm_link_context_new(&net->acceptor, &net->accept_config), TM_OK);
  assert_int_equal(tm_link_context_new(&net->dialler, &net->dial_config), TM_OK);
  assert_int_equal(tm_link_listen(net->acceptor, (struct sockaddr *)&net->addr, net->addr_len, want_anonymous,
                                  &ear_events, &net->a, &net->listener),
                   TM_OK);
  ((struct sockaddr_in *)&net->addr)->sin_port = htons(tm_link_listener_port(net->listener));
}

struct tm_link *net_dial(struct net *net)
{
  uint8_t pin[32];
  struct tm_link *link;

  identity_of(accept_seed, pin);
  assert_int_equal(
    tm_link_dial(net->dialler, (struct sockaddr *)&net->addr, net->addr_len, pin, &ear_events, &net->d, &link), TM_OK);
  return link;
}

void net_up(struct net *net)
{
  int a = net->a.ups, d = net->d.ups;

  net_dial(net);
  WAIT(net, net->a.ups == a + 1 && net->d.ups == d + 1);
}

void net_end(struct net *net)
{
  tm_link_context_free(net->dialler);
  tm_link_context_free(net->acceptor);
  event_free(net->tick);
  event_base_free(net->base);
}

void run_once(struct net *net)
{
  event_base_loop(net->base, EVLOOP_ONCE);
  net->turns++;
  if (net->pump != NULL)
    net->pump(net->pump_arg);
}

void run_for(struct net *net, uint64_t ms)
{
  uint64_t end = real_ms() + ms;

  while (real_ms() < end)
    run_once(net);
}
