/* tidemill-relay status: one look, or one every two seconds until Ctrl-C. */
#include "config.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <jansson.h>

#include "base/clock.h"
#include "relay/check.h"
#include "relay/commands.h"
#include "relay/status_ask.h"
#include "relay/status_text.h"

#define LOOK_EVERY_MS 2000

static volatile sig_atomic_t stopped;

static void on_stop(int signal)
{
  (void)signal;
  stopped = 1;
}

/* Does nothing but end a wait. */
static void on_resize(int signal) { (void)signal; }

struct watch {
  const struct tm_command_call *call;
  const struct tm_relay_config *config;
  bool json, is_terminal;
  json_t *last;       /* NULL: no look yet, or the last one failed */
  json_t *before;     /* the one before that */
  double seconds;     /* between the two */
  uint64_t last_ms;
  char why[TM_STATUS_REASON_MAX];
};

struct arguments {
  bool json, watch;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
  struct arguments *a = state->input;

  (void)arg;
  switch (key) {
  case 'j':
    a->json = true;
    return 0;
  case 'w':
    a->watch = true;
    return 0;
  default:
    return ARGP_ERR_UNKNOWN;
  }
}

const struct argp_option tm_relay_status_options[] = {
  {"json", 'j', NULL, 0, "as one line of JSON", 0},
  {"watch", 'w', NULL, 0, "again every two seconds, until Ctrl-C", 0},
  {0},
};

/* False: nobody reads any more. */
static bool print_json(const json_t *status)
{
  return json_dumpf(status, stdout, JSON_COMPACT | JSON_PRESERVE_ORDER | JSON_ENSURE_ASCII) == 0 && putchar('\n') != EOF && fflush(stdout) == 0;
}

/* The status is there at once; this takes a second more, so programs and the live screen do without. */
static bool say_capacity(const struct tm_command_call *call, const struct tm_relay_config *config)
{
  const struct tm_relay_call *own = call->arg;
  struct tm_check check = {.config = config, .path = own->config_path, .out = stdout};

  putchar('\n');
  tm_relay_check_capacity(&check);
  return fflush(stdout) == 0;
}

static int look_once(const struct tm_command_call *call, const struct tm_relay_config *config, bool json)
{
  char why[TM_STATUS_REASON_MAX];
  json_t *status;
  bool good;

  if (tm_status_ask(config, &status, why) != TM_OK)
    return tm_command_fail(call, "%s", why);
  if (json)
    good = print_json(status);
  else {
    tm_status_print(stdout, status, NULL, 0);
    good = fflush(stdout) == 0 && say_capacity(call, config);
  }
  json_decref(status);
  return good ? TM_EXIT_OK : TM_EXIT_FAILED;
}

/* ---- the live screen ---- */

/* A screen's worth of text: from the top left corner, each line cut at the right edge and cleared behind its end, and nothing scrolls. */
static void draw(const char *text)
{
  struct winsize size;
  bool known = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 && size.ws_row > 1;
  size_t cols = known ? size.ws_col : 80, rows = known ? size.ws_row - 1u : 24;

  fputs("\033[H", stdout);
  for (size_t row = 0; row < rows && *text != '\0'; row++) {
    size_t len = strcspn(text, "\n");
    printf("%.*s\033[K\n", (int)(len < cols ? len : cols), text);
    text += len + (text[len] == '\n');
  }
  fputs("\033[J", stdout);
}

/* False: nobody reads any more. */
static bool show(const struct watch *w)
{
  char *text = NULL;
  size_t len = 0;
  FILE *f;

  if (w->json)
    return w->last == NULL || print_json(w->last);
  f = open_memstream(&text, &len);
  if (f == NULL)
    return true;
  if (w->last != NULL)
    tm_status_print(f, w->last, w->before, w->seconds);
  else
    fprintf(f, "%s\n", w->why);
  if (fclose(f) == 0 && w->is_terminal)
    draw(text);
  else if (text != NULL)
    printf("%s\n", text); /* a blank line between two */
  free(text);
  return fflush(stdout) == 0;
}

static void look(struct watch *w)
{
  json_t *status;
  uint64_t now;
  int err = tm_status_ask(w->config, &status, w->why);

  now = tm_clock_mono_ms(&tm_clock_system);
  json_decref(w->before);
  w->before = w->last;
  w->last = err == TM_OK ? status : NULL;
  w->seconds = (double)(now - w->last_ms) / 1000;
  w->last_ms = now;
  /* Started anew in between: its totals are another relay's. */
  if (json_integer_value(json_object_get(w->last, "pid")) != json_integer_value(json_object_get(w->before, "pid"))) {
    json_decref(w->before);
    w->before = NULL;
  }
}

static void catch_signals(void)
{
  struct sigaction stop = {.sa_handler = on_stop, .sa_flags = (int)SA_RESETHAND}, resize = {.sa_handler = on_resize};

  sigaction(SIGINT, &stop, NULL);
  sigaction(SIGTERM, &stop, NULL);
  sigaction(SIGHUP, &stop, NULL);
  sigaction(SIGWINCH, &resize, NULL);
}

/* Waits until it is time to look again; a terminal that changes its size is drawn at once. */
static bool wait_and_redraw(const struct watch *w)
{
  uint64_t until = w->last_ms + LOOK_EVERY_MS;
  uint64_t now;

  while (!stopped && (now = tm_clock_mono_ms(&tm_clock_system)) < until) {
    struct timespec left = {.tv_sec = (time_t)((until - now) / 1000), .tv_nsec = (long)((until - now) % 1000) * 1000000};
    if (nanosleep(&left, NULL) != 0 && !stopped && w->is_terminal && !w->json && !show(w))
      return false;
  }
  return true;
}

static int watch(struct watch *w)
{
  bool read = true;

  look(w);
  if (w->last == NULL)
    return tm_command_fail(w->call, "%s", w->why);
  catch_signals();
  if (w->is_terminal && !w->json)
    fputs("\033[2J", stdout);
  while (read && !stopped) {
    read = show(w) && wait_and_redraw(w);
    if (read && !stopped)
      look(w);
  }
  json_decref(w->last);
  json_decref(w->before);
  return read ? TM_EXIT_OK : TM_EXIT_FAILED;
}

int tm_relay_status(const struct tm_command_call *call)
{
  struct arguments a = {false, false};
  struct tm_relay_config config;
  struct watch w = {.call = call, .config = &config, .is_terminal = isatty(STDOUT_FILENO) == 1};
  int r;

  tm_command_parse(call, NULL, parse, &a);
  if ((r = tm_relay_load(call, &config)) != TM_EXIT_OK)
    return r;
  signal(SIGPIPE, SIG_DFL); /* who reads a pipe may leave when he has seen enough */
  w.json = a.json;
  r = a.watch ? watch(&w) : look_once(call, &config, a.json);
  tm_options_free(&tm_relay_options, &config);
  return r;
}
