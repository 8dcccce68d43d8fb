#include "config.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "directory/document.h"

#include "directory/text.h"

/* Every keyword of documents and descriptors: out of place they are malformed, all others are unknown. */
static const char *const keywords[] = {"tidemill", "network", "published", "valid-from", "valid-until",
                                       "epoch",    "param",   "relay",     "identity",   "address",
                                       "roles",    "layer",   "mix-key",   "end"};

int tm_fault_set(struct tm_fault *fault, unsigned line, int err, const char *format, ...)
{
  va_list ap;

  if (fault->what[0] != '\0')
    return err;
  fault->line = line;
  va_start(ap, format);
  vsnprintf(fault->what, sizeof fault->what, format, ap);
  va_end(ap);
  return err;
}

static int fail(struct tm_text *text, int err, const char *what)
{
  return tm_fault_set(text->fault, text->line, err, "%s", what);
}

static bool keyword_is_good(const char *at, size_t len)
{
  if (len == 0 || len > TM_TEXT_KEYWORD_MAX)
    return false;
  for (size_t i = 0; i < len; i++)
    if ((at[i] < 'a' || at[i] > 'z') && (i == 0 || ((at[i] < '0' || at[i] > '9') && at[i] != '-')))
      return false;
  return true;
}

/* Printable, no space at either end, none doubled. */
static bool value_is_good(const char *at, size_t len)
{
  if (len == 0 || at[0] == ' ' || at[len - 1] == ' ')
    return false;
  for (size_t i = 0; i < len; i++)
    if (at[i] < ' ' || at[i] > '~' || (at[i] == ' ' && at[i - 1] == ' '))
      return false;
  return true;
}

static int split_line(struct tm_text *text, const char *at, size_t len)
{
  const char *space = memchr(at, ' ', len);
  size_t keyword_len = space != NULL ? (size_t)(space - at) : len;

  if (!keyword_is_good(at, keyword_len))
    return fail(text, TM_E_SYNTAX, "the line does not begin with a keyword");
  text->keyword = (struct tm_span){at, keyword_len};
  text->value = (struct tm_span){at + keyword_len, 0};
  if (space != NULL) {
    text->value = (struct tm_span){space + 1, len - keyword_len - 1};
    if (!value_is_good(text->value.at, text->value.len))
      return fail(text, TM_E_SYNTAX, "the value is not words of printable ASCII with one space between");
  }
  return TM_OK;
}

static bool is_optional(struct tm_span keyword) { return keyword.len > 4 && memcmp(keyword.at, "opt-", 4) == 0; }

/* Goes to the next line that is not optional. */
static int next(struct tm_text *text)
{
  do {
    const char *at = text->data + text->at;
    const char *end;
    int err;

    text->keyword = text->value = (struct tm_span){at, 0};
    if (text->at == text->len)
      return TM_OK;
    text->line++;
    end = memchr(at, '\n', text->len - text->at);
    if (end == NULL)
      return fail(text, TM_E_SYNTAX, "the last line does not end in a newline");
    if (end - at > TM_TEXT_LINE_MAX)
      return fail(text, TM_E_SYNTAX, "the line is too long");
    err = split_line(text, at, (size_t)(end - at));
    if (err != TM_OK)
      return err;
    text->at += (size_t)(end - at) + 1;
  } while (is_optional(text->keyword));
  return TM_OK;
}

int tm_text_init(struct tm_text *text, const char *data, size_t len, const char *head, struct tm_fault *fault)
{
  struct tm_span value;
  struct tm_span kind = {head, strlen(head)};
  struct tm_span keyword;
  int err;

  memset(fault, 0, sizeof *fault);
  *text = (struct tm_text){.data = data, .len = len, .fault = fault};
  err = next(text);
  if (err != TM_OK)
    return err;
  tm_span_word(&kind, &keyword);
  if (text->line != 1 || !tm_span_is(text->keyword, "tidemill"))
    return tm_fault_set(fault, 1, TM_E_SYNTAX, "the first line is not \"%s\"", head);
  if (text->value.len != kind.len || memcmp(text->value.at, kind.at, kind.len) != 0)
    return tm_fault_set(fault, 1, TM_E_UNKNOWN, "not \"%s\": another kind of file, or a newer version", head);
  return tm_text_take(text, "tidemill", true, &value, NULL);
}

bool tm_text_at(const struct tm_text *text, const char *keyword) { return tm_span_is(text->keyword, keyword); }

bool tm_text_at_end(const struct tm_text *text) { return text->keyword.len == 0; }

static int refuse(struct tm_text *text, const char *due)
{
  if (tm_text_at_end(text))
    return tm_fault_set(text->fault, text->line, TM_E_SYNTAX, "the text ends where \"%s\" was due", due);
  for (size_t i = 0; i < sizeof keywords / sizeof keywords[0]; i++)
    if (tm_text_at(text, keywords[i]))
      return tm_fault_set(text->fault, text->line, TM_E_SYNTAX, "\"%s\" where \"%s\" was due", keywords[i], due);
  return tm_fault_set(text->fault, text->line, TM_E_UNKNOWN,
                      "unknown keyword \"%.*s\": a newer version is needed to read this", (int)text->keyword.len,
                      text->keyword.at);
}

int tm_text_take(struct tm_text *text, const char *keyword, bool with_value, struct tm_span *value, unsigned *line)
{
  if (!tm_text_at(text, keyword))
    return refuse(text, keyword);
  if (with_value != (text->value.len > 0))
    return tm_fault_set(text->fault, text->line, TM_E_SYNTAX, "\"%s\" %s", keyword,
                        with_value ? "without a value" : "has a value");
  *value = text->value;
  if (line != NULL)
    *line = text->line;
  return next(text);
}

bool tm_span_word(struct tm_span *value, struct tm_span *word)
{
  const char *space;

  if (value->len == 0)
    return false;
  space = memchr(value->at, ' ', value->len);
  *word = (struct tm_span){value->at, space != NULL ? (size_t)(space - value->at) : value->len};
  value->len -= word->len + (space != NULL);
  value->at += word->len + (space != NULL);
  return true;
}

bool tm_span_is(struct tm_span span, const char *word)
{
  return span.len == strlen(word) && memcmp(span.at, word, span.len) == 0;
}

int tm_span_decimal(struct tm_span span, uint64_t max, uint64_t *out)
{
  uint64_t v = 0;

  if (span.len == 0 || (span.at[0] == '0' && span.len > 1))
    return TM_E_SYNTAX;
  for (size_t i = 0; i < span.len; i++) {
    unsigned digit = (unsigned)span.at[i] - '0';
    if (digit > 9 || digit > max || v > (max - digit) / 10)
      return TM_E_SYNTAX;
    v = v * 10 + digit;
  }
  *out = v;
  return TM_OK;
}

int tm_span_time(struct tm_span span, uint64_t *unix_s)
{
  char text[TM_TIME_TEXT_LEN];

  if (span.len != sizeof text - 1)
    return TM_E_SYNTAX;
  memcpy(text, span.at, span.len);
  text[span.len] = '\0';
  return tm_time_parse(text, unix_s);
}

bool tm_name_is_good(const char *name, size_t len)
{
  if (len == 0 || len > TM_RELAY_NAME_MAX || name[0] < 'a' || name[0] > 'z')
    return false;
  for (size_t i = 1; i < len; i++)
    if ((name[i] < 'a' || name[i] > 'z') && (name[i] < '0' || name[i] > '9') && name[i] != '-')
      return false;
  return true;
}
