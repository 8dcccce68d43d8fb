#include "config.h"

#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "base/file.h"
#include "link/link.h"
#include "relay/keys.h"
#include "relay/process.h"
#include "relay/replay.h"

#include "relay/check.h"

#define AUTHORITIES_MAX (64 * 1024)
#define MEGA 1000000
#define PATH_ROOM (TM_OPTION_PATH_MAX + 64)

enum weight { NOTE, WARNING, ERROR };

/* option: the line of the configuration to name; NULL: file is what is meant. */
__attribute__((format(printf, 5, 6))) static void say(struct tm_check *c, enum weight weight, const char *option, const char *file,
                                                      const char *format, ...)
{
  static const char *const words[] = {"note: ", "warning: ", ""};
  int line = option != NULL ? tm_options_line(c->path, option) : 0;
  va_list ap;

  if (c->start && weight != ERROR)
    return;
  c->errors += weight == ERROR;
  c->warnings += weight == WARNING;
  fputs(option != NULL ? c->path : file, c->out);
  if (line > 0)
    fprintf(c->out, ":%d", line);
  fprintf(c->out, ": %s", words[weight]);
  va_start(ap, format);
  vfprintf(c->out, format, ap);
  va_end(ap);
  fputc('\n', c->out);
}

/* ---- files ---- */

/* Why a file cannot be read, and the command against it. */
static void say_unreadable(struct tm_check *c, const char *file, int err, int number)
{
  if (err == TM_E_IO && number == EACCES)
    say(c, ERROR, NULL, file, "the user of this relay (%u) may not read it: chown %u %s", (unsigned)geteuid(), (unsigned)geteuid(), file);
  else if (err == TM_E_TOO_BIG)
    say(c, ERROR, NULL, file, "it is too big to be what it should be");
  else
    say(c, ERROR, NULL, file, "it cannot be read: %s", err == TM_E_IO ? strerror(number) : tm_strerror(err));
}

static void check_state_dir(struct tm_check *c)
{
  const char *dir = c->config->state_dir;
  struct stat st;

  if (stat(dir, &st) != 0) {
    say(c, c->start || errno != ENOENT ? ERROR : NOTE, "state-dir", NULL, "%s: %s; make it with  tidemill-relay -c %s keygen", dir,
        strerror(errno), c->path);
    return;
  }
  if (!S_ISDIR(st.st_mode))
    say(c, ERROR, "state-dir", NULL, "%s is no directory", dir);
  else if (st.st_uid != geteuid() || access(dir, R_OK | W_OK | X_OK) != 0)
    say(c, ERROR, "state-dir", NULL, "the user of this relay (%u) may not use %s: chown -R %u %s", (unsigned)geteuid(), dir, (unsigned)geteuid(), dir);
  else if ((st.st_mode & (S_IWGRP | S_IWOTH)) != 0)
    say(c, ERROR, "state-dir", NULL, "others may write in %s: chmod 700 %s", dir, dir);
  else if ((st.st_mode & (S_IRWXG | S_IRWXO)) != 0)
    say(c, WARNING, "state-dir", NULL, "others may look into %s: chmod 700 %s", dir, dir);
}

static void say_key(struct tm_check *c, const char *path, int err, int number)
{
  if (err == TM_E_AUTH)
    say(c, ERROR, NULL, path, "others can read this secret: chmod 600 %s, and think about who may have it", path);
  else if (err == TM_E_SYNTAX)
    say(c, ERROR, NULL, path, "it has not the 32 bytes of a key: remove it and run  tidemill-relay -c %s keygen", c->path);
  else
    say_unreadable(c, path, err, number);
}

/* True: identity is written. */
static bool check_identity(struct tm_check *c, uint8_t identity[static 32])
{
  uint8_t secret[crypto_sign_SECRETKEYBYTES], *seed;
  char path[PATH_ROOM];
  int err = tm_identity_load(c->config->state_dir, &seed);
  int number = errno;

  snprintf(path, sizeof path, "%s/identity.key", c->config->state_dir);
  if (err == TM_OK) {
    crypto_sign_seed_keypair(identity, secret, seed);
    sodium_memzero(secret, sizeof secret);
    sodium_free(seed);
    return true;
  }
  if (err == TM_E_NOT_FOUND)
    say(c, c->start ? ERROR : NOTE, NULL, path, "there is no identity yet: make one with  tidemill-relay -c %s keygen", c->path);
  else
    say_key(c, path, err, number);
  return false;
}

/* ---- mix keys ---- */

