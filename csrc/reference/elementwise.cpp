// Plain loops for the elementwise kernels. The output may be an input's memory: each element is read before it is
// written, in the same iteration.
#include <cmath>
#include <limits>
#include <type_traits>

#include "reference.h"
#include "walk.h"

namespace graphnet::reference {
namespace {

[[noreturn]] void division_by_zero(const Call& call) {
  throw ValueError(std::string(call.kernel) + ": integer division by zero");
}

template <class T>
T floor_div(const Call& call, T a, T b) {
  if constexpr (std::is_integral_v<T>) {
    if (b == 0) division_by_zero(call);
    if (b == -1) return static_cast<T>(-bits(a));
    const T q = a / b;
    return q - ((a % b != 0) && ((a < 0) != (b < 0)));
  } else {
    if (b == 0) return a / b;
    const T mod = std::fmod(a, b);
    T div = (a - mod) / b;
    if (mod != 0 && (b < 0) != (mod < 0)) div -= 1;
    if (div == 0) return std::copysign(T(0), a / b);
    const T floor = std::floor(div);
    return div - floor > T(0.5) ? floor + 1 : floor;
  }
}

template <class T>
T remainder(const Call& call, T a, T b) {
  if constexpr (std::is_integral_v<T>) {
    if (b == 0) division_by_zero(call);
    if (b == -1) return 0;
    const T r = a % b;
    return r != 0 && (r < 0) != (b < 0) ? r + b : r;
  } else {
    const T mod = std::fmod(a, b);
    if (mod == 0) return std::copysign(T(0), b);
    return (mod < 0) != (b < 0) ? mod + b : mod;
  }
}

template <class T>
T power(const Call& call, T a, T b) {
  if constexpr (std::is_integral_v<T>) {
    if (b < 0)
      throw ValueError(std::string(call.kernel) + ": input 1: expected non-negative integer exponents, got " +
                       std::to_string(b));
    auto result = bits(T(1)), base = bits(a);
    for (; b != 0; b >>= 1, base *= base)
      if (b & 1) result *= base;
    return static_cast<T>(result);
  } else {
    return std::pow(a, b);
  }
}

template <class To, class From>
To convert(From x) {
  if constexpr (std::is_same_v<To, uint8_t>) {
    return x != 0;
  } else if constexpr (std::is_floating_point_v<From> && std::is_integral_v<To>) {
    constexpr From low = static_cast<From>(std::numeric_limits<To>::min());
    return x >= low && x < -low ? static_cast<To>(x) : std::numeric_limits<To>::min();
  } else {
    return static_cast<To>(x);
  }
}

template <class T, class R, class F>
void map1(const Call& call, F f) {
  const View &x = call.in[0], &out = call.out[0];
  walk<2>(out, {&out, &x}, [&](const auto& at_) { *at<R>(out, at_[0]) = static_cast<R>(f(load(at<T>(x, at_[1])))); });
}

template <class T, class R, class F>
void map2(const Call& call, F f) {
  const View &a = call.in[0], &b = call.in[1], &out = call.out[0];
  walk<3>(out, {&out, &a, &b}, [&](const auto& at_) {
    *at<R>(out, at_[0]) = static_cast<R>(f(load(at<T>(a, at_[1])), load(at<T>(b, at_[2]))));
  });
}

template <class F>
void binary(const Call& call, F f) {
  visit(call.in[0].dtype, [&](auto tag) { map2<decltype(tag), decltype(tag)>(call, f); });
}

template <class F>
void binary_number(const Call& call, F f) {
  visit_number(call.in[0].dtype, [&](auto tag) { map2<decltype(tag), decltype(tag)>(call, f); });
}

template <class F>
void compare(const Call& call, F f) {
  visit(call.in[0].dtype, [&](auto tag) { map2<decltype(tag), uint8_t>(call, f); });
}

template <class F>
void unary_number(const Call& call, F f) {
  visit_number(call.in[0].dtype, [&](auto tag) { map1<decltype(tag), decltype(tag)>(call, f); });
}

template <class F>
void unary_float(const Call& call, F f) {
  visit_float(call.in[0].dtype, [&](auto tag) { map1<decltype(tag), decltype(tag)>(call, f); });
}

template <class T>
constexpr bool is_bool = std::is_same_v<T, uint8_t>;

}  // namespace

void add_(const Call& call) {
  binary(call, [](auto a, auto b) {
    if constexpr (is_bool<decltype(a)>)
      return static_cast<uint8_t>(a | b);
    else
      return static_cast<decltype(a)>(bits(a) + bits(b));
  });
}
void sub_(const Call& call) {
  binary_number(call, [](auto a, auto b) { return static_cast<decltype(a)>(bits(a) - bits(b)); });
}
void mul_(const Call& call) {
  binary(call, [](auto a, auto b) { return static_cast<decltype(a)>(bits(a) * bits(b)); });
}
void div_(const Call& call) {
  visit_float(call.in[0].dtype, [&](auto tag) {
    using T = decltype(tag);
    map2<T, T>(call, [](T a, T b) { return a / b; });
  });
}
void maximum_(const Call& call) {
  binary(call, [](auto a, auto b) { return a > b || a != a ? a : b; });
}
void minimum_(const Call& call) {
  binary(call, [](auto a, auto b) { return a < b || a != a ? a : b; });
}
void pow_(const Call& call) {
  binary_number(call, [&](auto a, auto b) { return power(call, a, b); });
}
void floor_div_(const Call& call) {
  binary_number(call, [&](auto a, auto b) { return floor_div(call, a, b); });
}
void remainder_(const Call& call) {
  binary_number(call, [&](auto a, auto b) { return remainder(call, a, b); });
}

void eq_(const Call& call) {
  compare(call, [](auto a, auto b) { return a == b; });
}
void ne_(const Call& call) {
  compare(call, [](auto a, auto b) { return a != b; });
}
void lt_(const Call& call) {
  compare(call, [](auto a, auto b) { return a < b; });
}
void le_(const Call& call) {
  compare(call, [](auto a, auto b) { return a <= b; });
}
void gt_(const Call& call) {
  compare(call, [](auto a, auto b) { return a > b; });
}
void ge_(const Call& call) {
  compare(call, [](auto a, auto b) { return a >= b; });
}

void neg_(const Call& call) {
  unary_number(call, [](auto x) { return static_cast<decltype(x)>(-bits(x)); });
}
void abs_(const Call& call) {
  unary_number(call, [](auto x) {
    if constexpr (std::is_floating_point_v<decltype(x)>)
      return std::fabs(x);
    else
      return x < 0 ? static_cast<decltype(x)>(-bits(x)) : x;
  });
}
void sign_(const Call& call) {
  unary_number(call, [](auto x) { return x > 0 ? decltype(x)(1) : x < 0 ? decltype(x)(-1) : x; });
}
void exp_(const Call& call) {
  unary_float(call, [](auto x) { return std::exp(x); });
}
void log_(const Call& call) {
  unary_float(call, [](auto x) { return std::log(x); });
}
void expm1_(const Call& call) {
  unary_float(call, [](auto x) { return std::expm1(x); });
}
void log1p_(const Call& call) {
  unary_float(call, [](auto x) { return std::log1p(x); });
}
void sqrt_(const Call& call) {
  unary_float(call, [](auto x) { return std::sqrt(x); });
}
void sin_(const Call& call) {
  unary_float(call, [](auto x) { return std::sin(x); });
}
void cos_(const Call& call) {
  unary_float(call, [](auto x) { return std::cos(x); });
}
void tanh_(const Call& call) {
  // In double: tanhf is 2.1 ulp off.
  unary_float(call, [](auto x) { return static_cast<decltype(x)>(std::tanh(static_cast<double>(x))); });
}
void sigmoid_(const Call& call) {
  // In double for float32: 1 + exp(-x) rounded in float32 costs an ulp. exp(-x) overflowing to inf gives 0, which is
  // right for float64 below -709.8 but for the subnormals, which the other form keeps.
  unary_float(call, [](auto x) {
    using T = decltype(x);
    const double d = static_cast<double>(x);
    const double e = std::exp(-std::fabs(d));
    return static_cast<T>(d < 0 ? e / (1 + e) : 1 / (1 + e));
  });
}
void erf_(const Call& call) {
  unary_float(call, [](auto x) { return std::erf(x); });
}
void floor_(const Call& call) {
  unary_float(call, [](auto x) { return std::floor(x); });
}
void ceil_(const Call& call) {
  unary_float(call, [](auto x) { return std::ceil(x); });
}
void relu_(const Call& call) {
  unary_number(call, [](auto x) { return x <= 0 ? decltype(x)(0) : x; });
}
void relu_backward_(const Call& call) {
  binary_number(call, [](auto g, auto y) { return y <= 0 ? decltype(g)(0) : g; });
}
void logical_not_(const Call& call) {
  map1<uint8_t, uint8_t>(call, [](uint8_t x) { return x == 0; });
}
void isnan_(const Call& call) {
  visit_float(call.in[0].dtype, [&](auto tag) { map1<decltype(tag), uint8_t>(call, [](auto x) { return x != x; }); });
}
void isfinite_(const Call& call) {
  visit_float(call.in[0].dtype,
              [&](auto tag) { map1<decltype(tag), uint8_t>(call, [](auto x) { return std::isfinite(x); }); });
}
void where_(const Call& call) {
  const View &c = call.in[0], &a = call.in[1], &b = call.in[2], &out = call.out[0];
  visit(out.dtype, [&](auto tag) {
    using T = decltype(tag);
    walk<4>(out, {&out, &c, &a, &b}, [&](const auto& at_) {
      const T* chosen = *at<uint8_t>(c, at_[1]) != 0 ? at<T>(a, at_[2]) : at<T>(b, at_[3]);
      *at<T>(out, at_[0]) = load(chosen);
    });
  });
}
void copy_(const Call& call) {
  visit(call.in[0].dtype, [&](auto from) {
    visit(call.out[0].dtype,
          [&](auto to) { map1<decltype(from), decltype(to)>(call, [](auto x) { return convert<decltype(to)>(x); }); });
  });
}

}  // namespace graphnet::reference
