/*
 * A cursor over bytes from or for the wire: big-endian, bounds-checked, with a sticky error, so that a parser can read a whole structure
 * and ask once. Reading past the end yields zeros and sets the error; writing past the end writes nothing and sets it.
 * The memory is the caller's. Not for threads to share.
 */
#ifndef TM_BASE_WIRE_H
#define TM_BASE_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tm_reader {
  const uint8_t *data;
  size_t len;
  size_t at;
  bool bad;
};

struct tm_writer {
  uint8_t *data;
  size_t cap;
  size_t at;
  bool bad;
};

struct tm_reader tm_reader_init(const void *data, size_t len);
uint8_t tm_read_u8(struct tm_reader *r);
uint16_t tm_read_u16(struct tm_reader *r);
uint32_t tm_read_u32(struct tm_reader *r);
uint64_t tm_read_u64(struct tm_reader *r);
void tm_read_bytes(struct tm_reader *r, void *out, size_t len);      /* zeros on error */
const uint8_t *tm_read_view(struct tm_reader *r, size_t len);        /* into data; NULL on error */
bool tm_read_zeros(struct tm_reader *r, size_t len);                 /* skips; false and error unless all zero */
size_t tm_reader_left(const struct tm_reader *r);
/* TM_OK if nothing went wrong and nothing is left; else TM_E_SYNTAX. */
int tm_reader_end(const struct tm_reader *r) __attribute__((warn_unused_result));

struct tm_writer tm_writer_init(void *data, size_t cap);
void tm_write_u8(struct tm_writer *w, uint8_t v);
void tm_write_u16(struct tm_writer *w, uint16_t v);
void tm_write_u32(struct tm_writer *w, uint32_t v);
void tm_write_u64(struct tm_writer *w, uint64_t v);
void tm_write_bytes(struct tm_writer *w, const void *in, size_t len);
void tm_write_zeros(struct tm_writer *w, size_t len);
void tm_write_fill(struct tm_writer *w);                             /* zeros up to cap */
/* TM_OK or TM_E_TOO_BIG. */
int tm_writer_end(const struct tm_writer *w) __attribute__((warn_unused_result));

#endif
