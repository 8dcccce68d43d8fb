/*
 * What the text of a slot's box holds: records, packed one behind the other (doc/spec/boxes.md). Bytes in, bytes out;
 * any thread.
 *
 * record: type (1) | length (2) | body.  Type 0 ends the list; the rest of the text is zero.
 */
#ifndef TM_BOX_RECORD_H
#define TM_BOX_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "box/box.h"

#define TM_RECORD_HEAD_LEN 3
#define TM_TEXT_INLINE_MAX (TM_BOX_TEXT_LEN - TM_RECORD_HEAD_LEN - 12) /* 1417: longer text goes into bulk boxes */
#define TM_BULK_PIECE_LEN TM_BOX_TEXT_LEN /* a bulk box is nothing but data; the last is filled with zeros */
#define TM_BULK_SIZE_MAX (64u * 1024 * 1024)
#define TM_BULK_NAME_MAX 255

enum tm_record_type {
  TM_RECORD_END = 0,
  TM_RECORD_TEXT = 1, /* number (4), sent at (8, unix s), UTF-8 text */
  TM_RECORD_BULK = 2, /* number (4), sent at (8), kind (1), size (8), hash of the whole (32), capability of the bulk
                         sequence from index 0 (72), name; the hash is BLAKE2b-256 */
  TM_RECORD_ACK = 3   /* number (4): all messages up to it have come; may be 0 */
};

enum tm_bulk_kind { TM_BULK_TEXT = 1, TM_BULK_FILE = 2 };

struct tm_record {
  enum tm_record_type type;
  uint32_t number;     /* of the message in its conversation and direction, from 1 */
  uint64_t sent_s;     /* TEXT, BULK */
  const uint8_t *text; /* TEXT: not terminated */
  size_t text_len;
  enum tm_bulk_kind kind;    /* BULK */
  uint64_t size;             /* BULK: 1 to TM_BULK_SIZE_MAX */
  const uint8_t *hash;       /* BULK: 32 */
  const uint8_t *capability; /* BULK: TM_BOX_CAPABILITY_LEN, with a good root point */
  const char *name;          /* BULK FILE: as tm_record_name_ok says; not terminated. BULK TEXT: empty */
  size_t name_len;
};

/* Valid UTF-8 (strict: shortest forms, no surrogates), one byte at least? Of a whole text, inline or bulk. */
bool tm_record_text_ok(const uint8_t *text, size_t len);
/*
 * A file's name as records carry it? 1 to TM_BULK_NAME_MAX bytes of valid UTF-8, not "." or "..", no '/', no control
 * character (U+0000 to 1F, 7F to 9F), nothing that turns or breaks a line of text (U+2028 to 202E, 2066 to 2069).
 */
bool tm_record_name_ok(const char *name, size_t len);

/* A packer over the text of one box. */
struct tm_record_writer {
  uint8_t *text;
  size_t at;
};
void tm_record_begin(struct tm_record_writer *w, uint8_t text[static TM_BOX_TEXT_LEN]);
/* Errors: TM_E_FULL (does not fit any more; nothing changed), TM_E_SYNTAX (a field breaks a rule above). */
int tm_record_put(struct tm_record_writer *w, const struct tm_record *record) TM_MUST_CHECK;
void tm_record_finish(struct tm_record_writer *w);    /* zeros to the end */
size_t tm_record_len(const struct tm_record *record); /* with its head */

/*
 * Iterates: *at starts at 0. TM_OK: *record is the next, with pointers into text. TM_E_NOT_FOUND: the end, well-formed.
 * TM_E_SYNTAX, TM_E_UNKNOWN (a type of a later version): bad text; *record is then zero and *at stays.
 */
int tm_record_next(const uint8_t text[static TM_BOX_TEXT_LEN], size_t *at, struct tm_record *record) TM_MUST_CHECK;

#endif
