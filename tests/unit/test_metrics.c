/* Metrics: what they show and what they round away, when they change, the dashboard that uses them, and a server that nobody can hold up. */
#include "config.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <event2/event.h>
#include <jansson.h>

#include "relay/metrics.h"
#include "relay/metrics_server.h"
#include "relay/observe.h"

#include "tests/unit/directory_fixture.h"

#define GENEROUS_MS 20000
#define CONNECTIONS 28 /* more than are served at a time; the rest fits into the kernel's queue */

/* ---- the text ---- */

/* A relay that has everything. The document is only asked for its end. */
static struct tm_status full(void)
{
  struct tm_status s = {.now_s = 1000, .uptime_s = 90, .state = TM_STATE_RUNNING, .valid = true, .document_roles = TM_ROLE_MIX | TM_ROLE_STORE,
                        .document_keys = 3, .document_last_epoch = 9, .strategy = "poisson", .mix_packets = 57, .mix_max = 100,
                        .entropy_bits = 6.9, .relay_links_expected = 4, .tags_max = 1000, .n_keys = 2, .epoch = 8, .epoch_s = 100,
                        .keys_made = 2, .last_key_epoch = 10, .store_max = 500, .allocated = 1 << 20, .resident = 1 << 21};

  s.totals.totals.in_link = 129;
  s.totals.totals.out_link = 72;
  s.totals.totals.drop[TM_DROP_MAC] = 9;
  s.totals.held = s.totals.slab_used = 48;
  s.totals.relay_links = 3;
  s.totals.tagging.alarm = true;
  s.key[0] = (struct tm_status_key){.epoch = 8, .ends_s = 950, .tags = 25};
  s.key[1] = (struct tm_status_key){.epoch = 7, .ends_s = 850, .tags = 7};
  s.totals.store.boxes = 44;
  return s;
}

static char *text_of(const struct tm_status *s)
{
  size_t len = 0;
  char *text = tm_metrics_text(s, &len);

  assert_non_null(text);
  assert_int_equal(strlen(text), len);
  return text;
}

static void expect(const char *text, const char *line)
{
  size_t len = strlen(line);
  bool found = false;

  for (const char *at = text; !found && (at = strstr(at, line)) != NULL; at += len)
    found = (at == text || at[-1] == '\n') && at[len] == '\n';
  if (!found)
    fail_msg("no line \"%s\" in\n%s", line, text);
}

static void test_values(void **state)
{
  struct tm_status s = full();
  char *text = text_of(&s);

  (void)state;
  expect(text, "tidemill_relay_packets_in_total{source=\"link\"} 120");
  expect(text, "tidemill_relay_packets_out_total{to=\"link\"} 70");
  expect(text, "tidemill_relay_packets_dropped_total{reason=\"mac\"} 0");
  expect(text, "tidemill_relay_packets_held 40");
  expect(text, "tidemill_relay_accounting_balanced 1");
  expect(text, "tidemill_relay_mix_packets 50");
  expect(text, "tidemill_relay_mix_anonymity_set_size 128"); /* 7 bits */
  expect(text, "tidemill_relay_links{peer=\"relay\"} 3");
  expect(text, "tidemill_relay_alarm{alarm=\"tag_failures\"} 1");
  expect(text, "tidemill_relay_alarm{alarm=\"loops\"} 0");
  expect(text, "tidemill_relay_key_tags{key=\"present\"} 20");
  expect(text, "tidemill_relay_key_tags{key=\"last\"} 0");
  expect(text, "tidemill_relay_key_end_timestamp_seconds{key=\"last\"} 850");
  expect(text, "tidemill_relay_document_keys_end_timestamp_seconds 1000");
  expect(text, "tidemill_relay_state{state=\"running\"} 1");
  expect(text, "tidemill_relay_state{state=\"draining\"} 0");
  expect(text, "tidemill_relay_role{role=\"store\"} 1");
  expect(text, "tidemill_relay_role{role=\"entry\"} 0");
  expect(text, "tidemill_relay_store_boxes 40");
  expect(text, "tidemill_relay_start_time_seconds 910");
  free(text);
}

/* One packet more or less, of any kind, changes nothing until ten have come together. */
static void test_single_packets_do_not_show(void **state)
{
  struct tm_status s = full(), more = full();
  char *one, *other, *before, *after;

  (void)state;
  s.totals.totals = more.totals.totals = (struct tm_counters){.in_link = 0};
  for (size_t i = 0; i < sizeof more.totals.totals / sizeof(uint64_t); i++)
    ((uint64_t *)&more.totals.totals)[i] = 9;
  more.totals.totals.drop[TM_DROP_NONE] = 0;
  s.totals.held = s.totals.slab_used = 0;
  more.totals.held = more.totals.slab_used = 0;
  more.totals.cover.loops = more.totals.cover.home = more.totals.cover.dummies = 9;
  more.totals.store.boxes = 40;
  more.totals.store.get_hit = more.totals.store.get_miss = more.totals.store.put = more.totals.store.expired = 9;
  more.io.cells_in = more.io.cells_out = 9;
  more.key[0].tags = 29;
  one = text_of(&s);
  other = text_of(&more);
  before = strstr(one, "tidemill_relay_packets_in_total");
  after = strstr(other, "tidemill_relay_packets_in_total");
  /* The sum of all is not what it should be: that alone shows, as it is said to be a bug. */
  *(strstr(before, "accounting_balanced 1\n") + 20) = *(strstr(after, "accounting_balanced 0\n") + 20) = '?';
  assert_string_equal(before, after);
  free(one);
  free(other);
}

