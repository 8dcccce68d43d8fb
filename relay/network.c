#include "config.h"

#include <sys/queue.h>

#include <stdlib.h>
#include <string.h>

#include <event2/event.h>
#include <sodium.h>

#include "relay/pace.h"
#include "relay/topology.h"

#include "relay/network.h"

#define DIAL_FIRST_MS 250
#define DIAL_MOST_MS 5000
#define LEAST_BEAT_US 1000 /* shorter intervals: several cells a beat */
#define SPARE_CELLS 1536 /* what leaves in one turn of the loop at a hundred thousand packets a second, several times */

/* A relay that we send to. */
struct dialled {
  struct tm_network *net;
  struct tm_link_dialer *dialer;
  bool up;
  struct tm_pace_queue waiting; /* for their beats; has room only while links are paced */
  uint8_t identity[32];
  char address[TM_ADDRESS_MAX + 1];
};

/* A link from a relay that sends to us. */
struct accepted {
  LIST_ENTRY(accepted) entry;
  struct tm_link *link;
};

struct tm_network {
  struct tm_network_config config;
  struct tm_network_events events;
  void *arg;
  uint8_t identity[32];
  struct tm_link_context *links;
  struct tm_link_listener *listener;
  struct tm_pace pace;
  struct event *beat;       /* pending while links are paced */
  struct dialled **dialled; /* by ascending identity */
  size_t n_dialled;
  LIST_HEAD(, accepted) accepted;
  size_t n_up;
  bool known;               /* self and the lists below are of a document */
  struct tm_relay_info self;
  struct tm_relay_info *senders; /* who may send to us, by ascending identity */
  size_t n_senders;
};

/* ---- who is who ---- */

static int by_identity(const void *a, const void *b)
{
  return memcmp(((const struct tm_relay_info *)a)->identity, ((const struct tm_relay_info *)b)->identity, 32);
}

static bool may_send_to_us(const struct tm_network *net, const uint8_t *identity)
{
  struct tm_relay_info key;

  memcpy(key.identity, identity, sizeof key.identity);
  return net->n_senders > 0 &&
         bsearch(&key, net->senders, net->n_senders, sizeof *net->senders, by_identity) != NULL;
}

static int by_dialled(const void *a, const void *b)
{
  return memcmp((*(struct dialled *const *)a)->identity, (*(struct dialled *const *)b)->identity, 32);
}

static struct dialled *find_dialled(struct dialled *const *list, size_t n, const uint8_t *identity)
{
  struct dialled key, *pointer = &key;
  struct dialled *const *found;

  memcpy(key.identity, identity, sizeof key.identity);
  found = n > 0 ? bsearch(&pointer, list, n, sizeof *list, by_dialled) : NULL;
  return found == NULL ? NULL : *found;
}

/* ---- accepted links ---- */

static bool judge(void *arg, const uint8_t *identity)
{
  struct tm_network *net = arg;

  if (!net->known)
    return false;
  if (identity == NULL)
    return (net->self.roles & TM_ROLE_ENTRY) != 0 && net->events.client_room(net->arg);
  return may_send_to_us(net, identity);
}

/* A relay has one link to us. When it dials again it has given up the last one, whatever that looks like from here. */
static void close_last_of(struct tm_network *net, const uint8_t *identity)
{
  struct accepted *a;

  LIST_FOREACH(a, &net->accepted, entry)
    if (memcmp(tm_link_peer(a->link), identity, TM_LINK_IDENTITY_LEN) == 0)
      tm_link_close(a->link);
}

