#include "config.h"

#include <unistd.h>

#include <stdio.h>
#include <string.h>
#include <time.h>

#include <sodium.h>

#include "base/file.h"
#include "client/engine.h"

#include "client/command.h"

#define CODE_TYPED_MAX 200 /* bytes: with spaces and hyphens as people type them */
#define WAIT_MAX_S 31536000

/* ---- what is said about a contact ---- */

static void say_contested(FILE *out, const char *name)
{
  char word[TM_WORD_TEXT_LEN];

  tm_word_format(name, word);
  fputs(tm_terminal_loud(out), out);
  tm_say(out, "WARNING: somebody else has used the code of '%s' too.", name);
  fputs(tm_terminal_plain(out), out);
  tm_say(out, "\nDo not trust this contact. `tidemill forget %s`, then pair again with a new code, by a safer way.\n", word);
}

static void say_safety(FILE *out, const char *name, const char *safety)
{
  size_t half = strlen(safety) / 2;

  fprintf(out, "\n  %.*s\n  %s\n\n", (int)half, safety, safety + half + 1);
  tm_say(out, "Compare this safety number with '%s', by voice or in person. If it is the same on both sides, nobody is in between.\n",
         name);
}

static int get_contact(struct tm_run *run, const char *name, struct tm_frame *answer, const json_t **contact)
{
  int code = tm_run_ask(run, json_pack("{s:s, s:s}", "op", "contact", "name", name), answer);

  *contact = json_object_get(answer->head, "contact");
  return code;
}

/* The last word of a pairing that was waited for. */
static int tell_paired(struct tm_run *run, const char *name)
{
  struct tm_frame answer;
  int code = tm_run_ask(run, json_pack("{s:s, s:s}", "op", "safety", "name", name), &answer);

  if (code == TM_EXIT_OK && run->common->json) {
    json_t *values = tm_answer_values(&answer);
    json_object_set_new(values, "state", json_string("ready"));
    tm_run_json(run, values);
  } else if (code == TM_EXIT_OK) {
    tm_say(stdout, "'%s' is paired. Safety number:\n", name);
    say_safety(stdout, name, tm_member_text(answer.head, "safety"));
    if (tm_member_bool(answer.head, "contested"))
      say_contested(stdout, name);
  }
  tm_frame_clear(&answer);
  return code;
}

/* ---- waiting for the other side ---- */

static int pairing_step(struct tm_run *run, void *arg, bool *done)
{
  const char *name = arg;
  const json_t *contact = NULL;
  struct tm_frame answer;
  int code = get_contact(run, name, &answer, &contact);
  const char *state = tm_member_text(contact, "state");
  char word[TM_WORD_TEXT_LEN];

  tm_word_format(name, word);
  if (code == TM_EXIT_OK && state != NULL) {
    *done = strcmp(state, "ready") == 0;
    if (strcmp(state, "expired") == 0)
      code = tm_failure_set(&run->failure, "expired", "The code for '%s' has expired. `tidemill forget %s`, then pair again.", name, word);
    else if (strcmp(state, "contested") == 0)
      code = tm_failure_set(&run->failure, "contested", "WARNING: the code for '%s' was used by more than one party. Do not trust this "
                                                        "contact. `tidemill forget %s`, then pair again with a new code.", name, word);
    tm_bar_show(&run->bar, strcmp(state, "invited") == 0 ? "Waiting for the other side to use the code ..." : "Exchanging keys ...", 0,
                0);
  }
  tm_frame_clear(&answer);
  return code;
}

static int wait_for_pairing(struct tm_run *run, const char *name, unsigned timeout)
{
  int code = tm_run_wait(run, timeout, pairing_step, (void *)(uintptr_t)name,
                         "Not paired yet; the daemon goes on. `tidemill contacts` shows how far it is.");

  return code == TM_EXIT_OK ? tell_paired(run, name) : code;
}

/* ---- invite ---- */

