// The part of the elementwise kernels that is the same for every target: broadcasting, strides, threads.
#pragma once

#include "core.h"

namespace graphnet {

// The inner loop of one operation and one dtype: n elements, all contiguous; step[i] is 1, or 0 for an input that is
// one value for all. `out` may be exactly in[i]; otherwise they don't overlap. No loop for a dtype: the reference runs.
using Loop = void (*)(void* out, const void* const* in, const int64_t* step, int64_t n);

constexpr int64_t kParallelWork = 32 * 1024;  // simple elements below which a second thread does not pay

// A target's loops of one kernel: one for each dtype of the first input; of `where`, of the output; of `copy`, for each
// pair of both. Null where there are none.
struct Loops {
  const Loop* loops;
  int cost;
};

// `cost` is the work of an element in units of a simple one (add), and decides from what size on threads pay.
void run_elementwise(const Call& call, Loop loop, Kernel fallback, int cost);

}  // namespace graphnet
