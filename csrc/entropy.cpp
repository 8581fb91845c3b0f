#include "entropy.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <vector>

#include "check.h"
#include "pool.h"
#include "view.h"

namespace graphnet {
namespace {}  // namespace

Entropy::Entropy(const Call& call, int weight_index)
    : rows(call.in[0].shape[0]),
      classes(call.in[0].shape[1]),
      reduction(static_cast<int>(param(call, 0, 1))),
      smoothing(param(call, 2, 0)),
      weights_(call.nin > weight_index ? &call.in[weight_index] : nullptr),
      probabilities_(nullptr),
      labels_(nullptr),
      label_stride_(0),
      ignore_(static_cast<int64_t>(param(call, 1, -100))) {
  const View& target = call.in[1];
  if (target.dtype != DType::i64) {
    probabilities_ = &target;
    return;
  }
  labels_ = static_cast<const int64_t*>(target.data);
  label_stride_ = target.stride[0];
  const auto fits = [this](int64_t i) {
    const int64_t label = labels_[i * label_stride_];
    return static_cast<int>(static_cast<uint64_t>(label) < static_cast<uint64_t>(classes)) | (label == ignore_);
  };
  int all = 1;  // no branches, as they would take longest for a few classes
  for (int64_t i = 0; i < rows; ++i) all &= fits(i);
  if (all != 0) return;
  int64_t i = 0;
  while (fits(i) != 0) ++i;
  throw IndexError(std::string(call.kernel) + ": input 1: row " + std::to_string(i) + " has target " +
                   std::to_string(labels_[i * label_stride_]) + ", expected 0 to " + std::to_string(classes - 1) +
                   " (" + std::to_string(classes) + " classes) or ignore_index " + std::to_string(ignore_));
}

double Entropy::weight(int64_t c) const { return weights_ ? value(*weights_, c * weights_->stride[0]) : 1; }

double Entropy::share(int64_t row, int64_t c) const {
  const double smooth = smoothing / static_cast<double>(classes);
  if (probabilities_ == nullptr) return smooth;
  return value(*probabilities_, row * probabilities_->stride[0] + c * probabilities_->stride[1]) * (1 - smoothing) +
         smooth;
}

double Entropy::total_weight() const {
  if (labels_ == nullptr) return static_cast<double>(rows);
  double total = 0;
  int64_t kept = 0;
  for (int64_t i = 0; i < rows; ++i) {
    const int64_t l = label(i);
    kept += l >= 0;
    if (l >= 0 && weights_ != nullptr) total += weight(l);
  }
  return weights_ != nullptr ? total : static_cast<double>(kept);
}

namespace {

bool dense(const View& view, int axis) { return view.shape[axis] == 1 || view.stride[axis] == 1; }

bool soft(const Call& call, int weight_index) {
  const View &x = call.in[0], &target = call.in[1];
  if (target.dtype == DType::i64 && param(call, 2, 0) == 0) return false;
  if (x.shape[1] == 0 || !dense(x, 1) || (target.dtype != DType::i64 && !dense(target, 1))) return false;
  return call.nin <= weight_index || dense(call.in[weight_index], 0);
}

// f(row, the row's number, part) for every row, in parts.
template <class F>
void each_soft_row(const Call& call, const Entropy& e, F f) {
  const View& x = call.in[0];
  const int64_t item = x.dtype == DType::f32 ? 4 : 8;
  const auto body = [&](int part, int parts) {
    const std::unique_ptr<double[]> room(new double[static_cast<size_t>(e.classes)]);
    for (int64_t i = e.rows * part / parts; i < e.rows * (part + 1) / parts; ++i) {
      const View* p = e.probabilities();
      f(SoftRow{static_cast<const char*>(x.data) + i * x.stride[0] * item,
                p == nullptr ? nullptr : static_cast<const char*>(p->data) + i * p->stride[0] * item,
                e.weights() == nullptr ? nullptr : e.weights()->data, e.label(i), e.classes, e.smoothing, room.get()},
        i);
    }
  };
  const int wanted = static_cast<int>(std::min<int64_t>(e.rows * e.classes * item / (16 * 1024), 64));
  if (wanted < 2)
    body(0, 1);
  else
    parallel(wanted, body);
}

}  // namespace

bool run_soft_entropy(const Call& call, SoftLossFunction f) {
  if (!soft(call, 2)) return false;
  const Entropy e(call, 2);
  const View& out = call.out[0];
  std::vector<double> losses(static_cast<size_t>(e.rows));
  each_soft_row(call, e, [&](const SoftRow& row, int64_t i) {
    losses[static_cast<size_t>(i)] = e.skipped(row.label) ? 0 : f(row);
  });
  double total = 0;
  for (int64_t i = 0; i < e.rows; ++i) {
    total += losses[static_cast<size_t>(i)];
    if (e.reduction == 0) put(out, i * out.stride[0], losses[static_cast<size_t>(i)]);
  }
  if (e.reduction != 0) put(out, 0, e.reduction == 1 ? total / e.total_weight() : total);
  return true;
}

bool run_soft_entropy_backward(const Call& call, SoftBackwardFunction f) {
  const View &g = call.in[2], &out = call.out[0];
  if (!soft(call, 3) || !dense(out, 1)) return false;
  const Entropy e(call, 3);
  const double scale = e.reduction == 1 ? 1 / e.total_weight() : 1;
  const int64_t item = out.dtype == DType::f32 ? 4 : 8;
  each_soft_row(call, e, [&](const SoftRow& row, int64_t i) {
    char* to = static_cast<char*>(out.data) + i * out.stride[0] * item;
    if (e.skipped(row.label))
      std::memset(to, 0, static_cast<size_t>(e.classes * item));
    else
      f(row, to, value(g, e.reduction == 0 ? i * g.stride[0] : 0) * scale);
  });
  return true;
}

}  // namespace graphnet
