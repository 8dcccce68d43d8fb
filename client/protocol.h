/*
 * What commands and daemon say to each other over the Unix socket: frames. A frame is one
 * line with a JSON object and, if the object has a member "bytes" above zero, so many raw bytes behind the line (a text, a file, a
 * document). A command sends a request {"op": ...}; the daemon answers each with exactly one frame {"ok": true, ...} or
 * {"ok": false, "error": {"code": ..., "message": ...}}, and between answers may send {"event": "change"} to who has asked for that.
 *
 * Bytes in, bytes out; no socket here. One thread. Memory is bounded by the limits below; all of it is wiped when freed, because
 * invite codes and texts pass through.
 */
#ifndef TM_CLIENT_PROTOCOL_H
#define TM_CLIENT_PROTOCOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "base/err.h"

#define TM_CONTROL_VERSION 1
#define TM_CONTROL_LINE_MAX (64u * 1024)          /* bytes, without the newline */
#define TM_CONTROL_BODY_MAX (16u * 1024 * 1024)   /* bytes: TM_CLIENT_FILE_MAX */
#define TM_CONTROL_LIST_MAX 64                    /* entries of a list in one answer; "more" says that there are more */

/* Lets jansson's memory be wiped before it is freed. Once, before any other use of jansson in the program. */
void tm_control_setup(void);

struct tm_frame {
  json_t *head;  /* an object */
  uint8_t *body; /* with a NUL behind it; NULL if body_len is 0 */
  size_t body_len;
};
void tm_frame_clear(struct tm_frame *frame); /* wipes and frees what it holds, and empties it */

/* Takes frames apart as bytes arrive. */
struct tm_frames;
struct tm_frames *tm_frames_new(void); /* NULL: out of memory */
void tm_frames_free(struct tm_frames *f);
/*
 * Takes up to len bytes and stops behind the first frame that is whole: then *whole is true and *frame is the caller's to clear. *used:
 * how many bytes were taken. Errors: TM_E_TOO_BIG (line or body), TM_E_SYNTAX (not one JSON object, a member twice, a bad "bytes"),
 * TM_E_NOMEM. After an error the stream has lost its place: close it.
 */
int tm_frames_take(struct tm_frames *f, const void *data, size_t len, size_t *used, struct tm_frame *frame,
                   bool *whole) TM_MUST_CHECK;
bool tm_frames_between(const struct tm_frames *f); /* no frame has begun */

/*
 * The line of a frame, newline included, into line; *len: its length. Errors: TM_E_TOO_BIG (more than TM_CONTROL_LINE_MAX), TM_E_SYNTAX
 * (jansson can't write it).
 */
#define TM_CONTROL_LINE_LEN (TM_CONTROL_LINE_MAX + 1)
int tm_frame_line(const json_t *head, char line[static TM_CONTROL_LINE_LEN], size_t *len) TM_MUST_CHECK;

/* Members of a request or an answer: NULL, or the default, if there is none of that type. */
const char *tm_member_text(const json_t *head, const char *key);
uint64_t tm_member_number(const json_t *head, const char *key, uint64_t otherwise); /* negative ones count as missing */
bool tm_member_bool(const json_t *head, const char *key);                           /* false if missing */

/* {"ok": false, "error": {"code": code, "message": message}}; NULL: out of memory. */
json_t *tm_control_error(const char *code, const char *message);

#endif
