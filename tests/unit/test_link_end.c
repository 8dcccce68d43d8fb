/* The end of everything in every state; listeners; addresses. */
#include "config.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "link_raw.h"

static struct net net;

static int set_up(void **state)
{
  (void)state;
  net_init(&net, false);
  return 0;
}

static int tear_down(void **state)
{
  (void)state;
  net_end(&net);
  return 0;
}

/* ---- the end in every state ---- */

static void test_free_while_connecting(void **state)
{
  (void)state;
  net_start(&net, false);
  net_dial(&net);
  tm_link_context_free(net.dialler);
  net.dialler = NULL;
  assert_int_equal(net.d.downs, 1);
  assert_int_equal(net.d.reason, TM_OK);
}

static void test_free_in_handshake(void **state)
{
  struct raw raw;

  (void)state;
  net_start(&net, false);
  raw_connect(&raw, &net);
  run_for(&net, 20);
  net_dial(&net);
  run_once(&net);
  tm_link_context_free(net.acceptor);
  net.acceptor = NULL;
  assert_int_equal(net.a.downs, 0);
  raw_free(&raw);
}

static void test_free_before_welcome(void **state)
{
  struct raw raw = {.fd = -1};
  int listening;

  (void)state;
  net_start(&net, false);
  listening = raw_listen(&net);
  net_dial(&net);
  raw_tls(&raw, &net, raw_accept(&net, listening), raw_context(true, accept_seed), true);
  assert_int_equal(raw_handshake(&raw), 1);
  run_for(&net, 20);
  tm_link_context_free(net.dialler);
  net.dialler = NULL;
  assert_int_equal(net.d.downs, 1);
  assert_int_equal(net.d.ups, 0);
  raw_free(&raw);
  close(listening);
}

static void send_and_close_in_down(struct ear *ear, struct tm_link *link)
{
  uint8_t cell[TM_CELL_LEN];
  struct tm_link *none;
  uint8_t pin[32] = {0};

  tm_cell_padding(cell);
  assert_int_equal(tm_link_send(link, cell), TM_E_CLOSED);
  tm_link_close(link);
  if (ear->link != NULL && ear->alive)
    tm_link_close(ear->link);
  assert_int_equal(tm_link_dial(net.dialler, (struct sockaddr *)&net.addr, net.addr_len, pin, &ear_events, &net.d,
                                &none),
                   TM_E_STATE);
}

static void test_free_while_up(void **state)
{
  struct tm_link_dialer *dialer;
  uint8_t pin[32];

  (void)state;
  net_start(&net, false);
  identity_of(accept_seed, pin);
  net_up(&net);
  net_up(&net);
  assert_int_equal(tm_link_dialer_new(net.dialler, (struct sockaddr *)&net.addr, net.addr_len, pin, 10, 20, &ear_events,
                                      &net.d, &dialer),
                   TM_OK);
  WAIT(&net, net.d.ups == 3 && net.a.ups == 3);
  send_numbered(net.d.link, 0); /* not flushed yet */
  net.d.on_down = send_and_close_in_down;
  tm_link_context_free(net.dialler);
  net.dialler = NULL;
  assert_int_equal(net.d.downs, 3);
  WAIT(&net, net.a.downs == 3);
}

static void test_free_while_closing(void **state)
{
  struct raw raw;
  uint8_t cell[TM_CELL_LEN];

  (void)state;
  net_start(&net, false);
  raw_client(&raw, &net, dial_seed);
  WAIT(&net, net.a.ups == 1);
  tm_link_close(net.a.link); /* all is flushed, but this peer does not go: lingers */
  run_for(&net, 20);
  assert_int_equal(net.a.downs, 0);
  net_up(&net);
  numbered_cell(cell, 0);
  while (tm_link_send(net.a.link, cell) == TM_OK)
    continue;
  tm_link_close(net.a.link); /* and this one still has cells */
  tm_link_context_free(net.acceptor);
  net.acceptor = NULL;
  assert_int_equal(net.a.downs, 2);
  assert_int_equal(net.a.reason, TM_OK);
  raw_free(&raw);
}

