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

/* These texts are the COMMANDS of tidemill-relay(8). */
static const struct tm_command commands[] = {
  {"keygen", "[--epochs N] [--from EPOCH] [--epoch-length SECONDS]",
   "Make the keys that are missing, and the descriptor for the directory.\v"
   "Makes what is missing in the state directory: the relay's identity, and mix keys for N epochs from the present one or from EPOCH. Keys "
   "that are there are left alone, so it can be run again at any time, for instance once a week for the weeks to come. Then it writes the "
   "descriptor, which says what the relay is and has the public halves of all its mix keys, signed by its identity.\n\n"
   "The length of an epoch is the document's, if there is one already, else SECONDS, else 86400, the default network's; it says so, as keys "
   "for epochs of another length would fit no document.",
   tm_relay_keygen, tm_relay_keygen_options},
  {"check-config", "", "Read the configuration, look at this machine, and say what is wrong and what to do.\v"
   "Every mistake in the configuration is reported at once, with file and line. If there is none, the rest follows: the files that it names, "
   "their modes and owners, keys, the document and what it says of this relay, the address to bind, room on the disk, open files. At last it "
   "measures for a second what this machine carries, and compares that with what the configuration and the document promise.\n\n"
   "Lines begin with the file, and the line where there is one. Errors keep the relay from working. Those with \"warning:\" cost packets, now or some "
   "day; those with \"note:\" say what is missing still. Exit status: 0 no error; 1 errors; 2 it was called wrongly.",
   tm_relay_check_config, NULL},
  {"run", "", "Be a relay until told to stop.\v"
   "In the foreground, logging to standard error. What keeps it from starting it says there in the words of check-config.",
   tm_relay_run, NULL},
  {"status", "[--json] [--watch]", "Ask the running relay how it is.\v"
   "Asks the relay that runs with this configuration how it is, and prints that in some twenty lines: roles, document, links, packets a second "
   "and in all, what was dropped and why, the mix and its entropy, keys, boxes, alarms, and what is due next; then, after a second, what this machine carries, as check-config does. With --json it prints one line of "
   "JSON, see STATUS below. With --watch it looks again every two seconds until Ctrl-C and shows rates between two looks: on a terminal as one "
   "screen that stays in its place, elsewhere one after the other, with a blank line in between (with --json a line each). Only the relay's own "
   "user and root may ask. If the relay does not run, it says so and exits with 1.",
   tm_relay_status, tm_relay_status_options},
  {"options", "[--sample | --manual[=PART]]",
   "Print a configuration file with every option, or what the manual pages have from the program's tables.", tm_relay_print_options,
   tm_relay_print_options_options},
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
