/* The symmetric half for processors with AVX2. Compiled with that set's flags: nothing here may run elsewhere. */
#include "config.h"

#include "sphinx/vec256.h"

#include "sphinx/symmetric_lanes.h"

const struct tm_symmetric tm_symmetric_avx2 = SYMMETRIC_LANES;
