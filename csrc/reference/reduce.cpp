// Plain loops for the reductions: the output is filled with the identity, then every input element is folded in.
// Float sums are compensated (Neumaier) in double, far inside the contract's eps * log2(n).
#include <cmath>
#include <limits>
#include <type_traits>
#include <vector>

#include "../check.h"
#include "reference.h"
#include "walk.h"

namespace graphnet::reference {
namespace {

// f(accumulator, x) over all elements; out is a frame whose reduced axes have size 1, hence stride 0.
template <class T, class F>
void fold(const Call& call, F f) {
  const View &x = call.in[0], &out = call.out[0];
  walk<2>(x, {&out, &x}, [&](const auto& at_) {
    T& acc = *at<T>(out, at_[0]);
    acc = f(acc, load(at<T>(x, at_[1])));
  });
}

template <class T>
void fill(const View& out, T value) {
  walk<1>(out, {&out}, [&](const auto& at_) { *at<T>(out, at_[0]) = value; });
}

// Fills with the first element of each reduced line, so that no identity is needed (NaN-correct, and ints exact).
template <class T, class F>
void fold_from_first(const Call& call, F f) {
  const View &x = call.in[0], &out = call.out[0];
  walk<2>(out, {&out, &x}, [&](const auto& at_) { *at<T>(out, at_[0]) = load(at<T>(x, at_[1])); });
  fold<T>(call, f);
}

template <class T>
void sum_float(const Call& call) {
  const View &x = call.in[0], &out = call.out[0];
  const double scale = param(call, 0, 1);
  std::vector<double> total(static_cast<size_t>(count(out))), lost(total.size());
  const View sums = packed(out, nullptr);
  walk<2>(x, {&sums, &x}, [&](const auto& at_) {
    const double value = static_cast<double>(*at<T>(x, at_[1]));
    double &t = total[static_cast<size_t>(at_[0])], &c = lost[static_cast<size_t>(at_[0])];
    const double s = t + value;
    c += std::fabs(t) >= std::fabs(value) ? (t - s) + value : (value - s) + t;
    t = s;
  });
  walk<2>(out, {&out, &sums}, [&](const auto& at_) {
    const double t = total[static_cast<size_t>(at_[1])];
    // The compensation of an infinite sum is NaN.
    *at<T>(out, at_[0]) = static_cast<T>((std::isfinite(t) ? t + lost[static_cast<size_t>(at_[1])] : t) * scale);
  });
}

template <class T, class Better>
void arg_best(const Call& call, Better better) {
  const View &x = call.in[0], &out = call.out[0];
  const int axis = static_cast<int>(call.params[0]);
  const int64_t n = x.shape[axis], step = x.stride[axis];
  walk<2>(out, {&out, &x}, [&](const auto& at_) {
    const T* line = at<T>(x, at_[1]);
    int64_t best = 0;
    for (int64_t i = 1; i < n; ++i) {
      const T a = load(line + i * step), b = load(line + best * step);
      if (b == b && (better(a, b) || a != a)) best = i;
    }
    *at<int64_t>(out, at_[0]) = best;
  });
}

}  // namespace

void sum_(const Call& call) {
  visit_number(call.in[0].dtype, [&](auto tag) {
    using T = decltype(tag);
    if constexpr (std::is_floating_point_v<T>) {
      sum_float<T>(call);
    } else {
      using U = std::make_unsigned_t<T>;
      fill<T>(call.out[0], 0);
      fold<T>(call, [](T a, T b) { return static_cast<T>(static_cast<U>(a) + static_cast<U>(b)); });
    }
  });
}

void prod_(const Call& call) {
  visit_number(call.in[0].dtype, [&](auto tag) {
    using T = decltype(tag);
    fill<T>(call.out[0], 1);
    fold<T>(call, [](T a, T b) {
      if constexpr (std::is_floating_point_v<T>) {
        return a * b;
      } else {
        using U = std::make_unsigned_t<T>;
        return static_cast<T>(static_cast<U>(a) * static_cast<U>(b));
      }
    });
  });
}

void max_(const Call& call) {
  visit(call.in[0].dtype, [&](auto tag) {
    fold_from_first<decltype(tag)>(call, [](auto a, auto b) { return a > b || a != a ? a : b; });
  });
}
void min_(const Call& call) {
  visit(call.in[0].dtype, [&](auto tag) {
    fold_from_first<decltype(tag)>(call, [](auto a, auto b) { return a < b || a != a ? a : b; });
  });
}
void any_(const Call& call) {
  fill<uint8_t>(call.out[0], 0);
  fold<uint8_t>(call, [](uint8_t a, uint8_t b) { return static_cast<uint8_t>(a | b); });
}
void all_(const Call& call) {
  fill<uint8_t>(call.out[0], 1);
  fold<uint8_t>(call, [](uint8_t a, uint8_t b) { return static_cast<uint8_t>(a & b); });
}
void argmax_(const Call& call) {
  visit(call.in[0].dtype, [&](auto tag) { arg_best<decltype(tag)>(call, [](auto a, auto b) { return a > b; }); });
}
void argmin_(const Call& call) {
  visit(call.in[0].dtype, [&](auto tag) { arg_best<decltype(tag)>(call, [](auto a, auto b) { return a < b; }); });
}

}  // namespace graphnet::reference