static int open_files(void)
{
  DIR *dir = opendir("/proc/self/fd");
  int n = 0;

  if (dir == NULL)
    return -1;
  while (readdir(dir) != NULL)
    n++;
  closedir(dir);
  return n;
}

/* Nothing is left open by any of this. */
static void test_no_descriptor_leaks(void **state)
{
  int before;

  (void)state;
  net_start(&net, false);
  net_up(&net);
  before = open_files();
  for (int i = 0; i < 5; i++) {
    net_up(&net);
    tm_link_close(i % 2 == 0 ? net.a.link : net.d.link);
    WAIT(&net, net.a.downs == i + 1 && net.d.downs == i + 1);
  }
  assert_int_equal(open_files(), before);
}

static void test_listener_free_keeps_links(void **state)
{
  (void)state;
  net_start(&net, false);
  net_up(&net);
  tm_link_listener_free(net.listener);
  send_numbered(net.d.link, 0);
  WAIT(&net, net.a.cells == 1);
}

static void test_listen_needs_identity(void **state)
{
  struct tm_link_listener *listener;
  struct tm_link_context *client;

  (void)state;
  net.accept_config.identity_seed = NULL;
  assert_int_equal(tm_link_context_new(&client, &net.accept_config), TM_OK);
  assert_int_equal(tm_link_listen(client, (struct sockaddr *)&net.addr, net.addr_len, true, &ear_events, &net.a,
                                  &listener),
                   TM_E_STATE);
  assert_null(listener);
  tm_link_context_free(client);
}

static void test_port_taken(void **state)
{
  struct tm_link_listener *listener;

  (void)state;
  net_start(&net, false);
  errno = 0;
  assert_int_equal(tm_link_listen(net.dialler, (struct sockaddr *)&net.addr, net.addr_len, true, &ear_events, &net.a,
                                  &listener),
                   TM_E_IO);
  assert_int_equal(errno, EADDRINUSE);
}

static void test_addresses(void **state)
{
  static const char *const bad[] = {"", ":", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:080",
                                    "127.0.0.1:1x", "localhost:1", "::1:80", "[::1]", "[::1", "[]:1", "::1]:1",
                                    "[127.0.0.1]:1",
                                    "127.0.0.1:-1", " 127.0.0.1:1", "127.0.0.1 :1", "[::1] :1", "[fe80::1%lo]:1",
                                    "[00000:00000:00000:00000:00000:00000:00000:00000:00000:00000:00000:00000]:1"};
  struct sockaddr_storage addr;
  socklen_t len;

  (void)state;
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    assert_int_equal(tm_link_address_parse(bad[i], &addr, &len), TM_E_SYNTAX);
    assert_int_equal(len, 0);
  }
  assert_int_equal(tm_link_address_parse("10.1.2.3:4711", &addr, &len), TM_OK);
  assert_int_equal(len, sizeof(struct sockaddr_in));
  assert_int_equal(((struct sockaddr_in *)&addr)->sin_port, htons(4711));
  assert_int_equal(((struct sockaddr_in *)&addr)->sin_addr.s_addr, htonl(0x0a010203));
  assert_int_equal(tm_link_address_parse("[2001:db8::1]:65535", &addr, &len), TM_OK);
  assert_int_equal(len, sizeof(struct sockaddr_in6));
  assert_int_equal(((struct sockaddr_in6 *)&addr)->sin6_addr.s6_addr[15], 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
  const struct CMUnitTest tests[] = {
    TEST(test_free_while_connecting), TEST(test_free_in_handshake), TEST(test_free_before_welcome),
    TEST(test_free_while_up), TEST(test_free_while_closing), TEST(test_no_descriptor_leaks),
    TEST(test_listener_free_keeps_links), TEST(test_listen_needs_identity), TEST(test_port_taken),
    TEST(test_addresses),
  };

  return cmocka_run_group_tests_name("the end of links", tests, NULL, NULL);
}
