/* Our dialling side against servers that do everything wrong, and the dialler that comes back. */
#include "config.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <string.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "link_raw.h"

static struct net net;
static struct raw raw;
static int listening;

static void start_net(bool anonymous)
{
  net_init(&net, anonymous);
  memset(&raw, 0, sizeof raw);
  raw.fd = -1;
  listening = -1;
}

static int set_up(void **state)
{
  (void)state;
  start_net(false);
  return 0;
}

static int set_up_anonymous(void **state)
{
  (void)state;
  start_net(true);
  return 0;
}

static int tear_down(void **state)
{
  (void)state;
  raw_free(&raw);
  if (listening >= 0)
    close(listening);
  net_end(&net);
  return 0;
}

/* A raw server in the listener's place: the dialled side has come and shaken hands as far as it would. */
static void serve(SSL_CTX *ctx)
{
  net_start(&net, false);
  listening = raw_listen(&net);
  net_dial(&net);
  raw_tls(&raw, &net, raw_accept(&net, listening), ctx, true);
  raw_handshake(&raw);
}

static void serve_good(void)
{
  SSL_CTX *ctx = raw_context(true, accept_seed);

  SSL_CTX_set_verify(ctx, SSL_VERIFY_NONE, NULL);
  serve(ctx);
}

static void expect_down(int reason)
{
  WAIT(&net, net.d.downs == 1);
  assert_int_equal(net.d.reason, reason);
  run_for(&net, 10);
  assert_int_equal(net.d.downs, 1);
}

/* ---- who is there ---- */

static void test_wrong_pin(void **state)
{
  (void)state;
  serve(raw_context(true, other_seed));
  expect_down(TM_E_PEER);
  assert_int_equal(net.d.ups, 0);
}

static void test_other_key_type(void **state)
{
  SSL_CTX *ctx = raw_context(true, NULL);
  EVP_PKEY *key = EVP_EC_gen("P-256");
  X509 *cert = raw_certificate(key);

  (void)state;
  SSL_CTX_use_certificate(ctx, cert);
  SSL_CTX_use_PrivateKey(ctx, key);
  X509_free(cert);
  EVP_PKEY_free(key);
  serve(ctx);
  WAIT(&net, net.d.downs == 1);
  assert_int_not_equal(net.d.reason, TM_OK);
  assert_int_equal(net.d.ups, 0);
}

static void test_tls12_server(void **state)
{
  SSL_CTX *ctx = raw_context(true, accept_seed);

  (void)state;
  SSL_CTX_set_max_proto_version(ctx, TLS1_2_VERSION);
  serve(ctx);
  WAIT(&net, net.d.downs == 1);
  assert_int_equal(net.d.ups, 0);
}

static void test_server_chain(void **state)
{
  SSL_CTX *ctx = raw_context(true, accept_seed);
  EVP_PKEY *key = raw_ed25519(other_seed);

  (void)state;
  SSL_CTX_add_extra_chain_cert(ctx, raw_certificate(key));
  EVP_PKEY_free(key);
  serve(ctx);
  expect_down(TM_E_PEER);
}

static void test_tickets_refused(void **state)
{
  uint8_t cell[TM_CELL_LEN];
  static const uint8_t zeros[TM_SPHINX_HANDLE_LEN];
  SSL_CTX *ctx = raw_context(true, accept_seed);

  (void)state;
  SSL_CTX_set_num_tickets(ctx, 1);
  serve(ctx);
  tm_cell_welcome(cell, zeros);
  raw_write(&raw, cell, sizeof cell);
  expect_down(TM_E_SYNTAX);
}

static void test_refused_by_judge(void **state)
{
  (void)state;
  net.a.allow_relays = false;
  net_start(&net, false);
  net_dial(&net);
  expect_down(TM_E_PEER);
  assert_int_equal(net.d.ups, 0);
}

static void test_certificate_wanted(void **state)
{
  (void)state;
  net_start(&net, false);
  net_dial(&net);
  expect_down(TM_E_PEER);
  assert_int_equal(net.d.ups, 0);
  assert_int_equal(net.a.judged, 0);
}

static void test_anonymous_unwelcome(void **state)
{
  (void)state;
  net.a.allow_anonymous = false;
  net_start(&net, true);
  net_dial(&net);
  expect_down(TM_E_FULL);
  assert_int_equal(net.d.ups, 0);
}

