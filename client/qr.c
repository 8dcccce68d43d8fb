#include "config.h"

#include <unistd.h>

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>

#include <qrencode.h>

#include "base/err.h"

#include "client/terminal.h"

#define QUIET 4 /* modules of light around the code: ISO 18004 */

/* Outside of the code all is light. */
static bool is_dark(const QRcode *qr, int x, int y)
{
  return x >= 0 && y >= 0 && x < qr->width && y < qr->width && (qr->data[y * qr->width + x] & 1) != 0;
}

/* Light is drawn and dark is left out, with colours forced on a terminal, so that light and dark ones show the same. */
int tm_terminal_qr(FILE *out, const char *text)
{
  static const char *const halves[] = {" ", "\xe2\x96\x80", "\xe2\x96\x84", "\xe2\x96\x88"}; /* none, upper, lower, both are light */
  QRcode *qr = QRcode_encodeString(text, 0, QR_ECLEVEL_M, QR_MODE_8, 1);
  bool terminal = isatty(fileno(out));

  if (qr == NULL)
    return errno == ERANGE ? TM_E_TOO_BIG : TM_E_NOMEM;
  for (int y = -QUIET; y < qr->width + QUIET; y += 2) {
    fputs(terminal ? "\033[1;37;40m" : "", out);
    for (int x = -QUIET; x < qr->width + QUIET; x++) {
      int upper = !is_dark(qr, x, y);
      int lower = y + 1 < qr->width + QUIET && !is_dark(qr, x, y + 1);
      fputs(halves[upper | lower << 1], out);
    }
    fputs(terminal ? "\033[0m\n" : "\n", out);
  }
  QRcode_free(qr);
  return TM_OK;
}
