/*
 * Bytes on the daemon's socket: frames are taken apart the same however the bytes are cut, and every frame gets an answer that can be written.
 * The first byte of an input says how it is cut.
 */
#include "config.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sodium.h>

#include "base/file.h"
#include "client/operations.h"
#include "client/protocol.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void require(bool truth)
{
  if (!truth)
    abort();
}

/* The stand-in of the engine: it needs a directory with a state. */
static struct tm_client *open_engine(void)
{
  char dir[] = "/tmp/tidemill-fuzz-XXXXXX";
  char path[64];
  struct tm_client *engine = NULL;

  require(mkdtemp(dir) != NULL);
  require(tm_client_create(dir, "", "", 0, (const uint8_t *)"", 0, &tm_clock_system, &tm_rng_system) == TM_OK);
  require(tm_client_open(&engine, dir, "", &tm_clock_system, &tm_rng_system) == TM_OK);
  snprintf(path, sizeof path, "%s/fake.state", dir);
  unlink(path);
  rmdir(dir);
  return engine;
}

static void answer_frame(struct tm_operations *ops, struct tm_frame *frame)
{
  static char line[TM_CONTROL_LINE_LEN];
  struct tm_answer answer = {0};
  size_t len = 0;

  tm_operations_handle(ops, frame, &answer);
  require(answer.head != NULL);
  require(json_is_boolean(json_object_get(answer.head, "ok")));
  require(tm_member_bool(answer.head, "ok") || tm_member_text(json_object_get(answer.head, "error"), "message") != NULL);
  require(tm_frame_line(answer.head, line, &len) == TM_OK && memchr(line, '\n', len) == line + len - 1);
  require(tm_member_number(answer.head, "bytes", 0) == answer.body_len);
  json_decref(answer.head);
  tm_file_free(answer.body, answer.body_len);
  tm_frame_clear(frame);
}

static void run(struct tm_client *engine, const uint8_t *data, size_t len, size_t cut, size_t *frames, int *err)
{
  struct tm_frames *f = tm_frames_new();
  struct tm_operations ops = {.engine = engine};

  *frames = 0;
  *err = TM_OK;
  require(f != NULL);
  for (size_t at = 0; at < len && *err == TM_OK;) {
    struct tm_frame frame;
    size_t used = 0;
    bool whole = false;
    size_t n = len - at < cut ? len - at : cut;
    *err = tm_frames_take(f, data + at, n, &used, &frame, &whole);
    require(used <= n && (*err != TM_OK || used > 0));
    at += used;
    *frames += whole;
    if (whole)
      answer_frame(&ops, &frame);
  }
  tm_frames_free(f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
  size_t frames[2];
  int err[2];

  if (len == 0)
    return 0;
  tm_control_setup();
  for (int i = 0; i < 2; i++) {
    struct tm_client *engine = open_engine();
    run(engine, data + 1, len - 1, i == 0 ? SIZE_MAX : (size_t)data[0] + 1, &frames[i], &err[i]);
    tm_client_close(engine);
  }
  require(frames[0] == frames[1] && err[0] == err[1]);
  return 0;
}
