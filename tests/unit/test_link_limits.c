/* Our listener's limits against peers that take more than their part. */
#include "config.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <openssl/err.h>

#include "link/internal.h"
#include "link/prefix.h"

#include "link_raw.h"

/* ---- the table of prefixes, under a clock of its own ---- */

static struct tm_prefixes *table;

static struct tm_prefix prefix_of(const char *text)
{
  struct sockaddr_storage addr;
  struct sockaddr_in *in = (struct sockaddr_in *)&addr;
  struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&addr;

  memset(&addr, 0, sizeof addr);
  addr.ss_family = strchr(text, ':') != NULL ? AF_INET6 : AF_INET;
  assert_int_equal(inet_pton(addr.ss_family, text, addr.ss_family == AF_INET6 ? (void *)&in6->sin6_addr : (void *)&in->sin_addr), 1);
  return tm_prefix_of(table, (struct sockaddr *)&addr);
}

static int connect_one(const char *text, const struct tm_link_quota quotas[2], uint64_t now_ms)
{
  struct tm_prefix p = prefix_of(text);

  return tm_prefix_connect(table, &p, quotas, now_ms);
}

static void handshake_over(const char *text)
{
  struct tm_prefix p = prefix_of(text);

  tm_prefix_handshake_over(table, &p);
}

static int link_one(const char *text, const struct tm_link_quota quotas[2])
{
  struct tm_prefix p = prefix_of(text);

  return tm_prefix_link(table, &p, quotas, 0);
}

static void link_over(const char *text)
{
  struct tm_prefix p = prefix_of(text);

  tm_prefix_link_over(table, &p);
}

static int table_up(void **state)
{
  (void)state;
  return tm_prefixes_new(&table, &tm_rng_system, 100);
}

static int table_down(void **state)
{
  (void)state;
  tm_prefixes_free(table);
  return 0;
}

static void test_prefix_handshakes(void **state)
{
  static const struct tm_link_quota q[2] = {{.handshakes = 2}, {.handshakes = 3}};

  (void)state;
  assert_int_equal(connect_one("192.0.2.1", q, 0), -1);
  assert_int_equal(connect_one("192.0.2.1", q, 0), -1);
  assert_int_equal(connect_one("192.0.2.1", q, 0), 0);
  assert_int_equal(connect_one("192.0.2.200", q, 0), -1);
  assert_int_equal(connect_one("192.0.2.3", q, 0), 1); /* the network has its three */
  assert_int_equal(connect_one("192.0.3.1", q, 0), -1);
  handshake_over("192.0.2.1");
  assert_int_equal(connect_one("192.0.2.3", q, 0), -1);
  assert_int_equal(connect_one("192.0.2.3", q, 0), 1);
}

static void test_prefix_links(void **state)
{
  static const struct tm_link_quota q[2] = {{.links = 2}, {.links = 3}};

  (void)state;
  assert_int_equal(link_one("2001:db8:1:1::1", q), -1);
  assert_int_equal(link_one("2001:db8:1:1:ffff::1", q), -1); /* the same /64 */
  assert_int_equal(link_one("2001:db8:1:1:2::2", q), 0);
  assert_int_equal(connect_one("2001:db8:1:1:2::2", q, 0), 0); /* would become one too many */
  assert_int_equal(link_one("2001:db8:1:2::1", q), -1);
  assert_int_equal(link_one("2001:db8:1:3::1", q), 1); /* the same /48 */
  assert_int_equal(link_one("2001:db8:2:3::1", q), -1);
  link_over("2001:db8:1:1::9");
  assert_int_equal(link_one("2001:db8:1:3::1", q), -1);
  assert_int_equal(link_one("0:0::1", q), -1);
  assert_int_equal(link_one("0.0.0.0", q), -1); /* another family, though the bytes are the same */
}

