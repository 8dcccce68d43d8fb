/*
 * The lines of documents and descriptors: "keyword SPACE value LF", printable ASCII, in a fixed order. A reader stands
 * on one line at a time; lines whose keyword begins with "opt-" are passed over by themselves. The text is the caller's
 * and must outlive the reader. One thread.
 */
#ifndef TM_DIRECTORY_TEXT_H
#define TM_DIRECTORY_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define TM_TEXT_LINE_MAX 1024   /* characters, without the newline */
#define TM_TEXT_KEYWORD_MAX 31
#define TM_TEXT_FAULT_MAX 160

/* Where and why a text was refused; line 0: not in a single line. For people; what is empty if all was well. */
struct tm_fault {
  unsigned line;
  char what[TM_TEXT_FAULT_MAX];
};

struct tm_span {
  const char *at;
  size_t len;
};

struct tm_text {
  const char *data;
  size_t len;
  size_t at;             /* behind the present line */
  unsigned line;         /* of the present line, from 1 */
  struct tm_span keyword; /* len 0: behind the last line */
  struct tm_span value;
  struct tm_fault *fault; /* never NULL */
};

/* Writes the fault, once: the first one stays. Returns err. */
int tm_fault_set(struct tm_fault *fault, unsigned line, int err, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Stands on the first line, which must be exactly head. Errors: TM_E_SYNTAX, TM_E_UNKNOWN (another kind or version). */
int tm_text_init(struct tm_text *text, const char *data, size_t len, const char *head,
                 struct tm_fault *fault) TM_MUST_CHECK;

/* Is the present line's keyword that one? */
bool tm_text_at(const struct tm_text *text, const char *keyword);
bool tm_text_at_end(const struct tm_text *text);

/*
 * The present line must have that keyword; gives its value and goes on. with_value: whether there must be one, or none.
 * *line (may be NULL): its number. Errors: TM_E_SYNTAX (another line was due here), TM_E_UNKNOWN (a keyword that nobody
 * knows), TM_E_SYNTAX (the next line is malformed).
 */
int tm_text_take(struct tm_text *text, const char *keyword, bool with_value, struct tm_span *value,
                 unsigned *line) TM_MUST_CHECK;

/* Cuts the first word off a value; words are separated by one space. false: there is none. */
bool tm_span_word(struct tm_span *value, struct tm_span *word);
bool tm_span_is(struct tm_span span, const char *word);

/* Plain decimal of at most max: digits, no leading zero. Errors: TM_E_SYNTAX. */
int tm_span_decimal(struct tm_span span, uint64_t max, uint64_t *out) TM_MUST_CHECK;
/* RFC 3339 as in base/clock.h. Errors: TM_E_SYNTAX. */
int tm_span_time(struct tm_span span, uint64_t *unix_s) TM_MUST_CHECK;

/* Names of networks and relays: [a-z0-9-], first a letter, at most TM_RELAY_NAME_MAX. */
bool tm_name_is_good(const char *name, size_t len);

#endif
