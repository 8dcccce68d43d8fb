#include "config.h"

#include <unistd.h>

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "client/terminal.h"

#define BAR_CELLS 24
#define WORD_NAME_MAX 63 /* bytes: no contact has a longer name */

/* Length of the valid UTF-8 character at text, its code point in *c; 0: none begins there. */
static size_t decode(const uint8_t *text, size_t len, uint32_t *c)
{
  static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
  size_t n = text[0] < 0x80 ? 1 : (text[0] & 0xe0) == 0xc0 ? 2 : (text[0] & 0xf0) == 0xe0 ? 3 : (text[0] & 0xf8) == 0xf0 ? 4 : 0;

  if (n == 0 || n > len)
    return 0;
  *c = n == 1 ? text[0] : (uint32_t)(text[0] & (0xff >> (n + 1)));
  for (size_t i = 1; i < n; i++) {
    if ((text[i] & 0xc0) != 0x80)
      return 0;
    *c = *c << 6 | (text[i] & 0x3f);
  }
  if (*c < least[n] || *c > 0x10ffff || (*c >= 0xd800 && *c <= 0xdfff))
    return 0;
  return n;
}

/* Inclusive ranges that could move the cursor, hide something or turn its order round. */
static const struct {
  uint32_t first, last;
} unsafe[] = {
  {0x00, 0x1f},       {0x7f, 0x9f},       {0xad, 0xad},       {0x61c, 0x61c},     {0x180e, 0x180e},
  {0x200b, 0x200b},   {0x200e, 0x200f},   {0x2028, 0x202e},   {0x2060, 0x206f},   {0xfeff, 0xfeff},
  {0xfff0, 0xfffb},   {0xfffe, 0xffff},   {0xe0000, 0xe0fff},
};

static bool is_unsafe(uint32_t c)
{
  for (size_t i = 0; i < sizeof unsafe / sizeof unsafe[0]; i++)
    if (c >= unsafe[i].first && c <= unsafe[i].last)
      return true;
  return false;
}

/* Prints the character at text, escaped if it must be, and returns how many bytes it was. */
static size_t put_character(FILE *out, const char *text, size_t len)
{
  uint32_t c = 0;
  size_t n = decode((const uint8_t *)text, len, &c);

  if (n == 0)
    fprintf(out, "\\x%02x", (unsigned)(uint8_t)text[0]);
  else if (!is_unsafe(c))
    fwrite(text, 1, n, out);
  else if (c == '\n' || c == '\t')
    fputs(c == '\n' ? "\\n" : "\\t", out);
  else
    fprintf(out, c < 0x80 ? "\\x%02" PRIx32 : c < 0x10000 ? "\\u%04" PRIx32 : "\\U%08" PRIx32, c);
  return n == 0 ? 1 : n;
}

void tm_terminal_line(FILE *out, const char *text, size_t len)
{
  for (size_t at = 0; at < len;)
    at += put_character(out, text + at, len - at);
}

void tm_terminal_block(FILE *out, const char *text, size_t len, const char *indent)
{
  if (len > 0 && text[len - 1] == '\n')
    len--;
  fputs(indent, out);
  for (size_t at = 0; at < len;) {
    if (text[at] == '\t') {
      fputs("    ", out);
      at++;
    } else if (text[at] == '\n') {
      fprintf(out, "\n%s", indent);
      at++;
    } else {
      at += put_character(out, text + at, len - at);
    }
  }
  fputc('\n', out);
}

char *tm_terminal_utf8(const char *text, size_t len)
{
  char *copy = len > SIZE_MAX / 3 - 1 ? NULL : malloc(len * 3 + 1);
  size_t to = 0;

  if (copy == NULL)
    return NULL;
  for (size_t at = 0; at < len;) {
    uint32_t c = 0;
    size_t n = decode((const uint8_t *)text + at, len - at, &c);
    bool good = n > 0 && c != 0;
    memcpy(copy + to, good ? text + at : "\xef\xbf\xbd", good ? n : 3);
    to += good ? n : 3;
    at += n == 0 ? 1 : n;
  }
  copy[to] = '\0';
  return copy;
}