struct invite {
  struct tm_run run;
  const char *name;
  bool qr, wait, revoke;
  unsigned timeout;
};

enum { KEY_QR = TM_KEY_OWN, KEY_WAIT, KEY_REVOKE, KEY_TIMEOUT, KEY_YES };

static error_t parse_invite(int key, char *arg, struct argp_state *state)
{
  struct invite *i = state->input;

  switch (key) {
  case KEY_QR:
    i->qr = true;
    return 0;
  case KEY_WAIT:
    i->wait = true;
    return 0;
  case KEY_REVOKE:
    i->revoke = true;
    return 0;
  case KEY_TIMEOUT:
    i->timeout = (unsigned)tm_command_number(state, "--timeout", arg, 1, WAIT_MAX_S);
    i->wait = true;
    return 0;
  case ARGP_KEY_ARG:
    if (i->name != NULL)
      return ARGP_ERR_UNKNOWN;
    i->name = arg;
    return 0;
  case ARGP_KEY_END:
    if (i->name == NULL)
      argp_error(state, "whom do you invite? Give a NAME of your choice");
    return 0;
  default:
    return ARGP_ERR_UNKNOWN;
  }
}

static void say_code(const struct invite *i, const char *code, uint64_t expires)
{
  char duration[TM_DURATION_TEXT_LEN];
  char moment[TM_MOMENT_TEXT_LEN];
  char word[TM_WORD_TEXT_LEN];
  uint64_t now = (uint64_t)time(NULL);

  tm_word_format(i->name, word);
  tm_duration_format(expires > now ? expires - now : 0, duration);
  tm_moment_format(expires, moment);
  tm_say(stdout, "Code for '%s':\n\n  %s\n\n", i->name, code);
  if (i->qr)
    fputs(tm_terminal_qr(stdout, code) == TM_OK ? "\n" : "(No memory for the QR code.)\n", stdout);
  fputs("Hand it over in a way that nobody else can read or overhear. The other side types:\n"
        "  tidemill accept YOUR-NAME\n"
        "and then the code. ", stdout);
  tm_say(stdout, "It works once, for %s (until %s).\n", duration, moment);
  if (!i->wait)
    tm_say(stdout, "When it has been used, compare safety numbers: `tidemill safety %s`.\n", word);
}

static int take_back(struct invite *i)
{
  struct tm_frame answer;
  int code = tm_run_ask(&i->run, json_pack("{s:s, s:s, s:b}", "op", "forget", "name", i->name, "pending", 1), &answer);

  if (code == TM_EXIT_OK && i->run.common->json)
    tm_run_json(&i->run, tm_answer_values(&answer));
  else if (code == TM_EXIT_OK && strcmp(tm_member_text(answer.head, "was"), "invited") == 0)
    tm_say(stdout, "The invite of '%s' is taken back. Its code opens nothing any more.\n", i->name);
  else if (code == TM_EXIT_OK)
    tm_say(stdout, "The pairing with '%s' is taken back.\n", i->name);
  tm_frame_clear(&answer);
  return tm_run_end(&i->run, code);
}

int tm_command_invite(const struct tm_command_call *call)
{
  static const struct argp_option options[] = {
    {"qr", KEY_QR, NULL, 0, "Show the code as a QR code too", 0},
    {"wait", KEY_WAIT, NULL, 0, "Wait until the other side has used it, then show the safety number", 0},
    {"timeout", KEY_TIMEOUT, "SECONDS", 0, "Wait no longer than that (exit code 5)", 0},
    {"revoke", KEY_REVOKE, NULL, 0, "Take an invite back that nobody has used", 0},
    TM_COMMON_OPTIONS, {0}};
  struct invite i = {.run = {0}};
  struct tm_frame answer;
  const char *text;
  int code;

  tm_run_parse(&i.run, call, options, parse_invite);
  i.run.lines = i.wait;
  if (i.revoke)
    return take_back(&i);
  code = tm_run_ask(&i.run, json_pack("{s:s, s:s}", "op", "invite", "name", i.name), &answer);
  text = tm_member_text(answer.head, "code");
  if (code == TM_EXIT_OK && i.run.common->json) {
    tm_run_json(&i.run, tm_answer_values(&answer));
  } else if (code == TM_EXIT_OK && text != NULL) {
    say_code(&i, text, tm_member_number(answer.head, "expires", 0));
  }
  fflush(stdout);
  tm_frame_clear(&answer);
  if (code == TM_EXIT_OK && i.wait)
    code = wait_for_pairing(&i.run, i.name, i.timeout);
  return tm_run_end(&i.run, code);
}

