#include "config.h"

#include <fcntl.h>
#include <unistd.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "directory/document.h"
#include "sphinx/sphinx.h"

#include "relay/counters.h"

static const char *const names[TM_DROPS] = {
  [TM_DROP_NONE] = "none",
  [TM_DROP_LENGTH] = "length",
  [TM_DROP_NONCANONICAL] = "noncanonical",
  [TM_DROP_LOW_ORDER] = "low_order",
  [TM_DROP_MAC] = "mac",
  [TM_DROP_COMMAND] = "command",
  [TM_DROP_REPLAY] = "replay",
  [TM_DROP_REPLAY_FULL] = "replay_full",
  [TM_DROP_REPLAY_JOURNAL] = "replay_journal",
  [TM_DROP_TAG] = "tag",
  [TM_DROP_NO_KEY] = "no_key",
  [TM_DROP_NO_DOCUMENT] = "no_document",
  [TM_DROP_INGRESS_FULL] = "ingress_full",
  [TM_DROP_DELAY] = "delay",
  [TM_DROP_MIX_FULL] = "mix_full",
  [TM_DROP_EGRESS_FULL] = "egress_full",
  [TM_DROP_NO_LINK] = "no_link",
  [TM_DROP_UNKNOWN_NEXT] = "unknown_next",
  [TM_DROP_UNKNOWN_SESSION] = "unknown_session",
  [TM_DROP_DOWNLINK_FULL] = "downlink_full",
  [TM_DROP_CLIENT_GONE] = "client_gone",
  [TM_DROP_ROLE] = "role",
  [TM_DROP_STORE_FULL] = "store_full",
  [TM_DROP_STORE_MALFORMED] = "store_malformed",
  [TM_DROP_OWN_FAILED] = "own_failed",
  [TM_DROP_SHUTDOWN] = "shutdown",
};

const char *tm_drop_name(enum tm_drop reason)
{
  return (unsigned)reason < TM_DROPS ? names[reason] : "unknown";
}

enum tm_drop tm_drop_of_verdict(int verdict)
{
  switch (verdict) {
  case TM_SPHINX_OK:
    return TM_DROP_NONE;
  case TM_SPHINX_E_LENGTH:
    return TM_DROP_LENGTH;
  case TM_SPHINX_E_NONCANONICAL:
    return TM_DROP_NONCANONICAL;
  case TM_SPHINX_E_LOW_ORDER:
    return TM_DROP_LOW_ORDER;
  case TM_SPHINX_E_MAC:
    return TM_DROP_MAC;
  case TM_SPHINX_E_COMMAND:
    return TM_DROP_COMMAND;
  case TM_SPHINX_E_REPLAY:
    return TM_DROP_REPLAY;
  case TM_SPHINX_E_TAG:
    return TM_DROP_TAG;
  default:
    abort(); /* no other verdict exists: a bug of ours */
  }
}

bool tm_snapshot_balanced(const struct tm_snapshot *s)
{
  const struct tm_counters *t = &s->totals;
  uint64_t in = t->in_link + t->in_own + t->in_reply;
  uint64_t gone = t->out_link + t->out_store + t->out_client + t->out_loop;

  for (size_t i = TM_DROP_NONE + 1; i < TM_DROPS; i++)
    gone += t->drop[i];
  return t->drop[TM_DROP_NONE] == 0 && in == gone + s->held && s->held == s->slab_used;
}

static void put(json_t *object, const char *key, uint64_t value)
{
  json_object_set_new(object, key, json_integer((json_int_t)value));
}

json_t *tm_roles_json(unsigned roles)
{
  json_t *list = json_array();

  if (roles & TM_ROLE_ENTRY)
    json_array_append_new(list, json_string("entry"));
  if (roles & TM_ROLE_MIX)
    json_array_append_new(list, json_string("mix"));
  if (roles & TM_ROLE_STORE)
    json_array_append_new(list, json_string("store"));
  return list;
}

static json_t *drops_json(const struct tm_counters *t)
{
  json_t *drops = json_object();

  for (size_t i = TM_DROP_NONE + 1; i < TM_DROPS; i++)
    put(drops, names[i], t->drop[i]);
  return drops;
}