static bool is_plain(const char *name)
{
  for (const char *at = name; *at != '\0'; at++)
    if ((uint8_t)*at < 0x80 && strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.+@", *at) == NULL)
      return false;
  return name[0] != '\0';
}

void tm_word_format(const char *name, char word[static TM_WORD_TEXT_LEN])
{
  char *at = word;

  if (strlen(name) > WORD_NAME_MAX)
    name = "NAME";
  if (name[0] == '-')
    at = stpcpy(at, "-- ");
  if (is_plain(name)) {
    stpcpy(at, name);
    return;
  }
  *at++ = '\'';
  for (; *name != '\0'; name++) {
    if (*name == '\'')
      at = stpcpy(at, "'\\'");
    *at++ = *name;
  }
  stpcpy(at, "'");
}

size_t tm_terminal_width(const char *text)
{
  size_t columns = 0;

  for (; *text != '\0'; text++)
    columns += ((uint8_t)*text & 0xc0) != 0x80;
  return columns;
}

void tm_terminal_column(FILE *out, const char *text, size_t columns)
{
  size_t width = tm_terminal_width(text);

  tm_terminal_line(out, text, strlen(text));
  for (; width < columns; width++)
    fputc(' ', out);
}

void tm_size_format(uint64_t bytes, char text[static TM_SIZE_TEXT_LEN])
{
  static const char *const units[] = {"bytes", "KB", "MB", "GB"};
  double v = (double)bytes;
  size_t unit = 0;

  while (v >= 1000 && unit < 3) {
    v /= 1000;
    unit++;
  }
  if (unit == 0)
    snprintf(text, TM_SIZE_TEXT_LEN, "%u byte%s", (unsigned)bytes, bytes == 1 ? "" : "s");
  else
    snprintf(text, TM_SIZE_TEXT_LEN, v < 9.95 ? "%.1f %s" : "%.0f %s", v, units[unit]);
}

void tm_duration_format(uint64_t seconds, char text[static TM_DURATION_TEXT_LEN])
{
  static const struct {
    uint64_t s, until;
    const char *name;
  } units[] = {{1, 120, "second"}, {60, 120 * 60, "minute"}, {3600, 48 * 3600, "hour"}, {24 * 3600, UINT64_MAX, "day"}};
  size_t i = 0;
  uint64_t n;

  while (seconds >= units[i].until)
    i++;
  n = seconds / units[i].s + (seconds % units[i].s >= (units[i].s + 1) / 2 && units[i].s > 1);
  snprintf(text, TM_DURATION_TEXT_LEN, "%" PRIu64 " %s%s", n, units[i].name, n == 1 ? "" : "s");
}

void tm_moment_format(uint64_t unix_s, char text[static TM_MOMENT_TEXT_LEN])
{
  time_t t = (time_t)unix_s;
  struct tm local;

  if (localtime_r(&t, &local) == NULL || strftime(text, TM_MOMENT_TEXT_LEN, "%Y-%m-%d %H:%M", &local) == 0)
    snprintf(text, TM_MOMENT_TEXT_LEN, "%" PRIu64, unix_s);
}

static bool has_colour(FILE *out)
{
  const char *no = getenv("NO_COLOR");
  const char *term = getenv("TERM");

  return isatty(fileno(out)) && (no == NULL || no[0] == '\0') && term != NULL && strcmp(term, "dumb") != 0;
}

const char *tm_terminal_loud(FILE *out) { return has_colour(out) ? "\033[1;31m" : ""; }
const char *tm_terminal_plain(FILE *out) { return has_colour(out) ? "\033[0m" : ""; }

static bool has_bar(void)
{
  const char *term = getenv("TERM");

  return isatty(STDERR_FILENO) && term != NULL && strcmp(term, "dumb") != 0;
}

void tm_bar_show(struct tm_bar *bar, const char *what, uint32_t done, uint32_t of)
{
  char cells[BAR_CELLS * 3 + 1];
  size_t at = 0;
  uint32_t full;

  if (!has_bar())
    return;
  if (done > of)
    done = of;
  full = of == 0 ? 0 : (uint32_t)((uint64_t)done * BAR_CELLS / of);
  for (uint32_t i = 0; of > 0 && i < BAR_CELLS; i++) {
    memcpy(cells + at, i < full ? "\xe2\x96\x88" : "\xe2\x96\x91", 3); /* U+2588, U+2591 */
    at += 3;
  }
  cells[at] = '\0';
  if (of > 0)
    fprintf(stderr, "\r\033[K%s %" PRIu32 "/%" PRIu32 "  %s", cells, done, of, what);
  else
    fprintf(stderr, "\r\033[K%s", what);
  fflush(stderr);
  bar->shown = true;
}

void tm_bar_clear(struct tm_bar *bar)
{
  if (!bar->shown)
    return;
  fputs("\r\033[K", stderr);
  fflush(stderr);
  bar->shown = false;
}
