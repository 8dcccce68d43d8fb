/*
 * The log: lines of key=value on standard error, level by level. There is no way to print an
 * address, a packet's identifier, a key or a stranger's text: values are integers, names from our own tables, or
 * texts of our own configuration and of the system (paths, strerror). That is by construction, not by care.
 *
 *   tm_log(TM_LOG_INFO, "relay", "listening", TM_KV_INT("port", 4711), TM_KV_END);
 *
 * Any thread; a line is one write.
 */
#ifndef TM_BASE_LOG_H
#define TM_BASE_LOG_H

#include <stdint.h>

enum tm_log_level { TM_LOG_ERROR, TM_LOG_WARN, TM_LOG_INFO, TM_LOG_DEBUG };

enum tm_kv_kind { TM_KV_KIND_END, TM_KV_KIND_INT, TM_KV_KIND_NAME };

struct tm_kv {
  enum tm_kv_kind kind;
  const char *key;
  int64_t number;
  const char *name;
};

#define TM_KV_INT(k, v) ((struct tm_kv){.kind = TM_KV_KIND_INT, .key = (k), .number = (int64_t)(v)})
/* v: a name of our own tables, a path of our own configuration, or tm_strerror/strerror text. */
#define TM_KV_NAME(k, v) ((struct tm_kv){.kind = TM_KV_KIND_NAME, .key = (k), .name = (v)})
#define TM_KV_END ((struct tm_kv){.kind = TM_KV_KIND_END})

/* Lines above this level are dropped; TM_LOG_INFO at start. Call before threads start. */
void tm_log_set_level(enum tm_log_level level);
/* "error", "warn", "info", "debug"; TM_E_SYNTAX for another. */
int tm_log_level_parse(const char *text, enum tm_log_level *level) __attribute__((warn_unused_result));
/* room: which part speaks; event: what happened; then tm_kv values, ended by TM_KV_END. */
void tm_log_write(enum tm_log_level level, const char *room, const char *event, const struct tm_kv *kv);

#define tm_log(level, room, event, ...) tm_log_write((level), (room), (event), (const struct tm_kv[]){__VA_ARGS__})

#endif
