// Plain loops for softmax and cross-entropy, in double throughout.
#include <cmath>
#include <vector>

#include "../check.h"
#include "../entropy.h"
#include "reference.h"
#include "walk.h"

namespace graphnet::reference {
namespace {

// The line's largest element and log(sum(exp(x - largest))). A line of -inf gives NaN as in PyTorch.
struct LogSum {
  double top, log_sum;
};

template <class T>
LogSum log_sum(const T* x, int64_t n, int64_t step) {
  double top = -HUGE_VAL, sum = 0;
  for (int64_t i = 0; i < n; ++i)
    if (x[i * step] > top || x[i * step] != x[i * step]) top = static_cast<double>(x[i * step]);
  for (int64_t i = 0; i < n; ++i) sum += std::exp(static_cast<double>(x[i * step]) - top);
  return {top, std::log(sum)};
}

template <bool kLog>
void normalise(const Call& call) {
  const View &x = call.in[0], &y = call.out[0];
  const int last = x.rank - 1;
  const int64_t n = x.shape[last], sx = x.stride[last], sy = y.stride[last];
  View rows_x = x, rows_y = y;
  --rows_x.rank, --rows_y.rank;
  visit_float(x.dtype, [&](auto tag) {
    using T = decltype(tag);
    if (n == 0) return;
    walk<2>(rows_y, {&rows_y, &rows_x}, [&](const auto& at_) {
      const T* from = at<T>(x, at_[1]);
      T* to = at<T>(y, at_[0]);
      const LogSum s = log_sum(from, n, sx);
      for (int64_t i = 0; i < n; ++i) {
        const double value = static_cast<double>(from[i * sx]) - s.top - s.log_sum;
        to[i * sy] = static_cast<T>(kLog ? value : std::exp(value));
      }
    });
  });
}

}  // namespace

void softmax_(const Call& call) { normalise<false>(call); }
void log_softmax_(const Call& call) { normalise<true>(call); }

void cross_entropy_(const Call& call) {
  const Entropy e(call, 2);
  const View &x = call.in[0], &out = call.out[0];
  visit_float(x.dtype, [&](auto tag) {
    using T = decltype(tag);
    double total = 0, weights = 0;
    for (int64_t i = 0; i < e.rows; ++i) {
      const T* row = at<T>(x, i * x.stride[0]);
      const LogSum s = log_sum(row, e.classes, x.stride[1]);
      const auto logp = [&](int64_t j) { return static_cast<double>(row[j * x.stride[1]]) - s.top - s.log_sum; };
      double loss = 0;
      const int64_t label = e.label(i);
      if (!e.skipped(label)) {
        if (e.has_labels()) {
          loss = -(1 - e.smoothing) * e.weight(label) * logp(label);
          weights += e.weight(label);
        }
        if (!e.has_labels() || e.smoothing > 0)
          for (int64_t j = 0; j < e.classes; ++j) loss -= e.share(i, j) * e.weight(j) * logp(j);
      }
      total += loss;
      if (e.reduction == 0) *at<T>(out, i * out.stride[0]) = static_cast<T>(loss);
    }
    if (!e.has_labels()) weights = static_cast<double>(e.rows);
    if (e.reduction != 0) *at<T>(out, 0) = static_cast<T>(e.reduction == 1 ? total / weights : total);
  });
}

void cross_entropy_backward_(const Call& call) {
  const Entropy e(call, 3);
  const View &x = call.in[0], &g = call.in[2], &out = call.out[0];
  visit_float(x.dtype, [&](auto tag) {
    using T = decltype(tag);
    const double scale = e.reduction == 1 ? 1 / e.total_weight() : 1;
    for (int64_t i = 0; i < e.rows; ++i) {
      const T* row = at<T>(x, i * x.stride[0]);
      T* to = at<T>(out, i * out.stride[0]);
      const int64_t label = e.label(i);
      if (e.skipped(label)) {
        for (int64_t j = 0; j < e.classes; ++j) to[j * out.stride[1]] = 0;
        continue;
      }
      const LogSum s = log_sum(row, e.classes, x.stride[1]);
      const double factor = static_cast<double>(*at<T>(g, e.reduction == 0 ? i * g.stride[0] : 0)) * scale;
      // d loss / d x_j = softmax_j * (sum of all targets' shares) - share_j
      double shares = 0;
      for (int64_t j = 0; j < e.classes; ++j) shares += e.target(i, j, label);
      for (int64_t j = 0; j < e.classes; ++j) {
        const double p = std::exp(static_cast<double>(row[j * x.stride[1]]) - s.top - s.log_sum);
        to[j * out.stride[1]] = static_cast<T>(factor * (p * shares - e.target(i, j, label)));
      }
    }
  });
}

}  // namespace graphnet::reference
