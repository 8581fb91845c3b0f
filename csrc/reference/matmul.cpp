// Plain loops for the products, and for those with an epilogue: the product into a temporary, then the plain kernel.
#include <cmath>
#include <vector>

#include "../check.h"
#include "reference.h"
#include "walk.h"

namespace graphnet::reference {
namespace {

View dims(const View& like, std::initializer_list<int64_t> shape, std::initializer_list<int64_t> stride, void* data) {
  View view{data, like.dtype, static_cast<int>(shape.size()), {}, {}};
  int i = 0;
  for (int64_t n : shape) view.shape[i++] = n;
  i = 0;
  for (int64_t s : stride) view.stride[i] = view.shape[i] == 1 ? 0 : s, ++i;
  return view;
}

template <class T>
void product(const T* a, int64_t ra, int64_t ca, const T* b, int64_t rb, int64_t cb, T* c, int64_t rc, int64_t cc,
             int64_t m, int64_t n, int64_t k, const T* bias, int64_t bias_stride, bool accumulate, bool relu) {
  for (int64_t i = 0; i < m; ++i)
    for (int64_t j = 0; j < n; ++j) {
      double sum = 0;
      for (int64_t p = 0; p < k; ++p)
        sum += static_cast<double>(a[i * ra + p * ca]) * static_cast<double>(b[p * rb + j * cb]);
      if (bias != nullptr) sum += static_cast<double>(bias[j * bias_stride]);
      T& out = c[i * rc + j * cc];
      T value = static_cast<T>(accumulate ? static_cast<double>(out) + sum : sum);
      out = relu && value <= 0 ? T(0) : value;
    }
}

int64_t last_stride(const View& bias) { return bias.rank == 0 ? 0 : bias.stride[bias.rank - 1]; }

// The batch dimensions alone, as a frame to walk.
View batch_of(const View& view) {
  View batch = view;
  batch.rank -= 2;
  return batch;
}

// c = a.b for rank 2 into a fresh contiguous temporary that stands in for the gradient.
template <class T>
View gradient(const Call& call, std::vector<T>& storage) {
  const View &a = call.in[0], &b = call.in[1];
  const int64_t m = a.shape[0], k = a.shape[1], n = b.shape[1];
  storage.resize(static_cast<size_t>(m * n));
  product<T>(at<T>(a, 0), a.stride[0], a.stride[1], at<T>(b, 0), b.stride[0], b.stride[1], storage.data(), n, 1, m, n,
             k, nullptr, 0, false, false);
  return dims(a, {m, n}, {n, 1}, storage.data());
}

template <void (*Update)(const Call&)>
void product_then(const Call& call) {
  visit_float(call.in[0].dtype, [&](auto tag) {
    std::vector<decltype(tag)> storage;
    const View g = gradient(call, storage);
    Call update = call;
    update.in = &g;
    update.nin = 1;
    Update(update);
  });
}

// The same with the sums of the columns.
template <void (*Update)(const Call&)>
void sum_then(const Call& call) {
  const View& g = call.in[0];
  visit_float(g.dtype, [&](auto tag) {
    using T = decltype(tag);
    std::vector<T> storage;
    for (int64_t j = 0; j < g.shape[1]; ++j) {
      double total = 0;
      for (int64_t i = 0; i < g.shape[0]; ++i)
        total += static_cast<double>(*at<T>(g, i * g.stride[0] + j * g.stride[1]));
      storage.push_back(static_cast<T>(total));
    }
    const View sums = dims(g, {g.shape[1]}, {1}, storage.data());
    Call update = call;
    update.in = &sums;
    Update(update);
  });
}

}  // namespace

void matmul_(const Call& call) {
  const View &a = call.in[0], &b = call.in[1], &c = call.out[0];
  const bool accumulate = param(call, 0, 0) != 0, relu = param(call, 1, 0) != 0;
  const View* bias = call.nin > 2 ? &call.in[2] : nullptr;
  const int64_t m = c.shape[c.rank - 2], n = c.shape[c.rank - 1], k = a.shape[a.rank - 1];
  visit_float(c.dtype, [&](auto tag) {
    using T = decltype(tag);
    const View ca = batch_of(a), cb = batch_of(b), cc = batch_of(c);
    walk<3>(cc, {&cc, &ca, &cb}, [&](const auto& at_) {
      product<T>(at<T>(a, at_[1]), a.stride[a.rank - 2], a.stride[a.rank - 1], at<T>(b, at_[2]), b.stride[b.rank - 2],
                 b.stride[b.rank - 1], at<T>(c, at_[0]), c.stride[c.rank - 2], c.stride[c.rank - 1], m, n, k,
                 bias ? at<T>(*bias, 0) : nullptr, bias ? last_stride(*bias) : 0, accumulate, relu);
    });
  });
}

void linear_(const Call& call) {
  const View &x = call.in[0], &w = call.in[1], &y = call.out[0];
  const bool relu = param(call, 0, 0) != 0;
  const View* bias = call.nin > 2 ? &call.in[2] : nullptr;
  const int64_t n = w.shape[0], k = w.shape[1];
  visit_float(y.dtype, [&](auto tag) {
    using T = decltype(tag);
    View rows_x = x, rows_y = y;
    --rows_x.rank, --rows_y.rank;
    walk<2>(rows_y, {&rows_y, &rows_x}, [&](const auto& at_) {
      product<T>(at<T>(x, at_[1]), 0, x.stride[x.rank - 1], at<T>(w, 0), w.stride[1], w.stride[0], at<T>(y, at_[0]), 0,
                 y.stride[y.rank - 1], 1, n, k, bias ? at<T>(*bias, 0) : nullptr, bias ? last_stride(*bias) : 0, false,
                 relu);
    });
  });
}

void matmul_relu_backward_(const Call& call) {
  const View &y = call.in[2], &c = call.out[0];
  visit_float(c.dtype, [&](auto tag) {
    using T = decltype(tag);
    std::vector<T> storage;
    gradient(call, storage);
    std::vector<double> sums(static_cast<size_t>(c.shape[1]));
    for (int64_t i = 0; i < c.shape[0]; ++i)
      for (int64_t j = 0; j < c.shape[1]; ++j) {
        const bool off = *at<T>(y, i * y.stride[0] + j * y.stride[1]) <= 0;
        const T value = off ? T(0) : storage[static_cast<size_t>(i * c.shape[1] + j)];
        *at<T>(c, i * c.stride[0] + j * c.stride[1]) = value;
        sums[static_cast<size_t>(j)] += static_cast<double>(value);
      }
    if (call.nout > 1)
      for (int64_t j = 0; j < c.shape[1]; ++j)
        *at<T>(call.out[1], j * call.out[1].stride[0]) = static_cast<T>(sums[static_cast<size_t>(j)]);
  });
}

void matmul_sgd_(const Call& call) { product_then<sgd_>(call); }
void sum_sgd_(const Call& call) { sum_then<sgd_>(call); }
void sum_adam_(const Call& call) { sum_then<adam_>(call); }
void matmul_adam_(const Call& call) { product_then<adam_>(call); }

}  // namespace graphnet::reference
