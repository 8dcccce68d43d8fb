#include "config.h"

#include <unistd.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <sodium.h>

#include "base/clock.h"
#include "base/file.h"
#include "client/daemon.h"
#include "client/engine.h"
#include "client/startup.h"
#include "client/unlock.h"

#include "client/command.h"

#define TRUST_MAX (64 * 1024) /* bytes of an authorities file */
#define STOP_WAIT_MS 30000

/* ---- init ---- */

struct init {
  struct tm_run run;
  const char *authorities;
  const char *document;
  bool no_passphrase;
  uint8_t *trust_text;
  size_t trust_len;
  uint8_t *document_bytes;
  size_t document_len;
  char network[64];
  uint64_t until_s;
};

enum { KEY_AUTHORITIES = TM_KEY_OWN, KEY_DOCUMENT, KEY_NO_PASSPHRASE, KEY_FOREGROUND, KEY_STARTED };

static error_t parse_init(int key, char *arg, struct argp_state *state)
{
  struct init *i = state->input;

  switch (key) {
  case KEY_AUTHORITIES:
    i->authorities = arg;
    return 0;
  case KEY_DOCUMENT:
    i->document = arg;
    return 0;
  case KEY_NO_PASSPHRASE:
    i->no_passphrase = true;
    return 0;
  case ARGP_KEY_END:
    if (i->authorities == NULL || i->document == NULL)
      argp_error(state, "--authorities and --document say which network this is, and whom to trust about it");
    if (i->no_passphrase && i->run.common->file_given)
      argp_error(state, "--passphrase-file or --no-passphrase, not both");
    return 0;
  default:
    return ARGP_ERR_UNKNOWN;
  }
}

static int read_input(struct init *i, const char *path, size_t max, uint8_t **data, size_t *len)
{
  int err = tm_file_read(path, max, data, len);

  if (err == TM_OK)
    return TM_EXIT_OK;
  return tm_failure_set(&i->run.failure, "io", "%s cannot be read: %s.", path,
                        tm_file_reason(err));
}

/* Looks at document before a state is made of it, to say exactly what is wrong with it. */
static int check_document(struct init *i, const struct tm_trust *trust)
{
  struct tm_document *doc = NULL;
  size_t good = 0;
  int err = tm_document_open(&doc, trust, i->document_bytes, i->document_len, (uint64_t)time(NULL), &good);

  if (err == TM_E_SIGNATURE)
    return tm_failure_set(&i->run.failure, "bad-document", "%s is signed by %zu of the authorities in %s, and %zu are needed.", i->document,
                          good, i->authorities, tm_trust_needed(trust));
  if (err == TM_E_EXPIRED || err == TM_E_NOT_YET)
    return tm_failure_set(&i->run.failure, "bad-document", "%s is %s. Get a present one, and look at this machine's clock.", i->document,
                          err == TM_E_EXPIRED ? "no longer valid" : "not yet valid");
  if (err != TM_OK)
    return tm_failure_set(&i->run.failure, "bad-document", "%s is no document that can be used: %s.", i->document, tm_strerror(err));
  snprintf(i->network, sizeof i->network, "%s", tm_document_network(doc));
  i->until_s = tm_document_valid_until(doc);
  tm_document_free(doc);
  return TM_EXIT_OK;
}

static int check_inputs(struct init *i)
{
  struct tm_trust *trust = NULL;
  int code = read_input(i, i->authorities, TRUST_MAX, &i->trust_text, &i->trust_len);
  int err;

  if (code == TM_EXIT_OK)
    code = read_input(i, i->document, TM_DOCUMENT_MAX, &i->document_bytes, &i->document_len);
  if (code != TM_EXIT_OK)
    return code;
  err = tm_trust_parse(&trust, (const char *)i->trust_text, i->trust_len);
  if (err != TM_OK)
    return tm_failure_set(&i->run.failure, "bad-authorities", "%s is no list of authorities (%s). It has a verifier key a line, as "
                                                             "`tidemill-authority keygen` prints it.", i->authorities, tm_strerror(err));
  code = check_document(i, trust);
  tm_trust_free(trust);
  return code;
}

