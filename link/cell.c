#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "base/wire.h"

#include "link/cell.h"

_Static_assert(TM_CELL_BODY_MAX >= TM_SPHINX_PACKET_LEN, "a packet fits into a cell");
_Static_assert(TM_CELL_BODY_MAX >= TM_SPHINX_SURB_ID_LEN + TM_SPHINX_PAYLOAD_LEN, "a reply fits into a cell");

#define WELCOME_LEN (2 + 2 + TM_SPHINX_HANDLE_LEN)
#define REPLY_LEN (TM_SPHINX_SURB_ID_LEN + TM_SPHINX_PAYLOAD_LEN)
#define PIECE_HEAD_LEN (TM_CELL_DIGEST_LEN + 4 + 4)

static int parse_welcome(struct tm_reader *body, struct tm_cell_view *view)
{
  view->version = tm_read_u16(body);
  tm_read_zeros(body, 2);
  view->handle = tm_read_view(body, TM_SPHINX_HANDLE_LEN);
  return tm_reader_end(body);
}

/* A piece lies inside its document and holds something; "yours is the newest" holds nothing. */
static int parse_piece(struct tm_reader *body, struct tm_cell_view *view)
{
  view->digest = tm_read_view(body, TM_CELL_DIGEST_LEN);
  view->total = tm_read_u32(body);
  view->offset = tm_read_u32(body);
  view->data_len = tm_reader_left(body);
  view->data = tm_read_view(body, view->data_len);
  if (tm_reader_end(body) != TM_OK)
    return TM_E_SYNTAX;
  if (view->total == 0)
    return view->offset == 0 && view->data_len == 0 ? TM_OK : TM_E_SYNTAX;
  if (view->data_len == 0 || view->offset >= view->total || view->data_len > view->total - view->offset)
    return TM_E_SYNTAX;
  return TM_OK;
}

static int parse_body(struct tm_reader *body, struct tm_cell_view *view)
{
  switch (view->type) {
  case TM_CELL_PADDING:
    break;
  case TM_CELL_PACKET:
    view->packet = tm_read_view(body, TM_SPHINX_PACKET_LEN);
    break;
  case TM_CELL_WELCOME:
    return parse_welcome(body, view);
  case TM_CELL_REPLY:
    view->surb_id = tm_read_view(body, TM_SPHINX_SURB_ID_LEN);
    view->payload = tm_read_view(body, TM_SPHINX_PAYLOAD_LEN);
    break;
  case TM_CELL_DOC_REQUEST:
    view->digest = tm_read_view(body, TM_CELL_DIGEST_LEN);
    break;
  case TM_CELL_DOC_PIECE:
    return parse_piece(body, view);
  }
  return tm_reader_end(body);
}

static int check_length(unsigned type, size_t len)
{
  switch (type) {
  case TM_CELL_PADDING:
    return len == 0 ? TM_OK : TM_E_LENGTH;
  case TM_CELL_PACKET:
    return len == TM_SPHINX_PACKET_LEN ? TM_OK : TM_E_LENGTH;
  case TM_CELL_WELCOME:
    return len == WELCOME_LEN ? TM_OK : TM_E_LENGTH;
  case TM_CELL_REPLY:
    return len == REPLY_LEN ? TM_OK : TM_E_LENGTH;
  case TM_CELL_DOC_REQUEST:
    return len == TM_CELL_DIGEST_LEN ? TM_OK : TM_E_LENGTH;
  case TM_CELL_DOC_PIECE:
    return len >= PIECE_HEAD_LEN && len <= TM_CELL_BODY_MAX ? TM_OK : TM_E_LENGTH;
  default:
    return TM_E_UNKNOWN;
  }
}

