// Every kernel, one row each: X(name, inputs min, max, outputs min, max, params min, max, check, dtypes)
//
// Unless a row's note says otherwise, all arrays of a call have one dtype out of `dtypes`
// (F float32 float64, I int32 int64, B bool). Shapes below name dimensions; [...] is any number of them.
//
// elementwise   inputs broadcast (NumPy's rules) to the output's shape; any strides; the output may be exactly an
//               input's memory. `compare` and `predicate` rows write bool. `where`'s first input is bool. `copy`
//               converts between any two dtypes (float to int truncates; out of range or NaN gives the lowest int).
//               maximum, minimum and relu propagate NaN; integers wrap; integer division by zero and negative
//               integer exponents are ValueErrors. relu_backward(g, y) = y <= 0 ? 0 : g.
// reduce        output has the input's rank; reduced axes have size 1. sum: params (scale = 1,) multiplies a float
//               result. max/min propagate NaN and reject an empty reduced axis. argmax/argmin: params (axis,), int64
//               output, first of equals, NaN wins.
// matmul        a[..., m, k], b[..., k, n], optional bias[n] -> c[..., m, n]; batch dimensions broadcast.
//               params (beta = 0, relu = 0): beta 0 never reads c, 1 accumulates; ReLU comes last.
// linear        x[..., k], w[n, k], optional bias[n] -> y[..., n]; params (relu = 0,).
// matmul_relu_backward   a, b, y[m, n] -> c = y <= 0 ? 0 : a.b, optional second output sums[n] = column sums of c.
// matmul_sgd    a[m, k], b[k, n], outputs (param[m, n], [buffer[m, n]]): sgd of param with gradient a.b.
// matmul_adam   a[m, k], b[k, n], outputs (param, m, v, [vmax]): adam of param with gradient a.b.
// sum_sgd, sum_adam   g[m, n], outputs as of sgd or adam, each [n]: with the sums of g's columns for the gradient.
// softmax       over the last axis, stable.
// cross_entropy logits[N, C], target int64[N] or probabilities[N, C], optional weight[C] -> [N] for reduction 0,
//               else 0-d; params (reduction = 1: 0 none 1 mean 2 sum, ignore_index = -100, label_smoothing = 0).
// cross_entropy_backward  logits, target, g (0-d or [N]), optional weight -> dlogits[N, C]; same params.
// sgd           grad, outputs (param, [momentum buffer]); params (lr, momentum, dampening, weight_decay, nesterov,
//               maximize, first): first = 1 sets buffer := grad.
// adam          grad, outputs (param, m, v, [vmax]); params (lr, beta1, beta2, eps, weight_decay, decoupled, step,
//               maximize).
// rmsprop       grad, outputs (param, mean square, [momentum buffer], [mean gradient]); params (lr, alpha, eps,
//               weight_decay, momentum, centered, maximize): the buffer is there where momentum is not 0, the mean
//               gradient where centered is not 0.
// adagrad       grad, outputs (param, sum of squares); params (lr, eps, weight_decay, maximize).
// gelu, gelu_tanh, silu, softplus  elementwise; softplus is log(1 + exp(x)).
// leaky_relu    elementwise: (x, slope) -> x > 0 ? x : x * slope.
// binary_entropy   elementwise: (x, t) -> -t log x - (1 - t) log(1 - x), logarithms not below -100; from 0 to 1 both.
// nll_loss      logp[N, C], target int64[N], optional weight[C] -> as cross_entropy; params (reduction, ignore_index).
// nll_loss_backward  a value[N, C] that is not read, target, g, optional weight -> [N, C]; same params.
// normalize     (x - mean) / sqrt(variance + eps) over some axes; params (eps, center, axis, ...); center 0 takes the
//               mean square for the variance and no mean.
// normalize_backward  g, x -> dx; same params.
// running_statistics  x, mean[C], variance[C], momentum[] -> [2, C]: both moved by momentum towards those of x over the
//               axes params (axis, ...); the variance is that of a sample.
// embedding     take with one index, and none negative.
// dropout_mask  key int64[2] -> [...]: 0 with probability p, else 1 / (1 - p); params (p,). The numbers depend on the
//               key and the element's position alone.
// take          x[R, S, ..., others], idx int64[...], one or several for as many leading dimensions, which broadcast
//               -> out[idx..., others]; negative indices count from the end.
// index_add     g[idx..., others], idx int64[...]..., out[R, S, ..., others] += g at the rows.
// index_put     the same, but out = g; where an index repeats, the last one stays.
// index_mul, index_max, index_min   the same, but out = out * g, or the larger or smaller one.
// gather        x[...], idx int64[...] of x's rank, params (axis,) -> out of idx's shape: x at idx's own place, with
//               the position along the axis taken from idx; idx is no larger than x along the other axes.
// scatter_add   g, idx of g's shape, params (axis,): out += g at the places that gather reads.
// argsort       params (axis, descending = 0) -> int64 positions of the elements in order along the axis, NaN as the
//               largest, equal ones in their order; the first out.shape[axis] of them.
// shift_left, shift_right   by the width or more, or by a negative number: 0, or -1 of a negative number to the right.
// cumsum, cumprod   params (axis, exclusive, reverse): running totals, each with its own element unless exclusive.
// concat        n inputs, params (axis,); any dtype.
//
// Outputs must not overlap inputs; those of the elementwise kernels, the optimizers, softmax and
// cross_entropy_backward may be exactly an input's memory.
#pragma once

