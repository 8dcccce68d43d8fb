#include "config.h"

#include <sys/resource.h>
#include <unistd.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "base/err.h"
#include "directory/params.h"

#include "bench/bench_relay.h"

#define SEARCH_SECONDS 4.0
#define SEARCH_PACKETS 500000
#define SEARCH_WINDOW 3072   /* what a relay with one worker can hold by its defaults, and more than its batches need */
#define SEARCH_DELAY_MS 10
#define FIXED_PACKETS_MAX 1000000
#define WARM_S 0.5
#define LIVE_WARM_S 3.0
#define SAY_EVERY 10
#define LIVE_SLOTS_S 4.0     /* slots for packets of so long, besides their delays */

/* Set by a signal; everything that takes time looks at it. */
static volatile int stopped;

static void on_signal(int signal) { stopped = signal; }

struct bench {
  const struct tm_bench_relay_options *o;
  struct tm_bench_relay_report *r;
  struct tm_bench_child child;
  struct tm_bench_world world;
  struct tm_bench_world_options world_options;
  struct tm_bench_load *load;
  struct tm_bench_packets *packets;
  const char *step; /* for messages */
};

/* ---- phases ---- */

/* Not more than a third of the memory that is free. */
static size_t slots_at_most(size_t n)
{
  long pages = sysconf(_SC_AVPHYS_PAGES), page = sysconf(_SC_PAGESIZE);
  double room = pages > 0 && page > 0 ? (double)pages * (double)page / 3 / 2500 : 1e5;

  return (double)n > room ? (size_t)room : n;
}

static int search(struct bench *b)
{
  struct tm_bench_phase phase = {.window = SEARCH_WINDOW, .warm_s = WARM_S, .seconds = SEARCH_SECONDS};
  int err;

  b->step = "making packets";
  err = tm_bench_packets_make(b->packets, slots_at_most(SEARCH_PACKETS), SEARCH_DELAY_MS, &stopped);
  if (err != TM_OK)
    return err;
  b->step = "the search for the rate";
  err = tm_bench_load_run(b->load, b->packets, &b->child, &phase, &b->r->search);
  b->r->searched = err == TM_OK;
  return err;
}

static int fixed(struct bench *b)
{
  struct tm_bench_phase phase = {.rate = TM_BENCH_FIXED_SHARE * b->r->search.rate, .warm_s = WARM_S, .seconds = b->o->seconds,
                                 .profile = true};
  double wanted = phase.rate * (phase.warm_s + phase.seconds) + 1;
  size_t n = slots_at_most(wanted > FIXED_PACKETS_MAX ? FIXED_PACKETS_MAX : (size_t)wanted);
  int err;

  b->step = "making packets";
  tm_bench_packets_discard(b->packets);
  err = tm_bench_packets_make(b->packets, n, b->o->mean_delay_ms, &stopped);
  if (err != TM_OK)
    return err;
  b->step = "the phase at a fixed rate";
  return tm_bench_load_run(b->load, b->packets, &b->child, &phase, &b->r->fixed);
}

static void say(void *arg, double second, const struct tm_bench_stats *s)
{
  const struct bench *b = arg;

  if (!b->o->json && (long)second % SAY_EVERY == 0)
    fprintf(stderr, "%4.0f s  %6.1f MB  %llu packets in, %llu held, %s\n", second, s->rss_mb,
            (unsigned long long)s->snapshot.totals.in_link, (unsigned long long)s->snapshot.held,
            s->balanced ? "balanced" : "NOT BALANCED");
}

/* At a rate that was given, packets being made meanwhile. */
static int live(struct bench *b)
{
  struct tm_bench_phase phase = {.rate = b->o->rate, .warm_s = LIVE_WARM_S, .seconds = b->o->seconds, .profile = true, .live = true,
                                 .each_second = say, .arg = b};
  int err;

  b->step = "making packets";
  err = tm_bench_packets_live(b->packets, b->o->mean_delay_ms);
  if (err != TM_OK)
    return err;
  b->step = "the phase at a fixed rate";
  return tm_bench_load_run(b->load, b->packets, &b->child, &phase, &b->r->fixed);
}

/* ---- the whole ---- */

static size_t slots(const struct tm_bench_relay_options *o)
{
  double n = o->rate * (LIVE_SLOTS_S + 12.0 * o->mean_delay_ms / 1e3) + 4096;

  return o->rate > 0 ? slots_at_most((size_t)n) : FIXED_PACKETS_MAX;
}