int tm_cell_parse(const uint8_t cell[static TM_CELL_LEN], struct tm_cell_view *view)
{
  struct tm_reader all = tm_reader_init(cell, TM_CELL_LEN);
  unsigned type = tm_read_u8(&all);
  unsigned zero = tm_read_u8(&all);
  size_t len = tm_read_u16(&all);
  struct tm_cell_view found = {.type = (enum tm_cell_type)type};
  struct tm_reader body;
  int r;

  memset(view, 0, sizeof *view);
  r = check_length(type, len);
  if (r != TM_OK)
    return r;
  body = tm_reader_init(tm_read_view(&all, len), len);
  tm_read_zeros(&all, tm_reader_left(&all));
  if (zero != 0 || tm_reader_end(&all) != TM_OK || parse_body(&body, &found) != TM_OK)
    return TM_E_SYNTAX;
  *view = found;
  return TM_OK;
}

static struct tm_writer start(uint8_t *cell, enum tm_cell_type type, size_t len)
{
  struct tm_writer w = tm_writer_init(cell, TM_CELL_LEN);

  tm_write_u8(&w, (uint8_t)type);
  tm_write_u8(&w, 0);
  tm_write_u16(&w, (uint16_t)len);
  return w;
}

/* The lengths above are constants that fit: anything else is a bug of ours. */
static void finish(struct tm_writer *w)
{
  tm_write_fill(w);
  if (tm_writer_end(w) != TM_OK)
    abort();
}

void tm_cell_padding(uint8_t cell[static TM_CELL_LEN])
{
  struct tm_writer w = start(cell, TM_CELL_PADDING, 0);

  finish(&w);
}

void tm_cell_packet(uint8_t cell[static TM_CELL_LEN], const uint8_t packet[static TM_SPHINX_PACKET_LEN])
{
  struct tm_writer w = start(cell, TM_CELL_PACKET, TM_SPHINX_PACKET_LEN);

  tm_write_bytes(&w, packet, TM_SPHINX_PACKET_LEN);
  finish(&w);
}

void tm_cell_welcome(uint8_t cell[static TM_CELL_LEN], const uint8_t handle[static TM_SPHINX_HANDLE_LEN])
{
  struct tm_writer w = start(cell, TM_CELL_WELCOME, WELCOME_LEN);

  tm_write_u16(&w, TM_LINK_VERSION);
  tm_write_u16(&w, 0);
  tm_write_bytes(&w, handle, TM_SPHINX_HANDLE_LEN);
  finish(&w);
}

void tm_cell_reply(uint8_t cell[static TM_CELL_LEN], const uint8_t surb_id[static TM_SPHINX_SURB_ID_LEN],
                   const uint8_t payload[static TM_SPHINX_PAYLOAD_LEN])
{
  struct tm_writer w = start(cell, TM_CELL_REPLY, REPLY_LEN);

  tm_write_bytes(&w, surb_id, TM_SPHINX_SURB_ID_LEN);
  tm_write_bytes(&w, payload, TM_SPHINX_PAYLOAD_LEN);
  finish(&w);
}

void tm_cell_doc_request(uint8_t cell[static TM_CELL_LEN], const uint8_t digest[static TM_CELL_DIGEST_LEN])
{
  struct tm_writer w = start(cell, TM_CELL_DOC_REQUEST, TM_CELL_DIGEST_LEN);

  tm_write_bytes(&w, digest, TM_CELL_DIGEST_LEN);
  finish(&w);
}

void tm_cell_doc_piece(uint8_t cell[static TM_CELL_LEN], const uint8_t digest[static TM_CELL_DIGEST_LEN],
                       uint32_t total, uint32_t offset, const uint8_t *data, size_t len)
{
  struct tm_writer w = start(cell, TM_CELL_DOC_PIECE, PIECE_HEAD_LEN + len);

  tm_write_bytes(&w, digest, TM_CELL_DIGEST_LEN);
  tm_write_u32(&w, total);
  tm_write_u32(&w, offset);
  tm_write_bytes(&w, data, len);
  finish(&w);
}
