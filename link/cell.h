/*
 * Cells: the one unit that travels on every link, in both directions (doc/spec/link.md). Bytes in, bytes out;
 * no socket and no state; any thread.
 *
 *   type (1) | zero (1) | body length (2) | body | zeros up to TM_CELL_LEN
 */
#ifndef TM_LINK_CELL_H
#define TM_LINK_CELL_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "sphinx/sphinx.h"

#define TM_CELL_LEN 2400
#define TM_CELL_HEAD_LEN 4
#define TM_CELL_BODY_MAX (TM_CELL_LEN - TM_CELL_HEAD_LEN)
#define TM_CELL_DIGEST_LEN 32
#define TM_CELL_DOC_DATA_MAX (TM_CELL_BODY_MAX - TM_CELL_DIGEST_LEN - 8) /* 2356 */
#define TM_LINK_VERSION 1

enum tm_cell_type {
  TM_CELL_PADDING = 1,     /* nothing: 0 */
  TM_CELL_PACKET = 2,      /* a Sphinx packet: TM_SPHINX_PACKET_LEN */
  /*
   * Acknowledgement, first cell from the accepting side: version (2), zero (2), session handle (16; zero on a relay
   * link)
   */
  TM_CELL_WELCOME = 3,
  TM_CELL_REPLY = 4,       /* entry to client: SURB identifier (16), payload (TM_SPHINX_PAYLOAD_LEN) */
  TM_CELL_DOC_REQUEST = 5, /* client to entry: BLAKE2b-256 of the text of the document it has, or zeros (32) */
  /*
   * Entry to client: digest (32), total length (4; 0: yours is the newest), offset (4), data (up to
   * TM_CELL_DOC_DATA_MAX)
   */
  TM_CELL_DOC_PIECE = 6
};

/* A parsed cell; the pointers look into it. Only the fields of its type are set. */
struct tm_cell_view {
  enum tm_cell_type type;
  const uint8_t *packet;  /* PACKET */
  const uint8_t *handle;  /* WELCOME: 16 */
  uint16_t version;       /* WELCOME */
  const uint8_t *surb_id; /* REPLY: 16 */
  const uint8_t *payload; /* REPLY: TM_SPHINX_PAYLOAD_LEN */
  const uint8_t *digest;  /* DOC_REQUEST, DOC_PIECE: 32 */
  uint32_t total;         /* DOC_PIECE, bytes */
  uint32_t offset;        /* DOC_PIECE, bytes */
  const uint8_t *data;    /* DOC_PIECE */
  size_t data_len;
};

/* Errors: TM_E_UNKNOWN (type), TM_E_LENGTH (body length wrong for the type), TM_E_SYNTAX (other bytes). */
int tm_cell_parse(const uint8_t cell[static TM_CELL_LEN], struct tm_cell_view *view) TM_MUST_CHECK;

/* Each writes a whole cell. */
void tm_cell_padding(uint8_t cell[static TM_CELL_LEN]);
void tm_cell_packet(uint8_t cell[static TM_CELL_LEN], const uint8_t packet[static TM_SPHINX_PACKET_LEN]);
void tm_cell_welcome(uint8_t cell[static TM_CELL_LEN], const uint8_t handle[static TM_SPHINX_HANDLE_LEN]);
void tm_cell_reply(uint8_t cell[static TM_CELL_LEN], const uint8_t surb_id[static TM_SPHINX_SURB_ID_LEN],
                   const uint8_t payload[static TM_SPHINX_PAYLOAD_LEN]);
void tm_cell_doc_request(uint8_t cell[static TM_CELL_LEN], const uint8_t digest[static TM_CELL_DIGEST_LEN]);
/*
 * Piece at offset of a document of total bytes; total 0 says that the client's is the newest. len <=
 * TM_CELL_DOC_DATA_MAX.
 */
void tm_cell_doc_piece(uint8_t cell[static TM_CELL_LEN], const uint8_t digest[static TM_CELL_DIGEST_LEN],
                       uint32_t total, uint32_t offset, const uint8_t *data, size_t len);

#endif
