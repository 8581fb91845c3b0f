#include "common.h"

#if defined(GRAPHNET_X86)
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#else
#pragma GCC target("avx2,fma")
#endif

namespace graphnet::avx2 {
#define GN_VECTOR_BYTES 32
#include "../kernels-inl.h"
}  // namespace graphnet::avx2

// GCC's pragma stays to the end of the file: what templates leave for the end of the file is compiled under it too.
#if defined(__clang__)
#pragma clang attribute pop
#endif
#endif