/* ---- accept ---- */

struct accept {
  struct tm_run run;
  const char *name;
  const char *code;
  bool wait;
  unsigned timeout;
};

static error_t parse_accept(int key, char *arg, struct argp_state *state)
{
  struct accept *a = state->input;

  switch (key) {
  case KEY_WAIT:
    a->wait = true;
    return 0;
  case KEY_TIMEOUT:
    a->timeout = (unsigned)tm_command_number(state, "--timeout", arg, 1, WAIT_MAX_S);
    a->wait = true;
    return 0;
  case ARGP_KEY_ARG:
    if (a->name == NULL)
      a->name = arg;
    else if (a->code == NULL)
      a->code = arg;
    else
      return ARGP_ERR_UNKNOWN;
    return 0;
  case ARGP_KEY_END:
    if (a->name == NULL)
      argp_error(state, "how do you call the one who gave you the code? Give a NAME of your choice");
    return 0;
  default:
    return ARGP_ERR_UNKNOWN;
  }
}

/* The code from the command line, the terminal or standard input, in that order. */
static int get_code(struct accept *a, char typed[static CODE_TYPED_MAX])
{
  uint8_t *data = NULL;
  size_t len = 0;
  int code;
  int err = TM_E_STATE;

  if (a->code != NULL && strcmp(a->code, "-") != 0) {
    if (strlen(a->code) >= CODE_TYPED_MAX)
      return tm_failure_set(&a->run.failure, "bad-code", "That is too long for a code.");
    memcpy(typed, a->code, strlen(a->code) + 1);
    return TM_EXIT_OK;
  }
  if (a->code == NULL && isatty(STDIN_FILENO))
    err = tm_secret_ask("Code: ", 1, typed, CODE_TYPED_MAX);
  if (err == TM_OK)
    return TM_EXIT_OK;
  if (err != TM_E_STATE)
    return tm_failure_set(&a->run.failure, "bad-code", err == TM_E_TOO_BIG ? "That is too long for a code." : "No code was given.");
  code = tm_run_stdin(&a->run, CODE_TYPED_MAX - 1, &data, &len);
  if (code == TM_EXIT_OK) {
    while (len > 0 && (data[len - 1] == '\n' || data[len - 1] == '\r'))
      len--;
    memcpy(typed, data, len);
    typed[len] = '\0';
    tm_file_free(data, len);
  }
  return code;
}

int tm_command_accept(const struct tm_command_call *call)
{
  static const struct argp_option options[] = {
    {"wait", KEY_WAIT, NULL, 0, "Wait until the pairing is done, then show the safety number", 0},
    {"timeout", KEY_TIMEOUT, "SECONDS", 0, "Wait no longer than that (exit code 5)", 0},
    TM_COMMON_OPTIONS, {0}};
  struct accept a = {.run = {0}};
  char typed[CODE_TYPED_MAX] = "";
  struct tm_frame answer = {0};
  int code;

  tm_run_parse(&a.run, call, options, parse_accept);
  code = get_code(&a, typed);
  if (code == TM_EXIT_OK)
    code = tm_run_ask(&a.run, json_pack("{s:s, s:s, s:s}", "op", "accept", "name", a.name, "code", typed), &answer);
  sodium_memzero(typed, sizeof typed);
  if (code == TM_EXIT_OK && a.run.common->json && !a.wait)
    tm_run_json(&a.run, tm_answer_values(&answer));
  else if (code == TM_EXIT_OK && !a.run.common->json)
    tm_say(stdout, "The code is good. Pairing with '%s' takes a few slots of the network%s\n", a.name,
           a.wait ? "." : "; `tidemill contacts` shows when it is done.");
  fflush(stdout);
  tm_frame_clear(&answer);
  if (code == TM_EXIT_OK && a.wait)
    code = wait_for_pairing(&a.run, a.name, a.timeout);
  return tm_run_end(&a.run, code);
}

