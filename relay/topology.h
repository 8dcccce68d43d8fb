/*
 * Who sends to whom: entries -> layer 1 -> 2 -> 3 -> stores and entries; stores -> layer 1 (doc/spec/mixing.md, section 1). A sender
 * dials; a relay accepts links from those that may send to it and from nobody else.
 */
#ifndef TM_RELAY_TOPOLOGY_H
#define TM_RELAY_TOPOLOGY_H

#include <stdbool.h>

#include "directory/document.h"

/* May packets go from that relay to this one? */
bool tm_topology_sends(const struct tm_relay_info *from, const struct tm_relay_info *to);

#endif
