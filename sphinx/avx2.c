/* The back-end for processors with AVX2. Compiled with that set's flags: nothing here may run elsewhere. */
#include "config.h"

#include "sphinx/vec256.h"

#include "sphinx/lanes.h"

#include "sphinx/field_radix25.h"

#include "sphinx/x25519_lanes.h"

static const struct tm_sphinx_backend backend = {
  .name = "avx2",
  .x25519 = lanes_x25519,
  .kdf = lanes_kdf,
  .mac = lanes_mac,
  .stream = lanes_stream,
  .lioness_encrypt = lanes_lioness_encrypt,
  .lioness_decrypt = lanes_lioness_decrypt,
};

const struct tm_sphinx_backend *tm_avx2_table(void) { return &backend; }
