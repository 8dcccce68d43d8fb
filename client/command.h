/*
 * What the commands of `tidemill` share: common options, one session with the daemon, printing and waiting. Main thread of the program.
 */
#ifndef TM_CLIENT_COMMAND_H
#define TM_CLIENT_COMMAND_H

#include <argp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "base/config/command.h"
#include "client/failure.h"
#include "client/passphrase.h"
#include "client/protocol.h"
#include "client/session.h"
#include "client/terminal.h"

#define TM_EXIT_INTERRUPTED 130

/* Options that every command takes, in front of its name or behind it. */
struct tm_common {
  struct tm_place place; /* dir NULL: there is no default, and none was given yet */
  bool file_given;       /* the passphrase file: on the command line, not by the environment */
  bool json;
};

enum { TM_KEY_STATE = 1000, TM_KEY_JSON, TM_KEY_PASSPHRASE_FILE, TM_KEY_OWN };
#define TM_COMMON_OPTIONS \
  {"state", TM_KEY_STATE, "DIR", 0, "State directory; default: $TIDEMILL_STATE, else ~/.tidemill", 10}, \
  {"json", TM_KEY_JSON, NULL, 0, "Print JSON, see tidemill(1)", 10}, \
  {"passphrase-file", TM_KEY_PASSPHRASE_FILE, "FILE", 0, \
   "Read the passphrase from FILE; default: $TIDEMILL_PASSPHRASE_FILE, else it is asked for", 10}

error_t tm_common_parse(int key, char *arg, struct tm_common *common);

/* One run of a command. The first member of each command's own options, so that a parser finds it in state->input. */
struct tm_run {
  const struct tm_command_call *call;
  struct tm_common *common;
  struct tm_session *session;
  struct tm_failure failure;
  struct tm_bar bar;
  bool lines; /* several JSON documents, each on a line of its own */
};

/* Parses the command's options; parse is asked first and returns ARGP_ERR_UNKNOWN for what is not its own. */
void tm_run_parse(struct tm_run *run, const struct tm_command_call *call, const struct argp_option *options, argp_parser_t parse);
/* Opens the session (starting a daemon). Exit code; the failure is not printed yet. */
int tm_run_open(struct tm_run *run);
/* tm_session_call with no body, opening the session first. */
int tm_run_ask(struct tm_run *run, json_t *request, struct tm_frame *answer);
/* Ends it: closes the session, prints the failure if code is not TM_EXIT_OK. Returns code. */
int tm_run_end(struct tm_run *run, int code);

/* A string for JSON of what may be no UTF-8 (a path): U+FFFD stands for each byte that is not. */
json_t *tm_json_text(const char *text);
/* Prints value, taken over, as the JSON document of this run, or as one of its lines. */
void tm_run_json(const struct tm_run *run, json_t *value);
/* The answer's members without "ok" and "bytes", as a new object. */
json_t *tm_answer_values(const struct tm_frame *answer);

/*
 * Calls step after each change the daemon reports, and each second, until it says *done, fails, seconds (0: without end) are over or the user
 * interrupts. Exit code: step's; TM_EXIT_NOT_YET or TM_EXIT_INTERRUPTED with a failure "not-yet" whose text is given.
 */
typedef int tm_run_step(struct tm_run *run, void *arg, bool *done);
int tm_run_wait(struct tm_run *run, unsigned seconds, tm_run_step *step, void *arg, const char *not_yet);

/* Reads standard input to its end. *data is the caller's (tm_file_free). max: more is a failure "too-big". */
int tm_run_stdin(struct tm_run *run, size_t max, uint8_t **data, size_t *len);

/* Prints a name (may be foreign) in a sentence of ours. */
void tm_say(FILE *out, const char *format, ...) __attribute__((format(printf, 2, 3))); /* what is not printable is escaped; '\n' stays */

/* The commands. */
int tm_command_init(const struct tm_command_call *call);
int tm_command_invite(const struct tm_command_call *call);
int tm_command_accept(const struct tm_command_call *call);
int tm_command_forget(const struct tm_command_call *call);
int tm_command_contacts(const struct tm_command_call *call);
int tm_command_safety(const struct tm_command_call *call);
int tm_command_send(const struct tm_command_call *call);
int tm_command_read(const struct tm_command_call *call);
int tm_command_status(const struct tm_command_call *call);
int tm_command_document(const struct tm_command_call *call);
int tm_command_daemon(const struct tm_command_call *call);
int tm_command_stop(const struct tm_command_call *call);

#endif
