#include "config.h"

#include <unistd.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "client/engine.h"

#include "client/command.h"

#define WAIT_MAX_S 31536000

struct send {
  struct tm_run run;
  const char *name;
  const char *text;
  const char *file;
  const char *file_name; /* as the other side sees it */
  bool no_wait;
  bool delivered; /* wait until the other side has it */
  unsigned timeout;
  uint8_t *data; /* read from a file or standard input */
  size_t len;
  uint32_t number;
  json_t *last; /* progress */
};

enum { KEY_FILE = TM_KEY_OWN, KEY_AS, KEY_NO_WAIT, KEY_TIMEOUT, KEY_DELIVERED };

static error_t parse_argument(struct send *s, char *arg)
{
  if (s->name == NULL)
    s->name = arg;
  else if (s->text == NULL)
    s->text = arg;
  else
    return ARGP_ERR_UNKNOWN;
  return 0;
}

static error_t parse_send(int key, char *arg, struct argp_state *state)
{
  struct send *s = state->input;

  switch (key) {
  case KEY_FILE:
    s->file = arg;
    return 0;
  case KEY_AS:
    s->file_name = arg;
    return 0;
  case KEY_NO_WAIT:
    s->no_wait = true;
    return 0;
  case KEY_DELIVERED:
    s->delivered = true;
    return 0;
  case KEY_TIMEOUT:
    s->timeout = (unsigned)tm_command_number(state, "--timeout", arg, 1, WAIT_MAX_S);
    return 0;
  case ARGP_KEY_ARG:
    return parse_argument(s, arg);
  case ARGP_KEY_END:
    if (s->name == NULL)
      argp_error(state, "to whom? Give a NAME");
    if (s->file != NULL && s->text != NULL)
      argp_error(state, "a text or --file, not both");
    if (s->file == NULL && s->file_name != NULL)
      argp_error(state, "--as names what --file sends");
    return 0;
  default:
    return ARGP_ERR_UNKNOWN;
  }
}

static int read_file(struct send *s)
{
  const char *slash = strrchr(s->file, '/');
  int err = tm_file_read(s->file, TM_CLIENT_FILE_MAX, &s->data, &s->len);

  if (s->file_name == NULL)
    s->file_name = slash != NULL ? slash + 1 : s->file;
  if (err == TM_E_TOO_BIG)
    return tm_failure_set(&s->run.failure, "too-big", "%s is too big: a file has at most %u MiB.", s->file,
                          TM_CLIENT_FILE_MAX / 1024 / 1024);
  if (err != TM_OK)
    return tm_failure_set(&s->run.failure, "io", "%s cannot be read: %s.", s->file,
                          tm_file_reason(err));
  return TM_EXIT_OK;
}

/* Before somebody types a text that nobody would get: what has a safety number can be sent to. */
static int check_receiver(struct send *s)
{
  struct tm_frame answer;
  int code = tm_run_ask(&s->run, json_pack("{s:s, s:s}", "op", "safety", "name", s->name), &answer);

  tm_frame_clear(&answer);
  tm_session_close(s->run.session); /* typing takes its time, and the daemon may end meanwhile */
  s->run.session = NULL;
  return code;
}

static int get_content(struct send *s)
{
  int code;

  errno = 0;
  if (s->file != NULL)
    return read_file(s);
  if (s->text != NULL && strcmp(s->text, "-") != 0) {
    s->len = strlen(s->text);
    return TM_EXIT_OK;
  }
  if (isatty(STDIN_FILENO)) {
    code = check_receiver(s);
    if (code != TM_EXIT_OK)
      return code;
    fputs("Type the text; Ctrl-D on an empty line ends it.\n", stderr);
  }
  code = tm_run_stdin(&s->run, TM_CLIENT_TEXT_MAX, &s->data, &s->len);
  if (strcmp(s->run.failure.code, "too-big") == 0)
    tm_failure_set(&s->run.failure, "too-big", "A text has at most %u KiB. `tidemill send NAME --file FILE` sends up to %u MiB.",
                   TM_CLIENT_TEXT_MAX / 1024, TM_CLIENT_FILE_MAX / 1024 / 1024);
  if (code == TM_EXIT_OK && s->len > 0 && s->data[s->len - 1] == '\n')
    s->len--;
  return code;
}

