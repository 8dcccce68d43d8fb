/* Cells: what is accepted has one form only, so that it can be written again from what was read, byte for byte. */
#include "config.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "link/cell.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void require(bool truth)
{
  if (!truth)
    abort();
}

static void write_again(uint8_t *cell, const struct tm_cell_view *view)
{
  switch (view->type) {
  case TM_CELL_PADDING:
    tm_cell_padding(cell);
    break;
  case TM_CELL_PACKET:
    tm_cell_packet(cell, view->packet);
    break;
  case TM_CELL_WELCOME:
    tm_cell_welcome(cell, view->handle);
    cell[4] = (uint8_t)(view->version >> 8);
    cell[5] = (uint8_t)view->version;
    break;
  case TM_CELL_REPLY:
    tm_cell_reply(cell, view->surb_id, view->payload);
    break;
  case TM_CELL_DOC_REQUEST:
    tm_cell_doc_request(cell, view->digest);
    break;
  case TM_CELL_DOC_PIECE:
    require(view->data_len <= TM_CELL_DOC_DATA_MAX);
    require((uint64_t)view->offset + view->data_len <= view->total);
    tm_cell_doc_piece(cell, view->digest, view->total, view->offset, view->data, view->data_len);
    break;
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
  static const struct tm_cell_view nothing;
  struct tm_cell_view view;
  uint8_t *cell = calloc(1, TM_CELL_LEN); /* of its own, so that reading past it is seen */
  uint8_t again[TM_CELL_LEN];
  int r;

  if (cell == NULL)
    return 0;
  /* Shorter inputs stand for a cell that ends in zeros. */
  memcpy(cell, data, len < TM_CELL_LEN ? len : TM_CELL_LEN);
  r = tm_cell_parse(cell, &view);
  if (r == TM_OK) {
    write_again(again, &view);
    require(memcmp(cell, again, TM_CELL_LEN) == 0);
  } else {
    require(r == TM_E_UNKNOWN || r == TM_E_LENGTH || r == TM_E_SYNTAX);
    require(memcmp(&view, &nothing, sizeof view) == 0);
  }
  free(cell);
  return 0;
}
