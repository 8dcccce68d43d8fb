/*
 * The text of a configuration file before libconfuse sees it. Used inside base/config only.
 */
#ifndef TM_BASE_CONFIG_SCAN_H
#define TM_BASE_CONFIG_SCAN_H

#include <stdbool.h>

/* Hears of what libconfuse would let pass; at: the place in the text. It blanks the statement. */
typedef void tm_scan_bad(void *arg, char *at, int line, const char *why);

/* Checks the characters of a text ended by NUL, and blanks its comments and what is bad. */
void tm_scan(char *text, tm_scan_bad *bad, void *arg);

/* The beginning of that line of the text (from 1); its end if there are fewer. */
char *tm_scan_line(char *text, int line);

/*
 * The statement "name = value" that at stands in: its beginning, which is that of a line. A list may go over several
 * lines.
 */
char *tm_scan_statement(char *text, char *at);
/* Turns the statement that begins there into spaces. False: it was nothing else. */
bool tm_scan_blank(char *statement);

#endif
