/* base/config: what the option table must refuse, what it yields, and the commands' dispatch. */
#include "config.h"

#include <sys/wait.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/address.h"
#include "base/err.h"
#include "base/file.h"
#include "base/config/command.h"
#include "base/config/options.h"
#include "base/config/suggest.h"

enum level { LEVEL_ERROR, LEVEL_WARN, LEVEL_INFO };

struct values {
  char *name;
  char *dir;
  char *listen;
  uint32_t workers;
  uint64_t big;
  enum level level;
  unsigned roles;
  bool fast;
};

static const char *const levels[] = {"error", "warn", "info", NULL};
static const char *const roles[] = {"entry", "mix", "store", NULL};

static const struct tm_option options[] = {
  {.name = "name", .kind = TM_OPTION_STRING, TM_OPTION_AT(struct values, name), .min = 1, .max = 31, .required = true,
   .example = "mill1", .reload = true, .help = "The name - as it stands in the document."},
  {.name = "state-dir", .kind = TM_OPTION_PATH, TM_OPTION_AT(struct values, dir), .fallback = "state",
   .help = ".keys live here, and 'nothing' else that anybody could want to see from outside of this machine."},
  {.name = "listen", .kind = TM_OPTION_ADDRESS, TM_OPTION_AT(struct values, listen), .example = "[::1]:4711",
   .help = "Where.", .reload = true},
  {.name = "workers", .kind = TM_OPTION_INTEGER, TM_OPTION_AT(struct values, workers), .min = 1, .max = 64,
   .unit = "threads",
   .fallback = "2", .help = "How many.", .reload = true},
  {.name = "big", .kind = TM_OPTION_INTEGER, TM_OPTION_AT(struct values, big), .min = 0, .max = UINT64_MAX,
   .fallback = "18446744073709551615", .help = "Big."},
  {.name = "log-level", .kind = TM_OPTION_CHOICE, TM_OPTION_AT(struct values, level), .choices = levels,
   .fallback = "info",
   .help = "How much."},
  {.name = "roles", .kind = TM_OPTION_CHOICES, TM_OPTION_AT(struct values, roles), .choices = roles,
   .fallback = "{mix, store}", .help = "What it does."},
  {.name = "fast", .kind = TM_OPTION_BOOLEAN, TM_OPTION_AT(struct values, fast), .fallback = "no", .help = "Whether."},
};

static void check(const void *values, struct tm_option_place *place)
{
  const struct values *v = values;

  if (tm_options_good(place, "workers") && v->workers == 13)
    tm_options_complain(place, "workers", "no luck: take %d", 12);
  if (v->workers == 14 && !tm_options_given(place, "fast"))
    tm_options_complain(place, "fast", "must be given");
}

static const struct tm_option_table table = {
  .program = "test", .options = options, .n = sizeof options / sizeof options[0], .size = sizeof(struct values),
  .check = check};

static char *complaints;

/* Parses text; the complaints are then in the variable of that name. */
static int parse(const char *text, size_t len, struct values *v)
{
  size_t size;
  FILE *f;
  int err;

  free(complaints);
  f = open_memstream(&complaints, &size);
  assert_non_null(f);
  memset(v, 0xaa, sizeof *v);
  err = tm_options_parse(&table, "/etc/test.conf", text, len, v, f);
  fclose(f);
  return err;
}

static void good(const char *text, struct values *v)
{
  int err = parse(text, strlen(text), v);

  if (err != TM_OK)
    print_error("%s", complaints);
  assert_int_equal(err, TM_OK);
  assert_string_equal(complaints, "");
}

/* text must be refused with each of the lines that expect names, up to a NULL. */
static void bad(const char *text, const char *expect)
{
  static const struct values zero;
  struct values v;

  assert_int_equal(parse(text, strlen(text), &v), TM_E_SYNTAX);
  if (strstr(complaints, expect) == NULL)
    print_error("<%s> gave <%s>, not <%s>\n", text, complaints, expect);
  assert_non_null(strstr(complaints, expect));
  assert_memory_equal(&v, &zero, sizeof v);
}

static void test_defaults(void **state)
{
  struct values v;

  (void)state;
  good("name = mill1\n", &v);
  assert_string_equal(v.name, "mill1");
  assert_string_equal(v.dir, "/etc/state");
  assert_null(v.listen);
  assert_int_equal(v.workers, 2);
  assert_true(v.big == UINT64_MAX);
  assert_int_equal(v.level, LEVEL_INFO);
  assert_int_equal(v.roles, 6);
  assert_false(v.fast);
  tm_options_free(&table, &v);
  assert_null(v.name);
}

