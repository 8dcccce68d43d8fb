/* The curve for processors with AVX-512F, without IFMA. Compiled with that set's flags: nothing here may run elsewhere. */
#include "config.h"

#include "sphinx/vec512.h"

#include "sphinx/field_radix25.h"

#include "sphinx/curve_lanes.h"

const struct tm_curve tm_curve_avx512f = CURVE_LANES;
