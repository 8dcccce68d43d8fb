/* The engine's limits against those who take more than their part: from the configuration and the document to links and entry. */
#include "config.h"

#include "relay/internal.h"

#define FIRST_CELL_TICKS 40 /* no Poisson clock is silent for so many mean times */
#define FIRST_CELL_MOST_MS 60000

/* A client's first cell comes with its clock. */
static uint32_t first_cell_ms(const struct tm_relay_config *config, const struct tm_params *params)
{
  uint64_t ticks_ms = (uint64_t)FIRST_CELL_TICKS * params->tick_us / 1000;

  if (ticks_ms <= config->first_cell_ms)
    return config->first_cell_ms;
  if (ticks_ms < FIRST_CELL_MOST_MS)
    return (uint32_t)ticks_ms;
  return config->first_cell_ms > FIRST_CELL_MOST_MS ? config->first_cell_ms : FIRST_CELL_MOST_MS;
}

struct tm_link_limits tm_engine_limits(const struct tm_relay_config *config, const struct tm_params *params)
{
  return (struct tm_link_limits){
    .address = {.links = config->links_per_address, .handshakes = config->handshakes_per_address, .connects = config->connects_per_address},
    .network = {.links = config->links_per_network, .handshakes = config->handshakes_per_network, .connects = config->connects_per_network},
    .handshakes = config->handshakes_max,
    .first_cell_ms = first_cell_ms(config, params),
  };
}

void tm_engine_set_limits(struct tm_engine *e, const struct tm_params *params)
{
  struct tm_link_limits limits = tm_engine_limits(e->config, params);

  tm_network_set_limits(e->net, &limits);
  if (e->entry != NULL)
    tm_entry_set_limits(e->entry, e->config->client_idle_ms, e->config->client_rate_percent);
}