static void test_values(void **state)
{
  struct values v;

  (void)state;
  good("# comment with 'quotes', ${x} and // more\n\nname = \"a # \\\"b\\\\\" # tail\n  state-dir=/var/x\n"
       "listen = \"127.0.0.1:1\"\n"
       "workers = 64\nbig = 0\nlog-level = error\nroles = {entry,\n  store}\nfast = yes",
       &v);
  assert_string_equal(v.name, "a # \"b\\");
  assert_string_equal(v.dir, "/var/x");
  assert_string_equal(v.listen, "127.0.0.1:1");
  assert_int_equal(v.workers, 64);
  assert_true(v.big == 0);
  assert_int_equal(v.level, LEVEL_ERROR);
  assert_int_equal(v.roles, 5);
  assert_true(v.fast);
  tm_options_free(&table, &v);
  good("name = x\nroles = {mix}", &v);
  assert_int_equal(v.roles, 2);
  tm_options_free(&table, &v);
}

static void test_refused(void **state)
{
  (void)state;
  bad("", "/etc/test.conf: name is missing: add a line like  name = mill1");
  bad("name = x\nworker = 2\n", "/etc/test.conf:2: unknown option \"worker\"; did you mean workers?");
  bad("name = x\nzzz = 2\n", ":2: unknown option \"zzz\": the manual");
  bad("name = x\n\nname = y\n", ":3: name is already set in line 1");
  bad("name = x\nroles = {mix}\nroles = {store}\n", ":3: roles is already set in line 2");
  bad("name = x\nroles = {mix, mix}\n", "names \"mix\" twice");
  bad("name = x\nroles = {}\n", "empty list");
  bad("name = x\nroles = {mxi}\n", "did you mean mix?");
  bad("name = x\nroles = {mix}\nroles += {store}\n", ":3: this character needs double quotes");
  bad("name = x\nlog-level = loud\n", ":2: log-level: \"loud\" is not allowed: write error, warn or info");
  bad("name = x\nfast = true\n", ":2: fast: \"true\" is not allowed: write yes or no");
  bad("name = \"\"\n", ":1: name:");
  bad("name = abcdefghijklmnopqrstuvwxyz123456\n", ":1: name:");
  bad("name = x\nstate-dir = \"\"\n", ":2: state-dir:");
  bad("name = x\nlisten = localhost:1\n", ":2: listen:");
  bad("name = x\nworkers = 13\n", ":2: no luck: take 12");
  bad("name = x\nworkers = 14\n", "/etc/test.conf: must be given");
}

/* Whole files, and every word that is said about them. */
static void test_whole_files(void **state)
{
  static const struct {
    const char *text, *says;
  } cases[] = {
    {"worker = 2\nzzz = {a,\n  b}\nbig = 5x\nname = \"unclosed\nfast = perhaps\nfast = no\nroles = {mix, mxi}\n",
     "/etc/test.conf:1: unknown option \"worker\"; did you mean workers?\n"
     "/etc/test.conf:2: unknown option \"zzz\": the manual lists all there are\n"
     "/etc/test.conf:4: big: \"5x\" is not allowed: write an integer from 0 to 18446744073709551615\n"
     "/etc/test.conf:5: the closing quote is missing on this line\n"
     "/etc/test.conf:6: fast: \"perhaps\" is not allowed: write yes or no\n"
     "/etc/test.conf:7: fast is already set in line 6: remove one of the two\n"
     "/etc/test.conf:8: roles: \"mxi\" is not a list in braces, one or more of entry, mix or store; did you mean mix?\n"},
    {"workers =\nlisten = \"localhost:1\"\nworkers = 13\nname x\n",
     "/etc/test.conf:1: the value is missing: write it behind the =, in the same line\n"
     "/etc/test.conf:2: listen: \"localhost:1\" is not allowed: write a numeric address with port, like \"127.0.0.1:4711\" or "
     "\"[::1]:4711\"\n"
     "/etc/test.conf:4: missing equal sign after option 'name': write name = value, with lists in braces and texts in double quotes\n"},
    {"big = 3\nbig += 4\nroles = {\n  mix\nworkers = 99\nlog-level = 'info'\n",
     "/etc/test.conf:2: this character needs double quotes around the value\n"
     "/etc/test.conf:3: the list is not closed: write } behind its last value\n"
     "/etc/test.conf:5: workers: 99 is too much: write an integer from 1 to 64 threads\n"
     "/etc/test.conf:6: single quotes are not allowed here: use double quotes\n"
     "/etc/test.conf: name is missing: add a line like  name = mill1\n"},
    {"name = x\nworkers = 4k\n", "/etc/test.conf:2: workers: \"4k\" is not allowed: write an integer from 1 to 64 threads\n"},
    {"name = x\nbig = 4k\n", "/etc/test.conf:2: big: \"4k\" is no plain number: write 4000\n"},
    {"name = x\nworkers = 04\n", "/etc/test.conf:2: workers: \"04\" is no plain number: write 4 (threads)\n"},
    {"name = x\nworkers = \"4 threads\"\n", "/etc/test.conf:2: workers: \"4 threads\" is no plain number: write 4 (threads)\n"},
    {"name = x\nbig = \"1_000 000\"\n", "/etc/test.conf:2: big: \"1_000 000\" is no plain number: write 1000000\n"},
    {"name = x\nworkers = 0\n", "/etc/test.conf:2: workers: 0 is too little: write an integer from 1 to 64 threads\n"},
    {"name = x\nworkers = 65\n", "/etc/test.conf:2: workers: 65 is too much: write an integer from 1 to 64 threads\n"},
  };
  struct values v;

  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    assert_int_equal(parse(cases[i].text, strlen(cases[i].text), &v), TM_E_SYNTAX);
    assert_string_equal(complaints, cases[i].says);
  }
}

