#include "config.h"

#include <string.h>

#include <sodium.h>

#include "base/err.h"

#include "base/codec.h"

void tm_hex_encode(const uint8_t *in, size_t len, char *out)
{
  sodium_bin2hex(out, TM_HEX_LEN(len), in, len);
}

int tm_hex_decode(const char *text, size_t text_len, uint8_t *out, size_t len)
{
  size_t got = 0;

  memset(out, 0, len);
  if (text_len != len * 2)
    return TM_E_SYNTAX;
  for (size_t i = 0; i < text_len; i++)
    if (text[i] >= 'A' && text[i] <= 'F')
      return TM_E_SYNTAX;
  if (sodium_hex2bin(out, len, text, text_len, NULL, &got, NULL) != 0 || got != len) {
    memset(out, 0, len);
    return TM_E_SYNTAX;
  }
  return TM_OK;
}

void tm_base64_encode(const uint8_t *in, size_t len, char *out)
{
  sodium_bin2base64(out, TM_BASE64_LEN(len), in, len, sodium_base64_VARIANT_ORIGINAL);
}

int tm_base64_decode(const char *text, size_t text_len, uint8_t *out, size_t cap, size_t *len)
{
  const char *end = NULL;

  memset(out, 0, cap);
  *len = 0;
  if (sodium_base642bin(out, cap, text, text_len, NULL, len, &end, sodium_base64_VARIANT_ORIGINAL) != 0 ||
      end != text + text_len) {
    memset(out, 0, cap);
    *len = 0;
    return TM_E_SYNTAX;
  }
  return TM_OK;
}
