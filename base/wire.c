#include "config.h"

#include <string.h>

#include "base/err.h"

#include "base/wire.h"

struct tm_reader tm_reader_init(const void *data, size_t len) { return (struct tm_reader){data, len, 0, false}; }

const uint8_t *tm_read_view(struct tm_reader *r, size_t len)
{
  const uint8_t *p;

  if (r->bad || len > r->len - r->at) {
    r->bad = true;
    return NULL;
  }
  p = r->data + r->at;
  r->at += len;
  return p;
}

static uint64_t read_be(struct tm_reader *r, size_t len)
{
  const uint8_t *p = tm_read_view(r, len);
  uint64_t v = 0;

  if (p == NULL)
    return 0;
  for (size_t i = 0; i < len; i++)
    v = v << 8 | p[i];
  return v;
}

uint8_t tm_read_u8(struct tm_reader *r) { return (uint8_t)read_be(r, 1); }
uint16_t tm_read_u16(struct tm_reader *r) { return (uint16_t)read_be(r, 2); }
uint32_t tm_read_u32(struct tm_reader *r) { return (uint32_t)read_be(r, 4); }
uint64_t tm_read_u64(struct tm_reader *r) { return read_be(r, 8); }

void tm_read_bytes(struct tm_reader *r, void *out, size_t len)
{
  const uint8_t *p = tm_read_view(r, len);

  if (len == 0)
    return;
  if (p != NULL)
    memcpy(out, p, len);
  else
    memset(out, 0, len);
}

bool tm_read_zeros(struct tm_reader *r, size_t len)
{
  const uint8_t *p = tm_read_view(r, len);
  uint8_t any = 0;

  if (p == NULL)
    return false;
  for (size_t i = 0; i < len; i++)
    any |= p[i];
  if (any != 0)
    r->bad = true;
  return any == 0;
}

size_t tm_reader_left(const struct tm_reader *r) { return r->len - r->at; }
int tm_reader_end(const struct tm_reader *r) { return r->bad || r->at != r->len ? TM_E_SYNTAX : TM_OK; }

struct tm_writer tm_writer_init(void *data, size_t cap) { return (struct tm_writer){data, cap, 0, false}; }

static uint8_t *claim(struct tm_writer *w, size_t len)
{
  uint8_t *p;

  if (w->bad || len > w->cap - w->at) {
    w->bad = true;
    return NULL;
  }
  p = w->data + w->at;
  w->at += len;
  return p;
}

static void write_be(struct tm_writer *w, uint64_t v, size_t len)
{
  uint8_t *p = claim(w, len);

  if (p == NULL)
    return;
  for (size_t i = len; i > 0; i--, v >>= 8)
    p[i - 1] = (uint8_t)v;
}

void tm_write_u8(struct tm_writer *w, uint8_t v) { write_be(w, v, 1); }
void tm_write_u16(struct tm_writer *w, uint16_t v) { write_be(w, v, 2); }
void tm_write_u32(struct tm_writer *w, uint32_t v) { write_be(w, v, 4); }
void tm_write_u64(struct tm_writer *w, uint64_t v) { write_be(w, v, 8); }

void tm_write_bytes(struct tm_writer *w, const void *in, size_t len)
{
  uint8_t *p = claim(w, len);

  if (p != NULL && len > 0)
    memcpy(p, in, len);
}

void tm_write_zeros(struct tm_writer *w, size_t len)
{
  uint8_t *p = claim(w, len);

  if (p != NULL && len > 0)
    memset(p, 0, len);
}

void tm_write_fill(struct tm_writer *w)
{
  if (!w->bad)
    tm_write_zeros(w, w->cap - w->at);
}

int tm_writer_end(const struct tm_writer *w) { return w->bad ? TM_E_TOO_BIG : TM_OK; }