#define GRAPHNET_KERNELS(X)                                              \
  X(add, 2, 2, 1, 1, 0, 0, elementwise, F | I | B)                       \
  X(sub, 2, 2, 1, 1, 0, 0, elementwise, F | I)                           \
  X(mul, 2, 2, 1, 1, 0, 0, elementwise, F | I | B)                       \
  X(div, 2, 2, 1, 1, 0, 0, elementwise, F)                               \
  X(maximum, 2, 2, 1, 1, 0, 0, elementwise, F | I | B)                   \
  X(minimum, 2, 2, 1, 1, 0, 0, elementwise, F | I | B)                   \
  X(pow, 2, 2, 1, 1, 0, 0, elementwise, F | I)                           \
  X(floor_div, 2, 2, 1, 1, 0, 0, elementwise, F | I)                     \
  X(remainder, 2, 2, 1, 1, 0, 0, elementwise, F | I)                     \
  X(eq, 2, 2, 1, 1, 0, 0, predicate, F | I | B)                          \
  X(ne, 2, 2, 1, 1, 0, 0, predicate, F | I | B)                          \
  X(lt, 2, 2, 1, 1, 0, 0, predicate, F | I | B)                          \
  X(le, 2, 2, 1, 1, 0, 0, predicate, F | I | B)                          \
  X(gt, 2, 2, 1, 1, 0, 0, predicate, F | I | B)                          \
  X(ge, 2, 2, 1, 1, 0, 0, predicate, F | I | B)                          \
  X(neg, 1, 1, 1, 1, 0, 0, elementwise, F | I)                           \
  X(abs, 1, 1, 1, 1, 0, 0, elementwise, F | I)                           \
  X(sign, 1, 1, 1, 1, 0, 0, elementwise, F | I)                          \
  X(exp, 1, 1, 1, 1, 0, 0, elementwise, F)                               \
  X(log, 1, 1, 1, 1, 0, 0, elementwise, F)                               \
  X(expm1, 1, 1, 1, 1, 0, 0, elementwise, F)                             \
  X(log1p, 1, 1, 1, 1, 0, 0, elementwise, F)                             \
  X(sqrt, 1, 1, 1, 1, 0, 0, elementwise, F)                              \
  X(sin, 1, 1, 1, 1, 0, 0, elementwise, F)                               \
  X(cos, 1, 1, 1, 1, 0, 0, elementwise, F)                               \
  X(tanh, 1, 1, 1, 1, 0, 0, elementwise, F)                              \
  X(sigmoid, 1, 1, 1, 1, 0, 0, elementwise, F)                           \
  X(erf, 1, 1, 1, 1, 0, 0, elementwise, F)                               \
  X(floor, 1, 1, 1, 1, 0, 0, elementwise, F)                             \
  X(ceil, 1, 1, 1, 1, 0, 0, elementwise, F)                              \
  X(relu, 1, 1, 1, 1, 0, 0, elementwise, F | I)                          \
  X(relu_backward, 2, 2, 1, 1, 0, 0, elementwise, F | I)                 \
  X(logical_not, 1, 1, 1, 1, 0, 0, elementwise, B)                       \
  X(isnan, 1, 1, 1, 1, 0, 0, predicate, F)                               \
  X(isfinite, 1, 1, 1, 1, 0, 0, predicate, F)                            \
  X(where, 3, 3, 1, 1, 0, 0, where, F | I | B)                           \
  X(copy, 1, 1, 1, 1, 0, 0, copy, F | I | B)                             \
  X(sum, 1, 1, 1, 1, 0, 1, reduce, F | I)                                \
  X(prod, 1, 1, 1, 1, 0, 0, reduce, F | I)                               \
  X(max, 1, 1, 1, 1, 0, 0, reduce_nonempty, F | I | B)                   \
  X(min, 1, 1, 1, 1, 0, 0, reduce_nonempty, F | I | B)                   \
  X(any, 1, 1, 1, 1, 0, 0, reduce, B)                                    \
  X(all, 1, 1, 1, 1, 0, 0, reduce, B)                                    \
  X(argmax, 1, 1, 1, 1, 1, 1, arg_reduce, F | I | B)                     \
  X(argmin, 1, 1, 1, 1, 1, 1, arg_reduce, F | I | B)                     \
  X(matmul, 2, 3, 1, 1, 0, 2, matmul, F)                                 \
  X(linear, 2, 3, 1, 1, 0, 1, linear, F)                                 \
  X(matmul_relu_backward, 3, 3, 1, 2, 0, 0, matmul_relu_backward, F)     \
  X(matmul_sgd, 2, 2, 1, 2, 7, 7, matmul_sgd, F)                         \
  X(matmul_adam, 2, 2, 3, 4, 8, 8, matmul_adam, F)                       \
  X(sum_sgd, 1, 1, 1, 2, 7, 7, sum_sgd, F)                               \
  X(sum_adam, 1, 1, 3, 4, 8, 8, sum_update, F)                           \
  X(softmax, 1, 1, 1, 1, 0, 0, softmax, F)                               \
  X(log_softmax, 1, 1, 1, 1, 0, 0, softmax, F)                           \
  X(cross_entropy, 2, 3, 1, 1, 0, 3, cross_entropy, F)                   \
  X(cross_entropy_backward, 3, 4, 1, 1, 0, 3, cross_entropy_backward, F) \
  X(sgd, 1, 1, 1, 2, 7, 7, sgd, F)                                       \
  X(adam, 1, 1, 3, 4, 8, 8, adam, F)                                     \
  X(rmsprop, 1, 1, 2, 4, 7, 7, rmsprop, F)                               \
  X(adagrad, 1, 1, 2, 2, 4, 4, adagrad, F)                               \
  X(gelu, 1, 1, 1, 1, 0, 0, elementwise, F)                              \
  X(gelu_tanh, 1, 1, 1, 1, 0, 0, elementwise, F)                         \
  X(silu, 1, 1, 1, 1, 0, 0, elementwise, F)                              \
  X(softplus, 1, 1, 1, 1, 0, 0, elementwise, F)                          \
  X(leaky_relu, 2, 2, 1, 1, 0, 0, elementwise, F)                        \
  X(binary_entropy, 2, 2, 1, 1, 0, 0, elementwise, F)                    \
  X(nll_loss, 2, 3, 1, 1, 0, 2, nll_loss, F)                             \
  X(nll_loss_backward, 3, 4, 1, 1, 0, 2, nll_loss_backward, F)           \
  X(normalize, 1, 1, 1, 1, 2, 18, normalize, F)                          \
  X(normalize_backward, 2, 2, 1, 1, 2, 18, normalize, F)                 \
  X(running_statistics, 4, 4, 1, 1, 0, 16, running_statistics, F)        \
  X(embedding, 2, 2, 1, 1, 0, 0, take, F | I | B)                        \
  X(dropout_mask, 1, 1, 1, 1, 1, 1, dropout_mask, F)                     \
  X(take, 2, 17, 1, 1, 0, 0, take, F | I | B)                            \
  X(index_add, 2, 17, 1, 1, 0, 0, index_add, F | I)                      \
  X(index_put, 2, 17, 1, 1, 0, 0, index_add, F | I | B)                  \
  X(gather, 2, 2, 1, 1, 1, 1, gather, F | I | B)                         \
  X(scatter_add, 2, 2, 1, 1, 1, 1, scatter_add, F | I)                   \
  X(argsort, 1, 1, 1, 1, 1, 2, argsort, F | I | B)                       \
  X(tan, 1, 1, 1, 1, 0, 0, elementwise, F)                               \
  X(asin, 1, 1, 1, 1, 0, 0, elementwise, F)                              \
  X(acos, 1, 1, 1, 1, 0, 0, elementwise, F)                              \
  X(atan, 1, 1, 1, 1, 0, 0, elementwise, F)                              \
  X(sinh, 1, 1, 1, 1, 0, 0, elementwise, F)                              \
  X(cosh, 1, 1, 1, 1, 0, 0, elementwise, F)                              \
  X(asinh, 1, 1, 1, 1, 0, 0, elementwise, F)                             \
  X(acosh, 1, 1, 1, 1, 0, 0, elementwise, F)                             \
  X(atanh, 1, 1, 1, 1, 0, 0, elementwise, F)                             \
  X(round, 1, 1, 1, 1, 0, 0, elementwise, F)                             \
  X(bitwise_and, 2, 2, 1, 1, 0, 0, elementwise, I)                       \
  X(bitwise_or, 2, 2, 1, 1, 0, 0, elementwise, I)                        \
  X(bitwise_xor, 2, 2, 1, 1, 0, 0, elementwise, I)                       \
  X(shift_left, 2, 2, 1, 1, 0, 0, elementwise, I)                        \
  X(shift_right, 2, 2, 1, 1, 0, 0, elementwise, I)                       \
  X(bitwise_not, 1, 1, 1, 1, 0, 0, elementwise, I)                       \
  X(cumsum, 1, 1, 1, 1, 3, 3, running, F | I)                            \
  X(cumprod, 1, 1, 1, 1, 3, 3, running, F | I)                           \
  X(index_mul, 2, 17, 1, 1, 0, 0, index_add, F | I)                      \
  X(index_max, 2, 17, 1, 1, 0, 0, index_add, F | I)                      \
  X(index_min, 2, 17, 1, 1, 0, 0, index_add, F | I)                      \
  X(concat, 1, 64, 1, 1, 1, 1, concat, F | I | B)

namespace graphnet {

enum class Id : int {
#define GRAPHNET_ID(name, ...) name##_,
  GRAPHNET_KERNELS(GRAPHNET_ID)
#undef GRAPHNET_ID
      count
};
constexpr int kNumKernels = static_cast<int>(Id::count);

}  // namespace graphnet