/* Three at once, then three a minute; and when the stock is full again, nothing is known any more. */
static void test_prefix_connects(void **state)
{
  static const struct tm_link_quota q[2] = {{.connects = 3}, {.connects = 100}};
  static const struct tm_link_quota none[2];
  uint64_t now = 1000000;

  (void)state;
  for (int i = 0; i < 3; i++) {
    assert_int_equal(connect_one("192.0.2.1", q, now), -1);
    handshake_over("192.0.2.1");
  }
  assert_int_equal(connect_one("192.0.2.1", q, now), 0);
  assert_int_equal(connect_one("192.0.2.1", q, now + 19999), 0);
  assert_int_equal(connect_one("192.0.2.1", q, now + 20000), -1);
  handshake_over("192.0.2.1");
  assert_int_equal(connect_one("192.0.2.1", q, now + 20001), 0);
  assert_int_equal(tm_prefixes_used(table), 2);
  for (int i = 0; i < 10000; i++) { /* others come and go; their stocks are not reckoned */
    assert_int_equal(connect_one("198.51.100.1", none, now + 200000), -1);
    handshake_over("198.51.100.1");
  }
  assert_int_equal(tm_prefixes_used(table), 2); /* theirs alone */
}

/* Any number of addresses comes by; those with links are never forgotten. */
static void test_prefix_memory(void **state)
{
  static const struct tm_link_quota q[2] = {{.links = 1, .connects = 1}, {.connects = 1000}};
  char text[32];

  (void)state;
  assert_int_equal(link_one("192.0.2.1", q), -1);
  for (unsigned i = 0; i < 20000; i++) {
    snprintf(text, sizeof text, "10.%u.%u.1", i / 250, i % 250);
    assert_int_equal(connect_one(text, q, 1), -1);
    handshake_over(text);
  }
  assert_in_range(tm_prefixes_used(table), 1000, 4096 + 200);
  assert_int_equal(link_one("192.0.2.1", q), 0);
  link_over("192.0.2.1");
  assert_int_equal(link_one("192.0.2.1", q), -1);
}

/* Two tables do not agree on what an address is called. */
static void test_prefix_is_keyed(void **state)
{
  struct tm_prefix here = prefix_of("192.0.2.1"), there;
  struct tm_prefixes *mine = table;

  (void)state;
  assert_int_equal(tm_prefixes_new(&table, &tm_rng_system, 100), TM_OK);
  there = prefix_of("192.0.2.1");
  tm_prefixes_free(table);
  table = mine;
  assert_true(here.whole != there.whole && here.level[0] != there.level[0] && here.level[1] != there.level[1]);
  assert_true(here.level[0] == prefix_of("192.0.2.1").level[0]);
}

/* ---- links ---- */

#define RAWS 8

static struct net net;
static struct raw raws[RAWS];

static int set_up(void **state)
{
  (void)state;
  net_init(&net, true);
  memset(raws, 0, sizeof raws);
  for (int i = 0; i < RAWS; i++)
    raws[i].fd = -1;
  return 0;
}

static int tear_down(void **state)
{
  (void)state;
  for (int i = 0; i < RAWS; i++)
    raw_free(&raws[i]);
  net_end(&net);
  return 0;
}

static uint64_t refused(enum tm_link_refusal reason) { return tm_link_context_refused(net.acceptor).n[reason]; }
static uint64_t handshakes(void) { return tm_link_context_refused(net.acceptor).handshakes; }

static void connect_from(struct raw *raw, const char *source)
{
  struct sockaddr_in from = {.sin_family = AF_INET};

  assert_int_equal(inet_pton(AF_INET, source, &from.sin_addr), 1);
  raw->net = &net;
  raw->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  assert_true(raw->fd >= 0);
  assert_int_equal(bind(raw->fd, (struct sockaddr *)&from, sizeof from), 0);
  assert_int_equal(connect(raw->fd, (struct sockaddr *)&net.addr, net.addr_len), 0);
  assert_int_equal(fcntl(raw->fd, F_SETFL, O_NONBLOCK), 0);
}

/* A client is told why, and tries again later. */
static void expect_no_room(void)
{
  int downs = net.d.downs, ups = net.a.ups;

  net_dial(&net);
  WAIT(&net, net.d.downs == downs + 1);
  assert_int_equal(net.d.reason, TM_E_FULL);
  assert_int_equal(net.a.ups, ups);
}

