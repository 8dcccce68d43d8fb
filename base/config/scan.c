#include "config.h"

#include <stddef.h>
#include <string.h>

#include "base/config/scan.h"

#define NAME_LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_."

/* "name =" at the beginning of a line? */
static bool begins_statement(const char *line)
{
  size_t blank = strspn(line, " \t");
  size_t name = strspn(line + blank, NAME_LETTERS);

  line += blank + name;
  return name > 0 && line[strspn(line, " \t")] == '=';
}

/* Does the list that begins there end, before another statement does? */
static bool is_closed(const char *at)
{
  bool quoted = false;

  for (; *at != '\0' && !(*at == '\n' && begins_statement(at + 1)); at++) {
    if (*at == '}' && !quoted)
      return true;
    if (*at == '"' || *at == '\n')
      quoted = *at == '"' && !quoted;
  }
  return false;
}

static const char *bad_plain(const char *at)
{
  if (strchr("'`", *at) != NULL)
    return "single quotes are not allowed here: use double quotes";
  if (strchr("*+()\\;|", *at) != NULL)
    return "this character needs double quotes around the value";
  if (at[0] == '/' && (at[1] == '/' || at[1] == '*'))
    return "comments begin with #; a value with // needs double quotes";
  if ((unsigned char)*at >= 0x80)
    return "a value with letters outside ASCII needs double quotes";
  if (at[0] == '{' && !is_closed(at))
    return "the list is not closed: write } behind its last value";
  if (at[0] == '=' && strchr("#\n", at[1 + strspn(at + 1, " \t")]) != NULL) /* or the end */
    return "the value is missing: write it behind the =, in the same line";
  return NULL;
}

static const char *bad_quoted(const char *at)
{
  if (at[0] == '\n' || at[0] == '\0')
    return "the closing quote is missing on this line";
  if (at[0] == '\\' && at[1] != '\\' && at[1] != '"')
    return "only \\\\ and \\\" may follow a backslash";
  return NULL;
}

static const char *bad_anywhere(const char *at)
{
  if (*at == '\r')
    return "the line ends in a carriage return: save the file with Unix line ends";
  if (((unsigned char)*at < ' ' && *at != '\t' && *at != '\n') || *at == 0x7f)
    return "control character: remove it";
  if (at[0] == '$' && at[1] == '{')
    return "environment variables are not read here: write the value itself";
  return NULL;
}

char *tm_scan_line(char *text, int line)
{
  for (; line > 1 && *text != '\0'; text++)
    if (*text == '\n')
      line--;
  return text;
}

static char *line_of(char *text, char *at)
{
  while (at > text && at[-1] != '\n')
    at--;
  return at;
}

/* The end of its line, or of a later one while a list is open; but no other statement. */
static char *end_of(char *at)
{
  bool open = false, quoted = false;

  for (; *at != '\0'; at++) {
    if (*at == '\n' && (!open || begins_statement(at + 1)))
      return at;
    if (*at == '\n')
      quoted = false;
    else if (*at == '"')
      quoted = !quoted;
    else if (!quoted && (*at == '{' || *at == '}'))
      open = *at == '{';
  }
  return at;
}

char *tm_scan_statement(char *text, char *at)
{
  char *own = line_of(text, at), *line = own;

  while (!begins_statement(line) && line > text)
    line = line_of(text, line - 1);
  return begins_statement(line) && end_of(line) > own ? line : own;
}

bool tm_scan_blank(char *at)
{
  char *end = end_of(at);
  bool any = false;

  for (; at < end; at++)
    if (*at != '\n') {
      any |= *at != ' ' && *at != '\t';
      *at = ' ';
    }
  return any;
}

void tm_scan(char *text, tm_scan_bad *bad, void *arg)
{
  bool quoted = false;
  bool comment = false;
  int line = 1;

  for (char *at = text; *at != '\0' || quoted; at++) {
    const char *why = NULL;
    if (!quoted && *at == '#')
      comment = true;
    if (comment && *at != '\n' && *at != '\r') {
      *at = ' ';
      continue;
    }
    comment = false;
    why = bad_anywhere(at);
    if (why == NULL || (quoted && *at == '\0'))
      why = quoted ? bad_quoted(at) : bad_plain(at);
    if (why != NULL) {
      bad(arg, at, line, why);
      quoted = false;
      at = line_of(text, at);
      (void)!tm_scan_blank(at);
    }
    if (*at == '"')
      quoted = !quoted;
    else if (quoted && *at == '\\')
      at++;
    if (*at == '\n')
      line++;
    if (*at == '\0')
      return;
  }
}