/* Takes it into the outbox. */
static int hand_over(struct send *s)
{
  struct tm_frame answer = {0};
  json_t *request = json_pack("{s:s, s:s}", "op", "send", "name", s->name);
  int code;

  if (s->file != NULL && request != NULL && json_object_set_new(request, "file", json_string(s->file_name)) != 0) {
    json_decref(request);
    return tm_failure_set(&s->run.failure, "bad-file-name", "The file's name is not UTF-8. `--as NAME` gives it another.");
  }
  code = tm_run_open(&s->run);
  if (code == TM_EXIT_OK)
    code = tm_session_call(s->run.session, request, s->data != NULL ? (const void *)s->data : s->text, s->len, &answer, &s->run.failure);
  else
    json_decref(request);
  s->number = (uint32_t)tm_member_number(answer.head, "number", 0);
  tm_frame_clear(&answer);
  return code;
}

static int progress_step(struct tm_run *run, void *arg, bool *done)
{
  struct send *s = arg;
  struct tm_frame answer;
  int code = tm_run_ask(run, json_pack("{s:s, s:s, s:I}", "op", "progress", "name", s->name, "number", (json_int_t)s->number), &answer);
  uint32_t pieces = (uint32_t)tm_member_number(answer.head, "pieces", 0);
  uint32_t stored = (uint32_t)tm_member_number(answer.head, "done", 0);
  bool accepted = tm_member_bool(answer.head, "accepted");

  if (code == TM_EXIT_OK) {
    json_decref(s->last);
    s->last = tm_answer_values(&answer);
    *done = s->delivered ? tm_member_bool(answer.head, "delivered") : accepted;
    if (accepted)
      tm_bar_show(&run->bar, "In the stores; waiting for the other side ...", 0, 0);
    else if (pieces > 1 && stored < pieces)
      tm_bar_show(&run->bar, "to the stores", stored, pieces);
    else
      tm_bar_show(&run->bar, "Waiting for the stores ...", 0, 0);
  }
  tm_frame_clear(&answer);
  return code;
}

static void say_sent(const struct send *s)
{
  char size[TM_SIZE_TEXT_LEN];

  if (s->run.common->json) {
    json_t *values = s->last != NULL ? json_incref(s->last)
                                     : json_pack("{s:s, s:I, s:b, s:b}", "name", s->name, "number", (json_int_t)s->number, "accepted", 0,
                                                 "delivered", 0);
    tm_run_json(&s->run, values);
    return;
  }
  tm_size_format(s->len, size);
  if (s->file != NULL)
    tm_say(stdout, "%s (%s) ", s->file_name, size);
  else
    fputs("The text ", stdout);
  if (s->no_wait)
    tm_say(stdout, "to '%s' is in the outbox (message %u); the daemon sends it.\n", s->name, (unsigned)s->number);
  else if (s->delivered)
    tm_say(stdout, "has reached '%s' (message %u).\n", s->name, (unsigned)s->number);
  else
    tm_say(stdout, "is on its way to '%s' (message %u): the stores have it until it is read.\n", s->name, (unsigned)s->number);
}

int tm_command_send(const struct tm_command_call *call)
{
  static const struct argp_option options[] = {
    {"file", KEY_FILE, "FILE", 0, "Send a file instead of a text", 0},
    {"as", KEY_AS, "NAME", 0, "The name that the other side sees of it", 0},
    {"no-wait", KEY_NO_WAIT, NULL, 0, "Leave it to the daemon and return at once", 0},
    {"delivered", KEY_DELIVERED, NULL, 0, "Wait until the other side has received it", 0},
    {"timeout", KEY_TIMEOUT, "SECONDS", 0, "Wait no longer than that (exit code 5)", 0},
    TM_COMMON_OPTIONS, {0}};
  struct send s = {.run = {0}};
  int code;

  tm_run_parse(&s.run, call, options, parse_send);
  code = get_content(&s);
  if (code == TM_EXIT_OK)
    code = hand_over(&s);
  if (code == TM_EXIT_OK && !s.no_wait)
    code = tm_run_wait(&s.run, s.timeout, progress_step, &s,
                       s.delivered ? "The other side has not confirmed it yet. Nothing is lost: the daemon goes on."
                                   : "It is not in the stores yet. Nothing is lost: it is in the outbox and the daemon goes on.");
  if (code == TM_EXIT_OK)
    say_sent(&s);
  json_decref(s.last);
  tm_file_free(s.data, s.len);
  return tm_run_end(&s.run, code);
}
