#include "config.h"

#include <sys/mman.h>

#include <string.h>

#include "relay/tagtable.h"

#define LINE TM_TAGTABLE_LINE
#define LINE_BYTES (LINE * sizeof(uint64_t))
#define FIRST_HOMES 512
#define EXTRA_LINES 128         /* behind the last home: at a load of 9/10 nothing is pushed nearly as far */
#define GROW_NUM 8              /* grow at a load of 8/10 ... */
#define FULL_NUM 9              /* ... and without memory to grow, take no more at 9/10 */
#define LOAD_DEN 10
#define MOVE_PER_TAG 2          /* lines; the move is over when the table has grown by a thirteenth */
#define PIECE_LINES (1u << 15)  /* 2 MiB: what a chore does at a time, and the size of a huge page */
#define AHEAD_LINES (8u * PIECE_LINES)
#define SMALL_LINES (1u << 17)  /* 8 MiB: up to here growth needs no chores, and chores that lag behind have time enough beyond */

static int lines_map(struct tm_taglines *l, uint64_t homes)
{
  size_t len = (size_t)(homes + EXTRA_LINES) * LINE_BYTES;
  void *memory = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

  if (memory == MAP_FAILED)
    return TM_E_NOMEM;
  if (homes > SMALL_LINES)
    (void)madvise(memory, len, MADV_NOHUGEPAGE); /* an insertion that comes before the chore meets a small fault, not one of milliseconds */
  *l = (struct tm_taglines){.line = memory, .homes = homes};
  return TM_OK;
}

static void lines_unmap(struct tm_taglines *l)
{
  if (l->line != NULL)
    munmap(l->line, (size_t)(l->homes + EXTRA_LINES) * LINE_BYTES);
  *l = (struct tm_taglines){.line = NULL};
}

static uint64_t home_of(const struct tm_taglines *l, uint64_t tag) { return (uint64_t)(((unsigned __int128)tag * l->homes) >> 64); }

/* Where the tag is, or where it would go, from that line on; NULL: nowhere up to the end. *at: the line. */
static uint64_t *find(const struct tm_taglines *l, uint64_t tag, uint64_t *at)
{
  for (; *at < l->homes + EXTRA_LINES; ++*at) {
    uint64_t *line = l->line[*at];
    unsigned same = 0, used = 0;
    for (unsigned i = 0; i < LINE; i++) {
      same |= (unsigned)(line[i] == tag) << i;
      used += line[i] != 0; /* a line fills from its front */
    }
    if (same != 0)
      return &line[__builtin_ctz(same)];
    if (used < LINE)
      return &line[used];
  }
  return NULL;
}

static bool put(struct tm_taglines *l, uint64_t tag)
{
  uint64_t home = home_of(l, tag), at = home;
  uint64_t *slot = find(l, tag, &at);

  if (slot == NULL)
    return false;
  *slot = tag;
  if (at - home > l->reach)
    l->reach = at - home;
  return true;
}

int tm_tagtable_init(struct tm_tagtable *table, uint64_t expected)
{
  *table = (struct tm_tagtable){.expected = expected};
  return lines_map(&table->now, FIRST_HOMES);
}

void tm_tagtable_wipe(struct tm_tagtable *table)
{
  lines_unmap(&table->now);
  lines_unmap(&table->next);
  lines_unmap(&table->spent);
}

/* ---- growth ---- */

static uint64_t room_of(const struct tm_taglines *l, unsigned num) { return l->homes * LINE / LOAD_DEN * num; }

static void start_growing(struct tm_tagtable *t)
{
  uint64_t homes = t->now.homes + t->now.homes / 2;
  uint64_t enough = t->expected / (LINE * GROW_NUM) * LOAD_DEN + FIRST_HOMES;

  if (homes > enough && t->now.homes < enough)
    homes = enough;
  if (t->spent.line != NULL || lines_map(&t->next, homes) != TM_OK)
    return; /* the next insertion tries again */
  t->moved = 0;
  t->freed = 0;
  t->touched = 0;
}

static void move_lines(struct tm_tagtable *t, unsigned n)
{
  for (; n > 0; n--) {
    const uint64_t *line = t->now.line[t->moved];
    for (unsigned i = 0; i < LINE && line[i] != 0; i++)
      if (!put(&t->next, line[i]))
        return; /* it stays where it is, and so does the border */
    if (++t->moved < t->now.homes + EXTRA_LINES)
      continue;
    t->spent = t->now;
    t->now = t->next;
    if (t->spent.homes <= SMALL_LINES)
      lines_unmap(&t->spent);
    t->next = (struct tm_taglines){.line = NULL};
    return;
  }
}

/* ---- look up and insert ---- */

/* Is one that belongs in front of the border still behind it? */
static bool is_behind(const struct tm_tagtable *t, uint64_t tag, uint64_t home)
{
  uint64_t at = t->moved;
  const uint64_t *slot;

  if (home + t->now.reach < t->moved)
    return false;
  slot = find(&t->now, tag, &at);
  return slot != NULL && *slot == tag;
}

static bool in_next(const struct tm_tagtable *t, uint64_t home) { return t->next.line != NULL && home < t->moved; }

static bool has_room(struct tm_tagtable *t)
{
  if (t->next.line == NULL && t->count >= room_of(&t->now, GROW_NUM))
    start_growing(t);
  return t->next.line != NULL || t->count < room_of(&t->now, FULL_NUM);
}

