// Kernels that work row by row (softmax, cross-entropy), the optimizers and the indexing kernels: the part that is the
// same for every target.
#pragma once

#include "core.h"

namespace graphnet {

// Rows that a call of the functions below takes at most, of n contiguous elements each, sx and sy elements apart.
constexpr int64_t kRowsTogether = 16;

// y = softmax or log-softmax of x.
using RowFunction = void (*)(const void* x, int64_t sx, void* y, int64_t sy, int64_t n, int64_t rows);
void run_softmax(const Call& call, RowFunction f);

// Losses of rows with labels; labels[i] is -1 for a skipped row (loss 0). loss[i] is log(sum(exp(x))) - x[label], not
// yet weighted.
using LossFunction = void (*)(const void* x, int64_t sx, int64_t n, const int64_t* labels, int64_t rows, double* loss);
// dx = factor * (softmax(x) - onehot(label)), 0 where the label is -1.
using LossBackwardFunction = void (*)(const void* x, int64_t sx, void* dx, int64_t sy, int64_t n, const int64_t* labels,
                                      const double* factors, int64_t rows);
void run_cross_entropy(const Call& call, LossFunction f, Kernel fallback);
void run_cross_entropy_backward(const Call& call, LossBackwardFunction f, Kernel fallback);

// An optimizer's step over n contiguous elements of grad and up to four states, the parameter first.
// params are the kernel's, for Adam followed by what adam_params derives from them once per call.
using StepFunction = void (*)(const void* grad, void* const* state, int nstate, const double* params, int64_t n);
void run_optimizer(const Call& call, StepFunction f, const double* params, Kernel fallback);
constexpr int kAdamParams = 10;
// out[8] = lr / (1 - beta1^step), out[9] = 1 / sqrt(1 - beta2^step)
void adam_params(const double* params, double* out);

void run_take(const Call& call, Kernel fallback);
void run_index_add(const Call& call, Kernel fallback);
void run_concat(const Call& call, Kernel copy);

}  // namespace graphnet