/* A file of nothing else is answered with so many lines, and says how many more there are. */
static void test_many_mistakes(void **state)
{
  char text[4096] = "name = x\n";
  size_t at = strlen(text), lines = 0;
  struct values v;

  (void)state;
  for (unsigned i = 0; i < 100; i++)
    at += (size_t)snprintf(text + at, sizeof text - at, "workers = 65\n");
  assert_int_equal(parse(text, at, &v), TM_E_SYNTAX);
  for (const char *c = complaints; *c != '\0'; c++)
    lines += *c == '\n';
  assert_int_equal(lines, 65);
  assert_non_null(strstr(complaints, "/etc/test.conf: and 36 mistakes more\n"));
}

static void test_numbers(void **state)
{
  static const char *const wrong[] = {"0", "65", "02", "+2", "-2", "0x2", "2x", "\"2 \"", "\" 2\"", "2.0", "2e0",
                                      "\"\"",
                                      "99999999999999999999", "4294967298", "{2}", "two"};
  char text[64];
  struct values v;

  (void)state;
  for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
    snprintf(text, sizeof text, "name = x\nworkers = %s\n", wrong[i]);
    bad(text, ":2: ");
  }
  bad("name = x\nbig = 18446744073709551616\n", "from 0 to 18446744073709551615");
  good("name = x\nworkers = 1\n", &v);
  assert_int_equal(v.workers, 1);
  tm_options_free(&table, &v);
}

static void test_syntax(void **state)
{
  struct values v;

  (void)state;
  bad("name = x\nworkers 3\n", ":2: missing equal sign");
  bad("name = x\nworkers = 3 4\n", ":2: unknown option \"4\"");
  bad("name = \"x\nworkers = 3\n", ":1: the closing quote is missing");
  bad("name = \"x", ":1: the closing quote is missing");
  bad("name = \"x\\", ":1: ");
  bad("name = 'x'\n", ":1: single quotes");
  bad("name = \"x\\n\"\n", ":1: only \\\\ and \\\"");
  bad("name = \"${HOME}\"\n", ":1: environment");
  bad("name = ${HOME}\n", ":1: environment");
  bad("/* c */ name = x\n", ":1: comments begin with #");
  bad("name = x // c\n", ":1: comments begin with #");
  bad("name = x;\n", ":1: this character");
  bad("name = x\r\n", ":1: the line ends in a carriage return");
  bad("name = x # c\r\n", ":1: the line ends in a carriage return");
  bad("name = x\001\n", ":1: control character");
  bad("name = \xc3\xa9\n", ":1: a value with letters outside ASCII");
  bad("include(\"x\")\n", ":1: ");
  bad("name = x\n}\n", ":2: unexpected closing brace");
  bad("name = x\nroles = {mix\n", "the list is not closed");
  bad("name = x\nsub { a = 1 }\n", ":2: unknown option \"sub\"");
  bad("# c\n#\n\nname = x\nworkers = 65\n", ":5: workers");
  assert_int_equal(parse("name = x\0y\n", 11, &v), TM_E_SYNTAX);
  assert_non_null(strstr(complaints, "zero byte"));
}