static void test_links_per_address(void **state)
{
  (void)state;
  net.accept_config.limits.address.links = 2;
  net_start(&net, true);
  net_up(&net);
  net_up(&net);
  expect_no_room();
  assert_int_equal(refused(TM_LINK_REFUSED_ADDRESS), 1);
  tm_link_close(net.a.link);
  WAIT(&net, net.a.downs == 1 && net.d.downs == 2);
  net_up(&net);
  assert_int_equal(refused(TM_LINK_REFUSED_ADDRESS), 1);
}

static void test_handshakes_per_network(void **state)
{
  (void)state;
  net.accept_config.limits.address.handshakes = 2;
  net.accept_config.limits.network.handshakes = 3;
  net_start(&net, true);
  connect_from(&raws[0], "127.0.0.2");
  connect_from(&raws[1], "127.0.0.2");
  connect_from(&raws[2], "127.0.0.2");
  raw_wait_closed(&raws[2]);
  assert_int_equal(refused(TM_LINK_REFUSED_ADDRESS), 1);
  connect_from(&raws[3], "127.0.0.3");
  connect_from(&raws[4], "127.0.0.4");
  raw_wait_closed(&raws[4]);
  assert_int_equal(refused(TM_LINK_REFUSED_NETWORK), 1);
  expect_no_room();
  connect_from(&raws[5], "127.0.1.1"); /* next door */
  WAIT(&net, handshakes() == 4);
  for (int i = 0; i < 2; i++)
    raw_free(&raws[i]);
  WAIT(&net, handshakes() == 2);
  net_up(&net);
}

static void test_connects_per_address(void **state)
{
  (void)state;
  net.accept_config.limits.address.connects = 3;
  net_start(&net, true);
  for (int i = 0; i < 3; i++) {
    net_up(&net);
    tm_link_close(net.a.link);
    WAIT(&net, net.a.downs == i + 1);
  }
  WAIT(&net, net.d.downs == 3);
  expect_no_room();
  assert_int_equal(refused(TM_LINK_REFUSED_ADDRESS), 1);
}

/* Relays of the document get as far as showing who they are, and then they do not count; clients of the same address do. */
static void test_relays_are_exempt(void **state)
{
  struct sockaddr_storage known;

  (void)state;
  net.accept_config.limits.address = (struct tm_link_quota){.links = 1, .handshakes = 1, .connects = 1};
  net_start(&net, true);
  memcpy(&known, &net.addr, sizeof known);
  ((struct sockaddr_in *)&known)->sin_port = 0;
  assert_int_equal(tm_link_context_exempt(net.acceptor, &known, 1), TM_OK);
  raw_connect(&raws[0], &net);
  raw_connect(&raws[1], &net);
  for (int i = 2; i < 5; i++)
    raw_client(&raws[i], &net, dial_seed);
  WAIT(&net, net.a.ups == 3);
  net_up(&net);
  expect_no_room();
  assert_int_equal(refused(TM_LINK_REFUSED_ADDRESS), 1);
  assert_int_equal(tm_link_context_exempt(net.acceptor, NULL, 0), TM_OK);
  raw_connect(&raws[5], &net);
  raw_wait_closed(&raws[5]);
  assert_int_equal(refused(TM_LINK_REFUSED_ADDRESS), 2);
}

/* Whoever keeps a handshake open loses it to those who come later, and cannot keep them out. */
static void test_oldest_handshake_gives_way(void **state)
{
  (void)state;
  net.accept_config.limits.handshakes = 3;
  net_start(&net, true);
  for (int i = 0; i < 3; i++) {
    raw_connect(&raws[i], &net);
    WAIT(&net, handshakes() == (uint64_t)i + 1);
  }
  raw_connect(&raws[3], &net);
  raw_wait_closed(&raws[0]);
  assert_int_equal(handshakes(), 3);
  net_up(&net);
  raw_wait_closed(&raws[1]);
  assert_int_equal(refused(TM_LINK_REFUSED_HANDSHAKES), 2);
  assert_int_equal(net.a.downs, 0);
}

