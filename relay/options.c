#include "config.h"

#include <stdbool.h>
#include <string.h>

#include "directory/document.h"
#include "relay/replay.h"
#include "relay/slab.h"
#include "relay/worker.h"

#include "relay/options.h"

#define AT(member) TM_OPTION_AT(struct tm_relay_config, member)

static const char *const roles[] = {"entry", "mix", "store", NULL};
static const char *const levels[] = {"error", "warn", "info", "debug", NULL};

_Static_assert(TM_ROLE_ENTRY == 1 && TM_ROLE_MIX == 2 && TM_ROLE_STORE == 4, "bit i is choice i");
_Static_assert(TM_LOG_ERROR == 0 && TM_LOG_DEBUG == 3, "level i is choice i");

static const struct tm_option options[] = {
  {.group = "Identity and place",
   .name = "name", .kind = TM_OPTION_STRING, AT(name), .min = 1, .max = TM_RELAY_NAME_MAX, .required = true, .example = "mill1",
   .help = "The relay's name in the directory: lower-case letters, digits and hyphens, a letter first."},
  {.name = "state-dir", .kind = TM_OPTION_PATH, AT(state_dir), .required = true, .example = "/var/lib/tidemill-relay",
   .help = "Where the relay keeps its keys. Mode 0700; keygen makes it."},
  {.name = "user", .kind = TM_OPTION_STRING, AT(user), .min = 1, .max = 32, .example = "tidemill-relay",
   .help = "Whom the relay becomes when root starts it. Without it the owner of state-dir. It never stays root, unless this says root, which is for "
           "tests on machines that have no other user."},
  {.name = "sandbox", .kind = TM_OPTION_BOOLEAN, AT(sandbox), .fallback = "yes",
   .help = "Whether the relay, once it is up, forbids itself all system calls that a relay has no use for. Say no only on a machine whose "
           "kernel cannot do that."},
  {.name = "address", .kind = TM_OPTION_ADDRESS, AT(address), .required = true, .example = "127.0.0.1:4711",
   .help = "The address that the descriptor announces, and others connect to. Numbers only: nobody is asked for names."},
  {.name = "listen", .kind = TM_OPTION_ADDRESS, AT(listen), .example = "0.0.0.0:4711",
   .help = "The address to bind, where it differs from the announced one. Without it the announced one."},
  {.group = "Part in the network",
   .name = "roles", .kind = TM_OPTION_CHOICES, AT(roles), .choices = roles, .required = true, .example = "{entry}",
   .help = "What the relay does: let clients in (entry), mix, keep boxes (store). The document has to say the same."},
  {.name = "layer", .kind = TM_OPTION_INTEGER, AT(layer), .min = 1, .max = TM_DOCUMENT_LAYERS, .example = "1",
   .help = "The layer of a mix; every mix has one and nobody else."},
  {.name = "authorities", .kind = TM_OPTION_PATH, AT(authorities), .required = true, .example = "/etc/tidemill/authorities",
   .help = "File with the verifier keys of the directory authorities, one a line. More than two thirds of them must have signed a "
           "document."},
  {.name = "document", .kind = TM_OPTION_PATH, AT(document), .required = true, .example = "/var/lib/tidemill-relay/document",
   .help = "File with the signed directory document. It is read again when it changes and on a reload."},
  {.group = "What it tells",
   .name = "log-level", .kind = TM_OPTION_CHOICE, AT(log_level), .choices = levels, .fallback = "info", .reload = true,
   .help = "How much the relay writes to standard error. No level shows who talks to whom."},
  {.name = "counters-file", .kind = TM_OPTION_PATH, AT(counters_file), .example = "/run/tidemill-relay/counters.json", .reload = true,
   .help = "File with the relay's totals as JSON, written every second and at the end, for tests and measurements: who reads it and watches links "
           "sees more than either shows. Leave it out on a relay that people use; status and metrics-address are for operators."},
  {.name = "control-socket", .kind = TM_OPTION_PATH, AT(control_socket), .example = "/run/tidemill-relay/control",
   .help = "Where the status command finds the relay: a Unix socket that only the relay's user and root may use. Without it control in the state "
           "directory."},
  {.name = "metrics-address", .kind = TM_OPTION_ADDRESS, AT(metrics_address), .example = "127.0.0.1:9471",
   .help = "Where Prometheus may fetch metrics, over HTTP, from /metrics. An address of this machine only (127.x.x.x or [::1]): totals are rounded, "
           "but still nobody's business. Without it there are none."},
  {.name = "metrics-interval", .kind = TM_OPTION_INTEGER, AT(metrics_interval_s), .min = 5, .max = 3600, .unit = "seconds", .fallback = "60",
   .reload = true,
   .help = "How often the metrics change: at whole multiples by the clock, however often they are fetched. The shorter, the more they tell somebody "
           "who watches links as well; less than 60 is for tests."},
  {.group = "Store",
   .name = "store-file", .kind = TM_OPTION_PATH, AT(store_file), .example = "/var/lib/tidemill-relay/boxes.db",
   .help = "The box database of a store. Without it boxes.db in the state directory."},
  {.name = "store-quota-boxes", .kind = TM_OPTION_INTEGER, AT(store_quota_boxes), .min = 1, .max = 1000000000, .unit = "boxes",
   .fallback = "1000000", .reload = true, .help = "When so many boxes are kept, further ones are refused. A box takes about 1,800 bytes."},
  {.name = "store-queue", .kind = TM_OPTION_INTEGER, AT(store_queue), .min = 64, .max = 1048576, .unit = "requests",
   .fallback = "4096", .help = "Requests that may wait for the store's thread; what comes on top is dropped and counted."},
  {.group = "Packets in the relay",
   .name = "packets-max", .kind = TM_OPTION_INTEGER, AT(packets_max), .min = 256, .max = TM_SLAB_MAX, .unit = "packets",
   .fallback = "65536",
   .help = "Packets in the relay at any one time, wherever they wait. Each takes about 2,500 bytes, when it is used."},
  {.name = "ingress-queue", .kind = TM_OPTION_INTEGER, AT(ingress_queue), .min = 64, .max = 1048576, .unit = "packets",
   .fallback = "4096", .help = "Packets that each worker may have waiting. Before they are full, nothing more is read from links."},
  {.name = "egress-queue", .kind = TM_OPTION_INTEGER, AT(egress_queue), .min = 16, .max = 65536, .unit = "cells", .fallback = "1024",
   .help = "Cells that may wait on a link; what comes on top is dropped and counted."},
  {.name = "mix-max", .kind = TM_OPTION_INTEGER, AT(mix_max), .min = 64, .max = TM_SLAB_MAX, .unit = "packets", .fallback = "32768",
   .help = "Packets that the mix may hold; what comes on top is dropped and counted."},
  {.group = "Clients of an entry",
   .name = "max-clients", .kind = TM_OPTION_INTEGER, AT(max_clients), .min = 1, .max = 100000, .unit = "links", .fallback = "1000",
   .help = "Clients that an entry takes; each costs about 40 KB and the downlink rate of the network."},
  {.name = "client-queue", .kind = TM_OPTION_INTEGER, AT(client_queue), .min = 1, .max = 65536, .unit = "replies", .fallback = "256", .reload = true,
   .help = "Replies that may wait for one client."},
  {.group = "Replays",
   .name = "replay-max-tags", .kind = TM_OPTION_INTEGER, AT(replay_max_tags), .min = 1024, .max = TM_REPLAY_TAGS_MAX, .unit = "packets",
   .fallback = "20000000",
   .help = "Packets that one mix key may open. Beyond that packets are dropped, as replays could not be told any more. Each takes at most 16 "
           "bytes of memory, and 8 to 36 on disk; 100 packets a second for a day are 8,640,000."},
  {.group = "Threads and time",
   .name = "workers", .kind = TM_OPTION_INTEGER, AT(workers), .min = 0, .max = TM_WORKERS_MAX, .unit = "threads", .fallback = "0",
   .help = "Threads that open packets; 0 is one for each core."},
  {.name = "batch-wait-ms", .kind = TM_OPTION_INTEGER, AT(batch_wait_ms), .min = 0, .max = 100, .unit = "milliseconds", .fallback = "3",
   .help = "How long a batch waits for more packets before it is opened."},
  {.name = "drain-ms", .kind = TM_OPTION_INTEGER, AT(drain_ms), .min = 0, .max = 600000, .unit = "milliseconds", .fallback = "5000", .reload = true,
   .help = "How long the relay, told to stop, goes on sending what it holds."},
  {.group = "Limits against starvation",
   .name = "handshakes-max", .kind = TM_OPTION_INTEGER, AT(handshakes_max), .min = 16, .max = 100000, .unit = "handshakes", .fallback = "256",
   .help = "Links whose handshake is not over yet. When one more comes the oldest gives way, as an honest handshake takes a moment. Each takes up to "
           "100 KB."},
  {.name = "handshake-ms", .kind = TM_OPTION_INTEGER, AT(handshake_ms), .min = 1000, .max = 60000, .unit = "milliseconds", .fallback = "10000",
   .help = "How long a handshake may take."},
  {.name = "handshakes-per-address", .kind = TM_OPTION_INTEGER, AT(handshakes_per_address), .min = 0, .max = 100000, .unit = "handshakes",
   .fallback = "32", .reload = true,
   .help = "Handshakes in progress with one address (IPv6: with one /64); further ones are refused. 0 is no limit. Relays of the document are never "
           "refused for this, nor for the limits below."},
  {.name = "handshakes-per-network", .kind = TM_OPTION_INTEGER, AT(handshakes_per_network), .min = 0, .max = 100000, .unit = "handshakes",
   .fallback = "128", .reload = true, .help = "The same for all addresses of a network together: IPv4 /24, IPv6 /48."},
  {.name = "connects-per-address", .kind = TM_OPTION_INTEGER, AT(connects_per_address), .min = 0, .max = 1000000, .unit = "connections a minute",
   .fallback = "240", .reload = true,
   .help = "Connections that one address (IPv6: one /64) may open a minute, and as many at once. A connection costs a handshake. 0 is no limit."},
  {.name = "connects-per-network", .kind = TM_OPTION_INTEGER, AT(connects_per_network), .min = 0, .max = 1000000, .unit = "connections a minute",
   .fallback = "960", .reload = true, .help = "The same for all addresses of a network together: IPv4 /24, IPv6 /48."},
  {.name = "links-per-address", .kind = TM_OPTION_INTEGER, AT(links_per_address), .min = 0, .max = 100000, .unit = "links", .fallback = "100",
   .reload = true,
   .help = "Clients that may come from one address (IPv6: one /64). Many people may share one: raise it for an entry that serves a campus or a "
           "provider with few addresses. 0 is no limit."},
  {.name = "links-per-network", .kind = TM_OPTION_INTEGER, AT(links_per_network), .min = 0, .max = 100000, .unit = "links", .fallback = "250",
   .reload = true, .help = "The same for all addresses of a network together: IPv4 /24, IPv6 /48. It bounds what part of max-clients one network can take."},
  {.name = "first-cell-ms", .kind = TM_OPTION_INTEGER, AT(first_cell_ms), .min = 1000, .max = 3600000, .unit = "milliseconds", .fallback = "30000",
   .reload = true,
   .help = "How long a link may be up until the first good cell has come; forty ticks of the network's clients if that is longer, and no more than a "
           "minute, after which any silent link is closed."},
  {.name = "client-idle-ms", .kind = TM_OPTION_INTEGER, AT(client_idle_ms), .min = 1000, .max = 86400000, .unit = "milliseconds", .fallback = "120000",
   .reload = true,
   .help = "A client that has sent no packet for so long, and for forty ticks, loses its place when all are taken and somebody else wants one. Clients "
           "send all the time."},
  {.name = "client-rate-percent", .kind = TM_OPTION_INTEGER, AT(client_rate_percent), .min = 125, .max = 10000, .unit = "percent", .fallback = "200",
   .reload = true,
   .help = "How fast a client's link is read, of the rate at which clients of this network send. What comes faster waits at the client; one who goes on "
           "like that is closed."},
};

