/*
 * The subcommands of tidemill-relay. Main thread.
 */
#ifndef TM_RELAY_COMMANDS_H
#define TM_RELAY_COMMANDS_H

#include "base/config/command.h"

/* Options before the command; the arg of tm_program_main. */
struct tm_relay_call {
  const char *config_path; /* -c; NULL: not given */
};

/* The configuration that -c names, for the caller to free with tm_options_free; what is wrong is said. Returns enum tm_exit. */
struct tm_relay_config;
int tm_relay_load(const struct tm_command_call *call, struct tm_relay_config *config);

/* Measures for a second what this machine carries, prints it to check->out, and warns of what promises more. */
struct tm_check;
void tm_relay_check_capacity(struct tm_check *check);

/* For the command table. */
extern const struct argp_option tm_relay_keygen_options[], tm_relay_status_options[], tm_relay_print_options_options[];

int tm_relay_keygen(const struct tm_command_call *call);
int tm_relay_check_config(const struct tm_command_call *call);
int tm_relay_run(const struct tm_command_call *call);
int tm_relay_status(const struct tm_command_call *call); /* status_command.c */
int tm_relay_print_options(const struct tm_command_call *call);

#endif