/* Links that are being closed hold no place against anybody. */
static void test_ending_links_give_way(void **state)
{
  (void)state;
  net.accept_config.max_links = 1;
  net_start(&net, true);
  raw_client(&raws[0], &net, NULL);
  WAIT(&net, net.a.ups == 1);
  expect_no_room();
  assert_int_equal(refused(TM_LINK_REFUSED_PLACES), 1);
  tm_link_close(net.a.link); /* the peer says nothing to that */
  run_for(&net, 20);
  assert_int_equal(net.a.downs, 0);
  net_up(&net);
  assert_int_equal(net.a.downs, 1);
}

static void test_full_user(void **state)
{
  (void)state;
  net.a.allow_anonymous = false;
  net_start(&net, true);
  expect_no_room();
  assert_int_equal(refused(TM_LINK_REFUSED_FULL), 1);
}

static void test_first_cell_in_time(void **state)
{
  uint8_t cell[TM_CELL_LEN];

  (void)state;
  net.accept_config.limits.first_cell_ms = 150;
  net_start(&net, true);
  raw_client(&raws[0], &net, NULL);
  tm_cell_padding(cell);
  assert_true(raw_write(&raws[0], cell, sizeof cell));
  raw_client(&raws[1], &net, NULL);
  assert_true(raw_write(&raws[1], cell, sizeof cell - 1));
  WAIT(&net, net.a.downs == 1);
  assert_int_equal(net.a.reason, TM_E_TIMEOUT);
  assert_int_equal(refused(TM_LINK_REFUSED_FIRST_CELL), 1);
  run_for(&net, 300);
  assert_int_equal(net.a.downs, 1); /* the one that had sent a cell stays */
}

/* Records of one byte and much padding: the cell does not come, and is not waited for for ever. */
static void test_first_cell_in_few_bytes(void **state)
{
  static const uint8_t byte[1] = {TM_CELL_PADDING};

  (void)state;
  net_start(&net, true);
  raw_client(&raws[0], &net, NULL);
  WAIT(&net, net.a.ups == 1);
  assert_int_equal(SSL_set_block_padding(raws[0].ssl, 512), 1);
  for (int i = 0; i < 300 && net.a.downs == 0; i++) {
    ERR_clear_error();
    SSL_write(raws[0].ssl, byte, 1);
    run_once(&net);
  }
  WAIT(&net, net.a.downs == 1);
  assert_int_equal(net.a.reason, TM_E_TOO_BIG);
  assert_int_equal(refused(TM_LINK_REFUSED_FIRST_CELL), 1);
}

static void set_rate(struct ear *ear, struct tm_link *link)
{
  tm_link_set_rate(link, ear->arg);
}

static void write_numbered(struct raw *raw, uint32_t from, uint32_t n)
{
  uint8_t cell[TM_CELL_LEN];

  for (uint32_t i = from; i < from + n; i++) {
    numbered_cell(cell, i);
    assert_true(raw_write(raw, cell, sizeof cell));
  }
}

/* A burst is read as fast as the link may be, from its stock on; nothing of it is lost. */
static void test_rate(void **state)
{
  struct tm_link_rate rate = {.cell_us = 20000, .first_us = 4 * 20000, .most_us = 8 * 20000};
  uint64_t began;

  (void)state;
  net.accept_config.idle_ms = 400; /* what waits outside is no silence */
  net.a.on_up = set_rate;
  net.a.arg = &rate;
  net_start(&net, true);
  raw_client(&raws[0], &net, NULL);
  WAIT(&net, net.a.ups == 1);
  began = real_ms();
  write_numbered(&raws[0], 0, 24);
  WAIT(&net, net.a.cells == 24);
  assert_true(net.a.in_order);
  assert_true(real_ms() - began >= 18 * 20); /* four were in stock, and two perhaps on their way */
  assert_int_equal(net.a.downs, 0);
  assert_int_equal(refused(TM_LINK_REFUSED_FLOOD), 0);
}

