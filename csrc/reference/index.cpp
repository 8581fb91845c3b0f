// Plain loops for take, index_add and concat.
#include <type_traits>

#include "reference.h"
#include "walk.h"

namespace graphnet::reference {
namespace {

int64_t row_of(const Call& call, int64_t index, int64_t rows) {
  const int64_t row = index < 0 ? index + rows : index;
  if (row < 0 || row >= rows)
    throw IndexError(std::string(call.kernel) + ": input 1: index " + std::to_string(index) +
                     " is out of range for size " + std::to_string(rows));
  return row;
}

// table[1:], and rows' dimensions after idx's: what moves per index.
View tail(const View& view, int skip) {
  View t = view;
  t.rank = view.rank - skip;
  for (int d = 0; d < t.rank; ++d) t.shape[d] = view.shape[d + skip], t.stride[d] = view.stride[d + skip];
  return t;
}

// f(row of table, where in rows) for every index; every index is checked before f is first called.
template <class F>
void each_index(const Call& call, const View& rows, const View& table, F f) {
  const View& idx = call.in[1];
  View head = rows;
  head.rank = idx.rank;
  walk<1>(idx, {&idx}, [&](const auto& at_) { row_of(call, *at<int64_t>(idx, at_[0]), table.shape[0]); });
  walk<2>(idx, {&head, &idx},
          [&](const auto& at_) { f(row_of(call, *at<int64_t>(idx, at_[1]), table.shape[0]), at_[0]); });
}

}  // namespace

void take_(const Call& call) {
  const View &x = call.in[0], &out = call.out[0];
  const View from = tail(x, 1), to = tail(out, call.in[1].rank);
  visit(x.dtype, [&](auto tag) {
    using T = decltype(tag);
    each_index(call, out, x, [&](int64_t row, int64_t base) {
      walk<2>(to, {&to, &from},
              [&](const auto& at_) { *at<T>(to, base + at_[0]) = load(at<T>(from, row * x.stride[0] + at_[1])); });
    });
  });
}

void index_add_(const Call& call) {
  const View &g = call.in[0], &out = call.out[0];
  const View from = tail(g, call.in[1].rank), to = tail(out, 1);
  visit_number(g.dtype, [&](auto tag) {
    using T = decltype(tag);
    each_index(call, g, out, [&](int64_t row, int64_t base) {
      walk<2>(to, {&to, &from}, [&](const auto& at_) {
        T& sum = *at<T>(to, row * out.stride[0] + at_[0]);
        const T value = *at<T>(from, base + at_[1]);
        if constexpr (std::is_integral_v<T>) {
          using U = std::make_unsigned_t<T>;
          sum = static_cast<T>(static_cast<U>(sum) + static_cast<U>(value));
        } else {
          sum += value;
        }
      });
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
