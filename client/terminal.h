/*
 * Text for a person's terminal. What a stranger wrote (a text, the name of a file) never reaches it as it came: control characters,
 * escape sequences, characters that turn the writing direction or can't be seen, and bytes that are no UTF-8 are printed as \x1b or \u202e.
 * Main thread of a command.
 */
#ifndef TM_CLIENT_TERMINAL_H
#define TM_CLIENT_TERMINAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Prints what may be foreign on one line: a new line too is escaped. */
void tm_terminal_line(FILE *out, const char *text, size_t len);
/* Prints a foreign text with indent in front of each of its lines, so that none can pass for one of ours, and ends with a new line. */
void tm_terminal_block(FILE *out, const char *text, size_t len, const char *indent);
/* A copy for JSON: each byte that is not part of valid UTF-8, and each NUL, becomes U+FFFD. The caller frees it; NULL: out of memory. */
char *tm_terminal_utf8(const char *text, size_t len);

/*
 * A contact's name as a shell takes it, for the commands that our messages propose: quoted if need be, behind "-- " if it
 * would be taken for an option. One that is too long for a name becomes NAME.
 */
#define TM_WORD_TEXT_LEN 320
void tm_word_format(const char *name, char word[static TM_WORD_TEXT_LEN]);

/* How many columns of a terminal a text of ours takes, about: characters, not bytes. */
size_t tm_terminal_width(const char *text);
/* Prints text (foreign) and fills up with spaces to that many columns. */
void tm_terminal_column(FILE *out, const char *text, size_t columns);

/* "98 KB", "1.5 MB". */
#define TM_SIZE_TEXT_LEN 24
void tm_size_format(uint64_t bytes, char text[static TM_SIZE_TEXT_LEN]);
/* "40 seconds", "3 minutes", "2 hours", "7 days": the largest unit that fits, rounded. */
#define TM_DURATION_TEXT_LEN 40
void tm_duration_format(uint64_t seconds, char text[static TM_DURATION_TEXT_LEN]);
/* "2026-11-24 14:02" in local time. */
#define TM_MOMENT_TEXT_LEN 32
void tm_moment_format(uint64_t unix_s, char text[static TM_MOMENT_TEXT_LEN]);

/* Bold red (or nothing, if out is no terminal or NO_COLOR is set), and back. */
const char *tm_terminal_loud(FILE *out);
const char *tm_terminal_plain(FILE *out);

/*
 * A line on standard error that says how far a long work is; only if that is a terminal, else all of it does nothing.
 * tm_bar_show writes over the last one; tm_bar_clear takes it away before anything else is printed.
 */
struct tm_bar {
  bool shown;
};
void tm_bar_show(struct tm_bar *bar, const char *what, uint32_t done, uint32_t of); /* of 0: only the words */
void tm_bar_clear(struct tm_bar *bar);

/* Prints a QR code of text in half blocks with the quiet zone that readers need. Errors: TM_E_TOO_BIG, TM_E_NOMEM. */
int tm_terminal_qr(FILE *out, const char *text) __attribute__((warn_unused_result));

#endif
