/*
 * Text forms of bytes: lower-case hex and standard base64 with padding (RFC 4648), strict and canonical
 * both ways. Not constant time where the header of the caller does not need it: uses libsodium's codecs.
 */
#ifndef TM_BASE_CODEC_H
#define TM_BASE_CODEC_H

#include <stddef.h>
#include <stdint.h>

#define TM_HEX_LEN(n) ((n) * 2 + 1)                /* with the final NUL */
#define TM_BASE64_LEN(n) (((n) + 2) / 3 * 4 + 1)   /* with the final NUL */

void tm_hex_encode(const uint8_t *in, size_t len, char *out /* TM_HEX_LEN(len) */);
/* Exactly len bytes from exactly 2 len digits in text_len characters. Errors: TM_E_SYNTAX; out is then zero. */
int tm_hex_decode(const char *text, size_t text_len, uint8_t *out, size_t len) __attribute__((warn_unused_result));

void tm_base64_encode(const uint8_t *in, size_t len, char *out /* TM_BASE64_LEN(len) */);
/* Up to cap bytes; *len is written. Refuses missing padding, white space and stray bits. Errors: TM_E_SYNTAX; out is then zero. */
int tm_base64_decode(const char *text, size_t text_len, uint8_t *out, size_t cap, size_t *len)
  __attribute__((warn_unused_result));

#endif
