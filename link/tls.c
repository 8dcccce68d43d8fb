#include "config.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <sodium.h>

#include "link/tls.h"

#define CERT_LIST_MAX 2048 /* our own certificate takes about 300 bytes */
#define UPDATES_FREE 16    /* key changes that a peer may make at any time */
#define UPDATES_EVERY 1024 /* and one more for so many records */

struct tm_tls {
  SSL_CTX *dial;
  SSL_CTX *accept; /* NULL without an identity */
  BIO_METHOD *method;
  uint64_t update_records;
};

struct tm_tls_session {
  struct tm_tls *tls;
  SSL *ssl;
  const struct tm_tls_owner *owner;
  void *arg;
  bool established;
  bool refused; /* the judge said no */
  bool abused;  /* the peer sent what a link does not allow after the handshake */
  uint64_t sent_records;
  uint64_t got_records;
  uint64_t got_updates;
};

/* ---- the buffer BIO: no memory of its own, no end of file; the owner knows about sockets ---- */

static int bio_read(BIO *bio, char *out, size_t len, size_t *got)
{
  struct tm_tls_session *s = BIO_get_data(bio);

  BIO_clear_retry_flags(bio);
  *got = 0;
  if (s->abused)
    return 0;
  *got = s->owner->take(s->arg, (uint8_t *)out, len);
  if (*got > 0)
    return 1;
  BIO_set_retry_read(bio);
  return 0;
}

static int bio_write(BIO *bio, const char *data, size_t len, size_t *taken)
{
  struct tm_tls_session *s = BIO_get_data(bio);

  BIO_clear_retry_flags(bio);
  *taken = 0;
  if (!s->owner->put(s->arg, (const uint8_t *)data, len)) {
    s->abused = true;
    return 0;
  }
  *taken = len;
  return 1;
}

static long bio_ctrl(BIO *bio, int command, long number, void *pointer)
{
  (void)bio;
  (void)number;
  (void)pointer;
  return command == BIO_CTRL_FLUSH ? 1 : 0;
}

static BIO_METHOD *method_new(void)
{
  BIO_METHOD *method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "link");

  if (method == NULL)
    return NULL;
  if (BIO_meth_set_read_ex(method, bio_read) && BIO_meth_set_write_ex(method, bio_write) &&
      BIO_meth_set_ctrl(method, bio_ctrl))
    return method;
  BIO_meth_free(method);
  return NULL;
}

/* ---- judging a certificate: the key and nothing else ---- */

static bool raw_key(X509 *cert, uint8_t identity[static TM_TLS_IDENTITY_LEN])
{
  EVP_PKEY *key = cert != NULL ? X509_get0_pubkey(cert) : NULL;
  size_t len = TM_TLS_IDENTITY_LEN;

  return key != NULL && EVP_PKEY_id(key) == EVP_PKEY_ED25519 &&
         EVP_PKEY_get_raw_public_key(key, identity, &len) == 1 && len == TM_TLS_IDENTITY_LEN;
}

/* Stands in for the whole chain building of X.509, which has nothing to say about a pinned key. */
static int verify(X509_STORE_CTX *store, void *arg)
{
  SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
  struct tm_tls_session *s = SSL_get_app_data(ssl);
  const STACK_OF(X509) *sent = X509_STORE_CTX_get0_untrusted(store);
  uint8_t identity[TM_TLS_IDENTITY_LEN];

  (void)arg;
  if (sk_X509_num(sent) == 1 && raw_key(X509_STORE_CTX_get0_cert(store), identity) &&
      s->owner->judge(s->arg, identity)) {
    X509_STORE_CTX_set_error(store, X509_V_OK);
    return 1;
  }
  s->refused = true;
  X509_STORE_CTX_set_error(store, X509_V_ERR_CERT_REJECTED);
  return 0;
}

/*
 * Watches what comes in after the handshake. A new key costs the peer 27 bytes and us many microseconds, and a ticket
 * is never asked for: too many of the one, or any of the other, ends the link.
 */
static void watch(int write_p, int version, int content_type, const void *data, size_t len, SSL *ssl, void *arg)
{
  struct tm_tls_session *s = SSL_get_app_data(ssl);
  const uint8_t *message = data;

  (void)version;
  (void)arg;
  if (write_p || !s->established)
    return;
  if (content_type == SSL3_RT_HEADER)
    s->got_records++;
  if (content_type != SSL3_RT_HANDSHAKE || len == 0)
    return;
  if (message[0] == SSL3_MT_KEY_UPDATE)
    s->got_updates++;
  if (message[0] != SSL3_MT_KEY_UPDATE || s->got_updates > UPDATES_FREE + s->got_records / UPDATES_EVERY)
    s->abused = true;
}

/* ---- settings ---- */