static int ask_new(struct init *i, struct tm_passphrase *p, struct tm_passphrase *again)
{
  struct tm_failure *f = &i->run.failure;
  int err;

  fputs("Everything is kept sealed under a passphrase. Without it, nobody can read it: not even you.\n", stderr);
  err = tm_passphrase_ask("New passphrase: ", p);
  if (err == TM_E_STATE)
    return tm_failure_set(f, "passphrase", "There is no terminal to ask for a passphrase. Use --passphrase-file FILE, or --no-passphrase.");
  if (err == TM_OK && p->text[0] == '\0')
    return tm_failure_set(f, "passphrase", "An empty passphrase protects nothing. If you mean it, say --no-passphrase.");
  if (err == TM_OK)
    err = tm_passphrase_ask("Once more: ", again);
  if (err != TM_OK)
    return tm_failure_set(f, "passphrase", err == TM_E_TOO_BIG ? "That is too long." : "No passphrase was given.");
  if (strcmp(p->text, again->text) != 0)
    return tm_failure_set(f, "passphrase", "The two are not the same. Nothing was made.");
  return TM_EXIT_OK;
}

static int choose_passphrase(struct init *i, struct tm_passphrase *p)
{
  const char *file = i->run.common->place.passphrase_file;
  struct tm_passphrase *again;
  int code;

  if (i->no_passphrase)
    return TM_EXIT_OK;
  if (file != NULL) {
    if (tm_unlock_file(file, p, &i->run.failure) != TM_OK)
      return tm_failure_exit(i->run.failure.code);
    return p->text[0] != '\0' ? TM_EXIT_OK
                              : tm_failure_set(&i->run.failure, "passphrase", "%s is empty. If you mean it, say --no-passphrase.", file);
  }
  again = tm_passphrase_new();
  code = again == NULL ? tm_failure_set(&i->run.failure, "no-memory", "There is no memory that can be locked.") : ask_new(i, p, again);
  tm_passphrase_free(again);
  return code;
}

static int fail_exists(struct init *i)
{
  return tm_failure_set(&i->run.failure, "exists", "There is a state in %s already; it is left as it is.", i->run.common->place.dir);
}

/* Before anybody types a passphrase for nothing. */
static int check_free(struct init *i)
{
  char *path = NULL;
  int code = TM_EXIT_OK;

  if (asprintf(&path, "%s/%s", i->run.common->place.dir, TM_CLIENT_STATE_FILE) < 0)
    return tm_failure_set(&i->run.failure, "no-memory", "Out of memory.");
  if (access(path, F_OK) == 0)
    code = fail_exists(i);
  free(path);
  return code;
}

static const char *create_reason(int err)
{
  if (err != TM_E_IO || errno == 0)
    return tm_strerror(err);
  if (errno == ENOENT)
    return "the directory that it would be in does not exist";
  if (errno == EPERM)
    return "the directory is somebody else's";
  return errno == EEXIST ? "that is no directory" : strerror(errno);
}

static int create(struct init *i, const struct tm_passphrase *p)
{
  const char *dir = i->run.common->place.dir;
  int err;

  errno = 0;
  err = tm_client_create(dir, p->text, (const char *)i->trust_text, i->trust_len, i->document_bytes, i->document_len, &tm_clock_system,
                         &tm_rng_system);
  if (err == TM_E_EXISTS)
    return fail_exists(i);
  if (err != TM_OK)
    return tm_failure_set(&i->run.failure, "failed", "The state in %s could not be made: %s.", dir, create_reason(err));
  return TM_EXIT_OK;
}

static void say_created(const struct init *i)
{
  char moment[TM_MOMENT_TEXT_LEN];

  if (i->run.common->json) {
    tm_run_json(&i->run, json_pack("{s:o, s:s, s:I}", "state", tm_json_text(i->run.common->place.dir), "network", i->network, "document_until",
                                   (json_int_t)i->until_s));
    return;
  }
  tm_moment_format(i->until_s, moment);
  tm_say(stdout, "Ready: %s, for the network '%s' (document valid until %s).\n", i->run.common->place.dir, i->network, moment);
  if (i->no_passphrase)
    fputs("It has no passphrase: who can read the directory can read your messages.\n", stdout);
  fputs("Next: `tidemill invite NAME` makes a code for somebody, `tidemill accept NAME` takes theirs.\n", stdout);
}

