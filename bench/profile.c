#include "config.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

#include <dirent.h>
#include <dlfcn.h>
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <ucontext.h>

#include "bench/profile.h"

#define SAMPLES_MAX 262144
#define THREADS_MAX 80
#define PERIOD_NS 1000000 /* finer than the kernel's clock, so that the clock decides */
#define THREAD_CPU_CLOCK(tid) ((clockid_t)((~(unsigned)(tid)) << 3 | 6)) /* as pthread_getcpuclockid makes it */

#if UINTPTR_MAX == UINT64_MAX
typedef Elf64_Ehdr elf_header;
typedef Elf64_Shdr elf_section;
typedef Elf64_Sym elf_symbol;
#define SYMBOL_TYPE(info) ELF64_ST_TYPE(info)
#else
typedef Elf32_Ehdr elf_header;
typedef Elf32_Shdr elf_section;
typedef Elf32_Sym elf_symbol;
#define SYMBOL_TYPE(info) ELF32_ST_TYPE(info)
#endif

static uintptr_t *samples;
static atomic_size_t n_samples;
static timer_t timers[THREADS_MAX];
static size_t n_timers;

const char *tm_bench_part_name(enum tm_bench_part part)
{
  static const char *const names[TM_BENCH_PARTS] = {
    [TM_BENCH_PART_SOCKETS] = "sockets",       [TM_BENCH_PART_TLS] = "TLS and cells",     [TM_BENCH_PART_PACKET] = "packet crypto",
    [TM_BENCH_PART_REPLAY] = "replay set",     [TM_BENCH_PART_MIX] = "mix",               [TM_BENCH_PART_QUEUES] = "queues and engine",
    [TM_BENCH_PART_COPY] = "copying, wiping", [TM_BENCH_PART_WAKE] = "event loop, waking", [TM_BENCH_PART_REST] = "rest",
  };

  return names[part];
}

/* ---- taking samples ---- */

static uintptr_t where(const ucontext_t *context)
{
#if defined(__x86_64__)
  return (uintptr_t)context->uc_mcontext.gregs[REG_RIP];
#elif defined(__aarch64__)
  return (uintptr_t)context->uc_mcontext.pc;
#else
  (void)context;
  return 0;
#endif
}

static void on_tick(int signal, siginfo_t *info, void *context)
{
  size_t at = atomic_fetch_add_explicit(&n_samples, 1, memory_order_relaxed);

  (void)signal;
  (void)info;
  if (at < SAMPLES_MAX)
    samples[at] = where(context);
}

static bool watch_thread(pid_t tid)
{
  struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGPROF};
  struct itimerspec period = {.it_interval.tv_nsec = PERIOD_NS, .it_value.tv_nsec = PERIOD_NS};

#ifdef sigev_notify_thread_id
  event.sigev_notify_thread_id = tid;
#else
  event._sigev_un._tid = tid;
#endif
  if (n_timers == THREADS_MAX || timer_create(THREAD_CPU_CLOCK(tid), &event, &timers[n_timers]) != 0)
    return false;
  return timer_settime(timers[n_timers++], 0, &period, NULL) == 0;
}

static int watch_threads(void)
{
  DIR *dir = opendir("/proc/self/task");
  struct dirent *entry;
  int err = dir == NULL ? TM_E_IO : TM_OK;

  while (err == TM_OK && (entry = readdir(dir)) != NULL)
    if (entry->d_name[0] != '.' && !watch_thread((pid_t)strtol(entry->d_name, NULL, 10)))
      err = TM_E_IO;
  if (dir != NULL)
    closedir(dir);
  return err;
}

