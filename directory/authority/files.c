#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/file.h"

#include "directory/authority/authority.h"

int tm_authority_read(const struct tm_command_call *call, const char *path, size_t max, char **data, size_t *len)
{
  uint8_t *bytes;
  int err;

  errno = 0;
  err = tm_file_read(path, max, &bytes, len);
  *data = (char *)bytes;
  if (err == TM_OK)
    return 0;
  if (err == TM_E_NOT_FOUND)
    return tm_command_fail(call, "%s: there is no such file: check the path", path);
  if (err == TM_E_IO)
    return tm_command_fail(call, "%s: cannot be read: %s", path, tm_file_reason(err));
  if (err == TM_E_TOO_BIG)
    return tm_command_fail(call, "%s: longer than %zu bytes: this is another kind of file", path, max);
  return tm_command_fail(call, "%s: %s", path, tm_strerror(err));
}

int tm_authority_write(const struct tm_command_call *call, const char *path, unsigned mode, const char *data,
                       size_t len)
{
  errno = 0;
  if (strcmp(path, "-") == 0) {
    if (fwrite(data, 1, len, stdout) == len && fflush(stdout) == 0)
      return 0;
  } else if (tm_file_write(path, (mode_t)mode, data, len) == TM_OK)
    return 0;
  return tm_command_fail(call, "%s: cannot be written: %s", path, errno != 0 ? strerror(errno) : "out of memory");
}

int tm_authority_fault(const struct tm_command_call *call, const char *path, int err, const struct tm_fault *fault)
{
  if (fault->what[0] == '\0')
    return tm_command_fail(call, "%s: %s", path, tm_strerror(err));
  if (fault->line > 0)
    return tm_command_fail(call, "%s:%u: %s", path, fault->line, fault->what);
  return tm_command_fail(call, "%s: %s", path, fault->what);
}
