/*
 * What stands in the way of a relay beside its configuration's syntax: files, keys, document, address, room. In whole sentences, with
 * what to do; check-config and run share them. Blocking; main thread.
 */
#ifndef TM_RELAY_CHECK_H
#define TM_RELAY_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "relay/capacity.h"
#include "relay/options.h"

struct tm_check {
  const struct tm_relay_config *config;
  const char *path;        /* of the configuration */
  uint64_t now_s;          /* unix time */
  FILE *out;
  bool start;              /* only what keeps a relay from starting */
  size_t errors, warnings; /* counted */
};

/* All but the capacity. */
void tm_check_all(struct tm_check *check);
/* Prints what this machine carries, and warns of what promises more. memory: of the machine, bytes; 0: unknown. */
void tm_check_capacity(struct tm_check *check, const struct tm_capacity *capacity, uint64_t memory);

#endif