static void test_nobody_there(void **state)
{
  struct tm_link *link;
  uint8_t pin[32] = {0};

  (void)state;
  net_start(&net, false);
  listening = raw_listen(&net);
  close(listening);
  listening = -1;
  /* The system says so at once or a little later. */
  if (tm_link_dial(net.dialler, (struct sockaddr *)&net.addr, net.addr_len, pin, &ear_events, &net.d, &link) == TM_OK)
    expect_down(TM_E_IO);
  else
    assert_null(link);
}

/* ---- the first cell ---- */

static uint8_t handle[TM_SPHINX_HANDLE_LEN];

static void serve_first_cell(const uint8_t *cell)
{
  serve_good();
  assert_int_equal(net.d.ups, 0);
  raw_write(&raw, cell, TM_CELL_LEN);
}

static void test_padding_before_welcome(void **state)
{
  uint8_t cell[TM_CELL_LEN];

  (void)state;
  tm_cell_padding(cell);
  serve_first_cell(cell);
  expect_down(TM_E_SYNTAX);
  assert_int_equal(net.d.ups, 0);
}

static void test_other_version(void **state)
{
  uint8_t cell[TM_CELL_LEN];

  (void)state;
  tm_cell_welcome(cell, handle);
  cell[5] = 2;
  serve_first_cell(cell);
  expect_down(TM_E_UNKNOWN);
  assert_int_equal(net.d.ups, 0);
}

static void test_handle_on_relay_link(void **state)
{
  static const uint8_t one[TM_SPHINX_HANDLE_LEN] = {1};
  uint8_t cell[TM_CELL_LEN];

  (void)state;
  tm_cell_welcome(cell, one);
  serve_first_cell(cell);
  expect_down(TM_E_SYNTAX);
  assert_int_equal(net.d.ups, 0);
}

static void test_no_handle_on_client_link(void **state)
{
  uint8_t cell[TM_CELL_LEN];

  (void)state;
  tm_cell_welcome(cell, handle);
  serve_first_cell(cell);
  expect_down(TM_E_SYNTAX);
  assert_int_equal(net.d.ups, 0);
}

/* What may not come to a relay that dialled: everything but padding. */
static void test_wrong_direction(void **state)
{
  static const uint8_t zeros[TM_SPHINX_PACKET_LEN];
  uint8_t cells[3 * TM_CELL_LEN];

  (void)state;
  for (int kind = 0; kind < 5; kind++) {
    if (kind > 0) {
      tear_down(state);
      start_net(false);
    }
    tm_cell_welcome(cells, handle);
    tm_cell_padding(cells + TM_CELL_LEN);
    switch (kind) {
    case 0: tm_cell_packet(cells + 2 * TM_CELL_LEN, zeros); break;
    case 1: tm_cell_welcome(cells + 2 * TM_CELL_LEN, handle); break;
    case 2: tm_cell_reply(cells + 2 * TM_CELL_LEN, zeros, zeros); break;
    case 3: tm_cell_doc_request(cells + 2 * TM_CELL_LEN, zeros); break;
    default: tm_cell_doc_piece(cells + 2 * TM_CELL_LEN, zeros, 0, 0, NULL, 0); break;
    }
    serve_good();
    raw_write(&raw, cells, sizeof cells);
    expect_down(TM_E_SYNTAX);
    assert_int_equal(net.d.ups, 1);
    assert_int_equal(net.d.cells, 0);
  }
}

/* To a client come replies and pieces of the document, and not packets or requests. */
static void test_client_direction(void **state)
{
  static const uint8_t zeros[TM_SPHINX_PACKET_LEN], one[TM_SPHINX_HANDLE_LEN] = {1};
  uint8_t cells[4 * TM_CELL_LEN];

  (void)state;
  for (int kind = 0; kind < 3; kind++) {
    if (kind > 0) {
      tear_down(state);
      start_net(true);
    }
    tm_cell_welcome(cells, one);
    tm_cell_reply(cells + TM_CELL_LEN, zeros, zeros);
    tm_cell_doc_piece(cells + 2 * TM_CELL_LEN, zeros, 0, 0, NULL, 0);
    switch (kind) {
    case 0: tm_cell_packet(cells + 3 * TM_CELL_LEN, zeros); break;
    case 1: tm_cell_welcome(cells + 3 * TM_CELL_LEN, one); break;
    default: tm_cell_doc_request(cells + 3 * TM_CELL_LEN, zeros); break;
    }
    serve_good();
    raw_write(&raw, cells, sizeof cells);
    expect_down(TM_E_SYNTAX);
    assert_int_equal(net.d.ups, 1);
    assert_int_equal(net.d.cells, 2);
  }
}