static void check_key_of(struct tm_check *c, uint64_t epoch, const struct tm_relay_info *self)
{
  const struct tm_mix_key *theirs = self == NULL ? NULL : tm_relay_key(self, epoch);
  uint8_t point[TM_SPHINX_ELEMENT_LEN];
  char path[PATH_ROOM];
  tm_sphinx_key *key;
  int err = tm_mix_key_load(c->config->state_dir, epoch, &key);
  int number = errno;

  snprintf(path, sizeof path, "%s/mix-%" PRIu64 ".key", c->config->state_dir, epoch);
  if (err == TM_E_NOT_FOUND)
    say(c, WARNING, NULL, path, "there is no mix key for this epoch: run  tidemill-relay -c %s keygen  and give the new descriptor to the authorities",
        c->path);
  else if (err != TM_OK)
    say_key(c, path, err, number);
  if (err != TM_OK)
    return;
  tm_sphinx_key_point(key, point);
  tm_sphinx_key_free(key);
  if (self != NULL && theirs == NULL)
    say(c, WARNING, NULL, path, "the document does not have this key: give %s/descriptor to the authorities", c->config->state_dir);
  else if (self != NULL && memcmp(point, theirs->point, sizeof point) != 0)
    say(c, WARNING, NULL, path, "the document has another key for this epoch, and every packet will fail: give %s/descriptor to the authorities",
        c->config->state_dir);
}

/* The files that are there, then the present epoch and the next. */
static void check_keys(struct tm_check *c, const struct tm_params *params, const struct tm_relay_info *self)
{
  uint32_t noted = tm_epoch_length(c->config->state_dir);
  uint64_t epoch_s = params != NULL ? params->epoch_s : noted, now, *epochs;
  char path[PATH_ROOM];
  size_t n;

  if (tm_mix_keys_list(c->config->state_dir, &epochs, &n) != TM_OK || epoch_s == 0)
    return;
  now = c->now_s / epoch_s;
  snprintf(path, sizeof path, "%s/epoch-length", c->config->state_dir);
  if (noted != 0 && noted != epoch_s)
    say(c, WARNING, NULL, path, "the keys are for epochs of %" PRIu32 " s and the document has %" PRIu64 " s: no packet can be opened; is it the right network's?",
        noted, epoch_s);
  else {
    for (uint64_t epoch = now; epoch < now + 2; epoch++)
      check_key_of(c, epoch, self);
    for (size_t i = 0; i < n; i++)
      if (epochs[i] >= now + 2) {
        tm_sphinx_key *key;
        int err = tm_mix_key_load(c->config->state_dir, epochs[i], &key);
        int number = errno;
        snprintf(path, sizeof path, "%s/mix-%" PRIu64 ".key", c->config->state_dir, epochs[i]);
        if (err != TM_OK)
          say_key(c, path, err, number);
        else
          tm_sphinx_key_free(key);
      }
  }
  free(epochs);
}

/* ---- the document ---- */

static const char *role_words(unsigned roles, unsigned layer, char text[static 64])
{
  snprintf(text, 64, "%s%s%s", (roles & TM_ROLE_ENTRY) != 0 ? "entry " : "", (roles & TM_ROLE_MIX) != 0 ? "mix " : "",
           (roles & TM_ROLE_STORE) != 0 ? "store " : "");
  if (layer > 0)
    snprintf(text + strlen(text), 64 - strlen(text), "of layer %u", layer);
  else if (text[0] != '\0')
    text[strlen(text) - 1] = '\0';
  return text;
}

static void compare_self(struct tm_check *c, const struct tm_document *doc, const uint8_t *identity, const struct tm_relay_info **self)
{
  const struct tm_relay_config *config = c->config;
  char theirs[64], ours[64];

  *self = tm_document_find(doc, identity);
  for (size_t i = 0; *self == NULL && i < tm_document_relays(doc); i++)
    if (strcmp(tm_document_relay(doc, i)->name, config->name) == 0) {
      say(c, WARNING, "name", NULL,
          "the relay of that name in the document has another identity: this one does not stand in the document; put back the identity.key that it was "
          "made with, or give %s/descriptor to the authorities",
          config->state_dir);
      return;
    }
  if (*self == NULL) {
    say(c, NOTE, NULL, config->document, "this relay does not stand in the document, and no packets would come: give %s/descriptor to the authorities",
        config->state_dir);
    return;
  }
  if (strcmp((*self)->name, config->name) != 0)
    say(c, WARNING, "name", NULL, "the document calls this relay %s, not %s", (*self)->name, config->name);
  if (strcmp((*self)->address, config->address) != 0)
    say(c, WARNING, "address", NULL, "the document says %s, and others dial that; not %s: change one, and give a new descriptor to the authorities",
        (*self)->address, config->address);
  if ((*self)->roles != config->roles || (*self)->layer != config->layer)
    say(c, WARNING, "roles", NULL, "the document says %s, this file %s: only what both name is done", role_words((*self)->roles, (*self)->layer, theirs),
        role_words(config->roles, config->layer, ours));
}