/* ---- forget ---- */

struct forget {
  struct tm_run run;
  const char *name;
  bool yes;
};

static error_t parse_forget(int key, char *arg, struct argp_state *state)
{
  struct forget *f = state->input;

  switch (key) {
  case KEY_YES:
    f->yes = true;
    return 0;
  case ARGP_KEY_ARG:
    if (f->name != NULL)
      return ARGP_ERR_UNKNOWN;
    f->name = arg;
    return 0;
  case ARGP_KEY_END:
    if (f->name == NULL)
      argp_error(state, "whom? Give a NAME");
    return 0;
  default:
    return ARGP_ERR_UNKNOWN;
  }
}

/* Keys and messages of a paired contact don't come back: the user must have said so. */
static int confirm_forget(struct forget *f)
{
  char reply[16] = "";
  const json_t *contact = NULL;
  struct tm_frame answer;
  const char *state;
  int code = get_contact(&f->run, f->name, &answer, &contact);

  state = tm_member_text(contact, "state");
  if (code == TM_EXIT_OK && !f->yes && state != NULL && strcmp(state, "ready") == 0) {
    tm_say(stderr, "Forgetting '%s' deletes the keys and all messages for good.\n", f->name);
    if (tm_secret_ask("Forget? [y/N] ", 1, reply, sizeof reply) == TM_E_STATE)
      code = tm_failure_set(&f->run.failure, "not-confirmed", "There is no terminal to ask on. `--yes` says that you mean it.");
    else if (reply[0] != 'y' && reply[0] != 'Y')
      code = tm_failure_set(&f->run.failure, "not-confirmed", "Nothing was changed.");
  }
  tm_frame_clear(&answer);
  return code;
}

int tm_command_forget(const struct tm_command_call *call)
{
  static const struct argp_option options[] = {{"yes", KEY_YES, NULL, 0, "Don't ask", 0}, TM_COMMON_OPTIONS, {0}};
  struct forget f = {.run = {0}};
  struct tm_frame answer = {0};
  int code;

  tm_run_parse(&f.run, call, options, parse_forget);
  code = confirm_forget(&f);
  if (code == TM_EXIT_OK)
    code = tm_run_ask(&f.run, json_pack("{s:s, s:s}", "op", "forget", "name", f.name), &answer);
  if (code == TM_EXIT_OK && f.run.common->json)
    tm_run_json(&f.run, tm_answer_values(&answer));
  else if (code == TM_EXIT_OK)
    tm_say(stdout, "'%s' is forgotten.\n", f.name);
  tm_frame_clear(&answer);
  return tm_run_end(&f.run, code);
}

/* ---- safety ---- */

struct named {
  struct tm_run run;
  const char *name;
};

static error_t parse_named(int key, char *arg, struct argp_state *state)
{
  struct named *n = state->input;

  if (key == ARGP_KEY_ARG && n->name == NULL) {
    n->name = arg;
    return 0;
  }
  if (key == ARGP_KEY_END && n->name == NULL)
    argp_error(state, "whose? Give a NAME");
  return ARGP_ERR_UNKNOWN;
}