int tm_command_init(const struct tm_command_call *call)
{
  static const struct argp_option options[] = {
    {"authorities", KEY_AUTHORITIES, "FILE", 0, "Verifier keys of the authorities to trust, one a line", 0},
    {"document", KEY_DOCUMENT, "FILE", 0, "The network's signed directory document", 0},
    {"no-passphrase", KEY_NO_PASSPHRASE, NULL, 0, "Do without a passphrase: the directory's mode is all that protects the state", 0},
    TM_COMMON_OPTIONS, {0}};
  struct init i = {.run = {0}};
  struct tm_passphrase *p = tm_passphrase_new();
  int code;

  tm_run_parse(&i.run, call, options, parse_init);
  code = p == NULL ? tm_failure_set(&i.run.failure, "no-memory", "There is no memory that can be locked.") : check_inputs(&i);
  if (code == TM_EXIT_OK)
    code = check_free(&i);
  if (code == TM_EXIT_OK)
    code = choose_passphrase(&i, p);
  if (code == TM_EXIT_OK)
    code = create(&i, p);
  if (code == TM_EXIT_OK)
    say_created(&i);
  tm_passphrase_free(p);
  tm_file_free(i.trust_text, i.trust_len);
  tm_file_free(i.document_bytes, i.document_len);
  return tm_run_end(&i.run, code);
}

/* ---- daemon ---- */

struct daemon_command {
  struct tm_run run;
  bool foreground;
  bool started; /* by tm_spawn_daemon: talks on TM_STARTUP_FD */
  bool told;    /* nobody listens there any more */
  struct tm_unlock unlock;
};

static error_t parse_daemon(int key, char *arg, struct argp_state *state)
{
  struct daemon_command *d = state->input;

  (void)arg;
  if (key == KEY_FOREGROUND)
    d->foreground = true;
  else if (key == KEY_STARTED)
    d->started = true;
  else
    return ARGP_ERR_UNKNOWN;
  return 0;
}

static int passphrase_from_starter(void *arg, bool wrong, struct tm_passphrase *p, struct tm_failure *failure)
{
  int err = wrong ? tm_startup_report(TM_STARTUP_FD, TM_STARTUP_WRONG_PASSPHRASE, NULL) : TM_OK;

  (void)arg;
  if (err == TM_OK)
    err = tm_startup_receive_passphrase(TM_STARTUP_FD, p);
  if (err != TM_OK)
    tm_failure_set(failure, "passphrase", "No passphrase came.");
  return err;
}

/* Also when the starter is gone meanwhile: the daemon is up, and the next command finds it. */
static bool tell_starter(void *arg)
{
  struct daemon_command *d = arg;

  if (tm_startup_report(TM_STARTUP_FD, TM_STARTUP_READY, NULL) != TM_OK) {
    /* nobody to tell */
  }
  close(TM_STARTUP_FD);
  d->told = true;
  return true;
}

static bool say_ready(void *arg)
{
  (void)arg;
  fputs("Ready. Ctrl-C or `tidemill stop` ends it.\n", stderr);
  return true;
}

static int run_started(struct daemon_command *d)
{
  const struct tm_daemon_start start = {
    .dir = d->run.common->place.dir, .passphrase = passphrase_from_starter, .ready = tell_starter, .arg = d, .own_log = true};
  int code = tm_daemon_run(&start, &d->run.failure);

  if (code != TM_EXIT_OK && !d->told && tm_startup_report(TM_STARTUP_FD, TM_STARTUP_FAILED, &d->run.failure) != TM_OK) {
    /* nobody to tell */
  }
  return code;
}

static int run_foreground(struct daemon_command *d)
{
  const struct tm_daemon_start start = {
    .dir = d->run.common->place.dir, .passphrase = tm_unlock_next, .ready = say_ready, .arg = &d->unlock};

  const char *file = d->run.common->place.passphrase_file;
  char *whole = file != NULL ? realpath(file, NULL) : NULL; /* the daemon reads it in another directory */
  int code;

  d->unlock.file = whole != NULL ? whole : file;
  code = tm_run_end(&d->run, tm_daemon_run(&start, &d->run.failure));
  free(whole);
  return code;
}

