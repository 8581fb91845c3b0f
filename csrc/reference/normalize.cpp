// Plain loops for normalisation over any axes, in double throughout.
#include <cmath>
#include <vector>

#include "reference.h"
#include "walk.h"

namespace graphnet::reference {
namespace {

// Sums of f(x, g) for every kept index, spread over x's shape by strides of 0.
struct Sums {
  View view;  // of x's shape
  std::vector<double> value;

  Sums(const View& x, const Call& call, int first_axis = 2) : view(x) {
    bool reduced[kMaxRank] = {};
    for (int i = first_axis; i < call.nparams; ++i) reduced[static_cast<int>(call.params[i])] = true;
    int64_t size = 1;
    for (int d = x.rank - 1; d >= 0; --d) {
      view.stride[d] = reduced[d] ? 0 : size;
      if (!reduced[d]) size *= x.shape[d];
    }
    value.assign(static_cast<size_t>(size), 0);
  }
  double& operator[](int64_t offset) { return value[static_cast<size_t>(offset)]; }
  void scale(double factor) {
    for (double& v : value) v *= factor;
  }
};

template <class T>
void normalise(const Call& call) {
  const View &x = call.in[call.nin - 1], &out = call.out[0];
  Sums mean(x, call), square(x, call);
  const int64_t total = count(x);
  if (total == 0) return;
  const double share = static_cast<double>(mean.value.size()) / static_cast<double>(total);
  const auto value = [](const View& view, int64_t offset) { return static_cast<double>(*at<T>(view, offset)); };
  if (call.params[1] != 0) walk<2>(x, {&x, &mean.view}, [&](const auto& at_) { mean[at_[1]] += value(x, at_[0]); });
  mean.scale(share);
  walk<2>(x, {&x, &mean.view}, [&](const auto& at_) {
    const double d = value(x, at_[0]) - mean[at_[1]];
    square[at_[1]] += d * d;
  });
  square.scale(share);
  for (double& v : square.value) v = 1 / std::sqrt(v + call.params[0]);
  if (call.nin == 1) {
    walk<3>(x, {&out, &x, &mean.view}, [&](const auto& at_) {
      *at<T>(out, at_[0]) = static_cast<T>((value(x, at_[1]) - mean[at_[2]]) * square[at_[2]]);
    });
    return;
  }
  const View& g = call.in[0];
  Sums mean_g(x, call), dot(x, call);
  walk<3>(x, {&g, &x, &mean.view}, [&](const auto& at_) {
    if (call.params[1] != 0) mean_g[at_[2]] += value(g, at_[0]);
    dot[at_[2]] += value(g, at_[0]) * (value(x, at_[1]) - mean[at_[2]]) * square[at_[2]];
  });
  mean_g.scale(share);
  dot.scale(share);
  walk<4>(x, {&out, &g, &x, &mean.view}, [&](const auto& at_) {
    const double y = (value(x, at_[2]) - mean[at_[3]]) * square[at_[3]];
    *at<T>(out, at_[0]) = static_cast<T>((value(g, at_[1]) - mean_g[at_[3]] - y * dot[at_[3]]) * square[at_[3]]);
  });
}

template <class T>
void statistics(const Call& call) {
  const View &x = call.in[0], &out = call.out[0];
  Sums mean(x, call, 0), square(x, call, 0);
  const auto value = [](const View& view, int64_t offset) { return static_cast<double>(*at<T>(view, offset)); };
  const double number = static_cast<double>(count(x)) / static_cast<double>(mean.value.size());
  walk<2>(x, {&x, &mean.view}, [&](const auto& at_) { mean[at_[1]] += value(x, at_[0]); });
  mean.scale(1 / number);
  walk<2>(x, {&x, &mean.view}, [&](const auto& at_) {
    const double d = value(x, at_[0]) - mean[at_[1]];
    square[at_[1]] += d * d;
  });
  const double momentum = value(call.in[3], 0);
  for (int64_t k = 0; k < out.shape[1]; ++k) {
    const auto moved = [&](int input, double to) {
      return static_cast<T>((1 - momentum) * value(call.in[input], k * call.in[input].stride[0]) + momentum * to);
    };
    *at<T>(out, k * out.stride[1]) = moved(1, mean[k]);
    *at<T>(out, out.stride[0] + k * out.stride[1]) = moved(2, square[k] / (number - 1));
  }
}

}  // namespace

void normalize_(const Call& call) {
  visit_float(call.out[0].dtype, [&](auto tag) { normalise<decltype(tag)>(call); });
}
void normalize_backward_(const Call& call) {
  visit_float(call.out[0].dtype, [&](auto tag) { normalise<decltype(tag)>(call); });
}
void running_statistics_(const Call& call) {
  visit_float(call.out[0].dtype, [&](auto tag) { statistics<decltype(tag)>(call); });
}

}  // namespace graphnet::reference
