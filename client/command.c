#include "config.h"

#include <unistd.h>

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "base/clock.h"
#include "base/file.h"

#include "client/command.h"

#define STEP_MS 1000
#define NOTE_MS 10000 /* a wait is silent for so long when there is no link */
#define READ_STEP 65536

error_t tm_common_parse(int key, char *arg, struct tm_common *common)
{
  switch (key) {
  case TM_KEY_STATE:
    common->place.dir = arg;
    return 0;
  case TM_KEY_JSON:
    common->json = true;
    return 0;
  case TM_KEY_PASSPHRASE_FILE:
    common->place.passphrase_file = arg;
    common->file_given = true;
    return 0;
  default:
    return ARGP_ERR_UNKNOWN;
  }
}

/* ---- options ---- */

struct parse {
  struct tm_run *run;
  argp_parser_t own;
};

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
  struct parse *parse = state->input;
  error_t err = ARGP_ERR_UNKNOWN;

  if (parse->own != NULL) {
    state->input = parse->run;
    err = parse->own(key, arg, state);
    state->input = parse;
  }
  if (err == ARGP_ERR_UNKNOWN)
    err = tm_common_parse(key, arg, parse->run->common);
  if (err == ARGP_ERR_UNKNOWN && key == ARGP_KEY_ARG)
    argp_error(state, "\"%s\" is one argument too many", arg);
  return err;
}

void tm_run_parse(struct tm_run *run, const struct tm_command_call *call, const struct argp_option *options, argp_parser_t own)
{
  static const struct argp_option only_common[] = {TM_COMMON_OPTIONS, {0}};
  struct parse parse = {.run = run, .own = own};

  run->call = call;
  run->common = call->arg;
  tm_command_parse(call, options != NULL ? options : only_common, parse_option, &parse);
  if (run->common->place.dir == NULL) {
    fputs("tidemill: Without $HOME there is no usual place for the state. Name one with --state DIR or $TIDEMILL_STATE.\n", stderr);
    exit(TM_EXIT_USAGE);
  }
}

/* ---- session ---- */

int tm_run_open(struct tm_run *run)
{
  int code;

  if (run->session != NULL)
    return TM_EXIT_OK;
  tm_bar_show(&run->bar, "Starting the daemon ...", 0, 0);
  code = tm_session_open(&run->session, &run->common->place, TM_SESSION_START, &run->failure);
  tm_bar_clear(&run->bar);
  return code;
}

int tm_run_ask(struct tm_run *run, json_t *request, struct tm_frame *answer)
{
  int code = tm_run_open(run);

  *answer = (struct tm_frame){0};
  if (code != TM_EXIT_OK) {
    json_decref(request);
    return code;
  }
  return tm_session_call(run->session, request, NULL, 0, answer, &run->failure);
}

json_t *tm_json_text(const char *text)
{
  char *copy = tm_terminal_utf8(text, strlen(text));
  json_t *value = copy != NULL ? json_string(copy) : NULL;

  free(copy);
  return value;
}

void tm_run_json(const struct tm_run *run, json_t *value)
{
  json_dumpf(value, stdout, run->lines ? JSON_COMPACT : JSON_INDENT(2));
  putchar('\n');
  json_decref(value);
}

json_t *tm_answer_values(const struct tm_frame *answer)
{
  json_t *values = json_copy(answer->head);

  json_object_del(values, "ok");
  json_object_del(values, "bytes");
  return values;
}

void tm_say(FILE *out, const char *format, ...)
{
  char text[2048];
  char *at = text;
  va_list ap;

  va_start(ap, format);
  vsnprintf(text, sizeof text, format, ap);
  va_end(ap);
  for (char *end; (end = strchr(at, '\n')) != NULL; at = end + 1) {
    tm_terminal_line(out, at, (size_t)(end - at));
    fputc('\n', out);
  }
  tm_terminal_line(out, at, strlen(at));
}

