// Kernels that work row by row (softmax, cross-entropy), the optimizers and the indexing kernels: the part that is the
// same for every target.
#pragma once

#include "core.h"

namespace graphnet {

// Rows that a call of the functions below takes at most, of n contiguous elements each, sx and sy elements apart.
constexpr int64_t kRowsTogether = 16;

// What is left to do to some rows, which the next call does while it computes: to[i] = from[i] * a, or from[i] - a - b.
// Loads and stores to memory then run beside arithmetic.
struct Pending {
  const void* from;
  void* to;
  int64_t from_step, to_step, rows;
  bool streamed;  // `to` is in no cache: store past them. It is at a multiple of 16 bytes, as is each row.
  double a[kRowsTogether], b[kRowsTogether];
};

// y = softmax or log-softmax of x. e has room for rows of n elements one after another, and may be y. With `last`, does
// what that says and leaves there what remains to be done, for the next call (with rows = 0 at the end); x, e and y
// must stay until then.
using RowFunction = void (*)(const void* x, int64_t sx, void* e, void* y, int64_t sy, int64_t n, int64_t rows,
                             Pending* last);
void run_softmax(const Call& call, RowFunction f);

// Losses of rows with labels; labels[i] is -1 for a skipped row (loss 0). loss[i] is log(sum(exp(x))) - x[label], not
// yet weighted.
using LossFunction = void (*)(const void* x, int64_t sx, int64_t n, const int64_t* labels, int64_t rows, double* loss);
// dx = factor * (softmax(x) - onehot(label)), 0 where the label is -1; e, last: as above.
using LossBackwardFunction = void (*)(const void* x, int64_t sx, void* e, void* dx, int64_t sy, int64_t n,
                                      const int64_t* labels, const double* factors, int64_t rows, Pending* last);
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
