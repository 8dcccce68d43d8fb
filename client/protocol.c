#include "config.h"

#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "base/err.h"
#include "base/file.h"

#include "client/protocol.h"

#define LINE_START 1024          /* bytes; grows as they come */
#define BODY_START (64u * 1024)  /* likewise: a promise of 16 MiB costs nothing yet */

/* ---- jansson's memory ---- */

union block {
  size_t len;
  max_align_t align;
};

static void *wiping_malloc(size_t len)
{
  union block *b = len > SIZE_MAX - sizeof *b ? NULL : malloc(sizeof *b + len);

  if (b == NULL)
    return NULL;
  b->len = len;
  return b + 1;
}

static void wiping_free(void *p)
{
  union block *b = p;

  if (b == NULL)
    return;
  b--;
  sodium_memzero(b + 1, b->len);
  free(b);
}

void tm_control_setup(void) { json_set_alloc_funcs(wiping_malloc, wiping_free); }

/* ---- frames ---- */

struct tm_frames {
  uint8_t *line;
  size_t line_len, line_cap;
  json_t *head; /* the line is whole; its body is coming */
  uint8_t *body;
  size_t body_len, body_cap, body_want;
};

void tm_frame_clear(struct tm_frame *frame)
{
  json_decref(frame->head);
  tm_file_free(frame->body, frame->body_len);
  *frame = (struct tm_frame){0};
}

struct tm_frames *tm_frames_new(void) { return calloc(1, sizeof(struct tm_frames)); }

void tm_frames_free(struct tm_frames *f)
{
  if (f == NULL)
    return;
  tm_file_free(f->line, f->line_cap);
  tm_file_free(f->body, f->body_len);
  json_decref(f->head);
  free(f);
}

bool tm_frames_between(const struct tm_frames *f) { return f->head == NULL && f->line_len == 0; }

/* Makes room for want bytes and one more, without leaving the old ones behind in memory. */
static int grow(uint8_t **data, size_t used, size_t *cap, size_t want, size_t start)
{
  size_t next = *cap == 0 ? start : *cap;
  uint8_t *bigger;

  if (want < *cap)
    return TM_OK;
  while (next <= want)
    next *= 2;
  bigger = malloc(next);
  if (bigger == NULL)
    return TM_E_NOMEM;
  if (*data != NULL) {
    memcpy(bigger, *data, used);
    tm_file_free(*data, used);
  }
  *data = bigger;
  *cap = next;
  return TM_OK;
}

static int parse_line(struct tm_frames *f)
{
  json_t *bytes;
  json_int_t want = 0;

  f->head = json_loadb((const char *)f->line, f->line_len, JSON_REJECT_DUPLICATES, NULL);
  sodium_memzero(f->line, f->line_len);
  f->line_len = 0;
  if (!json_is_object(f->head))
    return TM_E_SYNTAX;
  bytes = json_object_get(f->head, "bytes");
  if (bytes != NULL) {
    want = json_integer_value(bytes);
    if (!json_is_integer(bytes) || want < 0)
      return TM_E_SYNTAX;
  }
  if (want > (json_int_t)TM_CONTROL_BODY_MAX)
    return TM_E_TOO_BIG;
  f->body_want = (size_t)want;
  return TM_OK;
}

static int take_line(struct tm_frames *f, const uint8_t *data, size_t len, size_t *used)
{
  const uint8_t *end = memchr(data, '\n', len);
  size_t n = end == NULL ? len : (size_t)(end - data);
  int err;

  if (n > TM_CONTROL_LINE_MAX - f->line_len)
    return TM_E_TOO_BIG;
  err = grow(&f->line, f->line_len, &f->line_cap, f->line_len + n, LINE_START);
  if (err != TM_OK)
    return err;
  memcpy(f->line + f->line_len, data, n);
  f->line_len += n;
  *used = n + (end != NULL);
  return end == NULL ? TM_OK : parse_line(f);
}

static int take_body(struct tm_frames *f, const uint8_t *data, size_t len, size_t *used)
{
  size_t n = f->body_want - f->body_len;
  int err;

  if (n > len)
    n = len;
  err = grow(&f->body, f->body_len, &f->body_cap, f->body_len + n, BODY_START);
  if (err != TM_OK)
    return err;
  memcpy(f->body + f->body_len, data, n);
  f->body_len += n;
  *used = n;
  return TM_OK;
}

static void hand_over(struct tm_frames *f, struct tm_frame *frame)
{
  *frame = (struct tm_frame){.head = f->head, .body = f->body, .body_len = f->body_len};
  if (frame->body != NULL)
    frame->body[frame->body_len] = '\0';
  f->head = NULL;
  f->body = NULL;
  f->body_len = f->body_cap = f->body_want = 0;
}

int tm_frames_take(struct tm_frames *f, const void *data, size_t len, size_t *used, struct tm_frame *frame, bool *whole)
{
  const uint8_t *at = data;
  int err = TM_OK;

  *used = 0;
  *whole = false;
  *frame = (struct tm_frame){0};
  while (err == TM_OK && *used < len && !*whole) {
    size_t n = 0;
    err = f->head == NULL ? take_line(f, at + *used, len - *used, &n) : take_body(f, at + *used, len - *used, &n);
    *used += n;
    *whole = err == TM_OK && f->head != NULL && f->body_len == f->body_want;
  }
  if (*whole)
    hand_over(f, frame);
  return err;
}

int tm_frame_line(const json_t *head, char line[static TM_CONTROL_LINE_LEN], size_t *len)
{
  size_t n = json_dumpb(head, line, TM_CONTROL_LINE_MAX, JSON_COMPACT);

  *len = 0;
  if (n == 0)
    return TM_E_SYNTAX;
  if (n > TM_CONTROL_LINE_MAX)
    return TM_E_TOO_BIG;
  line[n] = '\n';
  *len = n + 1;
  return TM_OK;
}

/* ---- members ---- */

const char *tm_member_text(const json_t *head, const char *key) { return json_string_value(json_object_get(head, key)); }

uint64_t tm_member_number(const json_t *head, const char *key, uint64_t otherwise)
{
  const json_t *v = json_object_get(head, key);

  if (!json_is_integer(v) || json_integer_value(v) < 0)
    return otherwise;
  return (uint64_t)json_integer_value(v);
}

bool tm_member_bool(const json_t *head, const char *key) { return json_is_true(json_object_get(head, key)); }

json_t *tm_control_error(const char *code, const char *message)
{
  return json_pack("{s:b, s:{s:s, s:s}}", "ok", 0, "error", "code", code, "message", message);
}
