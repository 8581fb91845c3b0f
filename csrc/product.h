// A product of two matrices with its epilogue, after broadcasting, batches and strides have been dealt with.
#pragma once

#include <cstddef>

#include "core.h"
#include "rows.h"

namespace graphnet {

// c[m, n] (+)= a[m, k] . b[k, n] (+ bias[n]), then ReLU. Strides count elements: a(i, p) is a[i * ra + p * ca], and so
// on; c's columns and bias are contiguous. k = 0 is allowed; m and n are at least 1.
struct Product {
  int64_t m, n, k;
  const void* a;
  int64_t ra, ca;
  const void* b;
  int64_t rb, cb;
  void* c;
  int64_t rc;
  bool accumulate;
  const void* bias;  // or null
  bool relu;
};
using ProductFunction = void (*)(const Product&);

// float32 with bfloat16 inputs; only where cpu_has_avx512_bf16().
namespace avx512_bf16 {
void product(const Product& p);
}

// Below this many multiply-adds another thread costs more than it does.
constexpr double kThreadWork = 32.0 * 1024;

// Threads around one product, from which everything before is already known; m, n and k are at least 1.
void run_product(Product p, DType dtype, ProductFunction f);

// Batches, strides and threads around a target's single-threaded product.
void run_matmul(const Call& call, ProductFunction f32, ProductFunction f64);
void run_linear(const Call& call, ProductFunction f32, ProductFunction f64);

// g[rows, n] = y <= 0 ? 0 : g in place; adds the columns' sums to sums[n] when it is not null.
using MaskFunction = void (*)(void* g, int64_t rg, const void* y, int64_t ry, int64_t rows, int64_t n, double* sums);
// `direct` does the product and the mask, without sums, of row-major operands.
using MaskedProduct = void (*)(const Product& p, const void* y, int64_t ry);
void run_matmul_relu_backward(const Call& call, ProductFunction product, MaskFunction mask, MaskedProduct direct,
                              Kernel fallback);

// An optimizer's step with the product as its gradient, which only ever exists a cache-sized block at a time.
// `direct`, where there is one, keeps it in registers: for a transposed a, contiguous columns of b and k up to
// kDirectDepth; state and its rows' distances are the parameter's and the buffer's (the parameter's again without one).
constexpr int64_t kDirectDepth = 1024;
using UpdateProduct = void (*)(const Product& p, void* const* state, const int64_t* stride, const double* params);
void run_matmul_update(const Call& call, ProductFunction product, StepFunction step, UpdateProduct direct,
                       const double* params, Kernel fallback);

// An optimizer's step with the sums of a matrix' columns as its gradient, as a bias has it. `columns` sums n columns of
// m rows, rg elements apart; `sum` and `update` are the kernels that do the two one after another.
using ColumnsFunction = void (*)(const void* g, int64_t rg, int64_t m, int64_t n, void* sums);
void run_sum_update(const Call& call, ColumnsFunction columns, StepFunction step, const double* params, Kernel sum,
                    Kernel update, Kernel fallback);

// This thread's scratch memory, 64-byte aligned, valid until its next call with the same slot.
void* scratch(int slot, size_t bytes);

}  // namespace graphnet
