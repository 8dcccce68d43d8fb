#include "config.h"

#include <sys/stat.h>

#include <stdlib.h>
#include <string.h>

#include "base/file.h"

#include "relay/watch.h"

#define AUTHORITIES_MAX (64 * 1024)

struct tm_watch {
  struct tm_trust *trust;
  struct tm_document *document;
  const char *path;
  struct stat seen; /* of the file when it was read last */
};

int tm_watch_new(struct tm_watch **out, const char *authorities, const char *path)
{
  struct tm_watch *w = calloc(1, sizeof *w);
  uint8_t *text = NULL;
  size_t len = 0;
  int err;

  *out = NULL;
  if (w == NULL)
    return TM_E_NOMEM;
  w->path = path;
  err = tm_file_read(authorities, AUTHORITIES_MAX, &text, &len);
  if (err == TM_OK)
    err = tm_trust_parse(&w->trust, (const char *)text, len);
  tm_file_free(text, len);
  if (err != TM_OK) {
    free(w);
    return err;
  }
  *out = w;
  return TM_OK;
}

void tm_watch_free(struct tm_watch *watch)
{
  if (watch == NULL)
    return;
  tm_document_free(watch->document);
  tm_trust_free(watch->trust);
  free(watch);
}

static bool is_same(const struct stat *a, const struct stat *b)
{
  return a->st_ino == b->st_ino && a->st_size == b->st_size && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
         a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/* May next take the place of the present one? */
static int judge(const struct tm_document *now, const struct tm_document *next)
{
  if (now == NULL)
    return TM_OK;
  if (memcmp(tm_document_digest(now), tm_document_digest(next), 32) == 0)
    return TM_E_EXISTS;
  if (strcmp(tm_document_network(now), tm_document_network(next)) != 0 || tm_document_valid_from(next) < tm_document_valid_from(now))
    return TM_E_CONFLICT;
  return TM_OK;
}

static int take(struct tm_watch *w, const uint8_t *bytes, size_t len, uint64_t now_s)
{
  struct tm_document *next;
  int err = tm_document_open(&next, w->trust, bytes, len, now_s, NULL);

  if (err != TM_OK)
    return err;
  err = judge(w->document, next);
  if (err != TM_OK) {
    tm_document_free(next);
    return err;
  }
  tm_document_free(w->document);
  w->document = next;
  return TM_OK;
}

int tm_watch_look(struct tm_watch *watch, uint64_t now_s, bool forced)
{
  struct stat st;
  uint8_t *bytes;
  size_t len;
  int err;

  if (stat(watch->path, &st) != 0)
    return TM_E_NOT_FOUND;
  if (!forced && is_same(&st, &watch->seen))
    return TM_E_EXISTS;
  err = tm_file_read(watch->path, TM_DOCUMENT_MAX, &bytes, &len);
  if (err != TM_OK)
    return err;
  err = take(watch, bytes, len, now_s);
  tm_file_free(bytes, len);
  /* One that is not valid yet is looked at again: only time has to pass. */
  if (err != TM_E_NOT_YET && err != TM_E_NOMEM)
    watch->seen = st;
  return err;
}

const struct tm_document *tm_watch_document(const struct tm_watch *watch) { return watch->document; }