enum tm_tag_verdict tm_tagtable_insert(struct tm_tagtable *table, uint64_t tag, bool insert)
{
  struct tm_tagtable *t = table;
  struct tm_taglines *l = &t->now;
  uint64_t home, at;
  uint64_t *slot;

  tag += tag == 0;
  home = at = home_of(l, tag);
  if (in_next(t, home)) {
    if (is_behind(t, tag, home))
      return TM_TAG_KNOWN;
    l = &t->next;
    home = at = home_of(l, tag);
  }
  slot = find(l, tag, &at);
  if (slot != NULL && *slot == tag)
    return TM_TAG_KNOWN;
  if (!insert)
    return TM_TAG_NEW;
  if (slot == NULL || !has_room(t))
    return TM_TAG_NO_ROOM;
  *slot = tag; /* has_room moves nothing, so it is still the place */
  if (at - home > l->reach)
    l->reach = at - home;
  t->count++;
  if (t->next.line != NULL)
    move_lines(t, MOVE_PER_TAG);
  return TM_TAG_NEW;
}

void tm_tagtable_prefetch(const struct tm_tagtable *table, uint64_t tag)
{
  uint64_t home = home_of(&table->now, tag);

  if (in_next(table, home))
    __builtin_prefetch(table->next.line[home_of(&table->next, tag)], 1);
  else
    __builtin_prefetch(table->now.line[home], 1);
}

/* ---- memory ---- */

uint64_t tm_tagtable_bytes(const struct tm_tagtable *table)
{
  uint64_t lines = table->now.homes + EXTRA_LINES;

  if (table->next.line != NULL)
    lines += table->moved / 2;
  return lines * LINE_BYTES;
}

/* The next table is filled from its front, at the border's pace. */
static uint64_t border_in_next(const struct tm_tagtable *t)
{
  return (uint64_t)((unsigned __int128)t->moved * t->next.homes / t->now.homes);
}

static bool wants_touch(const struct tm_tagtable *t)
{
  uint64_t end = t->next.homes + EXTRA_LINES;

  return t->next.line != NULL && t->next.homes > SMALL_LINES && t->touched < end && t->touched < border_in_next(t) + AHEAD_LINES;
}

static bool wants_free(const struct tm_tagtable *t)
{
  return t->next.line != NULL && t->now.homes > SMALL_LINES && t->freed + PIECE_LINES <= t->moved;
}

bool tm_tagtable_has_chore(const struct tm_tagtable *table)
{
  return table->spent.line != NULL || wants_touch(table) || wants_free(table);
}

bool tm_tagtable_chore(struct tm_tagtable *table, struct tm_tagtable_chore *c)
{
  struct tm_tagtable *t = table;
  uint64_t end, from;

  *c = (struct tm_tagtable_chore){.what = TM_CHORE_UNMAP};
  if (wants_touch(t)) {
    from = border_in_next(t) > t->touched ? border_in_next(t) / 64 * 64 : t->touched; /* whole pages */
    end = t->next.homes + EXTRA_LINES;
    c->what = TM_CHORE_TOUCH;
    c->to = end - from < PIECE_LINES ? end : from + PIECE_LINES;
    c->at = t->next.line[from];
    c->len = (size_t)(c->to - from) * LINE_BYTES;
  } else if (t->spent.line != NULL) {
    end = t->spent.homes + EXTRA_LINES;
    c->is_spent = true;
    c->what = end - t->freed <= PIECE_LINES ? TM_CHORE_UNMAP : TM_CHORE_FREE;
    c->to = t->freed + PIECE_LINES;
    c->at = t->spent.line[c->what == TM_CHORE_UNMAP ? 0 : t->freed];
    c->len = (size_t)(c->what == TM_CHORE_UNMAP ? end : PIECE_LINES) * LINE_BYTES;
  } else if (wants_free(t)) {
    c->what = TM_CHORE_FREE;
    c->to = t->freed + PIECE_LINES;
    c->at = t->now.line[t->freed];
    c->len = PIECE_LINES * LINE_BYTES;
  } else
    return false;
  return true;
}

void tm_tagtable_chore_do(const struct tm_tagtable_chore *chore)
{
  switch (chore->what) {
  case TM_CHORE_TOUCH:
    (void)madvise(chore->at, chore->len, MADV_HUGEPAGE); /* fewer misses of the TLB; the system may decline */
#ifdef MADV_POPULATE_WRITE
    /* Where the kernel is too old for it, insertions meet the page faults themselves: three for each batch. */
    (void)madvise(chore->at, chore->len, MADV_POPULATE_WRITE);
#endif
    break;
  case TM_CHORE_FREE:
    (void)madvise(chore->at, chore->len, MADV_DONTNEED);
    break;
  case TM_CHORE_UNMAP:
    munmap(chore->at, chore->len);
    break;
  }
}

void tm_tagtable_chore_done(struct tm_tagtable *table, const struct tm_tagtable_chore *chore)
{
  /* While a piece was touched or freed the move may have ended: `touched` then is about a table that needs it no more, `freed` goes on. */
  if (chore->what == TM_CHORE_UNMAP) {
    table->spent = (struct tm_taglines){.line = NULL};
    table->freed = 0;
  } else if (chore->what == TM_CHORE_FREE)
    table->freed = chore->to;
  else
    table->touched = chore->to;
}
