/*
 * The configuration of a relay: one table (options.c) gives the parser, the defaults, the sample and the manual. Main thread.
 *
 * An option with .reload is taken over from the file on SIGHUP: relay/reload.c hands new values to whoever copied the old ones.
 */
#ifndef TM_RELAY_OPTIONS_H
#define TM_RELAY_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/config/options.h"
#include "base/log.h"

struct tm_relay_config {
  char *name;
  char *state_dir;
  char *user;         /* NULL: the owner of state_dir */
  bool sandbox;
  char *address;      /* announced in the descriptor */
  char *listen;       /* bound; NULL: address */
  unsigned roles;     /* enum tm_role bits */
  uint32_t layer;     /* of a mix; else 0 */
  char *authorities;  /* file of verifier keys */
  char *document;     /* file of the signed document */
  uint32_t workers;   /* 0: one per core */
  enum tm_log_level log_level;
  char *counters_file; /* NULL: none */
  char *control_socket; /* NULL: state-dir/control */
  char *metrics_address; /* NULL: none */
  uint32_t metrics_interval_s;
  char *store_file;    /* NULL: state-dir/boxes.db */
  uint64_t store_quota_boxes;
  uint32_t packets_max;
  uint32_t ingress_queue;
  uint32_t egress_queue;
  uint32_t mix_max;
  uint32_t store_queue;
  uint32_t max_clients;
  uint32_t client_queue;
  uint64_t replay_max_tags;
  uint32_t batch_wait_ms;
  uint32_t drain_ms;
  uint32_t handshake_ms;
  uint32_t handshakes_max;
  uint32_t handshakes_per_address, handshakes_per_network;
  uint32_t connects_per_address, connects_per_network;
  uint32_t links_per_address, links_per_network;
  uint32_t first_cell_ms;
  uint32_t client_idle_ms;
  uint32_t client_rate_percent;
};

extern const struct tm_option_table tm_relay_options;

#endif
