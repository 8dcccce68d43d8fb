/* What the daemon answers when something is wrong: the code for programs, and words that say what to do. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <sodium.h>

#include "base/file.h"
#include "client/operations.h"

#define OUTBOX 100 /* more messages than the stand-in of the engine takes */

struct fixture {
  char dir[64];
  struct tm_operations ops;
};

static int set_up(void **state)
{
  struct fixture *f = calloc(1, sizeof *f);

  memcpy(f->dir, "/tmp/tidemill-ops-XXXXXX", sizeof "/tmp/tidemill-ops-XXXXXX");
  if (mkdtemp(f->dir) == NULL)
    return -1;
  if (tm_client_create(f->dir, "", "", 0, (const uint8_t *)"", 0, &tm_clock_system, &tm_rng_system) != TM_OK)
    return -1;
  *state = f;
  return tm_client_open(&f->ops.engine, f->dir, "", &tm_clock_system, &tm_rng_system) == TM_OK ? 0 : -1;
}

static int tear_down(void **state)
{
  struct fixture *f = *state;
  char path[128];

  tm_client_close(f->ops.engine);
  snprintf(path, sizeof path, "%s/fake.state", f->dir);
  unlink(path);
  rmdir(f->dir);
  free(f);
  return 0;
}

/* The answer's head, which the caller frees. */
static json_t *ask(struct fixture *f, json_t *request)
{
  uint8_t body[] = "text";
  const struct tm_frame frame = {.head = request, .body = body, .body_len = 4};
  struct tm_answer answer = {0};

  assert_non_null(request);
  tm_operations_handle(&f->ops, &frame, &answer);
  assert_non_null(answer.head);
  tm_file_free(answer.body, answer.body_len);
  json_decref(request);
  return answer.head;
}

static json_t *named(const char *op, const char *name) { return json_pack("{s:s, s:s}", "op", op, "name", name); }

static void must(struct fixture *f, json_t *request)
{
  json_t *head = ask(f, request);

  assert_true(tm_member_bool(head, "ok"));
  json_decref(head);
}

/* It fails with that code, and the words have part in them. */
static void fails(struct fixture *f, json_t *request, const char *code, const char *part)
{
  json_t *head = ask(f, request);
  const json_t *error = json_object_get(head, "error");

  assert_false(tm_member_bool(head, "ok"));
  assert_string_equal(tm_member_text(error, "code"), code);
  if (strstr(tm_member_text(error, "message"), part) == NULL)
    fail_msg("\"%s\" does not say \"%s\"", tm_member_text(error, "message"), part);
  json_decref(head);
}

static json_t *code_of(const char *name, const char *code)
{
  return json_pack("{s:s, s:s, s:s}", "op", "accept", "name", name, "code", code);
}

static void test_codes(void **state)
{
  struct fixture *f = *state;

  fails(f, code_of("alice", ""), "bad-code", "No code was given");
  fails(f, code_of("alice", "A"), "bad-code", "1 symbol;");
  fails(f, code_of("alice", "ABC"), "bad-code", "3 symbols;");
  fails(f, code_of("alice", "!"), "bad-code", "Group 1 of the code has a '!' as symbol 1,");
  fails(f, code_of("alice", "ABCDE!"), "bad-code", "Group 2 of the code has a '!' as symbol 1,");
  fails(f, code_of("alice", "ABCDEFGHJ!"), "bad-code", "Group 2 of the code has a '!' as symbol 5,");
  fails(f, code_of("alice", "USED"), "used-code", "ask the other side for a new one");
}

static void test_name_taken(void **state)
{
  struct fixture *f = *state;

  must(f, named("invite", "a b"));
  fails(f, named("invite", "a b"), "exists", "`tidemill forget 'a b'` takes it back");
  must(f, named("contact", "a b"));
  must(f, named("contact", "a b")); /* ready now */
  fails(f, named("invite", "a b"), "exists", "There is already a contact called 'a b'");
  must(f, named("invite", "late"));
  fails(f, named("invite", "late"), "exists", "the code has expired");
  fails(f, json_pack("{s:s, s:s, s:b}", "op", "forget", "name", "a b", "pending", 1), "not-pending", "`tidemill forget 'a b'`");
}

static void test_not_paired(void **state)
{
  struct fixture *f = *state;

  must(f, named("invite", "-x"));
  fails(f, named("safety", "-x"), "not-paired", "nobody has used the code yet");
  must(f, named("invite", "late"));
  fails(f, named("safety", "late"), "not-paired", "the code has expired. `tidemill forget late`");
  must(f, named("invite", "eve"));
  fails(f, named("safety", "eve"), "not-paired", "somebody else has used the code too");
}

static void test_outbox_full(void **state)
{
  struct fixture *f = *state;
  bool full = false;

  must(f, named("invite", "bob"));
  for (int i = 0; i < OUTBOX && !full; i++) {
    json_t *head = ask(f, named("send", "bob"));
    full = !tm_member_bool(head, "ok");
    json_decref(head);
  }
  fails(f, named("send", "bob"), "outbox-full", "outbox is full");
  fails(f, named("send", "bbo"), "no-contact", "Did you mean 'bob'?");
}

/* Words that are cut end with a whole character: others could not be answered at all. */
static void test_long_name(void **state)
{
  struct fixture *f = *state;
  char name[2001];

  for (size_t shift = 0; shift < 2; shift++) {
    memset(name, 'x', sizeof name);
    for (size_t i = shift; i + 1 < sizeof name; i += 2)
      memcpy(name + i, "\xc3\xa9", 2);
    name[2000 - shift] = '\0';
    fails(f, named("invite", name), "bad-name", "\xc3\xa9");
  }
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
  const struct CMUnitTest tests[] = {
    T(test_codes), T(test_name_taken), T(test_not_paired), T(test_outbox_full), T(test_long_name),
  };

  tm_control_setup();
  if (sodium_init() < 0)
    return 1;
  return cmocka_run_group_tests(tests, NULL, NULL);
}
