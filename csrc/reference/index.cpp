// Plain loops for take, index_add, index_put, gather, scatter_add, argsort and concat.
#include <algorithm>
#include <numeric>
#include <type_traits>
#include <vector>

#include "../check.h"
#include "reference.h"
#include "walk.h"

namespace graphnet::reference {
namespace {

int64_t row_of(const Call& call, int input, int64_t index, int64_t rows) {
  const int64_t row = index < 0 ? index + rows : index;
  if (row < 0 || row >= rows)
    throw IndexError(std::string(call.kernel) + ": input " + std::to_string(input) + ": index " +
                     std::to_string(index) + " is out of range for size " + std::to_string(rows));
  return row;
}

// Without its first dimensions.
View tail(const View& view, int skip) {
  View t = view;
  t.rank = view.rank - skip;
  for (int d = 0; d < t.rank; ++d) t.shape[d] = view.shape[d + skip], t.stride[d] = view.stride[d + skip];
  return t;
}

// f(where in table, where in rows) for every position of the indices, inputs 1 and up, which broadcast; every index is
// checked before f is first called.
template <class F>
void each_index(const Call& call, const View& rows, const View& table, F f) {
  const View frame = index_frame(call);
  View head = rows;
  head.rank = frame.rank;
  for (int i = 1; i < call.nin; ++i)
    walk<1>(call.in[i], {&call.in[i]},
            [&](const auto& at_) { row_of(call, i, *at<int64_t>(call.in[i], at_[0]), table.shape[i - 1]); });
  int64_t place[kMaxRank] = {};
  walk<1>(frame, {&head}, [&](const auto& at_) {
    int64_t from = 0;
    for (int i = 1; i < call.nin; ++i) {
      const View& idx = call.in[i];
      int64_t offset = 0;
      for (int d = 0; d < idx.rank; ++d) offset += place[d + frame.rank - idx.rank] * idx.stride[d];
      from += row_of(call, i, *at<int64_t>(idx, offset), table.shape[i - 1]) * table.stride[i - 1];
    }
    f(from, at_[0]);
    for (int d = frame.rank - 1; d >= 0 && ++place[d] == frame.shape[d]; --d) place[d] = 0;
  });
}

template <class T>
void add_to(T& sum, T value) {
  if constexpr (std::is_integral_v<T>) {
    using U = std::make_unsigned_t<T>;
    sum = static_cast<T>(static_cast<U>(sum) + static_cast<U>(value));
  } else {
    sum += value;
  }
}

}  // namespace

void take_(const Call& call) {
  const View &x = call.in[0], &out = call.out[0];
  const View from = tail(x, call.nin - 1), to = tail(out, index_frame(call).rank);
  visit(x.dtype, [&](auto tag) {
    using T = decltype(tag);
    each_index(call, out, x, [&](int64_t row, int64_t base) {
      walk<2>(to, {&to, &from}, [&](const auto& at_) { *at<T>(to, base + at_[0]) = load(at<T>(from, row + at_[1])); });
    });
  });
}

void embedding_(const Call& call) {
  const View& idx = call.in[1];
  walk<1>(idx, {&idx}, [&](const auto& at_) {
    const int64_t index = *at<int64_t>(idx, at_[0]);
    if (index < 0 || index >= call.in[0].shape[0])
      throw IndexError(std::string(call.kernel) + ": input 1: index " + std::to_string(index) +
                       " is out of range, expected 0 to " + std::to_string(call.in[0].shape[0] - 1));
  });
  take_(call);
}

void index_add_(const Call& call) {
  const View &g = call.in[0], &out = call.out[0];
  const View from = tail(g, index_frame(call).rank), to = tail(out, call.nin - 1);
  visit_number(g.dtype, [&](auto tag) {
    using T = decltype(tag);
    each_index(call, g, out, [&](int64_t row, int64_t base) {
      walk<2>(to, {&to, &from},
              [&](const auto& at_) { add_to(*at<T>(to, row + at_[0]), *at<T>(from, base + at_[1])); });
    });
  });
}

void index_put_(const Call& call) {
  const View &v = call.in[0], &out = call.out[0];
  const View from = tail(v, index_frame(call).rank), to = tail(out, call.nin - 1);
  visit(v.dtype, [&](auto tag) {
    using T = decltype(tag);
    each_index(call, v, out, [&](int64_t row, int64_t base) {
      walk<2>(to, {&to, &from}, [&](const auto& at_) { *at<T>(to, row + at_[0]) = load(at<T>(from, base + at_[1])); });
    });
  });
}

namespace {

// out at the rows becomes f(out, value), one value after the other.
template <class F>
void index_combine(const Call& call, F f) {
  const View &v = call.in[0], &out = call.out[0];
  const View from = tail(v, index_frame(call).rank), to = tail(out, call.nin - 1);
  visit_number(v.dtype, [&](auto tag) {
    using T = decltype(tag);
    each_index(call, v, out, [&](int64_t row, int64_t base) {
      walk<2>(to, {&to, &from}, [&](const auto& at_) {
        T& kept = *at<T>(to, row + at_[0]);
        kept = f(kept, *at<T>(from, base + at_[1]));
      });
    });
  });
}

}  // namespace

void index_mul_(const Call& call) {
  index_combine(call, [](auto a, auto b) {
    using T = decltype(a);
    if constexpr (std::is_integral_v<T>) {
      using U = std::make_unsigned_t<T>;
      return static_cast<T>(static_cast<U>(a) * static_cast<U>(b));
    } else {
      return a * b;
    }
  });
}
void index_max_(const Call& call) {
  index_combine(call, [](auto a, auto b) { return a > b || a != a ? a : b; });
}
void index_min_(const Call& call) {
  index_combine(call, [](auto a, auto b) { return a < b || a != a ? a : b; });
}

namespace {

// f(where in table, where in idx) for every element of idx, input 1: its place in the table but along the axis, where
// the index says it.
template <class F>
void each_place(const Call& call, const View& other, const View& table, F f) {
  const View& idx = call.in[1];
  const int axis = static_cast<int>(call.params[0]);
  View frame = table;  // the table's places, standing still along the axis
  for (int d = 0; d < idx.rank; ++d) frame.shape[d] = idx.shape[d];
  if (idx.rank > 0) frame.stride[axis] = 0;
  const int64_t rows = idx.rank > 0 ? table.shape[axis] : 1, step = idx.rank > 0 ? table.stride[axis] : 0;
  walk<1>(idx, {&idx}, [&](const auto& at_) { row_of(call, 1, *at<int64_t>(idx, at_[0]), rows); });
  walk<3>(idx, {&idx, &other, &frame},
          [&](const auto& at_) { f(at_[2] + row_of(call, 1, *at<int64_t>(idx, at_[0]), rows) * step, at_[1]); });
}

}  // namespace

void gather_(const Call& call) {
  const View &x = call.in[0], &out = call.out[0];
  visit(x.dtype, [&](auto tag) {
    using T = decltype(tag);
    each_place(call, out, x, [&](int64_t from, int64_t to) { *at<T>(out, to) = load(at<T>(x, from)); });
  });
}

void scatter_add_(const Call& call) {
  const View &g = call.in[0], &out = call.out[0];
  visit_number(g.dtype, [&](auto tag) {
    using T = decltype(tag);
    each_place(call, g, out, [&](int64_t to, int64_t from) { add_to(*at<T>(out, to), *at<T>(g, from)); });
  });
}

void argsort_(const Call& call) {
  const View &x = call.in[0], &out = call.out[0];
  const int axis = static_cast<int>(call.params[0]);
  const bool descending = param(call, 1, 0) != 0;
  const int64_t n = x.rank > 0 ? x.shape[axis] : 1, wanted = x.rank > 0 ? out.shape[axis] : 1;
  const int64_t step = x.rank > 0 ? x.stride[axis] : 0, out_step = x.rank > 0 ? out.stride[axis] : 0;
  View lines = out;
  if (x.rank > 0) lines.shape[axis] = wanted > 0 ? 1 : 0;
  View starts = x;
  if (x.rank > 0) starts.shape[axis] = 1, starts.stride[axis] = 0;
  std::vector<int64_t> order(static_cast<size_t>(n));
  visit(x.dtype, [&](auto tag) {
    using T = decltype(tag);
    walk<2>(lines, {&lines, &starts}, [&](const auto& at_) {
      const T* line = at<T>(x, at_[1]);
      // NaN counts as the largest; equal elements keep their order, which makes the order a total one.
      const auto before = [&](int64_t i, int64_t j) {
        const T a = load(line + i * step), b = load(line + j * step);
        const bool less = a < b || (a == a && b != b), greater = b < a || (b == b && a != a);
        return descending ? greater || (!less && i < j) : less || (!greater && i < j);
      };
      std::iota(order.begin(), order.end(), int64_t{0});
      if (wanted < n)
        std::partial_sort(order.begin(), order.begin() + wanted, order.end(), before);
      else
        std::sort(order.begin(), order.end(), before);
      for (int64_t i = 0; i < wanted; ++i) *at<int64_t>(out, at_[0] + i * out_step) = order[static_cast<size_t>(i)];
    });
  });
}

void concat_(const Call& call) {
  const int axis = static_cast<int>(call.params[0]);
  const View& out = call.out[0];
  int64_t start = 0;
  for (int i = 0; i < call.nin; ++i) {
    const View& in = call.in[i];
    View part = out;
    part.shape[axis] = in.shape[axis];
    const int64_t base = start * out.stride[axis];
    visit(out.dtype, [&](auto tag) {
      using T = decltype(tag);
      walk<2>(in, {&part, &in}, [&](const auto& at_) { *at<T>(part, base + at_[0]) = load(at<T>(in, at_[1])); });
    });
    start += in.shape[axis];
  }
}

}  // namespace graphnet::reference
