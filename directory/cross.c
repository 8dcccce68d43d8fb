#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "directory/parse.h"

static int by_identity(const void *a, const void *b)
{
  const struct tm_relay_info *const *x = a;
  const struct tm_relay_info *const *y = b;

  return memcmp((*x)->identity, (*y)->identity, sizeof (*x)->identity);
}

static int by_address(const void *a, const void *b)
{
  const struct tm_relay_info *const *x = a;
  const struct tm_relay_info *const *y = b;

  return strcmp((*x)->address, (*y)->address);
}

static int by_point(const void *a, const void *b)
{
  const struct tm_mix_key *const *x = a;
  const struct tm_mix_key *const *y = b;

  return memcmp((*x)->point, (*y)->point, sizeof (*x)->point);
}

static int check_roles(const struct tm_document *doc, struct tm_fault *fault)
{
  size_t entries = 0;
  size_t stores = 0;
  size_t mixes[TM_DOCUMENT_LAYERS + 1] = {0};

  for (size_t i = 0; i < doc->n_relays; i++) {
    entries += (doc->relays[i].roles & TM_ROLE_ENTRY) != 0;
    stores += (doc->relays[i].roles & TM_ROLE_STORE) != 0;
    mixes[doc->relays[i].layer]++;
  }
  if (entries == 0)
    return tm_fault_set(fault, 0, TM_E_SYNTAX, "there is no entry: a network needs one or more");
  if (stores < TM_DOCUMENT_STORES_MIN)
    return tm_fault_set(fault, 0, TM_E_SYNTAX, "there are fewer than two stores: each box goes to two");
  for (unsigned layer = 1; layer <= TM_DOCUMENT_LAYERS; layer++)
    if (mixes[layer] == 0)
      return tm_fault_set(fault, 0, TM_E_SYNTAX, "there is no mix in layer %u", layer);
  return TM_OK;
}

/* Relays in the order of a comparison, in doc->by_identity. Errors: TM_E_SYNTAX (two are the same). */
static int sort_relays(struct tm_document *doc, int (*compare)(const void *, const void *), const char *what,
                       struct tm_fault *fault)
{
  const struct tm_relay_info **sorted = doc->by_identity;

  for (size_t i = 0; i < doc->n_relays; i++)
    sorted[i] = &doc->relays[i];
  qsort(sorted, doc->n_relays, sizeof *sorted, compare);
  for (size_t i = 1; i < doc->n_relays; i++)
    if (compare(&sorted[i - 1], &sorted[i]) == 0)
      return tm_fault_set(fault, 0, TM_E_SYNTAX, "relays %s and %s have the same %s", sorted[i - 1]->name,
                          sorted[i]->name, what);
  return TM_OK;
}

static int check_points(const struct tm_document *doc, struct tm_fault *fault)
{
  const struct tm_mix_key **sorted = calloc(doc->n_keys + 1, sizeof *sorted);
  int err = TM_OK;

  if (sorted == NULL)
    return TM_E_NOMEM;
  for (size_t i = 0; i < doc->n_keys; i++)
    sorted[i] = &doc->keys[i];
  qsort(sorted, doc->n_keys, sizeof *sorted, by_point);
  for (size_t i = 1; i < doc->n_keys && err == TM_OK; i++)
    if (by_point(&sorted[i - 1], &sorted[i]) == 0)
      err = tm_fault_set(fault, 0, TM_E_SYNTAX, "a mix key stands twice: each epoch of each relay has its own");
  free(sorted);
  return err;
}

int tm_document_cross_check(struct tm_document *doc, struct tm_fault *fault)
{
  int err = check_roles(doc, fault);

  if (err == TM_OK)
    err = sort_relays(doc, by_address, "address", fault);
  if (err == TM_OK)
    err = sort_relays(doc, by_identity, "identity", fault);
  return err == TM_OK ? check_points(doc, fault) : err;
}