int tm_command_daemon(const struct tm_command_call *call)
{
  static const struct argp_option options[] = {
    {"foreground", KEY_FOREGROUND, NULL, 0, "Stay in front and log to standard error", 0},
    {"started", KEY_STARTED, NULL, OPTION_HIDDEN, NULL, 0},
    TM_COMMON_OPTIONS, {0}};
  struct daemon_command d = {.run = {0}};
  struct tm_frame answer;
  int code;

  tm_run_parse(&d.run, call, options, parse_daemon);
  if (d.started)
    return run_started(&d);
  if (d.foreground)
    return run_foreground(&d);
  code = tm_run_ask(&d.run, json_pack("{s:s}", "op", "hello"), &answer);
  if (code == TM_EXIT_OK && d.run.common->json) {
    json_t *values = tm_answer_values(&answer);
    json_object_set_new(values, "started", json_boolean(tm_session_started(d.run.session)));
    tm_run_json(&d.run, values);
  } else if (code == TM_EXIT_OK) {
    printf("The daemon %s (process %llu). `tidemill stop` ends it.\n", tm_session_started(d.run.session) ? "runs now" : "runs already",
           (unsigned long long)tm_member_number(answer.head, "pid", 0));
  }
  tm_frame_clear(&answer);
  return tm_run_end(&d.run, code);
}

/* ---- stop ---- */

int tm_command_stop(const struct tm_command_call *call)
{
  struct tm_run run = {0};
  struct tm_frame answer = {0};
  bool running;
  int code;

  tm_run_parse(&run, call, NULL, NULL);
  code = tm_session_open(&run.session, &run.common->place, TM_SESSION_ONLY_RUNNING, &run.failure);
  running = code == TM_EXIT_OK;
  if (running)
    code = tm_session_call(run.session, json_pack("{s:s}", "op", "stop"), NULL, 0, &answer, &run.failure);
  else if (strcmp(run.failure.code, "not-running") == 0)
    code = TM_EXIT_OK;
  if (running && code == TM_EXIT_OK && tm_session_await_end(run.session, STOP_WAIT_MS) != TM_OK)
    code = tm_failure_set(&run.failure, "daemon", "The daemon has not ended after %d seconds.", STOP_WAIT_MS / 1000);
  if (code == TM_EXIT_OK && run.common->json)
    tm_run_json(&run, json_pack("{s:b}", "was_running", (int)running));
  else if (code == TM_EXIT_OK)
    puts(running ? "Stopped. Nothing is sent or fetched until the next command." : "No daemon was running.");
  tm_frame_clear(&answer);
  return tm_run_end(&run, code);
}

/* ---- document ---- */

struct document {
  struct tm_run run;
  const char *file;
};

static error_t parse_document(int key, char *arg, struct argp_state *state)
{
  struct document *d = state->input;

  if (key == ARGP_KEY_ARG && d->file == NULL) {
    d->file = arg;
    return 0;
  }
  if (key == ARGP_KEY_END && d->file == NULL)
    argp_error(state, "which FILE?");
  return ARGP_ERR_UNKNOWN;
}

int tm_command_document(const struct tm_command_call *call)
{
  struct document d = {.run = {0}};
  struct tm_frame answer = {0};
  uint8_t *data = NULL;
  size_t len = 0;
  int code;
  int err;

  tm_run_parse(&d.run, call, NULL, parse_document);
  err = tm_file_read(d.file, TM_DOCUMENT_MAX, &data, &len);
  if (err != TM_OK)
    code = tm_failure_set(&d.run.failure, "io", "%s cannot be read: %s.", d.file,
                          tm_file_reason(err));
  else
    code = tm_run_open(&d.run);
  if (code == TM_EXIT_OK)
    code = tm_session_call(d.run.session, json_pack("{s:s}", "op", "document"), data, len, &answer, &d.run.failure);
  if (code == TM_EXIT_OK && d.run.common->json)
    tm_run_json(&d.run, tm_answer_values(&answer));
  else if (code == TM_EXIT_OK)
    puts("The document is in use now.");
  tm_frame_clear(&answer);
  tm_file_free(data, len);
  return tm_run_end(&d.run, code);
}
