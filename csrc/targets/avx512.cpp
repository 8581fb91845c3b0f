#include "common.h"

#if defined(GRAPHNET_X86)
#if defined(__clang__)
#pragma clang attribute push(                                                                       \
    __attribute__((target("avx2,fma,avx512f,avx512bw,avx512dq,avx512vl,prefer-vector-width=512"))), \
    apply_to = function)
#else
#pragma GCC target("avx2,fma,avx512f,avx512bw,avx512dq,avx512vl,prefer-vector-width=512")
#endif

namespace graphnet::avx512 {
#define GN_VECTOR_BYTES 64
#include "../kernels-inl.h"
}  // namespace graphnet::avx512

// GCC's pragma stays to the end of the file: what templates leave for the end of the file is compiled under it too.
#if defined(__clang__)
#pragma clang attribute pop
#endif
#endif