static json_t *store_json(const struct tm_store_totals *s)
{
  json_t *store = json_object();

  put(store, "boxes", s->boxes);
  put(store, "put", s->put);
  put(store, "get_hit", s->get_hit);
  put(store, "get_miss", s->get_miss);
  put(store, "conflict", s->conflict);
  put(store, "refused", s->refused);
  put(store, "full", s->full);
  put(store, "failed", s->failed);
  put(store, "work", s->work);
  put(store, "expired", s->expired);
  return store;
}

static json_t *cover_json(const struct tm_cover_totals *c)
{
  json_t *cover = json_object();

  put(cover, "loops", c->loops);
  put(cover, "home", c->home);
  put(cover, "late", c->late);
  put(cover, "dummies", c->dummies);
  put(cover, "alarms", c->alarms);
  json_object_set_new(cover, "alarm", json_boolean(c->alarm));
  json_object_set_new(cover, "held", json_boolean(c->held));
  return cover;
}

static json_t *refused_json(const struct tm_link_refused *r)
{
  json_t *refused = json_object();

  for (size_t i = 0; i < TM_LINK_REFUSALS; i++)
    put(refused, tm_link_refusal_name((enum tm_link_refusal)i), r->n[i]);
  return refused;
}

static json_t *tagging_json(const struct tm_tagging_totals *t)
{
  json_t *tagging = json_object();

  put(tagging, "failures", t->failures);
  put(tagging, "alarms", t->alarms);
  json_object_set_new(tagging, "alarm", json_boolean(t->alarm));
  return tagging;
}

json_t *tm_snapshot_json(const struct tm_snapshot *s)
{
  const struct tm_counters *t = &s->totals;
  json_t *root = json_object();
  json_t *in = json_object();
  json_t *out = json_object();
  json_t *links = json_object();

  put(in, "link", t->in_link);
  put(in, "own", t->in_own);
  put(in, "reply", t->in_reply);
  put(out, "link", t->out_link);
  put(out, "store", t->out_store);
  put(out, "client", t->out_client);
  put(out, "loop", t->out_loop);
  put(links, "relays", s->relay_links);
  put(links, "clients", s->client_links);
  put(links, "handshakes", s->refused.handshakes);
  json_object_set_new(root, "name", json_string(s->name));
  json_object_set_new(root, "roles", tm_roles_json(s->roles));
  json_object_set_new(root, "in", in);
  json_object_set_new(root, "out", out);
  put(root, "held", s->held);
  json_object_set_new(root, "drop", drops_json(t));
  json_object_set_new(root, "store", store_json(&s->store));
  json_object_set_new(root, "cover", cover_json(&s->cover));
  json_object_set_new(root, "tagging", tagging_json(&s->tagging));
  json_object_set_new(root, "links", links);
  json_object_set_new(root, "refused", refused_json(&s->refused));
  json_object_set_new(root, "balanced", json_boolean(tm_snapshot_balanced(s)));
  return root;
}

/* A file that nobody else has put there or can put a link in the place of, for the operator's eyes; NULL: errno says why. */
static FILE *create(const char *path)
{
  int fd = unlink(path) == 0 || errno == ENOENT ? open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640) : -1;
  FILE *f = fd >= 0 ? fdopen(fd, "w") : NULL;

  if (fd >= 0 && f == NULL)
    close(fd);
  return f;
}

/* Readers see the old or the new file. It is rewritten every second, so it is not worth an fsync. */
static int replace_file(const char *path, const char *text)
{
  size_t cap = strlen(path) + sizeof ".new";
  char *temp = malloc(cap);
  FILE *f;
  int err = TM_E_IO;

  if (temp == NULL)
    return TM_E_NOMEM;
  snprintf(temp, cap, "%s.new", path);
  f = create(temp);
  if (f != NULL) {
    bool good = fputs(text, f) >= 0 && fputc('\n', f) != EOF;
    if (fclose(f) == 0 && good && rename(temp, path) == 0)
      err = TM_OK;
    else
      unlink(temp);
  }
  free(temp);
  return err;
}

int tm_snapshot_write(const struct tm_snapshot *snapshot, const char *path)
{
  json_t *root = tm_snapshot_json(snapshot);
  char *text = root == NULL ? NULL : json_dumps(root, JSON_COMPACT | JSON_PRESERVE_ORDER);
  int err = text == NULL ? TM_E_NOMEM : replace_file(path, text);

  free(text);
  json_decref(root);
  return err;
}