static void test_parts_that_a_relay_lacks(void **state)
{
  struct tm_status s = {.state = TM_STATE_WAITING};
  char *text = text_of(&s);

  (void)state;
  assert_null(strstr(text, "store_boxes"));
  assert_null(strstr(text, "document_end"));
  assert_null(strstr(text, "memory_"));
  assert_null(strstr(text, "made_keys"));
  expect(text, "tidemill_relay_document_valid 0");
  expect(text, "tidemill_relay_state{state=\"waiting\"} 1");
  free(text);
}

static void test_moments(void **state)
{
  (void)state;
  assert_int_equal(tm_observe_moment(0, 60), 60000);
  assert_int_equal(tm_observe_moment(59999, 60), 60000);
  assert_int_equal(tm_observe_moment(60000, 60), 120000);
  assert_int_equal(tm_observe_moment(1795553434123, 60), 1795553460000);
}

/* ---- the dashboard ---- */

static struct tm_document *document(void)
{
  struct tm_trust *trust = fixture_trust(1);
  struct tm_document *doc;
  struct tm_fault fault;
  struct fixture f;
  char *text, *note;
  size_t len, note_len;

  fixture_init(&f);
  assert_int_equal(tm_document_assemble(&f.draft, &text, &len, &fault), TM_OK);
  note = fixture_sign(text, len, 0, 1, &note_len);
  assert_int_equal(tm_document_open(&doc, trust, note, note_len, FIXTURE_NOW, NULL), TM_OK);
  free(text);
  free(note);
  tm_trust_free(trust);
  return doc;
}

/* Every name that begins as ours do, in that text, once. */
static json_t *names_in(const char *text)
{
  static const char prefix[] = "tidemill_relay_";
  json_t *names = json_object();

  for (const char *at = text; (at = strstr(at, prefix)) != NULL;) {
    size_t len = strspn(at, "abcdefghijklmnopqrstuvwxyz_0123456789");
    char name[128];
    assert_true(len < sizeof name);
    memcpy(name, at, len);
    name[len] = '\0';
    json_object_set_new(names, name, json_true());
    at += len;
  }
  return names;
}

static void all_in(json_t *some, json_t *others, const char *what)
{
  const char *name;
  json_t *value;

  json_object_foreach(some, name, value)
    if (json_object_get(others, name) == NULL)
      fail_msg("%s: %s", what, name);
}

static void test_dashboard(void **state)
{
  const char *top = getenv("top_srcdir");
  struct tm_status s = full();
  struct tm_document *doc = document();
  json_t *dashboard, *used, *there;
  char path[512], *text, *json;

  (void)state;
  if (top == NULL) {
    tm_document_free(doc);
    skip(); /* not run by make check */
  }
  s.document = doc;
  s.has_document = true;
  text = text_of(&s);
  expect(text, "tidemill_relay_made_keys_end_timestamp_seconds 1100");
  snprintf(path, sizeof path, "%s/doc/grafana/tidemill-relay.json", top);
  dashboard = json_load_file(path, JSON_REJECT_DUPLICATES, NULL);
  assert_non_null(dashboard);
  json = json_dumps(dashboard, 0);
  used = names_in(json);
  there = names_in(text);
  assert_true(json_object_size(used) > 30);
  all_in(used, there, "the dashboard uses what no relay has");
  all_in(there, used, "the dashboard does not use");
  json_decref(used);
  json_decref(there);
  json_decref(dashboard);
  free(json);
  free(text);
  tm_document_free(doc);
}

/* ---- the server ---- */

struct served {
  struct event_base *base;
  struct tm_metrics_server *server;
};

static void setup(struct served *f, unsigned patience_ms)
{
  f->base = event_base_new();
  assert_int_equal(tm_metrics_server_new(&f->server, f->base, "127.0.0.1:0", patience_ms), TM_OK);
  assert_true(tm_metrics_server_port(f->server) > 0);
  tm_metrics_server_set(f->server, strdup("a_metric 1\n"), 11);
}

static void teardown(struct served *f)
{
  tm_metrics_server_free(f->server);
  event_base_free(f->base);
}

static int join(struct served *f)
{
  struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(tm_metrics_server_port(f->server))};
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

  assert_int_equal(connect(fd, (struct sockaddr *)&addr, sizeof addr), 0);
  assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
  return fd;
}

static void say(int fd, const char *text) { assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text)); }