static void accepted_up(void *arg, struct tm_link *link)
{
  struct tm_network *net = arg;
  struct accepted *a;

  if (tm_link_peer(link) == NULL) {
    if (!net->events.client_up(net->arg, link))
      tm_link_refuse(link, TM_LINK_REFUSED_FULL); /* judge has just said that there is room: it cannot be */
    return;
  }
  /* A document may have come since its certificate was judged: a handshake takes as long as the peer likes. */
  a = may_send_to_us(net, tm_link_peer(link)) ? calloc(1, sizeof *a) : NULL;
  if (a == NULL) {
    tm_link_close(link);
    return;
  }
  close_last_of(net, tm_link_peer(link));
  a->link = link;
  LIST_INSERT_HEAD(&net->accepted, a, entry);
  net->n_up++;
  tm_link_set_arg(link, a);
}

static void accepted_cells(void *arg, struct tm_link *link, const uint8_t *cells, size_t n)
{
  struct tm_network *net = arg;

  if (tm_link_arg(link) == NULL)
    return; /* there was no room for it; it is closing */
  if (tm_link_peer(link) == NULL)
    net->events.client_cells(net->arg, link, cells, n);
  else
    net->events.relay_cells(net->arg, cells, n);
}

static void accepted_down(void *arg, struct tm_link *link, int reason)
{
  struct tm_network *net = arg;
  struct accepted *a = tm_link_arg(link);

  (void)reason;
  if (a == NULL)
    return;
  if (tm_link_peer(link) == NULL) {
    net->events.client_down(net->arg, link);
    return;
  }
  LIST_REMOVE(a, entry);
  net->n_up--;
  free(a);
}

static const struct tm_link_events accept_events = {
  .judge = judge,
  .up = accepted_up,
  .cells = accepted_cells,
  .down = accepted_down,
};

/* ---- dialled links ---- */

static void dialled_up(void *arg, struct tm_link *link)
{
  struct dialled *d = arg;

  (void)link;
  d->up = true;
  d->net->n_up++;
}

/* The side that accepted sends padding only. */
static void dialled_cells(void *arg, struct tm_link *link, const uint8_t *cells, size_t n)
{
  (void)arg;
  (void)cells;
  (void)n;
  tm_link_close(link);
}

static void dialled_down(void *arg, struct tm_link *link, int reason)
{
  struct dialled *d = arg;

  (void)link;
  (void)reason;
  if (d->up)
    d->net->n_up--;
  d->up = false;
  while (tm_pace_queue_first(&d->waiting) != NULL)
    tm_pace_queue_drop(&d->waiting); /* as what waits in a link is gone with it */
}

static const struct tm_link_events dial_events = {
  .up = dialled_up,
  .cells = dialled_cells,
  .down = dialled_down,
};

static struct dialled *dial(struct tm_network *net, const struct tm_relay_info *relay)
{
  struct dialled *d = calloc(1, sizeof *d);
  struct sockaddr_storage addr;
  socklen_t len;

  if (d == NULL)
    return NULL;
  d->net = net;
  memcpy(d->identity, relay->identity, sizeof d->identity);
  memcpy(d->address, relay->address, sizeof d->address);
  if (tm_link_address_parse(relay->address, &addr, &len) != TM_OK ||
      tm_link_dialer_new(net->links, (struct sockaddr *)&addr, len, relay->identity, DIAL_FIRST_MS, DIAL_MOST_MS, &dial_events, d,
                         &d->dialer) != TM_OK) {
    free(d);
    return NULL;
  }
  return d;
}

/* `down` of its link comes before tm_link_dialer_free returns. */
static void hang_up(struct dialled *d)
{
  tm_link_dialer_free(d->dialer);
  tm_pace_queue_free(&d->waiting);
  free(d);
}

/* ---- links at a constant rate ---- */

/* What has waited longest, or padding: nobody who counts cells learns which. What does not fit into the link stays. */
static bool send_one(struct dialled *d, struct tm_link *link, const uint8_t *padding)
{
  const uint8_t *cell = tm_pace_queue_first(&d->waiting);

  if (tm_link_send(link, cell != NULL ? cell : padding) != TM_OK)
    return false;
  if (cell != NULL)
    tm_pace_queue_drop(&d->waiting);
  return true;
}