static void test_flood_is_cut_off(void **state)
{
  struct tm_link_rate rate = {.cell_us = 5000, .first_us = 16 * 5000, .most_us = 64 * 5000};
  static uint8_t cells[6 * TM_CELL_LEN];
  uint64_t began = real_ms();

  (void)state;
  net.a.on_up = set_rate;
  net.a.arg = &rate;
  net_start(&net, true);
  raw_client(&raws[0], &net, NULL);
  WAIT(&net, net.a.ups == 1);
  for (int i = 0; i < 6; i++)
    tm_cell_padding(cells + i * TM_CELL_LEN);
  while (net.a.downs == 0 && real_ms() - began < WAIT_MS) {
    ERR_clear_error();
    SSL_write(raws[0].ssl, cells, sizeof cells);
    run_once(&net);
    if (refused(TM_LINK_REFUSED_FLOOD) == 1)
      raw_free(&raws[0]);
    if (raws[0].ssl == NULL)
      break;
  }
  WAIT(&net, net.a.downs == 1);
  assert_int_equal(net.a.reason, TM_OK); /* politely */
  assert_int_equal(refused(TM_LINK_REFUSED_FLOOD), 1);
  /* At most what its stock, and the time that it took, were good for. */
  assert_true(tm_link_context_io(net.acceptor).cells_in <= 16 + (real_ms() - began) / 5 + 8);
}

/* No descriptor for long: they are told so through the one that was kept. */
static void test_no_descriptors(void **state)
{
  static int filling[4096];
  struct rlimit old, few;
  int n = 0;

  (void)state;
  net_start(&net, true);
  raw_connect(&raws[0], &net);
  raw_connect(&raws[1], &net);
  assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
  few = old;
  few.rlim_cur = 256;
  assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
  while ((filling[n] = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0)
    n++;
  raw_wait_closed(&raws[0]);
  raw_wait_closed(&raws[1]);
  assert_int_equal(refused(TM_LINK_REFUSED_FILES), 2);
  while (n > 0)
    close(filling[--n]);
  assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
  assert_true(net.acceptor->reserve >= 0);
  net_up(&net);
}

/* Far more connections than there are places: bounded, and one of a good client among them comes through. */
static void test_many_connections(void **state)
{
  int fds[400];

  (void)state;
  net.accept_config.max_links = 40;
  net.accept_config.limits.handshakes = 20;
  net_start(&net, true);
  for (size_t i = 0; i < 400; i++) {
    struct raw raw = {.fd = -1};
    raw_connect(&raw, &net);
    fds[i] = raw.fd;
    if (i % 32 == 31)
      run_for(&net, 1);
    assert_true(net.acceptor->accepted <= 40 && handshakes() <= 20);
  }
  net_up(&net);
  assert_in_range(refused(TM_LINK_REFUSED_HANDSHAKES), 380, 381);
  for (size_t i = 0; i < 400; i++)
    close(fds[i]);
  WAIT(&net, handshakes() == 0);
}

#define TABLE(name) cmocka_unit_test_setup_teardown(name, table_up, table_down)
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
  const struct CMUnitTest tests[] = {
    TABLE(test_prefix_handshakes), TABLE(test_prefix_links), TABLE(test_prefix_connects), TABLE(test_prefix_memory),
    TABLE(test_prefix_is_keyed), TEST(test_links_per_address), TEST(test_handshakes_per_network),
    TEST(test_connects_per_address), TEST(test_relays_are_exempt), TEST(test_oldest_handshake_gives_way),
    TEST(test_ending_links_give_way), TEST(test_full_user), TEST(test_first_cell_in_time),
    TEST(test_first_cell_in_few_bytes), TEST(test_rate), TEST(test_flood_is_cut_off), TEST(test_no_descriptors),
    TEST(test_many_connections),
  };

  return cmocka_run_group_tests_name("limits of links", tests, NULL, NULL);
}
