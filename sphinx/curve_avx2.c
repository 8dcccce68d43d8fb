/* The curve for processors with AVX2. Compiled with that set's flags: nothing here may run elsewhere. */
#include "config.h"

#include "sphinx/vec256.h"

#include "sphinx/field_radix25.h"

#include "sphinx/curve_lanes.h"

const struct tm_curve tm_curve_avx2 = CURVE_LANES;
