// Plain loops for operations on the bits of integers, and for running sums and products.
#include <limits>
#include <type_traits>

#include "../check.h"
#include "reference.h"
#include "walk.h"

namespace graphnet::reference {
namespace {

template <class F>
void visit_integer(DType dtype, F f) {
  if (dtype == DType::i32)
    f(int32_t{});
  else
    f(int64_t{});
}

template <class F>
void map_pairs(const Call& call, F f) {
  const View &a = call.in[0], &b = call.in[1], &out = call.out[0];
  visit_integer(a.dtype, [&](auto tag) {
    using T = decltype(tag);
    walk<3>(out, {&out, &a, &b},
            [&](const auto& at_) { *at<T>(out, at_[0]) = f(*at<T>(a, at_[1]), *at<T>(b, at_[2])); });
  });
}

template <class F>
void running(const Call& call, int first, F f) {
  const View &x = call.in[0], &out = call.out[0];
  const int axis = static_cast<int>(call.params[0]);
  const bool exclusive = call.params[1] != 0, reverse = call.params[2] != 0;
  const int64_t n = x.shape[axis], step = x.stride[axis], out_step = out.stride[axis];
  View lines = out, starts = x;
  lines.shape[axis] = starts.shape[axis] = n > 0 ? 1 : 0;
  lines.stride[axis] = starts.stride[axis] = 0;
  visit_number(x.dtype, [&](auto tag) {
    using T = decltype(tag);
    walk<2>(lines, {&lines, &starts}, [&](const auto& at_) {
      T total = static_cast<T>(first);
      for (int64_t k = 0; k < n; ++k) {
        const int64_t i = reverse ? n - 1 - k : k;
        const T next = f(total, *at<T>(x, at_[1] + i * step));
        *at<T>(out, at_[0] + i * out_step) = exclusive ? total : next;
        total = next;
      }
    });
  });
}

}  // namespace

void bitwise_and_(const Call& call) {
  map_pairs(call, [](auto a, auto b) { return a & b; });
}
void bitwise_or_(const Call& call) {
  map_pairs(call, [](auto a, auto b) { return a | b; });
}
void bitwise_xor_(const Call& call) {
  map_pairs(call, [](auto a, auto b) { return a ^ b; });
}
void bitwise_not_(const Call& call) {
  const View &x = call.in[0], &out = call.out[0];
  visit_integer(x.dtype, [&](auto tag) {
    using T = decltype(tag);
    walk<2>(out, {&out, &x}, [&](const auto& at_) { *at<T>(out, at_[0]) = ~*at<T>(x, at_[1]); });
  });
}
// By the width or more, or by a negative number, all bits are gone, as in NumPy.
void shift_left_(const Call& call) {
  map_pairs(call, [](auto a, auto b) {
    using T = decltype(a);
    constexpr auto width = std::numeric_limits<std::make_unsigned_t<T>>::digits;
    return bits(b) < static_cast<std::make_unsigned_t<T>>(width) ? static_cast<T>(bits(a) << b) : T(0);
  });
}
void shift_right_(const Call& call) {
  map_pairs(call, [](auto a, auto b) {
    using T = decltype(a);
    constexpr auto width = std::numeric_limits<std::make_unsigned_t<T>>::digits;
    return bits(b) < static_cast<std::make_unsigned_t<T>>(width) ? static_cast<T>(a >> b) : T(a < 0 ? -1 : 0);
  });
}
void cumsum_(const Call& call) {
  running(call, 0, [](auto a, auto b) { return static_cast<decltype(a)>(bits(a) + bits(b)); });
}
void cumprod_(const Call& call) {
  running(call, 1, [](auto a, auto b) { return static_cast<decltype(a)>(bits(a) * bits(b)); });
}

}  // namespace graphnet::reference
