/* What strangers wrote, on a person's terminal and disk; and words of ours. */
#include "config.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "client/save.h"
#include "client/terminal.h"

static char *printed(const char *text, size_t len, const char *indent)
{
  char *out = NULL;
  size_t out_len = 0;
  FILE *f = open_memstream(&out, &out_len);

  if (indent == NULL)
    tm_terminal_line(f, text, len);
  else
    tm_terminal_block(f, text, len, indent);
  fclose(f);
  return out;
}

static void test_line(void **state)
{
  static const struct {
    const char *in, *out;
  } cases[] = {
    {"plain text, \xc3\xa4\xe2\x82\xac\xf0\x9f\x8c\x8a", "plain text, \xc3\xa4\xe2\x82\xac\xf0\x9f\x8c\x8a"},
    {"\x1b[2J\x1b]0;x\x07", "\\x1b[2J\\x1b]0;x\\x07"},
    {"a\nb\tc\rd\x7f", "a\\nb\\tc\\x0dd\\x7f"},
    {"\xc2\x9b" "31m", "\\u009b31m"},             /* C1 CSI */
    {"a\xe2\x80\xae" "b", "a\\u202eb"},           /* right-to-left override */
    {"a\xe2\x81\xa6" "b\xef\xbb\xbf", "a\\u2066b\\ufeff"},
    {"a\xf3\xa0\x81\x81", "a\\U000e0041"},        /* tag character */
    {"\xff\xc3", "\\xff\\xc3"},
    {"\xc0\x9b", "\\xc0\\x9b"},                   /* overlong */
    {"\xed\xa0\x80", "\\xed\\xa0\\x80"},          /* surrogate */
    {"\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"}, /* beyond Unicode */
    {"\xe2\x82", "\\xe2\\x82"},
  };

  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    char *out = printed(cases[i].in, strlen(cases[i].in), NULL);
    assert_string_equal(out, cases[i].out);
    free(out);
  }
}

/* No byte below a space ever gets out but the new lines of a block, whatever comes in. */
static void test_every_byte(void **state)
{
  (void)state;
  for (unsigned a = 0; a < 256; a++)
    for (unsigned b = 0; b < 256; b++) {
      const char text[] = {'x', (char)a, (char)b, 'y'};
      char *out = printed(text, sizeof text, NULL);
      for (const char *at = out; *at != '\0'; at++)
        assert_true((unsigned char)*at >= ' ' && *at != 0x7f);
      assert_true(strstr(out, "\xc2\x80") == NULL && strstr(out, "\xc2\x9b") == NULL);
      free(out);
    }
}

static void test_block(void **state)
{
  char *out = printed("one\ntwo\x1b\n\n\tthree\n", 17, "| ");

  (void)state;
  assert_string_equal(out, "| one\n| two\\x1b\n| \n|     three\n");
  free(out);
  out = printed("", 0, "| ");
  assert_string_equal(out, "| \n");
  free(out);
}

static void test_utf8(void **state)
{
  char *out = tm_terminal_utf8("a\0b\xff\xc3\xa4", 6);

  (void)state;
  assert_string_equal(out, "a\xef\xbf\xbd" "b\xef\xbf\xbd\xc3\xa4");
  free(out);
}

static void test_words(void **state)
{
  char size[TM_SIZE_TEXT_LEN];
  char duration[TM_DURATION_TEXT_LEN];
  static const struct {
    uint64_t v;
    const char *size, *duration;
  } cases[] = {
    {0, "0 bytes", "0 seconds"},        {1, "1 byte", "1 second"},        {119, "119 bytes", "119 seconds"},
    {120, "120 bytes", "2 minutes"},    {999, "999 bytes", "17 minutes"}, {100000, "100 KB", "28 hours"},
    {1500000, "1.5 MB", "17 days"},     {604800, "605 KB", "7 days"},     {9990, "10 KB", "3 hours"},
  };

  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    tm_size_format(cases[i].v, size);
    assert_string_equal(size, cases[i].size);
    tm_duration_format(cases[i].v, duration);
    assert_string_equal(duration, cases[i].duration);
  }
}