static void on_beat(evutil_socket_t fd, short what, void *arg)
{
  struct tm_network *net = arg;
  size_t beats = tm_pace_beats(&net->pace, tm_clock_mono_ms(net->config.clock));
  uint8_t padding[TM_CELL_LEN];

  (void)fd;
  (void)what;
  tm_cell_padding(padding);
  for (size_t i = 0; i < net->n_dialled; i++) {
    struct tm_link *link = tm_link_dialer_link(net->dialled[i]->dialer);
    for (size_t k = 0; link != NULL && k < beats && send_one(net->dialled[i], link, padding); k++)
      ;
  }
}

/* Not paced any more: what waits goes out at once, as far as there is room. */
static void let_go(struct dialled *d)
{
  struct tm_link *link = tm_link_dialer_link(d->dialer);
  const uint8_t *cell;

  while (link != NULL && (cell = tm_pace_queue_first(&d->waiting)) != NULL && tm_link_send(link, cell) == TM_OK)
    tm_pace_queue_drop(&d->waiting);
  tm_pace_queue_free(&d->waiting);
}

static int pace_links(struct tm_network *net, uint32_t interval_us)
{
  uint32_t every_us = interval_us < LEAST_BEAT_US ? LEAST_BEAT_US : interval_us;
  struct timeval every = {.tv_sec = every_us / 1000000, .tv_usec = every_us % 1000000};
  int err = TM_OK;

  for (size_t i = 0; i < net->n_dialled; i++)
    if (interval_us == 0)
      let_go(net->dialled[i]);
    else if (net->dialled[i]->waiting.cells == NULL && err == TM_OK)
      err = tm_pace_queue_init(&net->dialled[i]->waiting, net->config.egress_queue);
  if (interval_us == net->pace.interval_us)
    return err;
  tm_pace_start(&net->pace, interval_us, tm_clock_mono_ms(net->config.clock));
  if (interval_us == 0)
    return event_del(net->beat) == 0 ? err : TM_E_IO;
  return event_add(net->beat, &every) == 0 ? err : TM_E_NOMEM;
}

/* ---- life ---- */

int tm_network_new(struct tm_network **out, const struct tm_network_config *config, const struct tm_network_events *events, void *arg)
{
  struct tm_network *net = calloc(1, sizeof *net);
  struct tm_link_config links;
  uint8_t secret[crypto_sign_SECRETKEYBYTES];
  int err;

  *out = NULL;
  if (net == NULL)
    return TM_E_NOMEM;
  net->config = *config;
  net->config.seed = NULL;
  net->events = *events;
  net->arg = arg;
  LIST_INIT(&net->accepted);
  crypto_sign_seed_keypair(net->identity, secret, config->seed);
  sodium_memzero(secret, sizeof secret);
  tm_link_config_default(&links);
  links.base = config->base;
  links.clock = config->clock;
  links.rng = config->rng;
  links.identity_seed = config->seed;
  links.queue_cells = config->egress_queue;
  links.spare_cells = SPARE_CELLS;
  links.max_links = config->max_clients + TM_DOCUMENT_RELAYS_MAX + config->limits.handshakes;
  links.handshake_ms = config->handshake_ms;
  links.limits = config->limits;
  net->beat = event_new(config->base, -1, EV_PERSIST, on_beat, net);
  err = net->beat == NULL ? TM_E_NOMEM : tm_link_context_new(&net->links, &links);
  if (err != TM_OK) {
    if (net->beat != NULL)
      event_free(net->beat);
    free(net);
    return err;
  }
  *out = net;
  return TM_OK;
}

void tm_network_free(struct tm_network *net)
{
  if (net == NULL)
    return;
  tm_network_stop_listening(net);
  tm_link_context_free(net->links); /* every `down` has come after this */
  for (size_t i = 0; i < net->n_dialled; i++) {
    tm_pace_queue_free(&net->dialled[i]->waiting);
    free(net->dialled[i]);
  }
  event_free(net->beat);
  free(net->dialled);
  free(net->senders);
  free(net);
}