static int set_up(struct bench *b)
{
  int err;

  b->step = "starting a process";
  err = tm_bench_child_fork(&b->child, b->o->backend);
  if (err != TM_OK)
    return err;
  b->step = "making keys in a temporary directory";
  err = tm_bench_world_new(&b->world, &b->world_options);
  if (err == TM_OK)
    err = tm_bench_load_new(&b->load, &b->world, b->o->clients, &stopped);
  if (err == TM_OK)
    err = tm_bench_world_publish(&b->world, &b->world_options);
  if (err != TM_OK)
    return err;
  b->step = "starting the relay";
  err = tm_bench_child_start(&b->child, b->world.config);
  if (err != TM_OK)
    return err;
  b->step = "connecting";
  err = tm_bench_load_connect(b->load);
  if (err != TM_OK)
    return err;
  return tm_bench_packets_new(&b->packets, &b->world, slots(b->o));
}

static int measure(struct bench *b)
{
  int err = set_up(b);

  if (err == TM_OK && b->o->rate > 0)
    err = live(b);
  else if (err == TM_OK && (err = search(b)) == TM_OK)
    err = fixed(b);
  if (err != TM_OK)
    return err;
  b->step = "ending the relay";
  return tm_bench_child_stop(&b->child, &b->r->last);
}

static void clean_up(struct bench *b)
{
  tm_bench_packets_free(b->packets);
  tm_bench_load_free(b->load);
  tm_bench_child_end(&b->child);
  tm_bench_world_free(&b->world);
}

/* in = out + held + drops at every moment that was looked at, and the same count at our end. */
static const char *judge(const struct tm_bench_relay_report *r)
{
  if ((r->searched && (!r->search.begin.balanced || !r->search.end.balanced)) || !r->fixed.begin.balanced || !r->fixed.end.balanced ||
      !r->last.balanced)
    return "the relay's accounting does not balance";
  if (r->last.snapshot.held != 0)
    return "the relay held packets back";
  if (r->last.snapshot.totals.out_link < r->search.came + r->fixed.came)
    return "more packets came than the relay says it sent";
  return NULL;
}

/* ---- the command ---- */

enum {
  KEY_SECONDS = 's', KEY_RATE = 'r', KEY_CLIENTS = 'c', KEY_PEERS = 'l', KEY_DELAY = 'd', KEY_WORKERS = 'w', KEY_PAYLOAD = 'p',
  KEY_BACKEND = 'B', KEY_JSON = 'j', KEY_PLOT = 'P'
};

