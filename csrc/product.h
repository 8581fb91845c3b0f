// A product of two matrices with its epilogue, after broadcasting, batches and strides have been dealt with.
#pragma once

#include <cstddef>

#include "core.h"

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

// Batches, strides and threads around a target's single-threaded product.
void run_matmul(const Call& call, ProductFunction f32, ProductFunction f64);
void run_linear(const Call& call, ProductFunction f32, ProductFunction f64);

// This thread's scratch memory, 64-byte aligned, valid until its next call with the same slot.
void* scratch(int slot, size_t bytes);

}  // namespace graphnet
