#include "config.h"

#include <string.h>

#include "client/engine.h"

#include "client/text.h"

/* Length of the well-formed sequence at text, 0 if there is none; *code is the character. */
static size_t utf8_sequence(const uint8_t *text, size_t len, uint32_t *code)
{
  static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
  size_t n;

  if (text[0] < 0x80) {
    *code = text[0];
    return text[0] == 0 ? 0 : 1;
  }
  if (text[0] < 0xc2 || text[0] > 0xf4)
    return 0;
  n = text[0] < 0xe0 ? 2 : text[0] < 0xf0 ? 3 : 4;
  if (n > len)
    return 0;
  *code = text[0] & (0xffu >> (n + 1));
  for (size_t i = 1; i < n; i++) {
    if ((text[i] & 0xc0) != 0x80)
      return 0;
    *code = *code << 6 | (text[i] & 0x3fu);
  }
  if (*code < least[n] || *code > 0x10ffff || (*code >= 0xd800 && *code <= 0xdfff))
    return 0;
  return n;
}

/* controls: are control characters, line and paragraph separators allowed? */
static bool check(const uint8_t *text, size_t len, bool controls)
{
  uint32_t code;
  size_t n;

  for (size_t i = 0; i < len; i += n) {
    n = utf8_sequence(text + i, len - i, &code);
    if (n == 0)
      return false;
    if (!controls && (code < 0x20 || (code >= 0x7f && code < 0xa0) || code == 0x2028 || code == 0x2029))
      return false;
  }
  return true;
}

bool tm_text_is_utf8(const uint8_t *text, size_t len)
{
  return check(text, len, true);
}

bool tm_text_is_name(const char *name)
{
  size_t len = strlen(name);

  if (len == 0 || len > TM_CLIENT_NAME_MAX || name[0] == ' ' || name[len - 1] == ' ')
    return false;
  return check((const uint8_t *)name, len, false);
}

bool tm_text_is_file_name(const char *name, size_t len)
{
  if (len == 0 || len > 255 || memchr(name, '/', len) != NULL)
    return false;
  if ((len == 1 && name[0] == '.') || (len == 2 && name[0] == '.' && name[1] == '.'))
    return false;
  return check((const uint8_t *)name, len, false);
}