int tm_run_end(struct tm_run *run, int code)
{
  tm_bar_clear(&run->bar);
  tm_session_close(run->session);
  run->session = NULL;
  if (code != TM_EXIT_OK && run->failure.code[0] != '\0') {
    fflush(stdout);
    fputs("tidemill: ", stderr);
    tm_terminal_line(stderr, run->failure.text, strlen(run->failure.text));
    fputc('\n', stderr);
    if (run->common->json)
      tm_run_json(run, json_pack("{s:{s:s, s:o}}", "error", "code", run->failure.code, "message", tm_json_text(run->failure.text)));
  }
  return code;
}

/* ---- waiting ---- */

static volatile sig_atomic_t interrupted;

static void on_interrupt(int number)
{
  (void)number;
  interrupted = 1;
}

static int note_missing_link(struct tm_run *run)
{
  struct tm_frame answer;
  int code = tm_run_ask(run, json_pack("{s:s}", "op", "status"), &answer);

  if (code == TM_EXIT_OK && !tm_member_bool(answer.head, "link_up")) {
    tm_bar_clear(&run->bar);
    fprintf(stderr, "No link to the network yet; the daemon keeps trying. `tidemill status` shows more.\n");
  }
  tm_frame_clear(&answer);
  return code;
}

static int wait_loop(struct tm_run *run, unsigned seconds, tm_run_step *step, void *arg, const char *not_yet)
{
  uint64_t start = tm_clock_mono_ms(&tm_clock_system);
  bool noted = false;

  for (;;) {
    uint64_t waited = tm_clock_mono_ms(&tm_clock_system) - start;
    bool done = false;
    int code = step(run, arg, &done);
    int err;
    if (code == TM_EXIT_OK && !done && !noted && waited >= NOTE_MS) {
      code = note_missing_link(run);
      noted = true;
    }
    if (code != TM_EXIT_OK || done)
      return code;
    if (seconds > 0 && waited >= (uint64_t)seconds * 1000)
      return tm_failure_set(&run->failure, "not-yet", "%s", not_yet);
    err = interrupted ? TM_E_STATE : tm_session_wait(run->session, STEP_MS);
    if (interrupted) {
      tm_failure_set(&run->failure, "not-yet", "%s", not_yet);
      return TM_EXIT_INTERRUPTED;
    }
    if (err != TM_OK && err != TM_E_TIMEOUT && err != TM_E_STATE)
      return tm_failure_set(&run->failure, "daemon", "The daemon has ended. The next command starts it again, and it goes on with what it "
                                                       "had taken.");
  }
}

int tm_run_wait(struct tm_run *run, unsigned seconds, tm_run_step *step, void *arg, const char *not_yet)
{
  const struct sigaction act = {.sa_handler = on_interrupt};
  struct sigaction old_int;
  struct sigaction old_term;
  struct tm_frame answer;
  int code = tm_run_ask(run, json_pack("{s:s}", "op", "watch"), &answer);

  tm_frame_clear(&answer);
  if (code != TM_EXIT_OK)
    return code;
  sigaction(SIGINT, &act, &old_int);
  sigaction(SIGTERM, &act, &old_term);
  code = wait_loop(run, seconds, step, arg, not_yet);
  sigaction(SIGINT, &old_int, NULL);
  sigaction(SIGTERM, &old_term, NULL);
  tm_bar_clear(&run->bar);
  return code;
}

/* ---- standard input ---- */

int tm_run_stdin(struct tm_run *run, size_t max, uint8_t **data, size_t *len)
{
  uint8_t *all = malloc(max + 2);
  size_t got = 0;
  ssize_t n = 1;

  *data = NULL;
  *len = 0;
  if (all == NULL)
    return tm_failure_set(&run->failure, "no-memory", "Out of memory.");
  while (n != 0 && got <= max) {
    size_t want = max + 1 - got < READ_STEP ? max + 1 - got : READ_STEP;
    n = read(STDIN_FILENO, all + got, want);
    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0)
      break;
    got += (size_t)n;
  }
  if (n < 0 || got > max) {
    tm_file_free(all, got);
    return n < 0 ? tm_failure_set(&run->failure, "io", "Standard input cannot be read: %s.", strerror(errno))
                 : tm_failure_set(&run->failure, "too-big", "That is too long: at most %zu bytes are taken.", max);
  }
  all[got] = '\0';
  *data = all;
  *len = got;
  return TM_EXIT_OK;
}
