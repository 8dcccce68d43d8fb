/* tidemill-relay: doc/man/tidemill-relay.8. */
#include "config.h"

#include <argp.h>
#include <signal.h>
#include <stdio.h>

#include <sodium.h>

#include "relay/commands.h"

static const struct argp_option options[] = {
  {"config", 'c', "FILE", 0, "the relay's configuration", 0},
  {0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
  struct tm_relay_call *call = state->input;

  if (key != 'c')
    return ARGP_ERR_UNKNOWN;
  call->config_path = arg;
  return 0;
}

static const struct tm_command commands[] = {
  {"keygen", "[--epochs N] [--from EPOCH] [--epoch-length SECONDS]",
   "Make the keys that are missing, and the descriptor for the directory.", tm_relay_keygen},
  {"check-config", "", "Read the configuration and say what is wrong with it.", tm_relay_check_config},
  {"run", "", "Be a relay until told to stop.", tm_relay_run},
  {"status", "[--json] [--watch]", "Ask the running relay how it is.", tm_relay_status},
  {"options", "[--sample | --manual]", "Print a configuration file with every option, or the options as manual text.",
   tm_relay_print_options},
};

static const struct tm_program program = {
  .name = "tidemill-relay",
  .about = "A relay of a Tidemill mix network: entry, mix or store.",
  .more = "Manual: tidemill-relay(8), tidemill-relay.conf(5).",
  .options = options,
  .parse = parse,
  .commands = commands,
  .n = sizeof commands / sizeof commands[0],
};

int main(int argc, char **argv)
{
  struct tm_relay_call call = {NULL};

  if (sodium_init() < 0) {
    fputs("tidemill-relay: libsodium does not start\n", stderr);
    return TM_EXIT_FAILED;
  }
  /* A peer that is gone is a return code. */
  signal(SIGPIPE, SIG_IGN);
  return tm_program_main(&program, argc, argv, &call);
}
