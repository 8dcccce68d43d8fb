/* Without libFuzzer: gives every file of the corpus to the fuzz target, and its prefixes and single-bit changes, so that make check walks the parsers. */
#include "config.h"

#include <dirent.h>
#include <sys/stat.h>

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/file.h"

#define INPUT_MAX (1024 * 1024)
#define CHANGES 64 /* of each file, spread over it */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
int LLVMFuzzerInitialize(int *argc, char ***argv) __attribute__((weak));

/* A copy of exactly len bytes, so that AddressSanitizer sees a read past its end. */
static void give(const uint8_t *data, size_t len)
{
  uint8_t *copy = malloc(len > 0 ? len : 1);

  if (copy == NULL)
    abort();
  if (len > 0)
    memcpy(copy, data, len);
  (void)LLVMFuzzerTestOneInput(copy, len);
  free(copy);
}

static void give_changed(uint8_t *data, size_t len)
{
  size_t step = len / CHANGES + 1;

  give(data, len);
  for (size_t i = 0; i < len; i += step) {
    give(data, i);
    data[i] ^= (uint8_t)(1u << (i % 8));
    give(data, len);
    data[i] ^= (uint8_t)(1u << (i % 8));
  }
}

static int replay_file(const char *path)
{
  uint8_t *data;
  size_t len;
  int err = tm_file_read(path, INPUT_MAX, &data, &len);

  if (err != TM_OK) {
    fprintf(stderr, "%s: %s\n", path, tm_strerror(err));
    return 1;
  }
  give_changed(data, len);
  tm_file_free(data, len);
  return 0;
}

static int replay_directory(const char *path)
{
  DIR *dir = opendir(path);
  struct dirent *entry;
  size_t files = 0;
  int failed = 0;

  if (dir == NULL) {
    fprintf(stderr, "%s: no such corpus\n", path);
    return 1;
  }
  while ((entry = readdir(dir)) != NULL) {
    char name[4096 + 256 + 2];
    if (entry->d_name[0] == '.')
      continue;
    snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
    failed |= replay_file(name);
    files++;
  }
  closedir(dir);
  printf("%s: %zu files\n", path, files);
  return failed != 0 || files == 0;
}

/* Usage: fuzz_NAME [FILE]..., or without: the corpus of that NAME under top_srcdir. */
int main(int argc, char **argv)
{
  const char *top = getenv("top_srcdir");
  const char *base = strrchr(argv[0], '/');
  const char *name = strstr(base != NULL ? base : argv[0], "fuzz_");
  char path[4096];
  int failed = 0;

  if (LLVMFuzzerInitialize != NULL)
    LLVMFuzzerInitialize(&argc, &argv);
  for (int i = 1; i < argc; i++)
    failed |= replay_file(argv[i]);
  if (argc > 1)
    return failed;
  if (name == NULL)
    return 1;
  snprintf(path, sizeof path, "%s/tests/fuzz/corpus/%s", top != NULL ? top : ".", name + strlen("fuzz_"));
  return replay_directory(path);
}
