// Normalisation over some axes and its backward: the part that is the same for every target.
#pragma once

#include "core.h"

namespace graphnet {

// Contiguous memory seen as [outer][kept][inner]; the mean and the variance of each kept index are over the others.
struct Norm {
  const void* x;
  const void* g;  // null in the forward pass
  void* out;
  int64_t outer, kept, inner;
  double eps;
  bool center;
};

// The kept indices begin .. end - 1.
using NormFunction = void (*)(const Norm& n, int64_t begin, int64_t end);
void run_normalize(const Call& call, NormFunction f, Kernel fallback);

// mean[k] and square[k], the sum of squares around it, for the kept indices begin .. end - 1.
using StatisticsFunction = void (*)(const Norm& n, int64_t begin, int64_t end, double* mean, double* square);
void run_running_statistics(const Call& call, StatisticsFunction f, Kernel fallback);

}  // namespace graphnet
