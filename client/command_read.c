#include "config.h"

#include <sys/stat.h>
#include <unistd.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "client/save.h"

#include "client/command.h"

#define INDENT "  "
#define WAIT_MAX_S 31536000

struct read {
  struct tm_run run;
  const char *name;
  const char *save; /* directory; NULL: files are only announced */
  bool all, follow;
  unsigned timeout;
  unsigned count;   /* with --follow: ends after so many messages; 0: never */
  uint64_t after;   /* last message looked at */
  uint64_t shown;
  unsigned files_left;
  json_t *messages; /* for one JSON document */
};

enum { KEY_SAVE = TM_KEY_OWN, KEY_ALL, KEY_FOLLOW, KEY_TIMEOUT, KEY_COUNT };

static error_t parse_read(int key, char *arg, struct argp_state *state)
{
  struct read *r = state->input;

  switch (key) {
  case KEY_SAVE:
    r->save = arg;
    return 0;
  case KEY_ALL:
    r->all = true;
    return 0;
  case KEY_FOLLOW:
    r->follow = true;
    return 0;
  case KEY_TIMEOUT:
    r->timeout = (unsigned)tm_command_number(state, "--timeout", arg, 1, WAIT_MAX_S);
    r->follow = true;
    return 0;
  case KEY_COUNT:
    r->count = (unsigned)tm_command_number(state, "--count", arg, 1, UINT32_MAX);
    r->follow = true;
    return 0;
  case ARGP_KEY_ARG:
    if (r->name != NULL)
      return ARGP_ERR_UNKNOWN;
    r->name = arg;
    return 0;
  default:
    return ARGP_ERR_UNKNOWN;
  }
}

/* ---- one message ---- */

static int save_file(struct read *r, const json_t *m, const struct tm_frame *answer, char **path)
{
  const char *name = tm_member_text(m, "file");
  int err = tm_save_file(r->save, name != NULL ? name : "", answer->body != NULL ? (const void *)answer->body : "", answer->body_len, path);

  if (err == TM_OK)
    return TM_EXIT_OK;
  return tm_failure_set(&r->run.failure, "io", "The file could not be saved in %s: %s. It stays unread.", r->save,
                        err == TM_E_IO ? strerror(errno) : tm_strerror(err));
}

static void say_message(struct read *r, const json_t *m, const struct tm_frame *answer, const char *path)
{
  char moment[TM_MOMENT_TEXT_LEN];
  char size[TM_SIZE_TEXT_LEN];
  const char *file = tm_member_text(m, "file");

  tm_moment_format(tm_member_number(m, "sent", 0), moment);
  tm_size_format(tm_member_number(m, "size", 0), size);
  if (r->shown > 0)
    putchar('\n');
  tm_say(stdout, "%s, %s", tm_member_text(m, "from"), moment);
  if (file == NULL) {
    putchar('\n');
    tm_terminal_block(stdout, (const char *)answer->body, answer->body_len, INDENT);
  } else {
    tm_say(stdout, ": file %s (%s)\n", file, size);
    if (path != NULL)
      tm_say(stdout, INDENT "saved as %s\n", path);
    else
      fputs(INDENT "not saved: add --save DIR\n", stdout);
  }
}

static int json_message(struct read *r, const json_t *m, const struct tm_frame *answer, const char *path)
{
  json_t *copy = json_deep_copy(m);
  char *text = tm_terminal_utf8((const char *)answer->body, tm_member_text(m, "file") == NULL ? answer->body_len : 0);

  if (copy == NULL || text == NULL) {
    json_decref(copy);
    free(text);
    return tm_failure_set(&r->run.failure, "no-memory", "Out of memory.");
  }
  if (tm_member_text(m, "file") == NULL)
    json_object_set_new(copy, "text", json_string(text));
  else
    json_object_set_new(copy, "saved_as", path != NULL ? tm_json_text(path) : json_null());
  tm_file_free((uint8_t *)text, strlen(text));
  if (r->follow)
    tm_run_json(&r->run, copy);
  else
    json_array_append_new(r->messages, copy);
  return TM_EXIT_OK;
}

/* Read is what was shown; a file, what was saved. Only then, so that nothing gets lost on the way to the user. */
static int mark_read(struct read *r, const json_t *m)
{
  struct tm_frame answer;
  int code;

  if (!tm_member_bool(m, "unread"))
    return TM_EXIT_OK;
  code = tm_run_ask(&r->run, json_pack("{s:s, s:I}", "op", "mark", "id", (json_int_t)tm_member_number(m, "id", 0)), &answer);
  tm_frame_clear(&answer);
  return code;
}

static int take_message(struct read *r, const json_t *m, const struct tm_frame *answer)
{
  bool file = tm_member_text(m, "file") != NULL;
  char *path = NULL;
  int code = TM_EXIT_OK;

  if (file && r->save != NULL)
    code = save_file(r, m, answer, &path);
  if (code == TM_EXIT_OK && r->run.common->json)
    code = json_message(r, m, answer, path);
  else if (code == TM_EXIT_OK)
    say_message(r, m, answer, path);
  if (code == TM_EXIT_OK && fflush(stdout) != 0)
    code = tm_failure_set(&r->run.failure, "io", "Standard output: %s. The message stays unread.", strerror(errno));
  if (code == TM_EXIT_OK && (!file || path != NULL))
    code = mark_read(r, m);
  r->files_left += file && path == NULL;
  r->shown++;
  free(path);
  return code;
}