static const struct argp_option options[] = {
  {"seconds", KEY_SECONDS, "N", 0, "Length of the phase at a fixed rate (8)", 0},
  {"rate", KEY_RATE, "N", 0, "Packets a second, made meanwhile, instead of 80% of what the relay can do", 0},
  {"clients", KEY_CLIENTS, "N", 0, "Measure an entry with so many clients, at the default rates of a network", 0},
  {"links", KEY_PEERS, "N", 0, "Relays that send, and as many that receive, 1 to 32 (4)", 0},
  {"mean-delay", KEY_DELAY, "MS", 0, "Mean of the packets' delays in the phase at a fixed rate (100)", 0},
  {"workers", KEY_WORKERS, "N", 0, "The relay's threads that open packets (0: one for each core)", 0},
  {"payload", KEY_PAYLOAD, "BYTES", 0, "Only 2048, which all packets of a network have", 0},
  {"backend", KEY_BACKEND, "NAME", 0, "Back-end of the relay", 0},
  {"json", KEY_JSON, NULL, 0, "Print JSON instead of a table", 0},
  {"plot", KEY_PLOT, "FILE", 0, "Draw a chart, as SVG", 0},
  {0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
  struct tm_bench_relay_options *o = state->input;

  switch (key) {
  case KEY_SECONDS:
    o->seconds = (double)tm_command_number(state, "--seconds", arg, 1, 86400);
    return 0;
  case KEY_RATE:
    o->rate = (double)tm_command_number(state, "--rate", arg, 1, 1000000);
    return 0;
  case KEY_CLIENTS:
    o->clients = tm_command_number(state, "--clients", arg, 1, 100000);
    return 0;
  case KEY_PEERS:
    o->peers = tm_command_number(state, "--links", arg, 1, TM_BENCH_PEERS_MAX);
    return 0;
  case KEY_DELAY:
    o->mean_delay_ms = (uint32_t)tm_command_number(state, "--mean-delay", arg, 1, 10000);
    return 0;
  case KEY_WORKERS:
    o->workers = (uint32_t)tm_command_number(state, "--workers", arg, 0, 64);
    return 0;
  case KEY_PAYLOAD:
    (void)tm_command_number(state, "--payload", arg, TM_SPHINX_BODY_LEN, TM_SPHINX_BODY_LEN);
    return 0;
  case KEY_BACKEND:
    o->backend = tm_bench_backend(arg, state);
    return 0;
  case KEY_JSON:
    o->json = true;
    return 0;
  case KEY_PLOT:
    o->plot = arg;
    return 0;
  case ARGP_KEY_ARG:
    argp_error(state, "\"%s\" is one argument too many", arg);
    return 0;
  default:
    return ARGP_ERR_UNKNOWN;
  }
}

/* Clients send at the mean rate of their clocks. */
static void settle_options(struct tm_bench_relay_options *o)
{
  struct tm_params params;

  tm_params_standard(&params);
  if (o->clients > 0 && o->rate <= 0)
    o->rate = 1e6 * (double)o->clients / params.tick_us;
  if (o->mean_delay_ms == 0)
    o->mean_delay_ms = o->clients > 0 ? params.mean_delay_ms : 100;
}

static int raise_descriptor_limit(const struct tm_bench_relay_options *o)
{
  struct rlimit limit;

  if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
    return TM_E_IO;
  limit.rlim_cur = limit.rlim_max;
  if (setrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur < o->clients + 512)
    return TM_E_TOO_BIG;
  return TM_OK;
}

static void watch_signals(void)
{
  struct sigaction action = {.sa_handler = on_signal};

  sigaction(SIGINT, &action, NULL);
  sigaction(SIGTERM, &action, NULL);
  sigaction(SIGHUP, &action, NULL);
  signal(SIGPIPE, SIG_IGN);
}

static int tell(const struct tm_command_call *call, const struct tm_bench_relay_options *o, const struct tm_bench_relay_report *r)
{
  const char *wrong = judge(r);
  int err = TM_OK;

  if (o->json)
    err = tm_bench_relay_print_json(r);
  else
    tm_bench_relay_print_table(o, r);
  if (o->plot != NULL && tm_bench_relay_plot(o, r) != TM_OK)
    return tm_command_fail(call, "%s: %s", o->plot, strerror(errno));
  if (err != TM_OK || fflush(stdout) != 0)
    return tm_command_fail(call, "standard output: %s", tm_strerror(err != TM_OK ? err : TM_E_IO));
  return wrong == NULL ? TM_EXIT_OK : tm_command_fail(call, "%s", wrong);
}

int tm_bench_relay(const struct tm_command_call *call)
{
  struct tm_bench_relay_options o = {.seconds = 8, .peers = 4};
  struct tm_bench_relay_report *r = calloc(1, sizeof *r);
  struct bench b = {.o = &o, .r = r};
  int code, err;

  tm_command_parse(call, options, parse, &o);
  settle_options(&o);
  if (sodium_init() < 0 || r == NULL)
    return tm_command_fail(call, "%s", tm_strerror(TM_E_NOMEM));
  if (o.backend != NULL && tm_sphinx_backend_available(o.backend) == 0)
    return tm_command_fail(call, "back-end %s does not work on this machine", o.backend);
  if (raise_descriptor_limit(&o) != TM_OK)
    return tm_command_fail(call, "too few files may be open for so many clients (ulimit -Hn)");
  b.world_options = (struct tm_bench_world_options){.entry = o.clients > 0, .peers = o.peers, .mean_delay_ms = o.mean_delay_ms,
                                                    .workers = o.workers, .max_clients = (uint32_t)o.clients};
  watch_signals();
  tm_bench_cpu_name(r->cpu_name);
  err = measure(&b);
  clean_up(&b);
  if (stopped)
    code = tm_command_fail(call, "interrupted");
  else if (err != TM_OK)
    code = tm_command_fail(call, "%s: %s", b.step, tm_strerror(err));
  else
    code = tell(call, &o, r);
  free(r);
  return code;
}
