/*
 * tidemill: the client's command. See doc/man/tidemill.1.
 */
#include "config.h"

#include <sys/stat.h>

#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "client/command.h"

static error_t parse_global(int key, char *arg, struct argp_state *state) { return tm_common_parse(key, arg, state->input); }

static const struct argp_option options[] = {TM_COMMON_OPTIONS, {0}};

static const struct tm_command commands[] = {
  {"init", "--authorities FILE --document FILE", "Make a state directory for a network.", tm_command_init, NULL},
  {"invite", "NAME", "Make a code that pairs you with somebody you call NAME.", tm_command_invite, NULL},
  {"accept", "NAME [CODE|-]", "Take a code from somebody you call NAME; asks for it if it is left out.", tm_command_accept, NULL},
  {"contacts", "", "List contacts and how far their pairing is.", tm_command_contacts, NULL},
  {"safety", "NAME", "Show the safety number to compare with a contact.", tm_command_safety, NULL},
  {"send", "NAME [TEXT|-|--file FILE]", "Send a text or a file; without TEXT it is read from standard input.", tm_command_send, NULL},
  {"read", "[NAME]", "Show new messages, and save files.", tm_command_read, NULL},
  {"forget", "NAME", "Remove a contact, its keys and messages.", tm_command_forget, NULL},
  {"status", "", "Show the network, the link and what waits.", tm_command_status, NULL},
  {"document", "FILE", "Take over a newer directory document from a file.", tm_command_document, NULL},
  {"daemon", "[--foreground]", "Start the daemon; the other commands do that by themselves.", tm_command_daemon, NULL},
  {"stop", "", "End the daemon.", tm_command_stop, NULL},
};

static const struct tm_program program = {
  .name = "tidemill",
  .about = "Send and receive messages that nobody can link, over a mix network.",
  .more = "And 3 wrong passphrase or none, 4 no such contact, 5 not yet (the daemon goes on), 6 no state there.",
  .options = options,
  .parse = parse_global,
  .commands = commands,
  .n = sizeof commands / sizeof commands[0],
};

/* ~/.tidemill, unless the environment says otherwise. NULL: there is no home either. */
static char *default_state(void)
{
  const char *state = getenv("TIDEMILL_STATE");
  const char *home = getenv("HOME");
  char *path = NULL;

  if (state != NULL && state[0] != '\0')
    return strdup(state);
  if (home == NULL || home[0] == '\0' || asprintf(&path, "%s/.tidemill", home) < 0)
    return NULL;
  return path;
}

int main(int argc, char **argv)
{
  const char *file = getenv("TIDEMILL_PASSPHRASE_FILE");
  char *state = default_state();
  struct tm_common common = {.place = {.dir = state}};
  int code;

  setlocale(LC_TIME, "");
  signal(SIGPIPE, SIG_IGN);
  umask(077);
  tm_control_setup();
  if (sodium_init() < 0) {
    fputs("tidemill: libsodium could not start: no randomness?\n", stderr);
    return TM_EXIT_FAILED;
  }
  common.place.passphrase_file = file != NULL && file[0] != '\0' ? file : NULL;
  code = tm_program_main(&program, argc, argv, &common);
  free(state);
  return code;
}
