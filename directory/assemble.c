#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "directory/note.h"
#include "directory/params.h"
#include "directory/parse.h"
#include "directory/relay_text.h"

#include "directory/assemble.h"

#define SIGNATURES_ROOM (TM_DOCUMENT_AUTHORITIES_MAX * (TM_NOTE_NAME_MAX + 128))

static int by_name(const void *a, const void *b)
{
  const struct tm_relay_info *const *x = a;
  const struct tm_relay_info *const *y = b;

  return strcmp((*x)->name, (*y)->name);
}

static void write_document(FILE *out, const struct tm_document_draft *draft, const struct tm_relay_info *const *sorted)
{
  char from[TM_TIME_TEXT_LEN];
  char until[TM_TIME_TEXT_LEN];
  char value[TM_PARAM_VALUE_MAX];

  tm_time_format(draft->valid_from, from);
  tm_time_format(draft->valid_until, until);
  fprintf(out, TM_DOCUMENT_HEAD "\nnetwork %s\nvalid-from %s\nvalid-until %s\n", draft->network, from, until);
  fprintf(out, "epoch %" PRIu64 "\n", draft->params.epoch_s > 0 ? draft->valid_from / draft->params.epoch_s : 0);
  for (size_t i = 0; i < tm_params_count(); i++) {
    tm_params_format(&draft->params, i, value);
    fprintf(out, "param %s %s\n", tm_params_at(i)->name, value);
  }
  for (size_t i = 0; i < draft->n; i++)
    tm_relay_text_write(out, sorted[i]);
}

static int write_text(const struct tm_document_draft *draft, char **text, size_t *len)
{
  const struct tm_relay_info **sorted = calloc(draft->n + 1, sizeof *sorted);
  FILE *out = open_memstream(text, len);
  int err = TM_E_NOMEM;

  if (sorted != NULL && out != NULL) {
    for (size_t i = 0; i < draft->n; i++)
      sorted[i] = &draft->relays[i];
    qsort(sorted, draft->n, sizeof *sorted, by_name);
    write_document(out, draft, sorted);
    err = ferror(out) ? TM_E_NOMEM : TM_OK;
  }
  if (out != NULL && fclose(out) != 0)
    err = TM_E_NOMEM;
  free(sorted);
  return err;
}

int tm_document_assemble(const struct tm_document_draft *draft, char **text, size_t *len, struct tm_fault *fault)
{
  struct tm_document *doc = NULL;
  int err;

  *text = NULL;
  *len = 0;
  memset(fault, 0, sizeof *fault);
  err = write_text(draft, text, len);
  if (err == TM_OK && *len > TM_DOCUMENT_MAX - SIGNATURES_ROOM)
    err = tm_fault_set(fault, 0, TM_E_TOO_BIG,
                       "%zu bytes; with signatures at most %d: fewer relays, or fewer keys of each", *len,
                       TM_DOCUMENT_MAX);
  if (err == TM_OK)
    err = tm_document_parse(&doc, *text, *len, fault);
  tm_document_free(doc);
  if (err != TM_OK) {
    free(*text);
    *text = NULL;
    *len = 0;
  }
  return err;
}
