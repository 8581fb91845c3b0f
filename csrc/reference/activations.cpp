// Plain loops for the activations and losses that have kernels of their own.
#include <cmath>
#include <string>

#include "../entropy.h"
#include "reference.h"
#include "walk.h"

namespace graphnet::reference {
namespace {

template <class F>
void map(const Call& call, F f) {
  const View &x = call.in[0], &out = call.out[0];
  visit_float(x.dtype, [&](auto tag) {
    using T = decltype(tag);
    walk<2>(out, {&out, &x}, [&](const auto& at_) { *at<T>(out, at_[0]) = f(*at<T>(x, at_[1])); });
  });
}

template <class F>
void map_pairs(const Call& call, F f) {
  const View &a = call.in[0], &b = call.in[1], &out = call.out[0];
  visit_float(a.dtype, [&](auto tag) {
    using T = decltype(tag);
    walk<3>(out, {&out, &a, &b},
            [&](const auto& at_) { *at<T>(out, at_[0]) = f(*at<T>(a, at_[1]), *at<T>(b, at_[2])); });
  });
}

}  // namespace

void gelu_(const Call& call) {
  map(call, [](auto x) {
    using T = decltype(x);
    return x * T(0.5) * (T(1) + std::erf(x * T(0.70710678118654752440)));
  });
}
void gelu_tanh_(const Call& call) {
  map(call, [](auto x) {
    using T = decltype(x);
    const T inner = T(0.79788456080286535588) * (x + T(0.044715) * x * x * x);
    return x * T(0.5) * (T(1) + std::tanh(inner));
  });
}
void silu_(const Call& call) {
  map(call, [](auto x) { return x / (decltype(x)(1) + std::exp(-x)); });
}
void softplus_(const Call& call) {
  map(call, [](auto x) { return x > 0 ? x + std::log1p(std::exp(-x)) : std::log1p(std::exp(x)); });
}
void leaky_relu_(const Call& call) {
  map_pairs(call, [](auto x, auto slope) { return x > 0 ? x : x * slope; });
}
void binary_entropy_(const Call& call) {
  map_pairs(call, [&](auto x, auto t) {
    using T = decltype(x);
    if (!(x >= 0 && x <= 1))
      throw ValueError(std::string(call.kernel) + ": input 0: expected probabilities from 0 to 1, got " +
                       std::to_string(x));
    if (!(t >= 0 && t <= 1))
      throw ValueError(std::string(call.kernel) + ": input 1: expected targets from 0 to 1, got " + std::to_string(t));
    return (t - 1) * std::fmax(std::log1p(-x), T(-100)) - t * std::fmax(std::log(x), T(-100));
  });
}

void nll_loss_(const Call& call) {
  const Entropy e(call, 2);
  const View &x = call.in[0], &out = call.out[0];
  visit_float(x.dtype, [&](auto tag) {
    using T = decltype(tag);
    double total = 0, weights = 0;
    for (int64_t i = 0; i < e.rows; ++i) {
      const int64_t label = e.label(i);
      double loss = 0;
      if (label >= 0) {
        const double w = e.weight(label);
        loss = -w * static_cast<double>(*at<T>(x, i * x.stride[0] + label * x.stride[1]));
        weights += w;
      }
      total += loss;
      if (e.reduction == 0) *at<T>(out, i * out.stride[0]) = static_cast<T>(loss);
    }
    if (e.reduction != 0) *at<T>(out, 0) = static_cast<T>(e.reduction == 1 ? total / weights : total);
  });
}

void nll_loss_backward_(const Call& call) {
  const Entropy e(call, 3);
  const View &g = call.in[2], &out = call.out[0];
  visit_float(out.dtype, [&](auto tag) {
    using T = decltype(tag);
    const double scale = e.reduction == 1 ? 1 / e.total_weight() : 1;
    for (int64_t i = 0; i < e.rows; ++i) {
      const int64_t label = e.label(i);
      for (int64_t j = 0; j < e.classes; ++j) {
        const double up = j == label ? static_cast<double>(*at<T>(g, e.reduction == 0 ? i * g.stride[0] : 0)) : 0;
        *at<T>(out, i * out.stride[0] + j * out.stride[1]) = static_cast<T>(j == label ? -up * scale * e.weight(j) : 0);
      }
    }
  });
}

}  // namespace graphnet::reference