/* "2026-11-24T04:00:00Z" of a document whose signatures are good. */
static void time_in(const uint8_t *bytes, const char *keyword, char text[static 32])
{
  const char *at = strstr((const char *)bytes, keyword);

  snprintf(text, 32, "%.*s", at != NULL ? (int)strcspn(at + strlen(keyword), "\n") : 1, at != NULL ? at + strlen(keyword) : "?");
}

static void say_document(struct tm_check *c, int err, size_t good, const struct tm_trust *trust, const uint8_t *bytes)
{
  const char *file = c->config->document;
  char when[32];

  if (err == TM_E_SIGNATURE && good == 0)
    say(c, ERROR, NULL, file, "none of the authorities in %s has signed it: it is another network's, or that file is", c->config->authorities);
  else if (err == TM_E_SIGNATURE)
    say(c, ERROR, NULL, file, "%zu of %zu authorities have signed it well, and %zu must: fetch a whole one", good, tm_trust_count(trust), tm_trust_needed(trust));
  else if (err == TM_E_EXPIRED) {
    time_in(bytes, "\nvalid-until ", when);
    say(c, ERROR, NULL, file, "it expired at %s: fetch the present one (or is the clock wrong?)", when);
  } else if (err == TM_E_NOT_YET) {
    time_in(bytes, "\nvalid-from ", when);
    say(c, ERROR, NULL, file, "it is not valid before %s: fetch the present one (or is the clock wrong?)", when);
  } else
    say(c, ERROR, NULL, file, "it is no document that this version understands: %s; tidemill-authority verify says more", tm_strerror(err));
}

static struct tm_document *open_document(struct tm_check *c, const struct tm_trust *trust)
{
  struct tm_document *doc = NULL;
  uint8_t *bytes;
  size_t len, good = 0;
  int err = tm_file_read(c->config->document, TM_DOCUMENT_MAX, &bytes, &len);

  if (err == TM_E_NOT_FOUND)
    say(c, NOTE, NULL, c->config->document, "there is no document yet; the relay would wait for one");
  else if (err != TM_OK)
    say_unreadable(c, c->config->document, err, errno);
  if (err != TM_OK)
    return NULL;
  err = tm_document_open(&doc, trust, bytes, len, c->now_s, &good);
  if (err != TM_OK)
    say_document(c, err, good, trust, bytes);
  tm_file_free(bytes, len);
  return doc;
}

static struct tm_trust *open_trust(struct tm_check *c)
{
  struct tm_trust *trust = NULL;
  uint8_t *text;
  size_t len;
  int err = tm_file_read(c->config->authorities, AUTHORITIES_MAX, &text, &len);

  if (err == TM_E_NOT_FOUND)
    say(c, ERROR, "authorities", NULL, "%s: there is no such file; who runs the network has it", c->config->authorities);
  else if (err != TM_OK)
    say_unreadable(c, c->config->authorities, err, errno);
  if (err != TM_OK)
    return NULL;
  err = tm_trust_parse(&trust, (const char *)text, len);
  tm_file_free(text, len);
  if (err != TM_OK)
    say(c, ERROR, NULL, c->config->authorities, "%s; a verifier key is due on each line, as tidemill-authority keygen prints it", tm_strerror(err));
  return trust;
}

/* ---- this machine ---- */

static void check_port(struct tm_check *c)
{
  const char *option = c->config->listen != NULL ? "listen" : "address";
  const char *address = c->config->listen != NULL ? c->config->listen : c->config->address;
  struct sockaddr_storage addr;
  socklen_t len;
  int fd, one = 1, number = 0;

  if (tm_link_address_parse(address, &addr, &len) != TM_OK)
    return;
  fd = socket(addr.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  /* As the relay will do it: without V6ONLY "[::]" would collide with whatever has the port of an IPv4 address. */
  if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) != 0 ||
      (addr.ss_family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one) != 0) || bind(fd, (struct sockaddr *)&addr, len) != 0)
    number = errno;
  if (fd >= 0)
    close(fd);
  if (number == EADDRINUSE)
    say(c, c->start ? ERROR : WARNING, option, NULL, "%s is in use: end the other program, or take another port (if it is this relay that runs, all is well)", address);
  else if (number == EADDRNOTAVAIL)
    say(c, ERROR, option, NULL, "this machine has no address %s: write one that it has, like  listen = \"0.0.0.0%s\"", address, strrchr(address, ':'));
  else if (number == EACCES)
    say(c, ERROR, option, NULL, "%s: ports below 1024 are for root: take another, or give CAP_NET_BIND_SERVICE", address);
  else if (number != 0)
    say(c, ERROR, option, NULL, "%s cannot be bound: %s", address, strerror(number));
}

