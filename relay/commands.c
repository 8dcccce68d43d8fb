#include "config.h"

#include <sys/file.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sodium.h>

#include "base/file.h"
#include "base/log.h"
#include "directory/descriptor.h"
#include "directory/params.h"
#include "relay/capacity.h"
#include "relay/check.h"
#include "relay/engine.h"
#include "relay/keys.h"
#include "relay/options.h"
#include "relay/process.h"
#include "relay/sandbox.h"
#include "relay/watch.h"

#include "relay/commands.h"

#define DEFAULT_EPOCHS 8
#define DESCRIPTOR_NAME "descriptor"

int tm_relay_load(const struct tm_command_call *call, struct tm_relay_config *config)
{
  const struct tm_relay_call *own = call->arg;

  if (own->config_path == NULL) {
    tm_command_fail(call, "no configuration: give one with -c FILE before the command");
    return TM_EXIT_USAGE;
  }
  return tm_options_load(&tm_relay_options, own->config_path, config, stderr) == TM_OK ? TM_EXIT_OK : TM_EXIT_FAILED;
}

static int fail_identity(const struct tm_command_call *call, const struct tm_relay_config *config, int err)
{
  return tm_command_fail(call, "%s/identity.key: %s", config->state_dir, tm_key_reason(err));
}

static int fail_mix_key(const struct tm_command_call *call, const struct tm_relay_config *config, uint64_t epoch, int err)
{
  return tm_command_fail(call, "%s/mix-%" PRIu64 ".key: %s", config->state_dir, epoch, tm_key_reason(err));
}

/* ---- keygen ---- */

struct keygen {
  unsigned long long epochs, from, epoch_s;
  bool has_from, has_epoch_s;
};

const struct argp_option tm_relay_keygen_options[] = {
  {"epochs", 'n', "N", 0, "mix keys for so many epochs (default 8)", 0},
  {"from", 'f', "EPOCH", 0, "the first epoch (default: the present one)", 0},
  {"epoch-length", 'l', "SECONDS", 0, "length of an epoch (default: the document's, else 86400)", 0},
  {0},
};

static error_t parse_keygen(int key, char *arg, struct argp_state *state)
{
  struct keygen *k = state->input;

  switch (key) {
  case 'n':
    k->epochs = tm_command_number(state, "--epochs", arg, 1, TM_DOCUMENT_KEYS_MAX);
    return 0;
  case 'f':
    k->from = tm_command_number(state, "--from", arg, 0, UINT64_MAX / 2);
    k->has_from = true;
    return 0;
  case 'l':
    k->epoch_s = tm_command_number(state, "--epoch-length", arg, 1, UINT32_MAX);
    k->has_epoch_s = true;
    return 0;
  default:
    return ARGP_ERR_UNKNOWN;
  }
}

/* The network says how long its epochs are, if there is a document already. */
static void find_epoch_length(const struct tm_relay_config *config, struct keygen *k)
{
  struct tm_watch *watch;
  struct tm_params params;
  bool found = false;

  if (k->has_epoch_s)
    return;
  tm_params_standard(&params);
  if (tm_watch_new(&watch, config->authorities, config->document) == TM_OK) {
    found = tm_watch_look(watch, tm_clock_wall_ms(&tm_clock_system) / 1000, true) == TM_OK;
    if (found)
      params = *tm_document_params(tm_watch_document(watch));
    tm_watch_free(watch);
  }
  k->epoch_s = params.epoch_s;
  if (!found)
    printf("note: no valid document says how long an epoch is; taking %llu s (--epoch-length is for other networks)\n", k->epoch_s);
}

/* A key without its replay journal can't be used any more: nobody knows what was seen under it. */
static int make_mix_key(const struct tm_relay_config *config, uint64_t epoch)
{
  int err = tm_mix_key_make(config->state_dir, epoch, &tm_rng_system);

  if (err != TM_E_CONFLICT)
    return err;
  printf("note: mix-%" PRIu64 ".key has no replay journal of its own; it is destroyed, and a new one made\n", epoch);
  err = tm_mix_key_erase(config->state_dir, epoch);
  return err == TM_OK || err == TM_E_NOT_FOUND ? tm_mix_key_make(config->state_dir, epoch, &tm_rng_system) : err;
}

