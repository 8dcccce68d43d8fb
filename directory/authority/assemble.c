#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "directory/assemble.h"
#include "directory/descriptor.h"
#include "directory/parse.h"

#include "directory/authority/authority.h"

#define SETTINGS_MAX 64

struct arguments {
  const char *network, *params, *out;
  char *settings[SETTINGS_MAX];
  size_t n_settings;
  uint64_t valid_from; /* 0: now */
  uint64_t valid_for;
  char *files[TM_DOCUMENT_RELAYS_MAX];
  size_t n_files;
};

static const struct argp_option options[] = {
  {"network", 'n', "NAME", 0, "Name of the network", 0},
  {"params", 'p', "FILE", 0, "Parameters file; \"tidemill-authority params\" prints one", 0},
  {"set", 's', "NAME=VALUE", 0, "Take this value instead of the file's; may be repeated", 0},
  {"valid-from", 'f', "TIME", 0, "now (the default), or a time like 2026-11-24T04:00:00Z", 0},
  {"valid-for", 't', "SECONDS", 0, "How long the document is valid, at most 92 days", 0},
  {"descriptor", 'd', "FILE", 0, "A relay's descriptor; may be repeated, and further files may follow", 0},
  {"output", 'o', "FILE", 0, "Where to write the document; - for standard output", 0},
  {0},
};

static void add_file(struct arguments *a, char *file, struct argp_state *state)
{
  if (a->n_files == TM_DOCUMENT_RELAYS_MAX)
    argp_error(state, "more than %d descriptors", TM_DOCUMENT_RELAYS_MAX);
  a->files[a->n_files++] = file;
}

static void check_complete(const struct arguments *a, struct argp_state *state)
{
  if (a->network == NULL)
    argp_error(state, "--network is needed");
  if (a->params == NULL)
    argp_error(state, "--params is needed; \"tidemill-authority params\" prints such a file");
  if (a->valid_for == 0)
    argp_error(state, "--valid-for is needed");
  if (a->out == NULL)
    argp_error(state, "-o is needed");
  if (a->n_files == 0)
    argp_error(state, "a document needs descriptors: name their files");
}

static error_t on_option(int key, char *arg, struct argp_state *state)
{
  struct arguments *a = state->input;

  switch (key) {
  case 'n':
    a->network = arg;
    if (!tm_name_is_good(arg, strlen(arg)))
      argp_error(state, "--network: a letter, then letters, digits and hyphens, in lower case, at most %d",
                 TM_RELAY_NAME_MAX);
    return 0;
  case 'p':
    a->params = arg;
    return 0;
  case 's':
    if (a->n_settings == SETTINGS_MAX)
      argp_error(state, "more than %d settings", SETTINGS_MAX);
    a->settings[a->n_settings++] = arg;
    return 0;
  case 'f':
    a->valid_from = 0;
    if (strcmp(arg, "now") != 0 && (tm_time_parse(arg, &a->valid_from) != TM_OK || a->valid_from == 0))
      argp_error(state, "--valid-from: write now, or a time like 2026-11-24T04:00:00Z");
    return 0;
  case 't':
    a->valid_for = tm_command_number(state, "--valid-for", arg, 1, TM_DOCUMENT_VALID_MAX_S);
    return 0;
  case 'o':
    a->out = arg;
    return 0;
  case 'd':
  case ARGP_KEY_ARG:
    add_file(a, arg, state);
    return 0;
  case ARGP_KEY_END:
    check_complete(a, state);
    return 0;
  default:
    return ARGP_ERR_UNKNOWN;
  }
}

/* What one run has in hand. */
struct assembly {
  const struct tm_command_call *call;
  struct arguments args;
  struct tm_document_draft draft;
  struct tm_descriptor *descriptors[TM_DOCUMENT_RELAYS_MAX];
  struct tm_relay_info relays[TM_DOCUMENT_RELAYS_MAX];
};

static int open_file(struct assembly *as, size_t i)
{
  const char *path = as->args.files[i];
  struct tm_fault fault;
  char *data;
  size_t len;
  int err;

  if (tm_authority_read(as->call, path, TM_DESCRIPTOR_MAX, &data, &len) != 0)
    return TM_EXIT_FAILED;
  err = tm_descriptor_open(&as->descriptors[i], data, len, &fault);
  tm_file_free((uint8_t *)data, len);
  if (err != TM_OK)
    return tm_authority_fault(as->call, path, err, &fault);
  as->relays[i] = *tm_descriptor_relay(as->descriptors[i]);
  return 0;
}