int tm_command_safety(const struct tm_command_call *call)
{
  static const struct argp_option options[] = {TM_COMMON_OPTIONS, {0}};
  struct named n = {.run = {0}};
  struct tm_frame answer;
  const char *safety;
  int code;

  tm_run_parse(&n.run, call, options, parse_named);
  code = tm_run_ask(&n.run, json_pack("{s:s, s:s}", "op", "safety", "name", n.name), &answer);
  safety = tm_member_text(answer.head, "safety");
  if (code == TM_EXIT_OK && n.run.common->json) {
    tm_run_json(&n.run, tm_answer_values(&answer));
  } else if (code == TM_EXIT_OK && safety != NULL) {
    tm_say(stdout, "Safety number of you and '%s':\n", n.name);
    say_safety(stdout, n.name, safety);
    if (tm_member_bool(answer.head, "contested"))
      say_contested(stdout, n.name);
  }
  tm_frame_clear(&answer);
  return tm_run_end(&n.run, code);
}

/* ---- contacts ---- */

static void say_state(const json_t *k)
{
  static const struct {
    const char *state, *text;
  } texts[] = {{"ready", "paired"}, {"invited", "invited: nobody has used the code yet"}, {"accepting", "pairing: waiting for the other side"},
               {"confirming", "pairing: waiting for the other side's last word"}, {"expired", "expired: `tidemill forget` clears it"},
               {"contested", "CONTESTED"}};
  const char *state = tm_member_text(k, "state");
  char moment[TM_MOMENT_TEXT_LEN];
  uint64_t expires = tm_member_number(k, "expires", 0);

  for (size_t i = 0; state != NULL && i < sizeof texts / sizeof texts[0]; i++)
    if (strcmp(state, texts[i].state) == 0)
      fputs(texts[i].text, stdout);
  if (expires > 0 && state != NULL && strcmp(state, "expired") != 0) {
    tm_moment_format(expires, moment);
    printf(" (until %s)", moment);
  }
}

static void say_contact(const json_t *k, size_t columns)
{
  const char *name = tm_member_text(k, "name");
  unsigned unread = (unsigned)tm_member_number(k, "unread", 0);
  unsigned open = (unsigned)(tm_member_number(k, "sent", 0) - tm_member_number(k, "accepted", 0));

  if (name == NULL)
    return;
  tm_terminal_column(stdout, name, columns + 2);
  say_state(k);
  if (unread > 0)
    printf(", %u unread", unread);
  if (open > 0)
    printf(", %u on the way", open);
  putchar('\n');
  if (tm_member_bool(k, "contested"))
    say_contested(stdout, name);
}

static int get_contacts(struct tm_run *run, json_t *all)
{
  bool more = true;
  int code = TM_EXIT_OK;

  while (code == TM_EXIT_OK && more) {
    struct tm_frame answer;
    code = tm_run_ask(run, json_pack("{s:s, s:I}", "op", "contacts", "from", (json_int_t)json_array_size(all)), &answer);
    more = tm_member_bool(answer.head, "more") && json_array_size(json_object_get(answer.head, "contacts")) > 0;
    json_array_extend(all, json_object_get(answer.head, "contacts"));
    tm_frame_clear(&answer);
  }
  return code;
}

int tm_command_contacts(const struct tm_command_call *call)
{
  static const struct argp_option options[] = {TM_COMMON_OPTIONS, {0}};
  struct tm_run run = {0};
  json_t *all = json_array();
  const json_t *k;
  size_t columns = 0;
  size_t i;
  int code;

  tm_run_parse(&run, call, options, NULL);
  code = get_contacts(&run, all);
  if (code == TM_EXIT_OK && run.common->json) {
    tm_run_json(&run, json_pack("{s:O}", "contacts", all));
  } else if (code == TM_EXIT_OK) {
    json_array_foreach (all, i, k) {
      const char *name = tm_member_text(k, "name");
      if (name != NULL && tm_terminal_width(name) > columns)
        columns = tm_terminal_width(name);
    }
    json_array_foreach (all, i, k)
      say_contact(k, columns);
    if (json_array_size(all) == 0)
      puts("No contacts yet. `tidemill invite NAME` makes a code for somebody; `tidemill accept NAME` takes theirs.");
  }
  json_decref(all);
  return tm_run_end(&run, code);
}
