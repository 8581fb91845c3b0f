// The arguments of cross_entropy and its backward, read once; label errors are thrown before anything is written.
#pragma once

#include "core.h"

namespace graphnet {

class Entropy {
 public:
  Entropy(const Call& call, int weight_index);

  int64_t rows, classes;
  int reduction;
  double smoothing;

  bool has_labels() const { return labels_ != nullptr; }
  // The row's class, or -1 where the target is a distribution or the row is ignored.
  int64_t label(int64_t row) const {
    if (labels_ == nullptr) return -1;
    const int64_t value = labels_[row * label_stride_];
    return value == ignore_ ? -1 : value;
  }
  bool skipped(int64_t label) const { return labels_ != nullptr && label < 0; }
  double weight(int64_t c) const;
  const View* weights() const { return weights_; }
  const View* probabilities() const { return probabilities_; }
  // What class c gets of the row's target besides the label itself: the smoothed distribution, or smoothing / classes.
  double share(int64_t row, int64_t c) const;
  // Weighted target of class c in a row with this label.
  double target(int64_t row, int64_t c, int64_t label) const {
    return weight(c) * (share(row, c) + (c == label ? 1 - smoothing : 0));
  }
  // What `mean` divides by.
  double total_weight() const;

 private:
  const View* weights_;
  const View* probabilities_;
  const int64_t* labels_;
  int64_t label_stride_, ignore_;
};

// A row whose target is a distribution: given, or that of smoothing; all memory is contiguous.
struct SoftRow {
  const void* x;
  const void* probabilities;  // null for a label
  const void* weight;         // null for weights of 1
  int64_t label;              // -1 for probabilities
  int64_t n;
  double smoothing;
  void* target;  // room for n elements
};
using SoftLossFunction = double (*)(const SoftRow& row);
// dx = factor times the loss's gradient
using SoftBackwardFunction = void (*)(const SoftRow& row, void* dx, double factor);

// cross_entropy and its backward for such targets; false where there are none, or memory is strided.
bool run_soft_entropy(const Call& call, SoftLossFunction f);
bool run_soft_entropy_backward(const Call& call, SoftBackwardFunction f);

}  // namespace graphnet