static void test_all_mistakes_at_once(void **state)
{
  (void)state;
  bad("workers = 65\nname = \"\"\nworkers = 3\n", ":1: workers");
  assert_non_null(strstr(complaints, ":2: name"));
  assert_non_null(strstr(complaints, ":3: workers is already set in line 1"));
}

static void test_size(void **state)
{
  size_t len = TM_OPTIONS_FILE_MAX + 1;
  char *text = malloc(len);
  struct values v;

  (void)state;
  assert_non_null(text);
  memset(text, '\n', len);
  memcpy(text, "name=x", 6);
  assert_int_equal(parse(text, len, &v), TM_E_TOO_BIG);
  assert_int_equal(parse(text, len - 1, &v), TM_OK);
  tm_options_free(&table, &v);
  free(text);
}

static void test_file(void **state)
{
  char dir[] = "/tmp/tm-config-XXXXXX";
  char path[64];
  struct values v;
  FILE *f;

  (void)state;
  assert_non_null(mkdtemp(dir));
  snprintf(path, sizeof path, "%s/a.conf", dir);
  free(complaints);
  f = open_memstream(&complaints, &(size_t){0});
  assert_int_equal(tm_options_load(&table, path, &v, f), TM_E_NOT_FOUND);
  assert_int_equal(tm_options_load(&table, dir, &v, f), TM_E_IO);
  assert_int_equal(tm_file_write(path, 0600, "name = x\n", 9), TM_OK);
  assert_int_equal(tm_options_load(&table, path, &v, f), TM_OK);
  fclose(f);
  assert_non_null(strstr(complaints, "no such file"));
  assert_int_equal(strncmp(v.dir, dir, strlen(dir)), 0);
  tm_options_free(&table, &v);
  unlink(path);
  rmdir(dir);
}

static void note_difference(void *arg, const struct tm_option *option, bool taken)
{
  char *said = arg;

  snprintf(said + strlen(said), 128 - strlen(said), "%s%s ", taken ? "" : "!", option->name);
}

static void test_reload(void **state)
{
  char said[128] = "";
  struct values v, fresh;

  (void)state;
  good("name = mill1\nstate-dir = /a\nlisten = \"[::1]:1\"\nworkers = 3\n", &v);
  good("name = mill1\nstate-dir = /a\nlisten = \"[::1]:1\"\nworkers = 3\n", &fresh);
  assert_int_equal(tm_options_reload(&table, &v, &fresh, note_difference, said), 0);
  assert_string_equal(said, "");
  tm_options_free(&table, &fresh);
  good("name = mill2\nstate-dir = /b\nworkers = 4\nbig = 5\nroles = {mix}\nfast = yes\n", &fresh);
  assert_int_equal(tm_options_reload(&table, &v, &fresh, note_difference, said), 3);
  assert_string_equal(said, "name !state-dir listen workers !big !roles !fast ");
  tm_options_free(&table, &fresh);
  assert_string_equal(v.name, "mill2");
  assert_null(v.listen);
  assert_int_equal(v.workers, 4);
  assert_string_equal(v.dir, "/a");
  assert_true(v.big == UINT64_MAX);
  assert_int_equal(v.roles, 6);
  assert_false(v.fast);
  good("name = mill2\nlisten = \"[::1]:2\"\nworkers = 4\n", &fresh);
  said[0] = '\0';
  assert_int_equal(tm_options_reload(&table, &v, &fresh, note_difference, said), 1);
  assert_string_equal(said, "!state-dir listen ");
  assert_string_equal(v.listen, "[::1]:2");
  tm_options_free(&table, &fresh);
  tm_options_free(&table, &v);
}

static void test_sample_loads(void **state)
{
  char *sample = NULL;
  size_t size;
  FILE *f = open_memstream(&sample, &size);
  struct values v;

  (void)state;
  tm_options_print_sample(&table, f);
  fclose(f);
  good(sample, &v);
  assert_string_equal(v.name, "mill1");
  assert_null(v.listen);
  tm_options_free(&table, &v);
  /* Uncommented, the defaults are still the same. */
  for (char *at = sample; (at = strstr(at, "\n#")) != NULL; at++)
    if (at[2] != ' ')
      at[1] = ' ';
  good(sample, &v);
  assert_int_equal(v.roles, 6);
  assert_string_equal(v.listen, "[::1]:4711");
  for (size_t i = 0; i < table.n; i++)
    assert_non_null(strstr(sample, options[i].name));
  for (char *line = strtok(sample, "\n"); line != NULL; line = strtok(NULL, "\n"))
    assert_true(strlen(line) <= 80);
  tm_options_free(&table, &v);
  free(sample);
}

