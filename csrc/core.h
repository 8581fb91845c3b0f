// What every kernel sees: plain views of strided memory and one call record.
// Nothing here may be an inline function with a body that a target file could instantiate: a copy compiled for
// AVX-512 could win at link time and crash an older CPU.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>

namespace graphnet {

enum class DType : int { f32, f64, i32, i64, b8 };
constexpr int kNumDTypes = 5;
constexpr int kMaxRank = 16;
constexpr int kMaxArgs = 64;
constexpr int kMaxParams = 32;

// Strides count elements, not bytes. A dimension of size 1 (or 0) always has stride 0, so that broadcasting along it
// needs no special case.
struct View {
  void* data;
  DType dtype;
  int rank;
  int64_t shape[kMaxRank];
  int64_t stride[kMaxRank];
};

struct Call {
  const View* in;
  int nin;
  const View* out;
  int nout;
  const double* params;
  int nparams;
  const char* kernel;  // the kernel's name, for messages
};

using Kernel = void (*)(const Call&);

// The boundary turns these into TypeError, ValueError and IndexError; kernels may throw them from the calling thread.
struct TypeError : std::logic_error {
  using std::logic_error::logic_error;
};
using ValueError = std::invalid_argument;
using IndexError = std::out_of_range;

// The caller's choice of accuracy for float32 products: 0 highest and 1 high (float32), 2 medium (bfloat16 inputs where
// the processor multiplies them).
int matmul_precision();
void set_matmul_precision(int level);

}  // namespace graphnet
