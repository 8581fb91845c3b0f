// Everything a target file includes before its target pragma: headers must be read with the baseline's flags, or their
// inline functions would be compiled for the target and could be shared with other files at link time.
#pragma once

#include <cstddef>
#include <cstdint>

#include "../core.h"
#include "../elementwise.h"
#include "../entropy.h"
#include "../kernels.h"
#include "../normalize.h"
#include "../pool.h"
#include "../product.h"
#include "../reduce.h"
#include "../reference/reference.h"
#include "../random.h"
#include "../rows.h"
#include "../target.h"

#if defined(GRAPHNET_X86)
#include <immintrin.h>
#endif
