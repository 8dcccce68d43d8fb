#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "base/err.h"

#include "tests/unit/vectors.h"

json_t *vec_load(const char *name)
{
  const char *srcdir = getenv("srcdir");
  char path[1024];
  json_error_t error;
  json_t *root;

  snprintf(path, sizeof path, "%s/tests/vectors/%s", srcdir != NULL ? srcdir : ".", name);
  root = json_load_file(path, JSON_REJECT_DUPLICATES, &error);
  if (root == NULL)
    fprintf(stderr, "%s:%d: %s\n", path, error.line, error.text);
  return root;
}

json_t *vec_member(const json_t *object, const char *key)
{
  json_t *value = json_object_get(object, key);

  if (value == NULL)
    fail_msg("no member \"%s\"", key);
  return value;
}

json_t *vec_cases(json_t *array)
{
  if (!json_is_array(array) || json_array_size(array) == 0)
    fail_msg("no cases");
  return array;
}

uint64_t vec_number(const json_t *object, const char *key)
{
  json_t *value = vec_member(object, key);

  if (!json_is_integer(value) || json_integer_value(value) < 0)
    fail_msg("\"%s\" is no number", key);
  return (uint64_t)json_integer_value(value);
}

const char *vec_text(const json_t *object, const char *key)
{
  const char *text = json_string_value(vec_member(object, key));

  if (text == NULL)
    fail_msg("\"%s\" is no text", key);
  return text;
}

size_t vec_bytes(const json_t *object, const char *key, uint8_t *out, size_t cap)
{
  const char *hex = vec_text(object, key);
  size_t len = 0;

  if (sodium_hex2bin(out, cap, hex, strlen(hex), NULL, &len, NULL) != 0 || len * 2 != strlen(hex))
    fail_msg("\"%s\" is not hexadecimal, or too long", key);
  return len;
}

void vec_exactly(const json_t *object, const char *key, uint8_t *out, size_t len)
{
  if (vec_bytes(object, key, out, len) != len)
    fail_msg("\"%s\" is too short", key);
}

void vec_assert_bytes(const json_t *object, const char *key, const uint8_t *got, size_t len)
{
  size_t cap = strlen(vec_text(object, key)) / 2;
  uint8_t *want = malloc(cap + 1);
  size_t want_len;
  int same;

  assert_non_null(want);
  want_len = vec_bytes(object, key, want, cap + 1);
  same = want_len == len && memcmp(want, got, len) == 0;
  free(want);
  if (!same)
    fail_msg("\"%s\" differs", key);
}

int vec_error(const json_t *c)
{
  static const struct {
    const char *name;
    int error;
  } table[] = {
    {"point", TM_E_POINT},  {"signature", TM_E_SIGNATURE}, {"auth", TM_E_AUTH},       {"behind", TM_E_STATE},
    {"too-far", TM_E_TOO_BIG}, {"syntax", TM_E_SYNTAX},    {"unknown", TM_E_UNKNOWN},
  };

  for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
    if (strcmp(table[i].name, vec_text(c, "error")) == 0)
      return table[i].error;
  fail_msg("unknown error \"%s\"", vec_text(c, "error"));
  return TM_OK;
}

void vec_assert_refused(const json_t *c, int got)
{
  if (got != vec_error(c))
    fail_msg("%s: %s instead of %s", vec_text(c, "name"), tm_strerror(got), vec_text(c, "error"));
}