/* Keys for epochs of two lengths would be mixed up, and erased at the wrong time. */
static int note_epoch_length(const struct tm_command_call *call, const struct tm_relay_config *config, const struct keygen *k)
{
  uint32_t noted = 0;
  int err = tm_epoch_length_keep(config->state_dir, (uint32_t)k->epoch_s, &noted);

  if (err == TM_E_CONFLICT && tm_epoch_length_forget(config->state_dir) == TM_OK)
    err = tm_epoch_length_keep(config->state_dir, (uint32_t)k->epoch_s, &noted);
  if (err == TM_E_CONFLICT)
    return tm_command_fail(call, "%s has mix keys for epochs of %" PRIu32 " s, not %llu s: if the network did change, remove its files mix-* (packets on their way "
                                 "are lost), and run keygen again", config->state_dir, noted, k->epoch_s);
  if (err != TM_OK)
    return tm_command_fail(call, "%s/epoch-length: %s", config->state_dir, err == TM_E_SYNTAX ? "it is no number of seconds; remove it" : tm_file_reason(err));
  return TM_EXIT_OK;
}

static int make_keys(const struct tm_command_call *call, const struct tm_relay_config *config, const struct keygen *k)
{
  size_t made = 0;
  int err = tm_identity_make(config->state_dir, &tm_rng_system);

  if (err == TM_OK)
    printf("made %s/identity.key\n", config->state_dir);
  else if (err != TM_E_EXISTS)
    return fail_identity(call, config, err);
  for (uint64_t epoch = k->from; epoch < k->from + k->epochs; epoch++) {
    err = make_mix_key(config, epoch);
    if (err != TM_OK && err != TM_E_EXISTS)
      return fail_mix_key(call, config, epoch, err);
    made += err == TM_OK;
  }
  printf("made %zu of %llu mix keys for epochs %llu to %llu (%llu s each)%s\n", made, k->epochs, k->from, k->from + k->epochs - 1,
         k->epoch_s, made < k->epochs ? "; the others were there" : "");
  return TM_EXIT_OK;
}

/* Points of all mix keys from that epoch on, into TM_DOCUMENT_KEYS_MAX. */
static int public_keys(const struct tm_command_call *call, const struct tm_relay_config *config, uint64_t from, struct tm_mix_key *keys,
                       size_t *n)
{
  uint64_t *epochs;
  size_t n_epochs;
  int err = tm_mix_keys_list(config->state_dir, &epochs, &n_epochs);
  int r = TM_EXIT_OK;

  *n = 0;
  if (err != TM_OK)
    return tm_command_fail(call, "%s: %s", config->state_dir, tm_file_reason(err));
  for (size_t i = 0; r == TM_EXIT_OK && i < n_epochs && *n < TM_DOCUMENT_KEYS_MAX; i++) {
    tm_sphinx_key *key;
    if (epochs[i] < from)
      continue;
    err = tm_mix_key_load(config->state_dir, epochs[i], &key);
    if (err != TM_OK) {
      r = fail_mix_key(call, config, epochs[i], err);
      break;
    }
    keys[*n].epoch = epochs[i];
    tm_sphinx_key_point(key, keys[(*n)++].point);
    tm_sphinx_key_free(key);
  }
  free(epochs);
  return r;
}

static int make_descriptor(const struct tm_command_call *call, const struct tm_relay_config *config, uint64_t from, char **text, size_t *len)
{
  struct tm_mix_key keys[TM_DOCUMENT_KEYS_MAX];
  struct tm_relay_info self = {.roles = config->roles, .layer = config->layer, .keys = keys};
  uint8_t secret[crypto_sign_SECRETKEYBYTES];
  uint8_t *seed;
  int err = tm_identity_load(config->state_dir, &seed);
  int r;

  if (err != TM_OK)
    return fail_identity(call, config, err);
  crypto_sign_seed_keypair(self.identity, secret, seed);
  sodium_memzero(secret, sizeof secret);
  snprintf(self.name, sizeof self.name, "%s", config->name);
  snprintf(self.address, sizeof self.address, "%s", config->address);
  r = public_keys(call, config, from, keys, &self.n_keys);
  if (r == TM_EXIT_OK && (err = tm_descriptor_make(text, len, &self, tm_clock_wall_ms(&tm_clock_system) / 1000, seed)) != TM_OK)
    r = tm_command_fail(call, "no descriptor could be made: %s", tm_strerror(err));
  sodium_free(seed);
  return r;
}

static int write_descriptor(const struct tm_command_call *call, const struct tm_relay_config *config, uint64_t from)
{
  char path[TM_OPTION_PATH_MAX + sizeof DESCRIPTOR_NAME + 1];
  char *text = NULL;
  size_t len = 0;
  int err;

  if (make_descriptor(call, config, from, &text, &len) != TM_EXIT_OK)
    return TM_EXIT_FAILED;
  snprintf(path, sizeof path, "%s/" DESCRIPTOR_NAME, config->state_dir);
  err = tm_file_write(path, 0644, text, len);
  if (err != TM_OK)
    tm_command_fail(call, "%s: %s", path, tm_file_reason(err));
  free(text);
  if (err != TM_OK)
    return TM_EXIT_FAILED;
  printf("wrote %s: give it to the directory authorities\n", path);
  return TM_EXIT_OK;
}

