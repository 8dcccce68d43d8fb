/*
 * Configuration files. One table per program yields the parser, the defaults, the sample configuration and the manual's
 * text. The syntax is libconfuse's "name = value" with '#' comments, kept strict: a value is a plain word or stands in
 * double quotes, a list in braces. Unknown and repeated options, numbers that are not plain decimals in range, other
 * comments, escapes, variables and "+=" are refused, each with file, line and what to do.
 *
 *   struct my_config { char *name; uint32_t workers; unsigned roles; };
 *   static const char *const roles[] = {"entry", "mix", "store", NULL};
 *   static const struct tm_option options[] = {
 *     {.name = "name", .kind = TM_OPTION_STRING, TM_OPTION_AT(struct my_config, name), .required = true,
 *      .example = "mill1", .help = "..."},
 *     {.name = "workers", .kind = TM_OPTION_INTEGER, TM_OPTION_AT(struct my_config, workers), .min = 1, .max = 64,
 *      .unit = "threads", .fallback = "2", .help = "..."},
 *     {.name = "roles", .kind = TM_OPTION_CHOICES, TM_OPTION_AT(struct my_config, roles), .choices = roles,
 *      .required = true, .example = "{mix}", .help = "..."},
 *   };
 *   static const struct tm_option_table table = {
 *     .program = "my", .options = options, .n = 3, .size = sizeof(struct my_config)};
 *
 * For programs only, from their main thread alone (libconfuse's lexer is one global).
 */
#ifndef TM_BASE_CONFIG_OPTIONS_H
#define TM_BASE_CONFIG_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define TM_OPTIONS_MAX 64               /* options of one table */
#define TM_OPTIONS_FILE_MAX (64 * 1024) /* bytes of a configuration file */
#define TM_OPTION_TEXT_MAX 255          /* characters of a string unless the table says less */
#define TM_OPTION_PATH_MAX 4095

enum tm_option_kind {
  TM_OPTION_INTEGER, /* field: uint32_t or uint64_t; min to max, in unit */
  TM_OPTION_STRING,  /* field: char *; printable, min to max characters (max 0: TM_OPTION_TEXT_MAX) */
  TM_OPTION_PATH,    /* field: char *; a relative one is taken from the directory of the configuration file */
  TM_OPTION_ADDRESS, /* field: char *; "127.0.0.1:4711" or "[::1]:4711", base/address.h */
  TM_OPTION_CHOICE,  /* field: unsigned or an enum; index into choices */
  TM_OPTION_CHOICES, /* field: unsigned; bit i set: choices[i] was named. Each at most once, at least one */
  TM_OPTION_BOOLEAN  /* field: bool; yes or no */
};

struct tm_option {
  const char *group;          /* heading of those that begin here; NULL: of the one before */
  const char *name;
  const char *help;           /* whole sentences; what it does and why one would change it */
  enum tm_option_kind kind;
  size_t offset, size;        /* of its field: TM_OPTION_AT */
  uint64_t min, max;
  const char *unit;           /* "threads", "milliseconds"; NULL: none */
  const char *const *choices; /* ended by NULL; at most 32 */
  bool required;
  const char *fallback;       /* default, as a file would have it; NULL: none, the field stays 0 or NULL */
  const char *example;        /* what the sample shows for an option without default */
  bool reload;                /* a running program takes a new value over: tm_options_reload */
};

#define TM_OPTION_AT(type, member) .offset = offsetof(type, member), .size = sizeof(((type *)0)->member)

struct tm_option_place; /* where options stood, for complaints */

struct tm_option_table {
  const char *program;
  const struct tm_option *options;
  size_t n;    /* at most TM_OPTIONS_MAX */
  size_t size; /* of the struct that takes the values */
  /*
   * What single options cannot say ("a mix needs a layer"): calls tm_options_complain for each mistake. It is also called
   * when single options are wrong: those have their default, 0 or NULL, and tm_options_good tells. May be NULL.
   */
  void (*check)(const void *values, struct tm_option_place *place);
};

/* Reports a mistake about that option of the file; the load then fails. */
void tm_options_complain(struct tm_option_place *place, const char *option, const char *format, ...)
  __attribute__((format(printf, 3, 4)));
/* Has that option a value, from the file or its default, that is allowed? */
bool tm_options_good(const struct tm_option_place *place, const char *option);
/* Did the file name that option (true), or has it its default (false)? */
bool tm_options_given(const struct tm_option_place *place, const char *option);

/*
 * Reads a file into *values (table->size bytes, overwritten), with defaults for what is not there. Every mistake
 * becomes one line on complaints: "FILE:LINE: what, and what to do", by line, each once. The caller frees with tm_options_free. Errors,
 * *values then zero, all of them reported: TM_E_NOT_FOUND, TM_E_IO, TM_E_TOO_BIG, TM_E_SYNTAX, TM_E_NOMEM.
 */
int tm_options_load(const struct tm_option_table *table, const char *path, void *values, FILE *complaints)
  __attribute__((warn_unused_result));
/* The same from memory; path: for complaints and relative paths. */
int tm_options_parse(const struct tm_option_table *table, const char *path, const char *text, size_t len, void *values,
                     FILE *complaints) __attribute__((warn_unused_result));
void tm_options_free(const struct tm_option_table *table, void *values); /* leaves zeros */

/* Hears of an option whose two values differ: was the new one taken, or does it need a restart? */
typedef void tm_option_differs(void *arg, const struct tm_option *option, bool taken);
/*
 * For a running program: takes those of *fresh (another load with the same table) that may change while it runs, in
 * exchange for the old ones; the rest of *values stays. Returns how many were taken. The caller frees *fresh, and with it
 * the old texts: nobody may keep a pointer to a text whose option has reload.
 */
size_t tm_options_reload(const struct tm_option_table *table, void *values, void *fresh, tm_option_differs *differs,
                         void *arg);

/* The line in which the file sets that option; 0: nowhere, or it cannot be read. For what is found out after the load. */
int tm_options_line(const char *path, const char *option);

/* A configuration file with every option, its text, range and default; it loads as it is. */
void tm_options_print_sample(const struct tm_option_table *table, FILE *out);
/* The same as the OPTIONS part of a manual page, troff with man macros, .TP for each option. */
void tm_options_print_manual(const struct tm_option_table *table, FILE *out);

#endif
