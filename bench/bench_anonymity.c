/* The command: its options. */
#include "config.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "base/err.h"

#include "bench/attack.h"
#include "bench/bench_anonymity.h"
#include "bench/mixsim.h"

#define PACKETS_MAX 1000000
#define SECONDS_MAX 100000.0
#define RATE_MAX 1000000.0
#define COUNT_MAX 100000

enum {
  KEY_STRATEGY = 's', KEY_THRESHOLD = 't', KEY_POOL = 'p', KEY_INTERVAL = 'i', KEY_RATE = 'r', KEY_DELAY = 'd', KEY_PACKETS = 'n',
  KEY_SEED = 'S', KEY_JSON = 'j', KEY_PLOT = 'P', KEY_SHARE = 256, KEY_FLOOR, KEY_DUMMIES, KEY_LAYERS, KEY_WIDTH, KEY_CORRUPT, KEY_ATTACK, KEY_TRIALS,
  KEY_LOOPS, KEY_TIMEOUT
};

static const struct argp_option options[] = {
  {"strategy", KEY_STRATEGY, "NAME", 0, "threshold, threshold-pool, timed-pool, dynamic-pool or poisson (poisson)", 0},
  {"threshold", KEY_THRESHOLD, "N", 0, "threshold, threshold-pool: packets of a round (100)", 0},
  {"pool", KEY_POOL, "N", 0, "Pools: packets that stay (100)", 0},
  {"interval", KEY_INTERVAL, "S", 0, "timed-pool, dynamic-pool: seconds between releases (1)", 0},
  {"share", KEY_SHARE, "N", 0, "Thousandths that leave: timed-pool of what is above the pool (1000), dynamic-pool of all (650)", 0},
  {"mean-delay", KEY_DELAY, "S", 0, "poisson: mean delay of each relay in seconds (1)", 0},
  {"rate", KEY_RATE, "PACKETS_PER_S", 0, "Packets a second that come in, for the whole network (100)", 0},
  {"floor", KEY_FLOOR, "N", 0, "timed-pool, dynamic-pool: dummies fill the pool up to so many (0)", 0},
  {"dummies", KEY_DUMMIES, "PER_S", 0, "Dummies a second that each relay adds (0)", 0},
  {"layers", KEY_LAYERS, "N", 0, "Layers of the network (1)", 0},
  {"width", KEY_WIDTH, "N", 0, "Relays of a layer (1)", 0},
  {"corrupt", KEY_CORRUPT, "PERCENT", 0, "Relays that tell everything (0)", 0},
  {"packets", KEY_PACKETS, "N", 0, "Packets that come in, up to 1000000 (100000)", 0},
  {"seed", KEY_SEED, "N", 0, "Same seed, same result (1)", 0},
  {"attack", KEY_ATTACK, NULL, 0, "Instead, try the (n-1) attack on all strategies, with and without defences", 0},
  {"loops", KEY_LOOPS, "PER_S", 0, "Loops a second that the attacked relay sends (5)", 0},
  {"timeout", KEY_TIMEOUT, "S", 0, "Seconds of request_timeout_ms: the attacked relay holds for half of it (20)", 0},
  {"trials", KEY_TRIALS, "N", 0, "Targets of each attack (300)", 0},
  {"json", KEY_JSON, NULL, 0, "Print JSON instead of a table", 0},
  {"plot", KEY_PLOT, "FILE", 0, "Draw charts of all strategies, as SVG", 0},
  {0},
};

static const struct tm_mix_strategy *find_strategy(const char *name, const struct argp_state *state)
{
  for (size_t i = 0; tm_mix_strategies[i] != NULL; i++)
    if (strcmp(tm_mix_strategies[i]->name, name) == 0)
      return tm_mix_strategies[i];
  argp_error(state, "--strategy: there is no \"%s\"; there are threshold, threshold-pool, timed-pool, dynamic-pool and poisson", name);
  return NULL;
}

/* A number like 12, 0.5 or 1e-3. */
static double real(const struct argp_state *state, const char *what, const char *arg, double min, double max)
{
  char *end;
  double v = strtod(arg, &end);

  if (end == arg || *end != '\0' || strspn(arg, "0123456789.e-+") != strlen(arg) || !(v >= min && v <= max))
    argp_error(state, "%s: \"%s\" is no number from %g to %g", what, arg, min, max);
  return v;
}