static int check_unique(const struct assembly *as, size_t i)
{
  for (size_t j = 0; j < i; j++) {
    if (memcmp(as->relays[i].identity, as->relays[j].identity, sizeof as->relays[i].identity) == 0)
      return tm_command_fail(as->call, "%s and %s are of one relay, %s: name the newer only", as->args.files[j],
                             as->args.files[i], as->relays[i].name);
    if (strcmp(as->relays[i].name, as->relays[j].name) == 0)
      return tm_command_fail(as->call, "%s and %s are of two relays with one name, %s: one has to choose another",
                             as->args.files[j], as->args.files[i], as->relays[i].name);
  }
  return 0;
}

/* Leaves the keys of the epochs that the document touches. */
static int choose_keys(const struct assembly *as, const char *path, struct tm_relay_info *relay)
{
  uint64_t first = as->draft.valid_from / as->draft.params.epoch_s;
  uint64_t last = (as->draft.valid_until - 1) / as->draft.params.epoch_s;
  uint64_t has_first = relay->keys[0].epoch;
  uint64_t has_last = relay->keys[relay->n_keys - 1].epoch;

  if (tm_relay_key(relay, first) == NULL)
    return tm_command_fail(as->call,
                           "%s: relay %s has keys for epochs %" PRIu64 " to %" PRIu64 ", but none for epoch %" PRIu64
                           ", where the document begins: run  tidemill-relay keygen --from %" PRIu64
                           " --epoch-length %" PRIu32 "  there and take its new descriptor",
                           path, relay->name, has_first, has_last, first, first, as->draft.params.epoch_s);
  while (relay->n_keys > 0 && relay->keys[0].epoch < first) {
    relay->keys++;
    relay->n_keys--;
  }
  while (relay->n_keys > 1 && relay->keys[relay->n_keys - 1].epoch > last + 1)
    relay->n_keys--;
  for (uint64_t epoch = first + 1; epoch <= last; epoch++)
    if (tm_relay_key(relay, epoch) == NULL) {
      fprintf(stderr,
              "%s: warning: relay %s has no key for epoch %" PRIu64
              "; clients cannot use it then (the document is valid to epoch %" PRIu64 ")\n",
              as->call->argv[0], relay->name, epoch, last);
      return 0;
    }
  return 0;
}

static int gather(struct assembly *as)
{
  int failed = 0;

  for (size_t i = 0; i < as->args.n_files; i++) {
    int bad = open_file(as, i);
    if (!bad && !failed)
      bad = check_unique(as, i);
    if (!bad)
      bad = choose_keys(as, as->args.files[i], &as->relays[i]);
    failed |= bad;
  }
  return failed;
}

static int finish(struct assembly *as)
{
  struct tm_fault fault;
  char *text;
  size_t len;
  int err = tm_document_assemble(&as->draft, &text, &len, &fault);
  int failed;

  if (err != TM_OK)
    return tm_command_fail(as->call, "the document would be refused: %s",
                           fault.what[0] != '\0' ? fault.what : tm_strerror(err));
  failed = tm_authority_write(as->call, as->args.out, 0644, text, len);
  free(text);
  return failed;
}

static int run(struct assembly *as)
{
  int failed = tm_authority_read_params(as->call, as->args.params, as->args.settings, as->args.n_settings,
                                        &as->draft.params);

  if (failed)
    return failed;
  as->draft.network = as->args.network;
  as->draft.valid_from = as->args.valid_from != 0 ? as->args.valid_from : tm_clock_wall_ms(&tm_clock_system) / 1000;
  as->draft.valid_until = as->draft.valid_from + as->args.valid_for;
  as->draft.relays = as->relays;
  as->draft.n = as->args.n_files;
  failed = gather(as);
  return failed ? failed : finish(as);
}

int tm_authority_assemble(const struct tm_command_call *call)
{
  struct assembly *as = calloc(1, sizeof *as);
  int failed;

  if (as == NULL)
    return tm_command_fail(call, "out of memory");
  as->call = call;
  tm_command_parse(call, options, on_option, &as->args);
  failed = run(as);
  for (size_t i = 0; i < as->args.n_files; i++)
    tm_descriptor_free(as->descriptors[i]);
  free(as);
  return failed;
}
