/* tidemill-authority from outside: files in, files out, exit codes and what it says. */
#include "config.h"

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "base/err.h"
#include "base/file.h"
#include "directory/descriptor.h"
#include "directory/params.h"

#include "directory_fixture.h"

#define OUTPUT_MAX (64 * 1024)

static char dir[] = "/tmp/tm-authority-XXXXXX";
static char program[PATH_MAX];
static char output[OUTPUT_MAX];
static struct fixture fixture;

/* Runs the program in dir with words split at spaces; its output is then in `output`. Returns the exit code. */
static int run(const char *words)
{
  char copy[4096];
  char *argv[64] = {program};
  char *rest = NULL;
  int argc = 1;
  int fds[2];
  int status;
  size_t at = 0;
  ssize_t n;
  pid_t pid;

  snprintf(copy, sizeof copy, "%s", words);
  for (char *word = strtok_r(copy, " ", &rest); word != NULL && argc < 63; word = strtok_r(NULL, " ", &rest))
    argv[argc++] = word;
  assert_int_equal(pipe(fds), 0);
  pid = fork();
  if (pid == 0) {
    dup2(fds[1], STDOUT_FILENO);
    dup2(fds[1], STDERR_FILENO);
    if (chdir(dir) == 0)
      execv(program, argv);
    _exit(127);
  }
  close(fds[1]);
  while ((n = read(fds[0], output + at, sizeof output - 1 - at)) > 0)
    at += (size_t)n;
  output[at] = '\0';
  close(fds[0]);
  assert_int_equal(waitpid(pid, &status, 0), pid);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void expect(const char *words, int code, const char *text)
{
  int got = run(words);

  if (got != code || strstr(output, text) == NULL)
    print_error("%s: code %d, output <%s>, not <%s>\n", words, got, output, text);
  assert_int_equal(got, code);
  assert_non_null(strstr(output, text));
}

static const char *path(const char *name)
{
  static char whole[256];

  snprintf(whole, sizeof whole, "%s/%s", dir, name);
  return whole;
}

static void write_text(const char *name, const char *text, size_t len)
{
  assert_int_equal(tm_file_write(path(name), 0644, text, len), TM_OK);
}

static char *read_text(const char *name, size_t *len)
{
  uint8_t *data;

  assert_int_equal(tm_file_read(path(name), TM_DOCUMENT_MAX, &data, len), TM_OK);
  return (char *)data;
}

#define FROM "--valid-from 2026-11-24T04:00:00Z --valid-for 3600"
#define NOW "--at 2026-11-24T04:30:00Z"
#define ALL "entry1 entry2 mix1a mix1b mix2a mix2b mix3a mix3b store1 store2"

static int setup(void **state)
{
  const char *built = getenv("top_builddir");
  char name[PATH_MAX];
  FILE *f;

  (void)state;
  snprintf(name, sizeof name, "%s/tidemill-authority", built != NULL ? built : ".");
  assert_non_null(realpath(name, program));
  assert_non_null(mkdtemp(dir));
  fixture_init(&fixture);
  for (size_t i = 0; i < FIXTURE_RELAYS; i++) {
    size_t len;
    char *note;
    assert_int_equal(tm_descriptor_make(&note, &len, &fixture.relays[i], FIXTURE_NOW, fixture.seeds[i]), TM_OK);
    write_text(fixture.relays[i].name, note, len);
    free(note);
  }
  f = fopen(path("params"), "w");
  assert_non_null(f);
  tm_params_print_sample(f);
  fclose(f);
  return 0;
}

static int teardown(void **state)
{
  char command[128];

  (void)state;
  snprintf(command, sizeof command, "rm -rf %s", dir);
  return system(command);
}

static void test_keygen(void **state)
{
  struct stat st;
  size_t len;
  char *vkey;

  (void)state;
  expect("keygen --name north --out keys", 0, "north+");
  vkey = read_text("keys/north.vkey", &len);
  assert_string_equal(output, vkey);
  free(vkey);
  assert_int_equal(stat(path("keys/north.key"), &st), 0);
  assert_int_equal(st.st_mode & 0777, 0600);
  assert_int_equal(stat(path("keys"), &st), 0);
  assert_int_equal(st.st_mode & 0777, 0700);
  expect("keygen --name north --out keys", 1, "already there");
  expect("keygen --name no/rth --out keys", 2, "--name");
  expect("keygen --name .north --out keys", 2, "--name");
  expect("keygen --name north", 2, "--out");
  expect("keygen --name south --out params", 1, "directory");
  expect("params", 0, "slot_ms 30000");
}

/* Four authorities, a round with all of them, and the same text each time. */
static void test_round(void **state)
{
  char command[256];
  char trust[4 * TM_NOTE_VERIFIER_LEN] = "";

  (void)state;
  for (int i = 0; i < 4; i++) {
    snprintf(command, sizeof command, "keygen --name a%d --out keys", i);
    assert_int_equal(run(command), 0);
    strcat(trust, output);
  }
  write_text("trust", trust, strlen(trust));
  expect("assemble --network test --params params " FROM " -o doc --descriptor " ALL, 0, "");
  assert_string_equal(output, "");
  expect("verify --trust trust " NOW " doc", 1, "has anybody signed it?");
  for (int i = 0; i < 4; i++) {
    snprintf(command, sizeof command, "sign --key keys/a%d.key doc", i);
    expect(command, 0, "");
    snprintf(command, sizeof command, "good signatures: %d of 4 authorities; needed: 3", i + 1);
    expect("verify --trust trust " NOW " doc", i >= 2 ? 0 : 1, command);
    assert_true((strstr(output, "accepted") != NULL) == (i >= 2));
  }
  expect("verify --trust trust " NOW " doc", 0, "relays: 10 (entries 2, mixes 2 + 2 + 2, stores 2), ");
  expect("sign --key keys/a1.key doc", 0, "");
  expect("verify --trust trust " NOW " doc", 0, "signature lines: 4");
  expect("verify --trust trust --at 2026-11-24T05:00:00Z doc", 1, "expired");
  expect("verify --trust trust --at 2026-11-24T03:59:59Z doc", 1, "not yet valid");
  expect("sign --key keys/a1.key -o other doc", 0, "");
  expect("verify --trust trust " NOW " other", 0, "accepted");
}

static void test_what_it_writes(void **state)
{
  struct tm_fault fault;
  size_t len;
  size_t want_len;
  char *text;
  char *want;

  (void)state;
  expect("assemble --network test --params params --set sequences=9 " FROM
         " -o doc2 -d entry1 -d entry2 mix3b mix3a mix2b mix2a mix1b mix1a store2 store1", 0, "");
  text = read_text("doc2", &len);
  fixture.draft.params.sequences = 9;
  /* An hour touches one epoch; the next one's key may stay. */
  assert_int_equal(tm_document_assemble(&fixture.draft, &want, &want_len, &fault), TM_OK);
  assert_string_equal(text, want);
  free(want);
  free(text);
  expect("assemble --network test --params params " FROM " -o - " ALL, 0, "tidemill document 1\nnetwork test\n");
}

static void test_bad_documents(void **state)
{
  size_t len;
  char *text = read_text("doc", &len);
  char *at;

  (void)state;
  at = strstr(text, "network test");
  at[8] = 'r';
  write_text("changed", text, len);
  expect("verify --trust trust " NOW " changed", 1, "a0: BAD SIGNATURE");
  assert_non_null(strstr(output, "refused"));
  at[8] = 'T';
  write_text("changed", text, len);
  expect("verify --trust trust " NOW " changed", 1, "changed:2: a network's name");
  expect("sign --key keys/a0.key changed", 1, "changed:2: a network's name");
  expect("verify --trust keys/a0.vkey " NOW " doc", 0, "good signatures: 1 of 1 authorities; needed: 1");
  expect("verify --trust trust nothing", 1, "nothing: there is no such file");
  expect("verify --trust doc doc", 1, "no verifier key");
  expect("verify --trust trust", 2, "needed");
  expect("verify --trust trust --at today doc", 2, "--at");
  expect("sign --key keys/a0.vkey doc", 1, "no secret key");
  assert_int_equal(chmod(path("keys/a0.key"), 0640), 0);
  expect("sign --key keys/a0.key doc", 1, "chmod 600");
  assert_int_equal(chmod(path("keys/a0.key"), 0600), 0);
  free(text);
}

static void test_refused_descriptors(void **state)
{
  size_t len;
  char *text = read_text("mix1a", &len);

  (void)state;
  text[strlen("tidemill descriptor 1\npublished 2")] ^= 1;
  write_text("changed", text, len);
  free(text);
  expect("assemble --network test --params params " FROM " -o x changed", 1, "changed: not signed by the identity");
  expect("assemble --network test --params params " FROM " -o x mix1a mix1a", 1, "mix1a and mix1a are of one relay");
  expect("assemble --network test --params params " FROM " -o x trust", 1, "trust: not a signed note");
  expect("assemble --network test --params params " FROM " -o x entry1 mix1a mix2a store1 store2", 1,
         "no mix in layer 3");
  expect("assemble --network test --params params --valid-from 2026-12-24T04:00:00Z --valid-for 60 -o x " ALL, 1,
         "tidemill-relay keygen --from 20811 --epoch-length 86400");
  expect("assemble --network test --params params --valid-from 2026-11-24T04:00:00Z --valid-for 864000 -o x " ALL, 0,
         "warning: relay mix1a has no key for epoch 20783");
}

static void test_refused_params(void **state)
{
  char text[256];

  (void)state;
  expect("assemble --network test --params params --set slot=1 " FROM " -o x " ALL, 1, "no parameter \"slot\"");
  expect("assemble --network test --params params --set slotms=1 " FROM " -o x " ALL, 1, "did you mean slot_ms?");
  expect("assemble --network test --params params --set slot_ms=1 " FROM " -o x " ALL, 1,
         "slot_ms must be 100 to 86400000 milliseconds");
  expect("assemble --network test --params params --set slot_ms " FROM " -o x " ALL, 1, "write name=value");
  expect("assemble --network test --params params --set strategy=fast " FROM " -o x " ALL, 1, "poisson or timed-pool");
  expect("assemble --network test --params params --set downlink_us=600000 " FROM " -o x " ALL, 1,
         "downlink_us is not less than tick_us");
  snprintf(text, sizeof text, "# c\n\nslot_ms 2000\nslot_ms 2000\nslot_ms  3\nslot_ms\nspeed 1\n");
  write_text("bad.params", text, strlen(text));
  expect("assemble --network test --params bad.params " FROM " -o x " ALL, 1, "bad.params:4: slot_ms stands twice");
  assert_non_null(strstr(output, "bad.params:5: slot_ms must be"));
  assert_non_null(strstr(output, "bad.params:6: write \"name value\""));
  assert_non_null(strstr(output, "bad.params:7: there is no parameter \"speed\""));
  write_text("bad.params", "epoch_s 3600\n", 13);
  expect("assemble --network test --params bad.params " FROM " -o x " ALL, 1, "key_grace_s is missing");
  expect("assemble --network Test --params params " FROM " -o x " ALL, 2, "--network");
  expect("assemble --network test --params params --valid-for 0 -o x " ALL, 2, "--valid-for");
  expect("assemble --network test --params params --valid-for 7948801 -o x " ALL, 2, "--valid-for");
  expect("assemble --network test --params params " FROM " -o x", 2, "descriptors");
  expect("assemble --network test --params params " FROM " -o no/such/dir " ALL, 1, "cannot be written");
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_keygen),        cmocka_unit_test(test_round),           cmocka_unit_test(test_what_it_writes),
    cmocka_unit_test(test_bad_documents), cmocka_unit_test(test_refused_descriptors),
    cmocka_unit_test(test_refused_params),
  };

  return cmocka_run_group_tests(tests, setup, teardown);
}
