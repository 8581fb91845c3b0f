// The plain-loop kernels: one for every row of kernels.h, written to be obviously right. They are the target "scalar"
// and what any other target falls back to.
#pragma once

#include "../core.h"
#include "../kernels.h"

namespace graphnet::reference {

#define GRAPHNET_DECLARE(name, ...) void name##_(const Call& call);
GRAPHNET_KERNELS(GRAPHNET_DECLARE)
#undef GRAPHNET_DECLARE

}  // namespace graphnet::reference