int tm_relay_keygen(const struct tm_command_call *call)
{
  struct keygen k = {.epochs = DEFAULT_EPOCHS};
  struct tm_relay_config config;
  char why[TM_PROCESS_WHY_MAX];
  uint64_t now;
  int r;

  tm_command_parse(call, NULL, parse_keygen, &k);
  if ((r = tm_relay_load(call, &config)) != TM_EXIT_OK)
    return r;
  find_epoch_length(&config, &k);
  now = tm_clock_wall_ms(&tm_clock_system) / 1000 / k.epoch_s;
  if (!k.has_from)
    k.from = now;
  if (tm_process_make_state(&config, why) != TM_OK)
    r = tm_command_fail(call, "%s", why);
  if (r == TM_EXIT_OK)
    r = note_epoch_length(call, &config, &k);
  if (r == TM_EXIT_OK)
    r = make_keys(call, &config, &k);
  if (r == TM_EXIT_OK)
    r = write_descriptor(call, &config, k.from < now ? k.from : now);
  tm_options_free(&tm_relay_options, &config);
  return r;
}

/* Where there is no state yet, and nobody is named, there is nobody to become; what is missing is said by whoever needs it. */
static int become(const struct tm_relay_config *config, char why[static TM_PROCESS_WHY_MAX])
{
  return config->user == NULL && access(config->state_dir, F_OK) != 0 ? TM_OK : tm_process_become(config, why);
}

/* ---- check-config ---- */

#define MEASURE_MS 1000

/* The document's parameters, else the default network's. */
static struct tm_params params_of(const struct tm_relay_config *config)
{
  struct tm_params params;
  struct tm_watch *watch;

  tm_params_standard(&params);
  if (tm_watch_new(&watch, config->authorities, config->document) == TM_OK) {
    if (tm_watch_look(watch, tm_clock_wall_ms(&tm_clock_system) / 1000, true) == TM_OK)
      params = *tm_document_params(tm_watch_document(watch));
    tm_watch_free(watch);
  }
  return params;
}

void tm_relay_check_capacity(struct tm_check *check)
{
  struct tm_params params = params_of(check->config);
  long cores = sysconf(_SC_NPROCESSORS_ONLN), pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
  struct tm_capacity_speed speed;
  struct tm_capacity capacity;

  if (tm_capacity_measure(&speed, MEASURE_MS) != TM_OK)
    return;
  capacity = tm_capacity_estimate(&speed, cores > 0 ? (unsigned)cores : 1, check->config, &params);
  tm_check_capacity(check, &capacity, pages > 0 && page > 0 ? (uint64_t)pages * (uint64_t)page : 0);
}

int tm_relay_check_config(const struct tm_command_call *call)
{
  const struct tm_relay_call *own = call->arg;
  struct tm_relay_config config;
  struct tm_check check = {.config = &config, .path = own->config_path, .now_s = tm_clock_wall_ms(&tm_clock_system) / 1000, .out = stdout};
  char why[TM_PROCESS_WHY_MAX];
  int r;

  tm_command_parse(call, NULL, NULL, NULL);
  if ((r = tm_relay_load(call, &config)) != TM_EXIT_OK)
    return r;
  if (become(&config, why) != TM_OK) {
    printf("%s: %s\n", own->config_path, why);
    check.errors++;
  }
  tm_check_all(&check);
  fflush(stdout);
  tm_relay_check_capacity(&check);
  if (check.errors > 0)
    printf("%zu error%s\n", check.errors, check.errors > 1 ? "s" : "");
  else
    printf("the configuration is good%s\n", check.warnings > 0 ? ", but read the warnings" : "");
  tm_options_free(&tm_relay_options, &config);
  return check.errors > 0 ? TM_EXIT_FAILED : TM_EXIT_OK;
}

/* ---- run ---- */

/* It is ending: one more word to end must not kill it before it has closed its files. */
static void block_signals(void)
{
  sigset_t set;

  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGHUP);
  if (sigprocmask(SIG_BLOCK, &set, NULL) != 0)
    tm_log(TM_LOG_WARN, "relay", "signals cannot be blocked", TM_KV_END);
}