int tm_network_listen(struct tm_network *net, const char *address)
{
  struct sockaddr_storage addr;
  socklen_t len;
  int err = tm_link_address_parse(address, &addr, &len);

  if (err != TM_OK)
    return err;
  return tm_link_listen(net->links, (struct sockaddr *)&addr, len, (net->config.roles & TM_ROLE_ENTRY) != 0, &accept_events, net,
                        &net->listener);
}

uint16_t tm_network_port(const struct tm_network *net) { return net->listener == NULL ? 0 : tm_link_listener_port(net->listener); }

void tm_network_stop_listening(struct tm_network *net)
{
  if (net->listener != NULL)
    tm_link_listener_free(net->listener);
  net->listener = NULL;
}

/* ---- a new document ---- */

/* What we are: the document's word, cut to what we are willing to be. */
static int find_self(struct tm_network *net, const struct tm_document *doc)
{
  const struct tm_relay_info *self = tm_document_find(doc, net->identity);
  bool same;

  net->known = self != NULL;
  if (self == NULL) {
    net->self = (struct tm_relay_info){.roles = 0};
    return TM_E_NOT_FOUND;
  }
  same = self->roles == net->config.roles && self->layer == net->config.layer;
  net->self = *self;
  net->self.keys = NULL; /* the document's memory */
  net->self.n_keys = 0;
  net->self.roles &= net->config.roles;
  if (self->layer != net->config.layer)
    net->self.roles &= ~(unsigned)TM_ROLE_MIX;
  return same ? TM_OK : TM_E_CONFLICT;
}

static int find_senders(struct tm_network *net, const struct tm_document *doc)
{
  size_t n = tm_document_relays(doc);
  struct tm_relay_info *senders = calloc(n + 1, sizeof *senders);

  free(net->senders);
  net->senders = senders;
  net->n_senders = 0;
  if (senders == NULL)
    return TM_E_NOMEM;
  for (size_t i = 0; net->known && i < n; i++) {
    const struct tm_relay_info *relay = tm_document_relay(doc, i);
    if (!tm_topology_sends(relay, &net->self) || memcmp(relay->identity, net->identity, 32) == 0)
      continue;
    senders[net->n_senders] = *relay;
    senders[net->n_senders++].keys = NULL;
  }
  qsort(senders, net->n_senders, sizeof *senders, by_identity);
  return TM_OK;
}

static void close_strangers(struct tm_network *net)
{
  struct accepted *a;

  LIST_FOREACH(a, &net->accepted, entry)
    if (!may_send_to_us(net, tm_link_peer(a->link)))
      tm_link_close(a->link);
}

/* Whatever their neighbours do, relays must reach each other. */
static int exempt_relays(struct tm_network *net, const struct tm_document *doc)
{
  size_t n = tm_document_relays(doc), known = 0;
  struct sockaddr_storage *addresses = calloc(n + 1, sizeof *addresses);
  socklen_t len;
  int err;

  if (addresses == NULL)
    return TM_E_NOMEM;
  for (size_t i = 0; i < n; i++)
    known += tm_link_address_parse(tm_document_relay(doc, i)->address, &addresses[known], &len) == TM_OK;
  err = tm_link_context_exempt(net->links, addresses, known);
  free(addresses);
  return err;
}

/* The dialler that we have for that relay at that address, taken out of the old list, or a new one. */
static struct dialled *keep_or_dial(struct tm_network *net, const struct tm_relay_info *relay)
{
  struct dialled *d = find_dialled(net->dialled, net->n_dialled, relay->identity);

  if (d != NULL && strcmp(d->address, relay->address) == 0)
    return d;
  return dial(net, relay);
}

static bool is_in(struct dialled *const *list, size_t n, const struct dialled *d)
{
  return find_dialled(list, n, d->identity) == d;
}