static error_t parse_number(int key, const char *arg, struct argp_state *state, struct tm_anonymity_options *o)
{
  switch (key) {
  case KEY_THRESHOLD:
    o->threshold = (uint32_t)tm_command_number(state, "--threshold", arg, 1, COUNT_MAX);
    return 0;
  case KEY_POOL:
    o->pool = (uint32_t)tm_command_number(state, "--pool", arg, 0, COUNT_MAX);
    return 0;
  case KEY_SHARE:
    o->share = (uint32_t)tm_command_number(state, "--share", arg, 1, 1000);
    return 0;
  case KEY_FLOOR:
    o->floor = (uint32_t)tm_command_number(state, "--floor", arg, 0, COUNT_MAX);
    return 0;
  case KEY_INTERVAL:
    o->interval = real(state, "--interval", arg, 0.001, SECONDS_MAX);
    return 0;
  case KEY_DELAY:
    o->mean_delay = real(state, "--mean-delay", arg, 0.001, SECONDS_MAX);
    return 0;
  case KEY_RATE:
    o->rate = real(state, "--rate", arg, 1e-6, RATE_MAX);
    return 0;
  case KEY_DUMMIES:
    o->dummies = real(state, "--dummies", arg, 0, RATE_MAX);
    return 0;
  case KEY_LOOPS:
    o->loops = real(state, "--loops", arg, 0.001, 1000);
    return 0;
  case KEY_TIMEOUT:
    o->timeout = real(state, "--timeout", arg, 0.1, 3600);
    return 0;
  default:
    return ARGP_ERR_UNKNOWN;
  }
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
  struct tm_anonymity_options *o = state->input;

  switch (key) {
  case KEY_STRATEGY:
    o->strategy = find_strategy(arg, state);
    return 0;
  case KEY_LAYERS:
    o->layers = tm_command_number(state, "--layers", arg, 1, TM_SIM_LAYERS_MAX);
    return 0;
  case KEY_WIDTH:
    o->width = tm_command_number(state, "--width", arg, 1, TM_SIM_WIDTH_MAX);
    return 0;
  case KEY_CORRUPT:
    o->corrupt = (unsigned)tm_command_number(state, "--corrupt", arg, 0, 100);
    return 0;
  case KEY_PACKETS:
    o->packets = tm_command_number(state, "--packets", arg, 1, PACKETS_MAX);
    return 0;
  case KEY_SEED:
    o->seed = tm_command_number(state, "--seed", arg, 0, INT64_MAX);
    return 0;
  case KEY_TRIALS:
    o->trials = tm_command_number(state, "--trials", arg, 1, 100000);
    return 0;
  case KEY_ATTACK:
    o->attack = true;
    return 0;
  case KEY_JSON:
    o->json = true;
    return 0;
  case KEY_PLOT:
    o->plot = arg;
    return 0;
  case ARGP_KEY_END:
    if (o->plot != NULL && o->attack)
      argp_error(state, "--plot: there are no charts of --attack");
    return 0;
  case ARGP_KEY_ARG:
    argp_error(state, "\"%s\" is one argument too many", arg);
    return 0;
  default:
    return parse_number(key, arg, state, o);
  }
}

static int fail(const struct tm_command_call *call, const struct tm_anonymity_options *o, int err)
{
  if (err == TM_E_TOO_BIG)
    return tm_command_fail(call, "%zu packets are too few: what is seen of the mix has to be about 20 times as long as a packet stays, "
                                 "and dummies at most three for each packet", o->packets);
  return tm_command_fail(call, "%s", tm_strerror(err));
}

/* Asked before work that takes long: can the file be written? It stays as it is. */
static bool writable(const char *file)
{
  FILE *f = fopen(file, "ae");

  return f != NULL && fclose(f) == 0;
}

int tm_bench_anonymity(const struct tm_command_call *call)
{
  struct tm_anonymity_options o = tm_anonymity_standard();
  struct tm_anonymity a;
  int err;

  tm_command_parse(call, options, parse, &o);
  if (sodium_init() < 0)
    return tm_command_fail(call, "%s", tm_strerror(TM_E_RANDOM));
  if (o.attack)
    return tm_attack_command(call, &o);
  if (o.plot != NULL && !writable(o.plot))
    return tm_command_fail(call, "%s: %s", o.plot, strerror(errno));
  err = tm_anonymity_measure(&a, &o);
  if (err != TM_OK)
    return fail(call, &o, err);
  if (o.json)
    err = tm_anonymity_print_json(&o, &a);
  else
    tm_anonymity_print_table(&o, &a);
  if (err != TM_OK || fflush(stdout) != 0)
    return tm_command_fail(call, "standard output: %s", tm_strerror(err != TM_OK ? err : TM_E_IO));
  err = o.plot != NULL ? tm_anonymity_plot(&o) : TM_OK;
  if (err == TM_E_IO)
    return tm_command_fail(call, "%s: %s", o.plot, strerror(errno));
  return err == TM_OK ? TM_EXIT_OK : fail(call, &o, err);
}