static void test_manual(void **state)
{
  char *text = NULL;
  size_t size;
  FILE *f = open_memstream(&text, &size);

  (void)state;
  tm_options_print_manual(&table, f);
  fclose(f);
  assert_non_null(strstr(text, ".TP\n.B state\\-dir\n\\&.keys live here"));
  assert_non_null(strstr(text, "Value: an integer from 1 to 64 threads. Default: 2. Changes on reload.\n"));
  assert_non_null(strstr(text, "Default: 18446744073709551615.\n"));
  assert_non_null(strstr(text, "Required."));
  assert_non_null(strstr(text, "No default."));
  free(text);
}

static void test_address(void **state)
{
  static const char *const yes[] = {"127.0.0.1:4711", "[::1]:1", "0.0.0.0:65535", "[2001:db8::1]:443", "[::ab]:5",
                                    "[1:0:2:3:4:5:6:7]:8"};
  static const char *const no[] = {"", ":1", "127.0.0.1", "127.0.0.1:", "127.0.0.1:0", "127.0.0.1:65536",
                                   "127.0.0.1:01",
                                   "127.0.0.1:+1", "127.0.0.1:1 ", " 127.0.0.1:1", "127.0.0.01:1", "127.1:1", "::1:1",
                                   "[::1]1",
                                   "[::1:1", "[0::1]:1", "[::A]:1", "[::1%lo]:1", "[127.0.0.1]:1", "localhost:1",
                                   "[]:1",
                                   "[::ffff:1.2.3.4]:5", "[::ffff:102:304]:5", "[::102:304]:5", "[1::2:3:4:5:6:7]:8",
                                   "127.0.0.1:123456",
                                   "[fe80:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:00001]:1"};

  (void)state;
  for (size_t i = 0; i < sizeof yes / sizeof yes[0]; i++)
    assert_int_equal(tm_address_check(yes[i], strlen(yes[i])), TM_OK);
  for (size_t i = 0; i < sizeof no / sizeof no[0]; i++)
    assert_int_equal(tm_address_check(no[i], strlen(no[i])), TM_E_SYNTAX);
  assert_int_equal(tm_address_check("127.0.0.1\0:4711", 15), TM_E_SYNTAX);
}

static const char *role_name(const void *t, size_t i) { return ((const char *const *)t)[i]; }

static void test_suggest(void **state)
{
  (void)state;
  assert_string_equal(tm_suggest("stroe", role_name, roles), "store");
  assert_string_equal(tm_suggest("entri", role_name, roles), "entry");
  assert_null(tm_suggest("", role_name, roles));
  assert_null(tm_suggest("quite something else", role_name, roles));
  assert_null(tm_suggest("a word that is far longer than any slip of the finger ever is", role_name, roles));
}

/* ---- commands ---- */

static unsigned long long number;

static error_t on_greet(int key, char *arg, struct argp_state *s)
{
  if (key == 'n') {
    number = tm_command_number(s, "--times", arg, 1, 9);
    return 0;
  }
  return ARGP_ERR_UNKNOWN;
}

static int greet(const struct tm_command_call *call)
{
  static const struct argp_option own[] = {{"times", 'n', "N", 0, "How often", 0}, {0}};

  number = 1;
  tm_command_parse(call, own, on_greet, NULL);
  return number == 7 ? tm_command_fail(call, "seven is %s", "too much") : TM_EXIT_OK;
}

static int leave(const struct tm_command_call *call)
{
  tm_command_parse(call, NULL, NULL, NULL);
  *(int *)call->arg += 1;
  return TM_EXIT_OK;
}

static error_t on_program(int key, char *arg, struct argp_state *s)
{
  (void)arg;
  if (key != 'v')
    return ARGP_ERR_UNKNOWN;
  *(int *)s->input += 10;
  return 0;
}

