#include "config.h"

#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "base/wire.h"

#include "client/pending.h"

#define ROW_LEN (1 + TM_BOX_ID_LEN + TM_BOX_SIGNATURE_LEN + TM_BOX_LEN)

struct tm_pending *tm_pending_table_new(void) { return calloc(TM_PENDING_MAX, sizeof(struct tm_pending)); }

struct tm_pending *tm_pending_free_one(struct tm_pending *table)
{
  for (size_t i = 0; i < TM_PENDING_MAX; i++)
    if (!table[i].used)
      return &table[i];
  return NULL;
}

static struct tm_vault_place place_of(const struct tm_pending *p)
{
  return (struct tm_vault_place){"pending", p->conv, p->slot};
}

void tm_pending_insert(struct tm_pending *p, struct tm_state *s)
{
  uint8_t row[ROW_LEN];
  uint8_t sealed[ROW_LEN + TM_VAULT_OVERHEAD];
  struct tm_writer w = tm_writer_init(row, sizeof row);

  tm_write_u8(&w, (uint8_t)(p->has_ack | p->has_text << 1));
  tm_write_bytes(&w, p->id, sizeof p->id);
  tm_write_bytes(&w, p->signature, sizeof p->signature);
  tm_write_bytes(&w, p->box, sizeof p->box);
  tm_vault_seal(s->vault, &s->rng, place_of(p), row, sizeof row, sealed);
  tm_db_run(s->db, "INSERT INTO pending(conv, slot, done, accepted, sealed) VALUES(?, ?, ?, ?, ?)", "iiiib",
            (int64_t)p->conv, (int64_t)p->slot, (int64_t)p->done, (int64_t)p->accepted, sealed, sizeof sealed);
  p->used = true;
}

void tm_pending_update(struct tm_pending *p, struct tm_state *s)
{
  tm_db_run(s->db, "UPDATE pending SET done = ?, accepted = ? WHERE conv = ? AND slot = ?", "iiii", (int64_t)p->done,
            (int64_t)p->accepted, (int64_t)p->conv, (int64_t)p->slot);
}

void tm_pending_remove(struct tm_pending *p, struct tm_state *s)
{
  tm_db_run(s->db, "DELETE FROM pending WHERE conv = ? AND slot = ?", "ii", (int64_t)p->conv, (int64_t)p->slot);
  sodium_memzero(p, sizeof *p);
}

struct tm_pending *tm_pending_find(struct tm_pending *table, uint64_t conv, uint64_t slot)
{
  for (size_t i = 0; i < TM_PENDING_MAX; i++)
    if (table[i].used && table[i].conv == conv && table[i].slot == slot)
      return &table[i];
  return NULL;
}

static int load_row(struct tm_pending *p, struct tm_state *s, sqlite3_stmt *stmt)
{
  uint8_t row[ROW_LEN] = {0};
  struct tm_reader r = tm_reader_init(row, sizeof row);
  const uint8_t *sealed;
  uint8_t flags;
  size_t len;
  int err;

  p->conv = (uint64_t)sqlite3_column_int64(stmt, 0);
  p->slot = (uint64_t)sqlite3_column_int64(stmt, 1);
  p->done = (unsigned)sqlite3_column_int(stmt, 2) & 15u;
  p->accepted = sqlite3_column_int(stmt, 3) != 0;
  sealed = tm_db_blob(stmt, 4, &len);
  if (sealed == NULL || len != ROW_LEN + TM_VAULT_OVERHEAD)
    return TM_E_SYNTAX;
  err = tm_vault_unseal(s->vault, place_of(p), sealed, len, row);
  if (err != TM_OK)
    return err;
  flags = tm_read_u8(&r);
  p->has_ack = flags & 1;
  p->has_text = flags >> 1 & 1;
  tm_read_bytes(&r, p->id, sizeof p->id);
  tm_read_bytes(&r, p->signature, sizeof p->signature);
  tm_read_bytes(&r, p->box, sizeof p->box);
  p->used = true;
  return TM_OK;
}

int tm_pending_load(struct tm_pending *table, struct tm_state *s)
{
  sqlite3_stmt *stmt = tm_db_start(s->db, "SELECT conv, slot, done, accepted, sealed FROM pending ORDER BY slot", "");
  size_t n = 0;
  int err = TM_OK;

  while (err == TM_OK && tm_db_row(s->db, stmt)) {
    err = n == TM_PENDING_MAX ? TM_E_FULL : load_row(&table[n], s, stmt);
    n++;
  }
  if (err != TM_OK)
    tm_db_end(stmt);
  return err != TM_OK ? err : tm_db_error(s->db);
}