/* ---- all of them ---- */

static json_t *next_request(const struct read *r)
{
  json_t *request = json_pack("{s:s, s:I, s:b, s:b}", "op", "next", "after", (json_int_t)r->after, "unread", (int)!r->all, "files",
                              (int)(r->save != NULL));

  if (request != NULL && r->name != NULL && json_object_set_new(request, "name", json_string(r->name)) != 0) {
    json_decref(request);
    return NULL;
  }
  return request;
}

static bool enough(const struct read *r) { return r->count > 0 && r->shown >= r->count; }

static int take_all(struct read *r)
{
  bool more = true;
  int code = TM_EXIT_OK;

  while (code == TM_EXIT_OK && more && !enough(r)) {
    struct tm_frame answer;
    const json_t *m;
    code = tm_run_ask(&r->run, next_request(r), &answer);
    m = json_object_get(answer.head, "message");
    more = json_is_object(m);
    if (code == TM_EXIT_OK && more) {
      tm_bar_clear(&r->run.bar);
      code = take_message(r, m, &answer);
      r->after = tm_member_number(m, "id", UINT32_MAX);
    }
    tm_frame_clear(&answer);
  }
  return code;
}

/* Files that are still coming. *list is the caller's. */
static int get_incoming(struct read *r, json_t **list)
{
  struct tm_frame answer;
  int code = tm_run_ask(&r->run, json_pack("{s:s}", "op", "incoming"), &answer);
  const json_t *item;
  size_t i;

  *list = json_array();
  json_array_foreach (json_object_get(answer.head, "incoming"), i, item) {
    const char *from = tm_member_text(item, "from");
    if (r->name == NULL || (from != NULL && strcmp(from, r->name) == 0))
      json_array_append(*list, (json_t *)(uintptr_t)item);
  }
  tm_frame_clear(&answer);
  return code;
}

static int follow_step(struct tm_run *run, void *arg, bool *done)
{
  struct read *r = arg;
  json_t *list = NULL;
  const json_t *first;
  int code = take_all(r);

  *done = enough(r);
  if (code == TM_EXIT_OK && !*done)
    code = get_incoming(r, &list);
  first = json_array_get(list, 0);
  if (first != NULL)
    tm_bar_show(&run->bar, "of a message on its way in", (uint32_t)tm_member_number(first, "done", 0),
                (uint32_t)tm_member_number(first, "pieces", 0));
  else
    tm_bar_clear(&run->bar);
  json_decref(list);
  return code;
}

static int say_rest(struct read *r)
{
  json_t *list = NULL;
  const json_t *item;
  size_t i;
  int code = get_incoming(r, &list);

  if (code == TM_EXIT_OK && r->run.common->json) {
    tm_run_json(&r->run, json_pack("{s:O, s:O}", "messages", r->messages, "incoming", list));
  } else if (code == TM_EXIT_OK) {
    if (r->shown == 0)
      puts(r->all ? "No messages." : "No new messages.");
    json_array_foreach (list, i, item)
      tm_say(stdout, "On its way from '%s': %u of %u pieces.\n", tm_member_text(item, "from"),
             (unsigned)tm_member_number(item, "done", 0), (unsigned)tm_member_number(item, "pieces", 0));
  }
  json_decref(list);
  return code;
}

static int check_save(struct read *r)
{
  struct stat st;

  if (r->save == NULL || (stat(r->save, &st) == 0 && S_ISDIR(st.st_mode)))
    return TM_EXIT_OK;
  if (mkdir(r->save, 0700) == 0)
    return TM_EXIT_OK;
  return tm_failure_set(&r->run.failure, "io", "%s is no directory to save files in, and could not be made: %s.", r->save, strerror(errno));
}

int tm_command_read(const struct tm_command_call *call)
{
  static const struct argp_option options[] = {
    {"save", KEY_SAVE, "DIR", 0, "Save files in DIR, never over another file", 0},
    {"all", KEY_ALL, NULL, 0, "Messages that were read before, too", 0},
    {"follow", KEY_FOLLOW, NULL, 0, "Stay and show messages as they arrive; Ctrl-C ends it", 0},
    {"count", KEY_COUNT, "N", 0, "Follow until N messages were shown", 0},
    {"timeout", KEY_TIMEOUT, "SECONDS", 0, "Follow no longer than that (exit code 5, unless --count is reached)", 0},
    TM_COMMON_OPTIONS, {0}};
  struct read r = {.run = {0}};
  int code;

  tm_run_parse(&r.run, call, options, parse_read);
  r.run.lines = r.follow;
  r.messages = json_array();
  code = check_save(&r);
  if (code == TM_EXIT_OK && r.follow) {
    code = tm_run_wait(&r.run, r.timeout, follow_step, &r, "No more messages came; the daemon goes on receiving.");
    if (code == TM_EXIT_INTERRUPTED) { /* the ordinary end */
      r.run.failure.code[0] = '\0';
      code = TM_EXIT_OK;
    }
  } else if (code == TM_EXIT_OK) {
    code = take_all(&r);
    if (code == TM_EXIT_OK)
      code = say_rest(&r);
  }
  json_decref(r.messages);
  return tm_run_end(&r.run, code);
}