static void test_silence_instead_of_welcome(void **state)
{
  uint8_t cell[TM_CELL_LEN];
  struct tm_link *link;

  (void)state;
  net.dial_config.handshake_ms = 150;
  net_start(&net, false);
  listening = raw_listen(&net);
  link = net_dial(&net);
  raw_tls(&raw, &net, raw_accept(&net, listening), raw_context(true, accept_seed), true);
  assert_int_equal(raw_handshake(&raw), 1);
  tm_cell_padding(cell);
  assert_int_equal(tm_link_send(link, cell), TM_E_CLOSED);
  expect_down(TM_E_TIMEOUT);
  assert_int_equal(net.d.ups, 0);
}

static void test_silence_instead_of_tls(void **state)
{
  (void)state;
  net.dial_config.handshake_ms = 100;
  net_start(&net, false);
  listening = raw_listen(&net);
  net_dial(&net);
  expect_down(TM_E_TIMEOUT);
}

static void test_garbage_from_server(void **state)
{
  static const char text[] = "220 mail.example ESMTP\r\n";

  (void)state;
  net_start(&net, false);
  listening = raw_listen(&net);
  net_dial(&net);
  raw.net = &net;
  raw.fd = raw_accept(&net, listening);
  raw_send_plain(&raw, text, sizeof text);
  expect_down(TM_E_SYNTAX);
}

/* ---- the dialler ---- */

static struct tm_link_dialer *dialer_for(uint32_t first_ms, uint32_t most_ms)
{
  struct tm_link_dialer *dialer;
  uint8_t pin[32];

  identity_of(accept_seed, pin);
  assert_int_equal(tm_link_dialer_new(net.dialler, (struct sockaddr *)&net.addr, net.addr_len, pin, first_ms, most_ms,
                                      &ear_events, &net.d, &dialer),
                   TM_OK);
  return dialer;
}

/* Waits for the next attempt, ends it, and says when it came. */
static uint64_t hang_up(void)
{
  int fd = raw_accept(&net, listening);
  uint64_t now = real_ms();

  close(fd);
  return now;
}

static void test_backoff(void **state)
{
  static const uint32_t most[] = {80, 160, 320, 320, 320};
  struct tm_link_dialer *dialer;
  uint64_t last, next;
  uint64_t differ = 0, first_share = 0;

  (void)state;
  net_start(&net, false);
  listening = raw_listen(&net);
  dialer = dialer_for(80, 320);
  assert_int_equal(tm_link_dialer_reason(dialer), TM_OK);
  last = hang_up();
  for (size_t i = 0; i < sizeof most / sizeof most[0]; i++) {
    next = hang_up();
    assert_in_range(next - last, most[i] / 2, most[i] + 2000);
    if (i == 0)
      first_share = (next - last) * 1000 / most[i];
    differ |= (next - last) * 1000 / most[i] ^ first_share;
    last = next;
  }
  assert_true(differ > 0);
  assert_int_equal(tm_link_dialer_reason(dialer), TM_E_CLOSED);
  assert_int_equal(net.d.downs, 0); /* none was up */
  assert_null(tm_link_dialer_link(dialer));
  tm_link_dialer_free(dialer);
}

/* With a source that always says the most, or the least, the wait is all of the backoff, or half of it. */
static uint8_t fixed_byte;

static void fixed_fill(void *ctx, uint8_t *out, size_t len)
{
  (void)ctx;
  memset(out, fixed_byte, len);
}

static void test_jitter_range(void **state)
{
  static const struct tm_rng fixed = {fixed_fill, NULL};
  uint64_t last;

  (void)state;
  net.dial_config.rng = &fixed;
  net_start(&net, false);
  listening = raw_listen(&net);
  fixed_byte = 0xf0; /* below takes 0xf0f0f0f0 modulo 101: 69 */
  dialer_for(200, 200);
  last = hang_up();
  assert_in_range(hang_up() - last, 165, 2000);
}

/* The real time and a jump. */
static uint64_t jump_ms;

static uint64_t jumping_ms(void *ctx)
{
  (void)ctx;
  return real_ms() + jump_ms;
}

/* Hangs up from the far side and says how long it took until the link was up again. */
static uint64_t time_to_return(int times_up)
{
  uint64_t began;

  WAIT(&net, net.a.ups == times_up && net.d.ups == times_up);
  tm_link_close(net.a.link);
  WAIT(&net, net.d.downs == times_up);
  assert_int_equal(net.d.reason, TM_E_CLOSED);
  began = real_ms();
  WAIT(&net, net.d.ups == times_up + 1);
  return real_ms() - began;
}

