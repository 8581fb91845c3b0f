// NEON is aarch64's baseline: no pragma is needed.
#include "common.h"

#if defined(GRAPHNET_ARM64)
namespace graphnet::neon {
#define GN_VECTOR_BYTES 16
#include "../kernels-inl.h"
}  // namespace graphnet::neon
#endif