/* Metrics leave this machine by the operator's hand only. */
static bool is_loopback(const char *address) { return strncmp(address, "127.", 4) == 0 || strncmp(address, "[::1]:", 6) == 0; }

/* "0.0.0.0:4711" */
static bool is_every_address(const char *address)
{
  return strncmp(address, "0.0.0.0:", 8) == 0 || strncmp(address, "[::]:", 5) == 0;
}

static void check_address(const struct tm_relay_config *c, struct tm_option_place *place)
{
  if (tm_options_good(place, "address") && is_every_address(c->address))
    tm_options_complain(place, "address",
                        "address: \"%s\" is every address of this machine, and none that others could connect to: announce the one that they reach, "
                        "and write  listen = \"%s\"",
                        c->address, c->address);
}

static void check_roles(const struct tm_relay_config *c, struct tm_option_place *place)
{
  bool mix = (c->roles & TM_ROLE_MIX) != 0;

  if (!tm_options_good(place, "roles"))
    return;
  if (mix && !tm_options_given(place, "layer"))
    tm_options_complain(place, "roles", "a mix needs a layer: add \"layer = 1\", 2 or 3");
  if (!mix && tm_options_given(place, "layer"))
    tm_options_complain(place, "layer", "only a mix has a layer: remove the line, or add mix to roles");
  if (c->store_file != NULL && (c->roles & TM_ROLE_STORE) == 0)
    tm_options_complain(place, "store-file", "only a store has one: remove the line, or add store to roles");
}

static void check(const void *values, struct tm_option_place *place)
{
  const struct tm_relay_config *c = values;

  if (tm_options_good(place, "name") &&
      (c->name[0] < 'a' || c->name[0] > 'z' || strspn(c->name, "abcdefghijklmnopqrstuvwxyz0123456789-") != strlen(c->name)))
    tm_options_complain(place, "name", "\"%s\" has other characters than a-z, 0-9 and '-', or does not begin with a letter", c->name);
  check_address(c, place);
  check_roles(c, place);
  if (c->metrics_address != NULL && !is_loopback(c->metrics_address))
    tm_options_complain(place, "metrics-address", "is not an address of this machine alone: take 127.0.0.1 or [::1], and let a tunnel or a proxy with "
                                                  "a password bring it to others");
  if (c->mix_max > c->packets_max && tm_options_given(place, "mix-max") && tm_options_good(place, "mix-max") &&
      tm_options_good(place, "packets-max"))
    tm_options_complain(place, "mix-max", "is more than packets-max: the mix could never hold so many");
}

const struct tm_option_table tm_relay_options = {
  .program = "tidemill-relay",
  .options = options,
  .n = sizeof options / sizeof options[0],
  .size = sizeof(struct tm_relay_config),
  .check = check,
};