/* Two relays on one state would forget each other's replay tags. The lock ends with the process. Returns enum tm_exit. */
static int lock_state(const struct tm_command_call *call, const struct tm_relay_config *config)
{
  char path[PATH_MAX];
  int fd;

  if (snprintf(path, sizeof path, "%s/lock", config->state_dir) >= (int)sizeof path)
    return tm_command_fail(call, "%s: too long a name", config->state_dir);
  fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0)
    return tm_command_fail(call, "%s: %s", path, strerror(errno));
  if (flock(fd, LOCK_EX | LOCK_NB) == 0)
    return TM_EXIT_OK;
  if (errno == EWOULDBLOCK)
    tm_command_fail(call, "%s: another relay runs with this state", config->state_dir);
  else
    tm_command_fail(call, "%s: %s", path, strerror(errno));
  close(fd);
  return TM_EXIT_FAILED;
}

/* What keeps it from starting, in the words of check-config. */
static bool may_start(const struct tm_relay_config *config, const char *path)
{
  struct tm_check check = {.config = config, .path = path, .now_s = tm_clock_wall_ms(&tm_clock_system) / 1000, .out = stderr, .start = true};

  tm_check_all(&check);
  return check.errors == 0;
}

/* Limits while it still may, then the user, then what an ordinary user can do. Returns enum tm_exit. */
static int prepare_process(const struct tm_command_call *call, const struct tm_relay_config *config, const char *path)
{
  char why[TM_PROCESS_WHY_MAX];

  tm_process_harden();
  if (tm_process_limits(config, why) != TM_OK || become(config, why) != TM_OK)
    return tm_command_fail(call, "%s", why);
  tm_process_harden();
  tm_process_check_locking(config);
  if (access(config->state_dir, F_OK) == 0 && lock_state(call, config) != TM_EXIT_OK)
    return TM_EXIT_FAILED;
  if (!may_start(config, path))
    return TM_EXIT_FAILED;
  /* The directory may have come just now, when there was nobody to become yet. */
  return geteuid() == 0 && become(config, why) != TM_OK ? tm_command_fail(call, "%s", why) : TM_EXIT_OK;
}

static int run_engine(const struct tm_engine_config *engine_config)
{
  struct tm_engine *engine;
  int r = TM_EXIT_FAILED;

  if (tm_engine_new(&engine, engine_config) != TM_OK)
    return r; /* it is in the log */
  if (!engine_config->relay->sandbox || tm_sandbox_close() == TM_OK) {
    tm_engine_run(engine);
    r = TM_EXIT_OK;
  }
  block_signals();
  tm_engine_free(engine);
  return r;
}

int tm_relay_run(const struct tm_command_call *call)
{
  const struct tm_relay_call *own = call->arg;
  struct tm_relay_config config;
  struct tm_engine_config engine_config = {
    .relay = &config, .path = own->config_path, .clock = &tm_clock_system, .rng = &tm_rng_system, .signals = true};
  int r;

  tm_command_parse(call, NULL, NULL, NULL);
  if ((r = tm_relay_load(call, &config)) != TM_EXIT_OK)
    return r;
  tm_log_set_level(config.log_level);
  r = prepare_process(call, &config, own->config_path);
  if (r == TM_EXIT_OK)
    r = run_engine(&engine_config);
  tm_options_free(&tm_relay_options, &config);
  return r;
}

/* ---- options ---- */

const struct argp_option tm_relay_print_options_options[] = {
  {"sample", 's', NULL, 0, "a configuration file with every option (default)", 0},
  {"manual", 'm', "PART", OPTION_ARG_OPTIONAL, "a part of the manual pages: options (default), synopsis or commands", 0},
  {0},
};

static error_t parse_print(int key, char *arg, struct argp_state *state)
{
  const char **part = state->input;

  if (key != 's' && key != 'm')
    return ARGP_ERR_UNKNOWN;
  *part = key == 's' ? NULL : arg != NULL ? arg : "options";
  if (*part != NULL && strcmp(*part, "options") != 0 && strcmp(*part, "synopsis") != 0 && strcmp(*part, "commands") != 0)
    argp_error(state, "the manual has no part \"%s\" that is made from a table", arg);
  return 0;
}

int tm_relay_print_options(const struct tm_command_call *call)
{
  const char *part = NULL;

  tm_command_parse(call, NULL, parse_print, &part);
  if (part == NULL)
    tm_options_print_sample(&tm_relay_options, stdout);
  else if (strcmp(part, "synopsis") == 0)
    tm_program_print_synopsis(call->program, stdout);
  else if (strcmp(part, "commands") == 0)
    tm_program_print_manual(call->program, stdout);
  else
    tm_options_print_manual(&tm_relay_options, stdout);
  return TM_EXIT_OK;
}