static bool set_common(SSL_CTX *ctx)
{
  SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                             SSL_OP_IGNORE_UNEXPECTED_EOF | SSL_OP_CIPHER_SERVER_PREFERENCE);
  SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_max_cert_list(ctx, CERT_LIST_MAX);
  SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
  SSL_CTX_set_cert_verify_callback(ctx, verify, NULL);
  SSL_CTX_set_msg_callback(ctx, watch);
  return SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION) && SSL_CTX_set_max_proto_version(ctx, TLS1_3_VERSION) &&
         SSL_CTX_set_ciphersuites(ctx, "TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256") &&
         SSL_CTX_set1_sigalgs_list(ctx, "ed25519") && SSL_CTX_set1_client_sigalgs_list(ctx, "ed25519") &&
         SSL_CTX_set_max_send_fragment(ctx, TM_TLS_RECORD_MAX) && SSL_CTX_set_num_tickets(ctx, 0) &&
         SSL_CTX_set_max_early_data(ctx, 0) && SSL_CTX_set_recv_max_early_data(ctx, 0);
}

static EVP_PKEY *key_from_seed(const uint8_t *seed)
{
  uint8_t *locked = sodium_malloc(TM_TLS_IDENTITY_LEN);
  EVP_PKEY *key = NULL;

  if (locked == NULL)
    return NULL;
  memcpy(locked, seed, TM_TLS_IDENTITY_LEN);
  key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, locked, TM_TLS_IDENTITY_LEN);
  sodium_free(locked);
  return key;
}

/* Section 2.2: the same seed always gives the same bytes. */
static X509 *certificate(EVP_PKEY *key)
{
  static const unsigned char name[] = "tidemill";
  X509 *cert = X509_new();
  X509_NAME *subject;

  if (cert == NULL)
    return NULL;
  subject = X509_get_subject_name(cert);
  if (X509_set_version(cert, X509_VERSION_3) && ASN1_INTEGER_set(X509_get_serialNumber(cert), 1) &&
      ASN1_TIME_set_string_X509(X509_getm_notBefore(cert), "19700101000000Z") &&
      ASN1_TIME_set_string_X509(X509_getm_notAfter(cert), "99991231235959Z") &&
      X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, name, (int)sizeof name - 1, -1, 0) &&
      X509_set_issuer_name(cert, subject) && X509_set_pubkey(cert, key) && X509_sign(cert, key, NULL) > 0)
    return cert;
  X509_free(cert);
  return NULL;
}

static bool set_identity(SSL_CTX *ctx, EVP_PKEY *key, X509 *cert)
{
  return SSL_CTX_use_certificate(ctx, cert) == 1 && SSL_CTX_use_PrivateKey(ctx, key) == 1 &&
         SSL_CTX_check_private_key(ctx) == 1;
}

static int load_identity(struct tm_tls *tls, const uint8_t *seed)
{
  EVP_PKEY *key = key_from_seed(seed);
  X509 *cert = key != NULL ? certificate(key) : NULL;
  int r = TM_E_IO;

  tls->accept = SSL_CTX_new(TLS_server_method());
  if (cert != NULL && tls->accept != NULL && set_common(tls->accept) && set_identity(tls->accept, key, cert) &&
      set_identity(tls->dial, key, cert))
    r = TM_OK;
  X509_free(cert);
  EVP_PKEY_free(key); /* wipes once the last context is gone */
  return r;
}

int tm_tls_new(struct tm_tls **out, const uint8_t *seed)
{
  struct tm_tls *tls = calloc(1, sizeof *tls);
  int r = TM_E_IO;

  *out = NULL;
  if (tls == NULL)
    return TM_E_NOMEM;
  if (sodium_init() < 0)
    goto fail;
  tls->update_records = TM_TLS_UPDATE_RECORDS;
  tls->method = method_new();
  tls->dial = SSL_CTX_new(TLS_client_method());
  if (tls->method == NULL || tls->dial == NULL || !set_common(tls->dial))
    goto fail;
  r = seed != NULL ? load_identity(tls, seed) : TM_OK;
  if (r != TM_OK)
    goto fail;
  *out = tls;
  return TM_OK;
fail:
  ERR_clear_error();
  tm_tls_free(tls);
  return r;
}

void tm_tls_free(struct tm_tls *tls)
{
  if (tls == NULL)
    return;
  SSL_CTX_free(tls->dial);
  SSL_CTX_free(tls->accept);
  BIO_meth_free(tls->method);
  free(tls);
}

bool tm_tls_has_identity(const struct tm_tls *tls) { return tls->accept != NULL; }
void tm_tls_set_update_records(struct tm_tls *tls, uint64_t records) { tls->update_records = records; }

/* ---- sessions ---- */