/* Turns the loop until the other side has closed; what it said is in text. */
static void hear(struct served *f, int fd, char *text, size_t cap)
{
  uint64_t until = tm_clock_mono_ms(&tm_clock_system) + GENEROUS_MS;
  size_t len = 0;

  for (;;) {
    ssize_t n;
    event_base_loop(f->base, EVLOOP_NONBLOCK);
    n = recv(fd, text + len, cap - 1 - len, 0);
    if (n == 0 || (n < 0 && errno != EAGAIN))
      break;
    if (n > 0)
      len += (size_t)n;
    else
      usleep(500);
    if (tm_clock_mono_ms(&tm_clock_system) > until)
      fail_msg("the connection does not end");
  }
  text[len] = '\0';
  close(fd);
}

static void ask(struct served *f, const char *request, const char *answer)
{
  char text[4096];
  int fd = join(f);

  say(fd, request);
  hear(f, fd, text, sizeof text);
  if (strstr(text, answer) == NULL)
    fail_msg("\"%s\" is not in %s", answer, text);
}

static void test_requests(void **state)
{
  struct served f;

  (void)state;
  setup(&f, GENEROUS_MS);
  ask(&f, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", "\r\n\r\na_metric 1\n");
  ask(&f, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", "text/plain; version=0.0.4");
  ask(&f, "HEAD /metrics HTTP/1.1\r\nHost: x\r\n\r\n", "200 OK");
  ask(&f, "GET / HTTP/1.1\r\nHost: x\r\n\r\n", "404");
  ask(&f, "POST /metrics HTTP/1.0\r\nContent-Length: 0\r\n\r\n", "501");
  ask(&f, "nonsense\r\n\r\n", "");
  tm_metrics_server_set(f.server, strdup("a_metric 2\n"), 11);
  ask(&f, "GET /metrics HTTP/1.0\r\n\r\n", "a_metric 2\n");
  tm_metrics_server_set(f.server, NULL, 5);
  ask(&f, "GET /metrics HTTP/1.0\r\n\r\n", "503");
  teardown(&f);
}

/* Who says nothing, or a byte now and then, is shown out. */
static void test_silence_ends(void **state)
{
  uint64_t until = tm_clock_mono_ms(&tm_clock_system) + GENEROUS_MS;
  struct served f;
  char text[1024];
  int silent, dripping;

  (void)state;
  setup(&f, 500);
  silent = join(&f);
  dripping = join(&f);
  say(dripping, "GET /metrics HTTP/1.1\r\nX: ");
  while (send(dripping, "x", 1, MSG_NOSIGNAL) == 1) {
    event_base_loop(f.base, EVLOOP_NONBLOCK);
    usleep(5000);
    assert_true(tm_clock_mono_ms(&tm_clock_system) < until);
  }
  close(dripping);
  hear(&f, silent, text, sizeof text);
  teardown(&f);
}

static size_t descriptors(void)
{
  size_t n = 0;

  for (int fd = 0; fd < 1024; fd++)
    n += fcntl(fd, F_GETFD) != -1;
  return n;
}

/* Many hold connections open and say nothing: the relay takes so many and no more, and an honest one is served when those have been shown out. */
static void test_many(void **state)
{
  struct served f;
  int fd[CONNECTIONS];
  size_t before;

  (void)state;
  setup(&f, 400);
  before = descriptors() + CONNECTIONS;
  for (size_t i = 0; i < CONNECTIONS; i++) {
    fd[i] = join(&f);
    event_base_loop(f.base, EVLOOP_NONBLOCK);
  }
  assert_true(descriptors() - before <= TM_METRICS_CONNECTIONS_MAX);
  assert_true(descriptors() > before);
  ask(&f, "GET /metrics HTTP/1.0\r\n\r\n", "a_metric 1\n");
  for (size_t i = 0; i < CONNECTIONS; i++)
    close(fd[i]);
  teardown(&f);
}

static void test_addresses(void **state)
{
  struct served f;
  struct tm_metrics_server *other;
  char taken[32];

  (void)state;
  setup(&f, 500);
  snprintf(taken, sizeof taken, "127.0.0.1:%u", tm_metrics_server_port(f.server));
  assert_int_equal(tm_metrics_server_new(&other, f.base, taken, 500), TM_E_IO);
  assert_int_equal(errno, EADDRINUSE);
  assert_int_equal(tm_metrics_server_new(&other, f.base, "localhost:80", 500), TM_E_SYNTAX);
  teardown(&f);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_values),    cmocka_unit_test(test_single_packets_do_not_show), cmocka_unit_test(test_parts_that_a_relay_lacks),
    cmocka_unit_test(test_moments),   cmocka_unit_test(test_dashboard),                  cmocka_unit_test(test_requests),
    cmocka_unit_test(test_addresses), cmocka_unit_test(test_silence_ends),               cmocka_unit_test(test_many),
  };

  return cmocka_run_group_tests_name("metrics", tests, NULL, NULL);
}
