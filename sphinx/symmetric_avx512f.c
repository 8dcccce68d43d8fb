/* The symmetric half for processors with AVX-512F, with or without IFMA. Compiled with that set's flags: nothing here may run elsewhere. */
#include "config.h"

#include "sphinx/vec512.h"

#include "sphinx/symmetric_lanes.h"

const struct tm_symmetric tm_symmetric_avx512f = SYMMETRIC_LANES;
