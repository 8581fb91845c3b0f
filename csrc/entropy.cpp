#include "entropy.h"

#include "check.h"

namespace graphnet {
namespace {

double value(const View& view, int64_t offset) {
  return view.dtype == DType::f32 ? static_cast<double>(static_cast<const float*>(view.data)[offset])
                                  : static_cast<const double*>(view.data)[offset];
}

}  // namespace

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
  for (int64_t i = 0; i < rows; ++i) {
    const int64_t label = labels_[i * label_stride_];
    if ((label < 0 || label >= classes) && label != ignore_)
      throw IndexError(std::string(call.kernel) + ": input 1: row " + std::to_string(i) + " has target " +
                       std::to_string(label) + ", expected 0 to " + std::to_string(classes - 1) + " (" +
                       std::to_string(classes) + " classes) or ignore_index " + std::to_string(ignore_));
  }
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
  for (int64_t i = 0; i < rows; ++i) {
    const int64_t l = label(i);
    if (l >= 0) total += weight(l);
  }
  return total;
}

}  // namespace graphnet
