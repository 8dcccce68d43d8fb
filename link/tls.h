/*
 * TLS 1.3 for links, private to this room: the only code that knows OpenSSL (doc/spec/link.md, section 2). Bytes in,
 * bytes out: no socket, no event loop, no clock. One thread per tm_tls and its sessions.
 *
 * A session asks its owner for bytes that came in and gives him bytes to send, at once, from within the calls below;
 * it never waits. Invariant: after a call that says TM_E_NOT_YET, everything that the owner had has been taken.
 */
#ifndef TM_LINK_TLS_H
#define TM_LINK_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define TM_TLS_IDENTITY_LEN 32
#define TM_TLS_RECORD_MAX 14400                          /* plain bytes in one record: six cells */
#define TM_TLS_SEALED_MAX (TM_TLS_RECORD_MAX + 5 + 1 + 16) /* the same record on the wire */
#define TM_TLS_UPDATE_RECORDS (UINT64_C(1) << 20)         /* then a session changes its sending key */

struct tm_tls;
struct tm_tls_session;

struct tm_tls_owner {
  /* Up to len bytes that came in; 0: none now. */
  size_t (*take)(void *arg, uint8_t *out, size_t len);
  /* Takes all of them or says false: then the session has failed. */
  bool (*put)(void *arg, const uint8_t *data, size_t len);
  /*
   * The peer showed a certificate with that key and nothing else: is it welcome? Not called where the peer shows
   * none.
   */
  bool (*judge)(void *arg, const uint8_t identity[static TM_TLS_IDENTITY_LEN]);
};

/*
 * seed: 32-byte Ed25519 seed, copied into locked memory while it is needed; NULL: without a certificate, and then
 * only for dialling. Errors: TM_E_NOMEM, TM_E_IO.
 */
int tm_tls_new(struct tm_tls **out, const uint8_t *seed) TM_MUST_CHECK;
void tm_tls_free(struct tm_tls *tls); /* NULL is fine; its sessions are gone by now */
bool tm_tls_has_identity(const struct tm_tls *tls);
/* For tests: change the sending key after so many records. */
void tm_tls_set_update_records(struct tm_tls *tls, uint64_t records);

/* accept: the server's side; need_certificate: only there. Errors: TM_E_NOMEM. */
int tm_tls_session_new(struct tm_tls_session **out, struct tm_tls *tls, bool accept, bool need_certificate,
                       const struct tm_tls_owner *owner, void *arg) TM_MUST_CHECK;
void tm_tls_session_free(struct tm_tls_session *s); /* NULL is fine */

/*
 * The errors of the four calls below: TM_E_NOT_YET (more bytes must come in), TM_E_PEER (the judge or the peer's
 * judge said no, or a certificate is missing), TM_E_CLOSED (closed by the peer, with or without an alert),
 * TM_E_FULL (the peer has no place for us now),
 * TM_E_SYNTAX (no good TLS), TM_E_NOMEM.
 */
int tm_tls_handshake(struct tm_tls_session *s) TM_MUST_CHECK; /* TM_OK: done */
int tm_tls_read(struct tm_tls_session *s, uint8_t *out, size_t cap, size_t *len) TM_MUST_CHECK;
/* At most TM_TLS_RECORD_MAX bytes, in one record. Never NOT_YET. */
int tm_tls_write(struct tm_tls_session *s, const uint8_t *data, size_t len) TM_MUST_CHECK;
void tm_tls_goodbye(struct tm_tls_session *s); /* the closing alert, if the session can still send it */

/* After the handshake: the peer's key; false and zeros: anonymous. */
bool tm_tls_peer(const struct tm_tls_session *s, uint8_t identity[static TM_TLS_IDENTITY_LEN]);

#endif
