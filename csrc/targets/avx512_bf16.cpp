#include "common.h"

#if defined(GRAPHNET_X86)
#if defined(__clang__)
#pragma clang attribute push(                                                                                  \
    __attribute__((target("avx2,fma,avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,prefer-vector-width=512"))), \
    apply_to = function)
#else
#pragma GCC target("avx2,fma,avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,prefer-vector-width=512")
#endif

namespace graphnet::avx512_bf16 {
#define GN_VECTOR_BYTES 64
namespace {
#include "../simd-inl.h"
#include "../gemm-inl.h"
#include "../bf16-inl.h"
}  // namespace
void product(const Product& p) { gemm_pairs(p); }
}  // namespace graphnet::avx512_bf16

// GCC's pragma stays to the end of the file: what templates leave for the end of the file is compiled under it too.
#if defined(__clang__)
#pragma clang attribute pop
#endif
#endif
