/* The configuration of a running relay, read again: what may change is taken over without touching a packet. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"

#include "relay/internal.h"

/*
 * Hands new values to the parts that copied the old ones when they were made. An option that is read from e->config where it is used needs no line
 * here; one that has no .reload in options.c must have none.
 */
static void spread(struct tm_engine *e)
{
  const struct tm_relay_config *c = e->config;

  tm_log_set_level(c->log_level);
  if (e->store != NULL)
    tm_store_set_quota(e->store, c->store_quota_boxes);
  if (e->entry != NULL)
    tm_entry_set_queue(e->entry, c->client_queue);
  tm_engine_set_limits(e, &e->params);
}

static void say_difference(void *arg, const struct tm_option *option, bool taken)
{
  (void)arg;
  if (taken)
    tm_log(TM_LOG_INFO, "relay", "an option changed", TM_KV_NAME("option", option->name), TM_KV_END);
  else
    tm_log(TM_LOG_WARN, "relay", "an option differs from the one that is in use; it needs a restart", TM_KV_NAME("option", option->name),
           TM_KV_END);
}

/* One line of the log for each mistake, as the log has no others. They quote our own file only. */
static void say_mistakes(char *text)
{
  char *rest = NULL;

  for (char *line = strtok_r(text, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest))
    tm_log(TM_LOG_ERROR, "relay", "the configuration is refused, and all stays as it was", TM_KV_NAME("mistake", line), TM_KV_END);
}

static int read_again(const char *path, struct tm_relay_config *fresh)
{
  char *text = NULL;
  size_t len = 0;
  FILE *complaints = open_memstream(&text, &len);
  int err;

  if (complaints == NULL)
    return TM_E_NOMEM;
  err = tm_options_load(&tm_relay_options, path, fresh, complaints);
  if (fclose(complaints) != 0 || text == NULL) {
    if (err == TM_OK)
      tm_options_free(&tm_relay_options, fresh);
    free(text);
    return TM_E_NOMEM;
  }
  say_mistakes(text);
  free(text);
  return err;
}

int tm_engine_reconfigure(struct tm_engine *e)
{
  struct tm_relay_config fresh;
  size_t n;

  if (e->config_path == NULL)
    return TM_OK;
  if (read_again(e->config_path, &fresh) != TM_OK)
    return TM_E_SYNTAX;
  n = tm_options_reload(&tm_relay_options, e->changeable, &fresh, say_difference, NULL);
  tm_options_free(&tm_relay_options, &fresh);
  spread(e);
  tm_log(TM_LOG_INFO, "relay", "reloaded", TM_KV_INT("changed", n), TM_KV_END);
  return TM_OK;
}