int tm_bench_profile_start(void)
{
  struct sigaction action = {.sa_sigaction = on_tick, .sa_flags = SA_SIGINFO | SA_RESTART};
  ucontext_t here;
  int err;

  if (getcontext(&here) != 0 || where(&here) == 0)
    return TM_E_IO;
  if (samples == NULL)
    samples = mmap(NULL, SAMPLES_MAX * sizeof *samples, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (samples == MAP_FAILED) {
    samples = NULL;
    return TM_E_NOMEM;
  }
  sigaction(SIGPROF, &action, NULL);
  atomic_store(&n_samples, 0);
  err = watch_threads();
  if (err != TM_OK) {
    struct tm_bench_profile ignored;
    tm_bench_profile_stop(&ignored);
  }
  return err;
}

/* ---- the program's own symbols ---- */

struct function {
  uintptr_t address;
  const char *name;
  const char *file; /* of a static one; NULL: global */
};

struct program {
  void *image;
  size_t len;
  uintptr_t base; /* where it is loaded */
  struct function *functions;
  size_t n;
};

static int by_address(const void *a, const void *b)
{
  uintptr_t x = ((const struct function *)a)->address, y = ((const struct function *)b)->address;

  return (x > y) - (x < y);
}

static int find_base(struct dl_phdr_info *info, size_t size, void *arg)
{
  (void)size;
  *(uintptr_t *)arg = info->dlpi_addr;
  return 1; /* the first one is the program */
}

static bool map_program(struct program *p)
{
  int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
  struct stat st;

  if (fd < 0)
    return false;
  if (fstat(fd, &st) == 0 && st.st_size > (off_t)sizeof(elf_header)) {
    p->len = (size_t)st.st_size;
    p->image = mmap(NULL, p->len, PROT_READ, MAP_PRIVATE, fd, 0);
  }
  close(fd);
  return p->image != NULL && p->image != MAP_FAILED;
}

static void take_symbols(struct program *p, const elf_section *table, const char *strings)
{
  const elf_symbol *symbol = (const elf_symbol *)(const void *)((const char *)p->image + table->sh_offset);
  size_t n = table->sh_size / sizeof *symbol;
  const char *file = NULL;

  p->functions = calloc(n, sizeof *p->functions);
  for (size_t i = 0; p->functions != NULL && i < n; i++) {
    if (SYMBOL_TYPE(symbol[i].st_info) == STT_FILE)
      file = strings + symbol[i].st_name;
    if (SYMBOL_TYPE(symbol[i].st_info) == STT_FUNC && symbol[i].st_value != 0)
      p->functions[p->n++] = (struct function){
        p->base + symbol[i].st_value, strings + symbol[i].st_name, ELF64_ST_BIND(symbol[i].st_info) == STB_LOCAL ? file : NULL};
  }
  if (p->n > 0)
    qsort(p->functions, p->n, sizeof *p->functions, by_address);
}

/* Our own executable, as the kernel has loaded it: its tables are believed. */
static void load_program(struct program *p)
{
  const elf_header *header;
  const elf_section *section;

  *p = (struct program){.image = NULL};
  if (!map_program(p))
    return;
  dl_iterate_phdr(find_base, &p->base);
  header = p->image;
  section = (const elf_section *)(const void *)((const char *)p->image + header->e_shoff);
  for (size_t i = 0; i < header->e_shnum; i++)
    if (section[i].sh_type == SHT_SYMTAB && section[i].sh_link < header->e_shnum) {
      take_symbols(p, &section[i], (const char *)p->image + section[section[i].sh_link].sh_offset);
      return;
    }
}

static void unload_program(struct program *p)
{
  free(p->functions);
  if (p->image != NULL && p->image != MAP_FAILED)
    munmap(p->image, p->len);
}

static const struct function *find_function(const struct program *p, uintptr_t at)
{
  size_t low = 0, high = p->n;

  while (low < high) {
    size_t middle = (low + high) / 2;
    if (p->functions[middle].address <= at)
      low = middle + 1;
    else
      high = middle;
  }
  return low > 0 ? &p->functions[low - 1] : NULL;
}

/* ---- telling what it is ---- */

struct rule {
  const char *word; /* what a name begins with */
  enum tm_bench_part part;
};

#define LAST(rules) (sizeof(rules) / sizeof(rules)[0])

static bool match(const struct rule *rules, size_t n, const char *name, enum tm_bench_part *part)
{
  for (size_t i = 0; name != NULL && i < n; i++)
    if (strncmp(name, rules[i].word, strlen(rules[i].word)) == 0) {
      *part = rules[i].part;
      return true;
    }
  return false;
}

/* Source files, for static functions, and prefixes of global ones. */
static const struct rule own[] = {
  {"tm_link_", TM_BENCH_PART_TLS},   {"tm_tls_", TM_BENCH_PART_TLS},       {"tm_cell_", TM_BENCH_PART_TLS},
  {"io.c", TM_BENCH_PART_TLS},       {"link.c", TM_BENCH_PART_TLS},        {"tls.c", TM_BENCH_PART_TLS},
  {"cell.c", TM_BENCH_PART_TLS},     {"context.c", TM_BENCH_PART_TLS},     {"tm_replay", TM_BENCH_PART_REPLAY},
  {"replay", TM_BENCH_PART_REPLAY},  {"tm_journal", TM_BENCH_PART_REPLAY}, {"journal", TM_BENCH_PART_REPLAY},
  {"tm_mix", TM_BENCH_PART_MIX},     {"mix", TM_BENCH_PART_MIX},           {"tm_rng", TM_BENCH_PART_MIX},
  {"rng.c", TM_BENCH_PART_MIX},      {"randomness", TM_BENCH_PART_MIX},    {"engine", TM_BENCH_PART_QUEUES},
  {"tm_engine", TM_BENCH_PART_QUEUES}, {"slab", TM_BENCH_PART_QUEUES},     {"tm_slab", TM_BENCH_PART_QUEUES},
  {"ring", TM_BENCH_PART_QUEUES},    {"tm_ring", TM_BENCH_PART_QUEUES},    {"worker", TM_BENCH_PART_QUEUES},
  {"tm_worker", TM_BENCH_PART_QUEUES}, {"network", TM_BENCH_PART_QUEUES},  {"tm_network", TM_BENCH_PART_QUEUES},
  {"entry.c", TM_BENCH_PART_QUEUES}, {"tm_entry", TM_BENCH_PART_QUEUES},   {"tm_keys", TM_BENCH_PART_QUEUES},
  {"keys.c", TM_BENCH_PART_QUEUES},  {"clock", TM_BENCH_PART_WAKE},        {"tm_clock", TM_BENCH_PART_WAKE},
  {"wire.c", TM_BENCH_PART_TLS},     {"tm_read", TM_BENCH_PART_TLS},       {"tm_write", TM_BENCH_PART_TLS},
};

static const struct rule libraries[] = {
  {"libcrypto", TM_BENCH_PART_TLS},  {"libssl", TM_BENCH_PART_TLS},      {"libsodium", TM_BENCH_PART_PACKET},
  {"libevent", TM_BENCH_PART_WAKE},  {"linux-vdso", TM_BENCH_PART_WAKE}, {"[vdso]", TM_BENCH_PART_WAKE},
};

static const struct rule calls[] = {
  {"send", TM_BENCH_PART_SOCKETS},    {"__send", TM_BENCH_PART_SOCKETS}, {"recv", TM_BENCH_PART_SOCKETS}, {"__recv", TM_BENCH_PART_SOCKETS},
  {"accept", TM_BENCH_PART_SOCKETS},  {"connect", TM_BENCH_PART_SOCKETS}, {"fsync", TM_BENCH_PART_REPLAY}, {"fdatasync", TM_BENCH_PART_REPLAY},
  {"pwrite", TM_BENCH_PART_REPLAY},
};

static const struct rule known[] = {
  {"crypto_shorthash", TM_BENCH_PART_REPLAY},
  {"mem", TM_BENCH_PART_COPY}, {"__mem", TM_BENCH_PART_COPY}, {"sodium_memzero", TM_BENCH_PART_COPY}, {"explicit_bzero", TM_BENCH_PART_COPY},
  {"__explicit_bzero", TM_BENCH_PART_COPY},
};

static const char *base_name(const char *path)
{
  const char *slash = path == NULL ? NULL : strrchr(path, '/');

  return slash == NULL ? path : slash + 1;
}

/* Right behind the instruction that enters the kernel. */
static bool in_system_call(uintptr_t at)
{
#if defined(__x86_64__)
  const uint8_t *code = (const uint8_t *)at - 2;

  return code[0] == 0x0f && code[1] == 0x05;
#else
  (void)at;
  return false;
#endif
}

static enum tm_bench_part part_of_own(const struct program *p, uintptr_t at)
{
  const struct function *f = find_function(p, at);
  enum tm_bench_part part = TM_BENCH_PART_REST;

  if (f == NULL)
    return TM_BENCH_PART_REST;
  if (match(own, LAST(own), f->name, &part) || match(own, LAST(own), f->file, &part))
    return part;
  /* Whatever else the threads of a relay run is of sphinx/, whose files are many. */
  return strncmp(f->name, "tm_", 3) == 0 || f->file != NULL ? TM_BENCH_PART_PACKET : TM_BENCH_PART_REST;
}

static enum tm_bench_part part_of(const struct program *p, uintptr_t at)
{
  enum tm_bench_part part;
  Dl_info info;

  if (at == 0 || dladdr((void *)at, &info) == 0) /* NOLINT: an address is what we have */
    return TM_BENCH_PART_WAKE; /* the kernel's clock page */
  if ((uintptr_t)info.dli_fbase == p->base)
    return part_of_own(p, at);
  if (match(known, LAST(known), info.dli_sname, &part))
    return part;
  if (match(libraries, LAST(libraries), base_name(info.dli_fname), &part))
    return part;
  if (in_system_call(at))
    return match(calls, LAST(calls), info.dli_sname, &part) ? part : TM_BENCH_PART_WAKE;
  if (strstr(info.dli_fname, "jemalloc") != NULL)
    return TM_BENCH_PART_REST;
  /* libc without a name: the copies that it chooses at start. */
  return info.dli_sname == NULL ? TM_BENCH_PART_COPY : TM_BENCH_PART_REST;
}

void tm_bench_profile_stop(struct tm_bench_profile *profile)
{
  struct program p;
  size_t n;

  memset(profile, 0, sizeof *profile);
  for (; n_timers > 0; n_timers--)
    timer_delete(timers[n_timers - 1]);
  signal(SIGPROF, SIG_IGN);
  n = atomic_load(&n_samples);
  load_program(&p);
  for (size_t i = 0; samples != NULL && i < n && i < SAMPLES_MAX; i++)
    profile->n[part_of(&p, samples[i])]++;
  unload_program(&p);
}