static void check_files_open(struct tm_check *c)
{
  uint64_t links = (c->config->roles & TM_ROLE_ENTRY) != 0 ? c->config->max_clients : 0;
  uint64_t want = tm_process_files(c->config);
  struct rlimit limit;

  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_max >= want)
    return;
  say(c, WARNING, links > 0 ? "max-clients" : "roles", NULL,
      "so many links want %" PRIu64 " open files and this process may have %" PRIu64 ": LimitNOFILE=%" PRIu64 " in the unit (ulimit -n)", want,
      (uint64_t)limit.rlim_max, want);
}

static void check_room(struct tm_check *c)
{
  uint64_t want = c->config->replay_max_tags * 8 * 2, room;
  struct statvfs fs;

  if ((c->config->roles & TM_ROLE_STORE) != 0 && c->config->store_file == NULL)
    want += c->config->store_quota_boxes * 1800;
  if (statvfs(c->config->state_dir, &fs) != 0)
    return;
  room = (uint64_t)fs.f_bavail * fs.f_frsize;
  if (room < want)
    say(c, WARNING, "state-dir", NULL, "its file system has room for %" PRIu64 " MB; replay journals%s may take %" PRIu64 " MB", room / MEGA,
        (c->config->roles & TM_ROLE_STORE) != 0 ? " and boxes" : "", want / MEGA);
}

void tm_check_all(struct tm_check *c)
{
  const struct tm_relay_info *self = NULL;
  struct tm_document *doc = NULL;
  struct tm_trust *trust;
  uint8_t identity[32];
  bool known;

  check_state_dir(c);
  known = check_identity(c, identity);
  trust = open_trust(c);
  if (!c->start && trust != NULL)
    doc = open_document(c, trust);
  if (doc != NULL && known)
    compare_self(c, doc, identity, &self);
  if (!c->start && known)
    check_keys(c, doc != NULL ? tm_document_params(doc) : NULL, self);
  check_port(c);
  check_files_open(c);
  check_room(c);
  tm_document_free(doc);
  tm_trust_free(trust);
}

/* ---- capacity ---- */

static void say_tags(struct tm_check *c, const struct tm_capacity *capacity, double per_client)
{
  double want = capacity->client_packets_per_s * (double)(capacity->epoch_s + capacity->grace_s);
  char more[96] = "";

  if (want <= (double)TM_REPLAY_TAGS_MAX)
    snprintf(more, sizeof more, "replay-max-tags = %.0f  (%.0f MB of memory), or  ", want, want * 16 / MEGA);
  say(c, WARNING, "replay-max-tags", NULL,
      "the clients that max-clients allows make %.0f packets a second, and this lets %.0f through all the time: write  %smax-clients = %.0f",
      capacity->client_packets_per_s, capacity->tag_packets_per_s, more, capacity->tag_packets_per_s / per_client);
}

void tm_check_capacity(struct tm_check *c, const struct tm_capacity *capacity, uint64_t memory)
{
  double per_client = capacity->client_packets_per_s / c->config->max_clients;

  tm_capacity_print(capacity, c->out);
  if (capacity->client_packets_per_s > capacity->packets_per_s)
    say(c, WARNING, "max-clients", NULL, "so many clients make %.0f packets a second, more than this machine carries: write  max-clients = %.0f",
        capacity->client_packets_per_s, capacity->packets_per_s / per_client);
  if (capacity->client_packets_per_s > capacity->tag_packets_per_s)
    say_tags(c, capacity, per_client);
  if (memory > 0 && 2 * capacity->tag_bytes > memory)
    say(c, WARNING, "replay-max-tags", NULL, "two keys' tags may take %" PRIu64 " MB, and this machine has %" PRIu64 " MB: write  replay-max-tags = %" PRIu64,
        2 * capacity->tag_bytes / MEGA, memory / MEGA, memory / 64);
}