static void test_word(void **state)
{
  char word[TM_WORD_TEXT_LEN];
  char longest[65];
  static const struct {
    const char *in, *out;
  } cases[] = {
    {"bob", "bob"},         {"Zo\xc3\xab", "Zo\xc3\xab"}, {"a b", "'a b'"}, {"", "''"}, {"o'neill", "'o'\\''neill'"},
    {"-x", "-- -x"},        {"$(reboot)", "'$(reboot)'"}, {"*", "'*'"},     {"-a b", "-- '-a b'"},
  };

  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    tm_word_format(cases[i].in, word);
    assert_string_equal(word, cases[i].out);
  }
  memset(longest, '\'', 64);
  longest[64] = '\0';
  tm_word_format(longest, word);
  assert_string_equal(word, "NAME");
  longest[63] = '\0';
  tm_word_format(longest, word);
  assert_int_equal(strlen(word), 2 + 4 * 63);
}

static void test_save_name(void **state)
{
  char safe[TM_SAVE_NAME_LEN];
  char *longest = malloc(1001);
  static const struct {
    const char *in, *out;
  } cases[] = {
    {"report.pdf", "report.pdf"}, {"../../etc/passwd", "_./.._etc_passwd"}, {".bashrc", "_bashrc"}, {"-rf", "_rf"},
    {"a/b\\c\n", "a_b_c_"},       {"", "file"},                            {"~x", "_x"},
  };

  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    tm_save_name(cases[i].in, safe);
    if (strchr(cases[i].out, '/') == NULL)
      assert_string_equal(safe, cases[i].out);
    assert_null(strchr(safe, '/'));
    assert_int_not_equal(safe[0], '.');
  }
  for (size_t i = 0; i < 1000; i++)
    longest[i] = i % 2 == 0 ? '\xc3' : '\xa4';
  longest[1000] = '\0';
  for (size_t skip = 0; skip < 2; skip++) {
    tm_save_name(skip == 0 ? longest : "x", safe);
    assert_true(strlen(safe) <= 200);
  }
  longest[0] = 'x'; /* now the cut falls within a character */
  memmove(longest + 1, longest + 2, 999);
  tm_save_name(longest, safe);
  assert_int_equal(strlen(safe), 199);
  free(longest);
}

static void test_save_never_over(void **state)
{
  char dir[] = "/tmp/tidemill-save-XXXXXX";
  char expected[64];
  static const char *const endings[] = {"a.txt", "a-2.txt", "a-3.txt"};

  (void)state;
  assert_non_null(mkdtemp(dir));
  for (size_t i = 0; i < 3; i++) {
    const char content = (char)('a' + i);
    uint8_t *data = NULL;
    size_t len = 0;
    char *path = NULL;
    struct stat st;
    assert_int_equal(tm_save_file(dir, "a.txt", &content, 1, &path), TM_OK);
    snprintf(expected, sizeof expected, "%s/%s", dir, endings[i]);
    assert_string_equal(path, expected);
    assert_int_equal(tm_file_read(path, 10, &data, &len), TM_OK);
    assert_int_equal(len, 1);
    assert_int_equal(data[0], content);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(st.st_nlink, 1);
    tm_file_free(data, len);
    free(path);
  }
  for (size_t i = 0; i < 3; i++) {
    snprintf(expected, sizeof expected, "%s/%s", dir, endings[i]);
    assert_int_equal(unlink(expected), 0);
  }
  assert_int_equal(rmdir(dir), 0); /* no temporary file is left */
}

static void test_save_fails_without_directory(void **state)
{
  char *path = NULL;

  (void)state;
  assert_int_equal(tm_save_file("/nonexistent-directory", "a", "x", 1, &path), TM_E_IO);
  assert_null(path);
}

static void test_qr(void **state)
{
  char *out = NULL;
  size_t len = 0;
  FILE *f = open_memstream(&out, &len);
  size_t lines = 0;

  (void)state;
  assert_int_equal(tm_terminal_qr(f, "01234-56789-ABCDE-FGHJK-MNPQR-STVWX"), TM_OK);
  fclose(f);
  for (const char *at = out; *at != '\0'; at++)
    lines += *at == '\n';
  assert_true(lines >= (21 + 8 + 1) / 2);
  assert_memory_equal(out, "\xe2\x96\x88", 3); /* the quiet zone is light */
  free(out);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_line),      cmocka_unit_test(test_every_byte),      cmocka_unit_test(test_block),
    cmocka_unit_test(test_utf8),      cmocka_unit_test(test_words),           cmocka_unit_test(test_save_name),
    cmocka_unit_test(test_save_never_over), cmocka_unit_test(test_save_fails_without_directory), cmocka_unit_test(test_qr),
    cmocka_unit_test(test_word),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