static int dial_all(struct tm_network *net, const struct tm_document *doc)
{
  size_t n = tm_document_relays(doc);
  struct dialled **next = calloc(n + 1, sizeof *next);
  size_t n_next = 0;
  int err = TM_OK;

  if (next == NULL)
    return TM_E_NOMEM;
  for (size_t i = 0; net->known && i < n; i++) {
    const struct tm_relay_info *relay = tm_document_relay(doc, i);
    if (!tm_topology_sends(&net->self, relay) || memcmp(relay->identity, net->identity, 32) == 0)
      continue;
    next[n_next] = keep_or_dial(net, relay);
    if (next[n_next] == NULL)
      err = TM_E_NOMEM;
    else
      n_next++;
  }
  qsort(next, n_next, sizeof *next, by_dialled);
  for (size_t i = 0; i < net->n_dialled; i++)
    if (!is_in(next, n_next, net->dialled[i]))
      hang_up(net->dialled[i]);
  free(net->dialled);
  net->dialled = next;
  net->n_dialled = n_next;
  return err;
}

int tm_network_document(struct tm_network *net, const struct tm_document *doc)
{
  int verdict = find_self(net, doc);
  int err = find_senders(net, doc);

  close_strangers(net); /* without memory nobody may send */
  if (err == TM_OK)
    err = exempt_relays(net, doc);
  if (err != TM_OK)
    return err;
  err = dial_all(net, doc);
  if (err == TM_OK)
    err = pace_links(net, tm_document_params(doc)->link_us);
  return err != TM_OK ? err : verdict;
}

unsigned tm_network_roles(const struct tm_network *net) { return net->self.roles; }

const struct tm_relay_info *tm_network_self(const struct tm_network *net) { return net->known ? &net->self : NULL; }
const uint8_t *tm_network_identity(const struct tm_network *net) { return net->identity; }

bool tm_network_is_loopback(const struct tm_network *net, const uint8_t identity[static 32])
{
  return net->known && memcmp(identity, net->identity, 32) == 0 && tm_topology_sends(&net->self, &net->self);
}

/* ---- packets ---- */

int tm_network_send(struct tm_network *net, const uint8_t identity[static 32], const uint8_t packet[static TM_SPHINX_PACKET_LEN])
{
  struct dialled *d = find_dialled(net->dialled, net->n_dialled, identity);
  struct tm_link *link = d == NULL ? NULL : tm_link_dialer_link(d->dialer);
  uint8_t cell[TM_CELL_LEN], *place;

  if (d == NULL)
    return TM_E_NOT_FOUND;
  if (link == NULL)
    return TM_E_CLOSED;
  if (net->pace.interval_us > 0) {
    place = tm_pace_queue_add(&d->waiting);
    if (place == NULL)
      return TM_E_FULL;
    tm_cell_packet(place, packet);
    return TM_OK;
  }
  tm_cell_packet(cell, packet);
  return tm_link_send(link, cell);
}

void tm_network_hold(struct tm_network *net, bool held) { tm_link_context_hold(net->links, held); }
void tm_network_set_limits(struct tm_network *net, const struct tm_link_limits *limits) { tm_link_context_set_limits(net->links, limits); }
struct tm_link_refused tm_network_refused(const struct tm_network *net) { return tm_link_context_refused(net->links); }
struct tm_link_io tm_network_io(const struct tm_network *net) { return tm_link_context_io(net->links); }
size_t tm_network_relay_links(const struct tm_network *net) { return net->n_up; }

size_t tm_network_queued(const struct tm_network *net)
{
  size_t n = 0;

  for (size_t i = 0; i < net->n_dialled; i++) {
    struct tm_link *link = tm_link_dialer_link(net->dialled[i]->dialer);
    n += net->dialled[i]->waiting.n;
    if (link != NULL)
      n += tm_link_queued(link);
  }
  return n;
}