int tm_tls_session_new(struct tm_tls_session **out, struct tm_tls *tls, bool accept, bool need_certificate,
                       const struct tm_tls_owner *owner, void *arg)
{
  struct tm_tls_session *s = calloc(1, sizeof *s);
  BIO *bio;

  *out = NULL;
  if (s == NULL)
    return TM_E_NOMEM;
  *s = (struct tm_tls_session){.tls = tls, .owner = owner, .arg = arg};
  s->ssl = SSL_new(accept ? tls->accept : tls->dial);
  bio = s->ssl != NULL ? BIO_new(tls->method) : NULL;
  if (bio == NULL) {
    ERR_clear_error();
    tm_tls_session_free(s);
    return TM_E_NOMEM;
  }
  BIO_set_data(bio, s);
  BIO_set_init(bio, 1);
  SSL_set_bio(s->ssl, bio, bio);
  SSL_set_app_data(s->ssl, s);
  if (accept) {
    SSL_set_verify(s->ssl, SSL_VERIFY_PEER | (need_certificate ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0), NULL);
    SSL_set_accept_state(s->ssl);
  } else {
    SSL_set_connect_state(s->ssl);
  }
  *out = s;
  return TM_OK;
}

void tm_tls_session_free(struct tm_tls_session *s)
{
  if (s == NULL)
    return;
  SSL_free(s->ssl);
  free(s);
}

/* Alerts by which a peer says that it does not want our certificate, or misses one. */
static bool alert_refuses(int reason)
{
  switch (reason) {
  case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE:
  case SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE:
  case SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN:
  case SSL_R_TLSV1_ALERT_UNKNOWN_CA:
  case SSL_R_TLSV1_ALERT_ACCESS_DENIED:
  case SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED:
    return true;
  default:
    return false;
  }
}

static int explain_failure(const struct tm_tls_session *s)
{
  int reason = ERR_GET_REASON(ERR_peek_error());

  if (s->refused || reason == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE || alert_refuses(reason))
    return TM_E_PEER;
  if (s->abused)
    return TM_E_SYNTAX;
  if (reason == ERR_R_MALLOC_FAILURE)
    return TM_E_NOMEM;
  if (reason == SSL_R_TLSV1_ALERT_INTERNAL_ERROR)
    return TM_E_FULL; /* doc/spec/link.md, section 7 */
  return reason >= SSL_AD_REASON_OFFSET && reason < SSL_AD_REASON_OFFSET + 256 ? TM_E_CLOSED : TM_E_SYNTAX;
}

static int explain(const struct tm_tls_session *s, int result)
{
  int r;

  switch (SSL_get_error(s->ssl, result)) {
  case SSL_ERROR_NONE:
    r = TM_OK;
    break;
  case SSL_ERROR_WANT_READ:
    r = TM_E_NOT_YET;
    break;
  case SSL_ERROR_ZERO_RETURN:
    r = TM_E_CLOSED;
    break;
  default:
    r = explain_failure(s);
    break;
  }
  ERR_clear_error();
  return r;
}

int tm_tls_handshake(struct tm_tls_session *s)
{
  int r;

  ERR_clear_error();
  r = explain(s, SSL_do_handshake(s->ssl));
  if (r == TM_OK)
    s->established = true;
  return r;
}

int tm_tls_read(struct tm_tls_session *s, uint8_t *out, size_t cap, size_t *len)
{
  *len = 0;
  ERR_clear_error();
  return explain(s, SSL_read_ex(s->ssl, out, cap, len));
}

int tm_tls_write(struct tm_tls_session *s, const uint8_t *data, size_t len)
{
  size_t written;
  int r;

  if (len == 0 || len > TM_TLS_RECORD_MAX)
    abort();
  ERR_clear_error();
  if (s->sent_records >= s->tls->update_records) {
    s->sent_records = 0;
    if (SSL_key_update(s->ssl, SSL_KEY_UPDATE_NOT_REQUESTED) != 1)
      return TM_E_SYNTAX;
  }
  r = explain(s, SSL_write_ex(s->ssl, data, len, &written));
  s->sent_records++;
  /* Our BIO takes everything at once, so a write that would wait cannot be one. */
  return r == TM_E_NOT_YET ? TM_E_SYNTAX : r;
}

void tm_tls_goodbye(struct tm_tls_session *s)
{
  ERR_clear_error();
  if (s->established)
    SSL_shutdown(s->ssl);
  ERR_clear_error();
}

bool tm_tls_peer(const struct tm_tls_session *s, uint8_t identity[static TM_TLS_IDENTITY_LEN])
{
  if (raw_key(SSL_get0_peer_certificate(s->ssl), identity))
    return true;
  memset(identity, 0, TM_TLS_IDENTITY_LEN);
  return false;
}
