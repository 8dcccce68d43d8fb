#include "config.h"

#include "relay/topology.h"

static bool is_layer(const struct tm_relay_info *relay, unsigned layer)
{
  return (relay->roles & TM_ROLE_MIX) != 0 && relay->layer == layer;
}

bool tm_topology_sends(const struct tm_relay_info *from, const struct tm_relay_info *to)
{
  if ((from->roles & (TM_ROLE_ENTRY | TM_ROLE_STORE)) != 0 && is_layer(to, 1))
    return true;
  for (unsigned layer = 1; layer < TM_DOCUMENT_LAYERS; layer++)
    if (is_layer(from, layer) && is_layer(to, layer + 1))
      return true;
  return is_layer(from, TM_DOCUMENT_LAYERS) && (to->roles & (TM_ROLE_ENTRY | TM_ROLE_STORE)) != 0;
}
