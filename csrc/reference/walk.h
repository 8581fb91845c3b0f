// Strided iteration and dispatch over dtypes for the reference kernels.
#pragma once

#include <array>
#include <cstdint>
#include <type_traits>

#include "../core.h"
#include "../view.h"

namespace graphnet::reference {

// Calls f with a value of the C++ type that stores `dtype`. bool is stored as uint8_t: a byte other than 0 or 1 (NumPy
// allows it through views) would be undefined as a C++ bool.
template <class F>
void visit(DType dtype, F&& f) {
  switch (dtype) {
    case DType::f32:
      return f(float{});
    case DType::f64:
      return f(double{});
    case DType::i32:
      return f(int32_t{});
    case DType::i64:
      return f(int64_t{});
    case DType::b8:
      return f(uint8_t{});
  }
}

template <class F>
void visit_float(DType dtype, F&& f) {
  if (dtype == DType::f32)
    f(float{});
  else
    f(double{});
}

template <class F>
void visit_number(DType dtype, F&& f) {
  if (dtype != DType::b8)
    visit(dtype, [&](auto tag) {
      if constexpr (!std::is_same_v<decltype(tag), uint8_t>) f(tag);
    });
}

// Integers wrap: arithmetic in unsigned, where that is defined.
template <class T>
auto bits(T x) {
  if constexpr (std::is_integral_v<T>)
    return static_cast<std::make_unsigned_t<T>>(x);
  else
    return x;
}

// Reads an element; bool comes out as 0 or 1.
template <class T>
T load(const T* p) {
  if constexpr (std::is_same_v<T, uint8_t>)
    return *p != 0;
  else
    return *p;
}

template <class T>
T* at(const View& view, int64_t offset) {
  return static_cast<T*>(view.data) + offset;
}

// Calls f(offsets) for every index of `frame`; offsets[i] is the element's place in views[i], broadcast to the frame.
template <size_t N, class F>
void walk(const View& frame, const std::array<const View*, N>& views, F&& f) {
  std::array<int64_t, N> offset{};
  int64_t index[kMaxRank] = {};
  if (count(frame) == 0) return;
  const auto stride = [&](size_t v, int dim) -> int64_t {
    const int d = dim - (frame.rank - views[v]->rank);
    return d < 0 || views[v]->shape[d] == 1 ? 0 : views[v]->stride[d];
  };
  while (true) {
    f(offset);
    int dim = frame.rank - 1;
    for (; dim >= 0; --dim) {
      for (size_t v = 0; v < N; ++v) offset[v] += stride(v, dim);
      if (++index[dim] < frame.shape[dim]) break;
      for (size_t v = 0; v < N; ++v) offset[v] -= stride(v, dim) * frame.shape[dim];
      index[dim] = 0;
    }
    if (dim < 0) return;
  }
}

}  // namespace graphnet::reference