static const struct tm_command commands[] = {
  {"greet", "--times N", "Greet somebody.", greet, NULL},
  {"leave", "", "Go.", leave, NULL},
};
static const struct argp_option program_options[] = {{"verbose", 'v', NULL, 0, "More", 0}, {0}};
static const struct tm_program program = {.name = "test", .about = "A test.", .options = program_options,
                                          .parse = on_program,
                                          .commands = commands, .n = 2};

/* Runs the program in a child; returns its exit code, and what it wrote in output. */
static int run(const char *const args[], char *output, size_t cap)
{
  int fds[2];
  int status;
  int argc = 0;
  static char copies[8][32];
  char *argv[8] = {NULL};
  size_t at = 0;
  ssize_t n;
  pid_t pid;

  assert_int_equal(pipe(fds), 0);
  for (; args[argc] != NULL; argc++) {
    snprintf(copies[argc], sizeof copies[argc], "%s", args[argc]);
    argv[argc] = copies[argc];
  }
  pid = fork();
  if (pid == 0) {
    int arg = 0;
    dup2(fds[1], STDOUT_FILENO);
    dup2(fds[1], STDERR_FILENO);
    status = tm_program_main(&program, argc, argv, &arg);
    printf("arg=%d number=%llu\n", arg, number);
    fflush(NULL);
    _exit(status);
  }
  close(fds[1]);
  while ((n = read(fds[0], output + at, cap - 1 - at)) > 0)
    at += (size_t)n;
  output[at] = '\0';
  close(fds[0]);
  assert_int_equal(waitpid(pid, &status, 0), pid);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void expect(const char *const args[], int code, const char *text)
{
  char output[8192];
  int got = run(args, output, sizeof output);

  if (got != code || strstr(output, text) == NULL)
    print_error("code %d, output <%s>, not <%s>\n", got, output, text);
  assert_int_equal(got, code);
  assert_non_null(strstr(output, text));
}

#define RUN(...) (const char *const[]){"/bin/test", __VA_ARGS__, NULL}

static void test_commands(void **state)
{
  (void)state;
  expect(RUN("greet"), TM_EXIT_OK, "arg=0 number=1");
  expect(RUN("greet", "--times", "3"), TM_EXIT_OK, "number=3");
  expect(RUN("greet", "--times", "7"), TM_EXIT_FAILED, "test greet: seven is too much");
  expect(RUN("-v", "leave"), TM_EXIT_OK, "arg=11");
  expect(RUN("greet", "--times", "3x"), TM_EXIT_USAGE, "\"3x\" is not an integer from 1 to 9");
  expect(RUN("greet", "--times", "10"), TM_EXIT_USAGE, "not an integer");
  expect(RUN("greet", "--times", "99999999999999999999999"), TM_EXIT_USAGE, "not an integer");
  expect(RUN("greet", "--tims", "3"), TM_EXIT_USAGE, "tims");
  expect(RUN("leave", "now"), TM_EXIT_USAGE, "\"now\" is one argument too many");
  expect(RUN("lave"), TM_EXIT_USAGE, "did you mean leave?");
  expect(RUN("xyzzy"), TM_EXIT_USAGE, "test --help lists them");
  expect(RUN("--nonsense"), TM_EXIT_USAGE, "nonsense");
  expect((const char *const[]){"test", NULL}, TM_EXIT_USAGE, "which command?");
  expect(RUN("--help"), TM_EXIT_OK, "greet --times N");
  expect(RUN("--help"), TM_EXIT_OK, "Exit codes: 0 it worked");
  expect(RUN("greet", "--help"), TM_EXIT_OK, "Greet somebody.");
  expect(RUN("--version"), TM_EXIT_OK, PACKAGE_STRING);
}

static int teardown(void **state)
{
  (void)state;
  free(complaints);
  return 0;
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_defaults),  cmocka_unit_test(test_values),       cmocka_unit_test(test_refused),
    cmocka_unit_test(test_whole_files),
    cmocka_unit_test(test_many_mistakes),
    cmocka_unit_test(test_numbers),   cmocka_unit_test(test_syntax),       cmocka_unit_test(test_all_mistakes_at_once),
    cmocka_unit_test(test_size),      cmocka_unit_test(test_file),         cmocka_unit_test(test_reload),
    cmocka_unit_test(test_sample_loads),
    cmocka_unit_test(test_manual),    cmocka_unit_test(test_address),      cmocka_unit_test(test_suggest),
    cmocka_unit_test(test_commands),
  };

  return cmocka_run_group_tests(tests, NULL, teardown);
}
