/*
 * Reading the vector files of tests/vectors (layout: README.md there). Everything that is missing or has another length
 * fails the running test, and so does an empty array: it would check nothing.
 */
#ifndef TM_TESTS_VECTORS_H
#define TM_TESTS_VECTORS_H

#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

/* Runs the body for each object of an array of cases. */
#define EACH_CASE(list, c) \
  json_t *c; \
  size_t i_##c; \
  json_array_foreach(vec_cases(list), i_##c, c)

/* The file srcdir/tests/vectors/NAME; NULL with a message on standard error. The caller owns the reference. */
json_t *vec_load(const char *name);

json_t *vec_member(const json_t *object, const char *key);
json_t *vec_cases(json_t *array);
uint64_t vec_number(const json_t *object, const char *key);
const char *vec_text(const json_t *object, const char *key);

/* Bytes: any length up to cap (returned); exactly len; and compared with what the code gave. */
size_t vec_bytes(const json_t *object, const char *key, uint8_t *out, size_t cap);
void vec_exactly(const json_t *object, const char *key, uint8_t *out, size_t len);
void vec_assert_bytes(const json_t *object, const char *key, const uint8_t *got, size_t len);

/* The error of boxes.md and pairing.md that a refused case names, and that the code gave that one. */
int vec_error(const json_t *c);
void vec_assert_refused(const json_t *c, int got);

#endif
