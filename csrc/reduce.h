// The part of the reductions that is the same for every target: which loops there are, and threads.
#pragma once

#include <cstddef>

#include "core.h"

namespace graphnet {

// One reduction of one dtype. A state holds `state` bytes for each output element; for a row of n outputs the parts of
// a state are arrays of n, which only these functions know.
struct Fold {
  size_t state;
  void (*init)(void* state, int64_t n);
  void (*line)(const void* x, int64_t n, void* state);                                // n contiguous into one state
  void (*rows)(const void* x, int64_t rows, int64_t stride, int64_t n, void* state);  // rows of n into n states
  void (*merge)(void* state, const void* other, int64_t n);
  void (*finish)(const void* state, void* out, int64_t out_stride, int64_t n, double scale);
  // Lines of n elements, `stride` apart, into one output each, with no states; false where n is too large. May be null.
  bool (*lines)(const void* x, int64_t n, int64_t stride, int64_t lines, void* out, int64_t out_stride, double scale);
};

// The index of the best of n contiguous elements.
using BestIndex = int64_t (*)(const void* x, int64_t n);

// `copy` makes a contiguous copy of inputs whose innermost elements are not adjacent.
void run_reduce(const Call& call, const Fold* fold, Kernel fallback, Kernel copy);
void run_arg_reduce(const Call& call, BestIndex best, Kernel fallback);

}  // namespace graphnet
