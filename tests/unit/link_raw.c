#include "config.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include "link_raw.h"

EVP_PKEY *raw_ed25519(const uint8_t seed[32])
{
  EVP_PKEY *key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, 32);

  assert_non_null(key);
  return key;
}

X509 *raw_certificate(EVP_PKEY *key)
{
  X509 *cert = X509_new();
  const EVP_MD *md = EVP_PKEY_id(key) == EVP_PKEY_ED25519 ? NULL : EVP_sha256();

  assert_non_null(cert);
  X509_set_version(cert, X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(cert), 5);
  X509_gmtime_adj(X509_getm_notBefore(cert), -2000);
  X509_gmtime_adj(X509_getm_notAfter(cert), -1000); /* long over: nobody minds */
  X509_set_pubkey(cert, key);
  assert_true(X509_sign(cert, key, md) > 0);
  return cert;
}

static void count_messages(int write_p, int version, int type, const void *data, size_t len, SSL *ssl, void *arg)
{
  struct raw *raw = SSL_get_app_data(ssl);

  (void)version;
  (void)arg;
  if (write_p || type != SSL3_RT_HANDSHAKE || len == 0 || raw == NULL)
    return;
  raw->tickets += *(const uint8_t *)data == SSL3_MT_NEWSESSION_TICKET;
  raw->key_updates += *(const uint8_t *)data == SSL3_MT_KEY_UPDATE;
}

SSL_CTX *raw_context(bool server, const uint8_t *seed)
{
  SSL_CTX *ctx = SSL_CTX_new(server ? TLS_server_method() : TLS_client_method());

  assert_non_null(ctx);
  SSL_CTX_set_msg_callback(ctx, count_messages);
  SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  if (server)
    SSL_CTX_set_num_tickets(ctx, 0);
  if (seed != NULL) {
    EVP_PKEY *key = raw_ed25519(seed);
    X509 *cert = raw_certificate(key);
    assert_int_equal(SSL_CTX_use_certificate(ctx, cert), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(ctx, key), 1);
    X509_free(cert);
    EVP_PKEY_free(key);
  }
  return ctx;
}

static void set_nonblocking(int fd)
{
  int one = 1;

  assert_int_equal(fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK), 0);
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
}

void raw_connect(struct raw *raw, struct net *net)
{
  int small = 4096;

  memset(raw, 0, sizeof *raw);
  raw->net = net;
  raw->fd = socket(net->addr.ss_family, SOCK_STREAM, 0);
  assert_true(raw->fd >= 0);
  setsockopt(raw->fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
  assert_int_equal(connect(raw->fd, (struct sockaddr *)&net->addr, net->addr_len), 0);
  set_nonblocking(raw->fd);
}

int raw_listen(struct net *net)
{
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t len = sizeof in;
  int one = 1;

  assert_true(fd >= 0);
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  assert_int_equal(bind(fd, (struct sockaddr *)&in, sizeof in), 0);
  assert_int_equal(listen(fd, 8), 0);
  assert_int_equal(getsockname(fd, (struct sockaddr *)&in, &len), 0);
  memcpy(&net->addr, &in, sizeof in);
  net->addr_len = len;
  return fd;
}

int raw_accept(struct net *net, int listening)
{
  int fd = -1;

  WAIT(net, fd >= 0 || (fd = accept(listening, NULL, NULL)) >= 0);
  set_nonblocking(fd);
  return fd;
}

void raw_tls(struct raw *raw, struct net *net, int fd, SSL_CTX *ctx, bool server)
{
  raw->net = net;
  raw->fd = fd;
  raw->ctx = ctx;
  raw->ssl = SSL_new(ctx);
  signal(SIGPIPE, SIG_IGN); /* OpenSSL's own socket BIO raises it */
  assert_non_null(raw->ssl);
  SSL_set_app_data(raw->ssl, raw);
  SSL_set_fd(raw->ssl, fd);
  if (server)
    SSL_set_accept_state(raw->ssl);
  else
    SSL_set_connect_state(raw->ssl);
}

static bool wants_more(const struct raw *raw, int result)
{
  int error = SSL_get_error(raw->ssl, result);

  return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE;
}

int raw_handshake(struct raw *raw)
{
  uint64_t end = real_ms() + WAIT_MS;
  int r;

  do {
    ERR_clear_error();
    r = SSL_do_handshake(raw->ssl);
    if (r != 1 && !wants_more(raw, r))
      return r;
    run_once(raw->net);
  } while (r != 1 && real_ms() < end);
  return r;
}

void raw_client(struct raw *raw, struct net *net, const uint8_t *seed)
{
  raw_connect(raw, net);
  raw_tls(raw, net, raw->fd, raw_context(false, seed), false);
  assert_int_equal(raw_handshake(raw), 1);
}

void raw_read_cell(struct raw *raw, uint8_t cell[TM_CELL_LEN])
{
  uint64_t end = real_ms() + WAIT_MS;
  int have = 0;

  while (have < TM_CELL_LEN) {
    int n = SSL_read(raw->ssl, cell + have, TM_CELL_LEN - have);
    assert_true(n > 0 || wants_more(raw, n));
    assert_true(real_ms() < end);
    have += n > 0 ? n : 0;
    if (n <= 0)
      run_once(raw->net);
  }
}

bool raw_write(struct raw *raw, const void *data, size_t len)
{
  uint64_t end = real_ms() + WAIT_MS;
  const uint8_t *p = data;

  while (len > 0) {
    int n;
    ERR_clear_error();
    n = SSL_write(raw->ssl, p, (int)len);
    if (n <= 0 && !wants_more(raw, n))
      return false;
    assert_true(real_ms() < end);
    if (n > 0) {
      p += n;
      len -= (size_t)n;
    }
    run_once(raw->net);
  }
  return true;
}

void raw_send_plain(struct raw *raw, const void *data, size_t len)
{
  const uint8_t *p = data;
  uint64_t end = real_ms() + WAIT_MS;

  while (len > 0 && real_ms() < end) {
    ssize_t n = send(raw->fd, p, len, MSG_NOSIGNAL);
    if (n < 0 && errno != EAGAIN)
      return;
    if (n > 0) {
      p += n;
      len -= (size_t)n;
    }
    run_once(raw->net);
  }
}

void raw_wait_closed(struct raw *raw)
{
  uint8_t waste[4096];
  uint64_t end = real_ms() + WAIT_MS;
  ssize_t n;

  do {
    run_once(raw->net);
    n = recv(raw->fd, waste, sizeof waste, 0);
    assert_true(real_ms() < end);
  } while (n > 0 || (n < 0 && errno == EAGAIN));
}

void raw_free(struct raw *raw)
{
  SSL_free(raw->ssl);
  SSL_CTX_free(raw->ctx);
  if (raw->fd >= 0)
    close(raw->fd);
  memset(raw, 0, sizeof *raw);
  raw->fd = -1;
}