static void test_backoff_starts_again(void **state)
{
  static const struct tm_clock jumping = {jumping_ms, jumping_ms, NULL};
  struct tm_link_dialer *dialer;

  (void)state;
  net.dial_config.clock = &jumping;
  net_start(&net, false);
  tm_link_listener_free(net.listener);
  listening = raw_listen(&net);
  dialer = dialer_for(200, 1600);
  hang_up();
  close(listening); /* two more fail: the next wait would be of 1600 ms, or of 800 */
  run_for(&net, 250);
  assert_int_equal(tm_link_listen(net.acceptor, (struct sockaddr *)&net.addr, net.addr_len, false, &ear_events, &net.a,
                                  &net.listener),
                   TM_OK);
  listening = -1;
  WAIT(&net, net.d.ups == 1 && net.a.ups == 1);
  assert_ptr_equal(tm_link_dialer_link(dialer), net.d.link);
  jump_ms += 2000; /* it has lived for long */
  assert_in_range(time_to_return(1), 95, 390);
  assert_in_range(time_to_return(2), 195, 4000); /* this one not */
  assert_in_range(time_to_return(3), 395, 4000);
}

static void test_dialer_tells_wrong_pin(void **state)
{
  struct tm_link_dialer *dialer;
  uint8_t pin[32];

  (void)state;
  net_start(&net, false);
  identity_of(other_seed, pin);
  assert_int_equal(tm_link_dialer_new(net.dialler, (struct sockaddr *)&net.addr, net.addr_len, pin, 10, 20, &ear_events,
                                      &net.d, &dialer),
                   TM_OK);
  WAIT(&net, tm_link_dialer_reason(dialer) == TM_E_PEER);
  assert_int_equal(net.d.downs + net.d.ups + net.a.ups, 0);
}

static void test_dialer_free_while_up(void **state)
{
  struct tm_link_dialer *dialer;

  (void)state;
  net_start(&net, false);
  dialer = dialer_for(10, 20);
  WAIT(&net, net.d.ups == 1 && net.a.ups == 1);
  for (uint32_t i = 0; i < 20; i++)
    send_numbered(net.d.link, i);
  tm_link_dialer_free(dialer);
  assert_int_equal(net.d.downs, 1); /* before it returned */
  assert_int_equal(net.d.reason, TM_OK);
  WAIT(&net, net.a.downs == 1);
  assert_int_equal(net.a.cells, 20);
  assert_int_equal(net.a.reason, TM_E_CLOSED);
  run_for(&net, 60);
  assert_int_equal(net.d.ups, 1);
  assert_int_equal(net.d.downs, 1);
}

static struct tm_link_dialer *to_free;

static void free_dialer(struct ear *ear, struct tm_link *link)
{
  (void)ear;
  (void)link;
  tm_link_dialer_free(to_free);
  to_free = NULL;
}

static void test_dialer_free_in_callbacks(void **state)
{
  (void)state;
  net_start(&net, false);
  to_free = dialer_for(10, 20);
  net.d.on_up = free_dialer;
  WAIT(&net, net.d.downs == 1 && net.a.downs == 1);
  assert_null(to_free);
  ear_init(&net.d);
  net.d.on_down = free_dialer;
  to_free = dialer_for(10, 20);
  WAIT(&net, net.a.ups == 2 && net.d.ups == 1);
  tm_link_close(net.d.link);
  WAIT(&net, net.d.downs == 1);
  assert_null(to_free);
  run_for(&net, 60);
  assert_int_equal(net.d.ups, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
#define CLIENT_TEST(name) cmocka_unit_test_setup_teardown(name, set_up_anonymous, tear_down)

int main(void)
{
  const struct CMUnitTest tests[] = {
    TEST(test_wrong_pin), TEST(test_other_key_type), TEST(test_tls12_server), TEST(test_server_chain),
    TEST(test_tickets_refused), TEST(test_refused_by_judge), CLIENT_TEST(test_certificate_wanted),
    CLIENT_TEST(test_anonymous_unwelcome), TEST(test_nobody_there), TEST(test_padding_before_welcome),
    TEST(test_other_version), TEST(test_handle_on_relay_link), CLIENT_TEST(test_no_handle_on_client_link),
    TEST(test_wrong_direction), CLIENT_TEST(test_client_direction), TEST(test_silence_instead_of_welcome),
    TEST(test_silence_instead_of_tls), TEST(test_garbage_from_server), TEST(test_backoff), TEST(test_jitter_range),
    TEST(test_backoff_starts_again), TEST(test_dialer_tells_wrong_pin), TEST(test_dialer_free_while_up),
    TEST(test_dialer_free_in_callbacks),
  };

  return cmocka_run_group_tests_name("link against hostile servers, and diallers", tests, NULL, NULL);
}
