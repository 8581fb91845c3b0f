// Threads, and blocks where there is no kernel for the whole, around products and sums that are fused with what
// follows.
#include <algorithm>
#include <vector>

#include "pool.h"
#include "product.h"

namespace graphnet {
namespace {

Product plain_product(const Call& call) {
  const View &a = call.in[0], &b = call.in[1];
  Product p{a.shape[0],  b.shape[1],  a.shape[1], a.data, a.stride[0], a.stride[1], b.data,
            b.stride[0], b.stride[1], nullptr,    0,      false,       nullptr,     false};
  if (p.k <= 1) p.ca = 1;
  if (p.n == 1 && p.rb != 1) p.cb = 1;
  return p;
}

// Rows may be any distance apart, but must be contiguous.
bool dense_rows(const View& view) { return view.shape[1] == 1 || view.stride[1] == 1; }

struct Block {
  int64_t i0, i1, j0, j1;
};

// A thread's share of the output: columns where there are enough of them, else rows.
Block share(int64_t m, int64_t n, int part, int parts) {
  constexpr int64_t kUnit = 16;
  if (n >= parts * 2 * kUnit) {
    const int64_t units = (n + kUnit - 1) / kUnit;
    return {0, m, std::min(n, units * part / parts * kUnit), std::min(n, units * (part + 1) / parts * kUnit)};
  }
  return {m * part / parts, m * (part + 1) / parts, 0, n};
}

// Calls f(block of the product, where it starts) over cache-sized blocks of `all`.
template <class F>
void each_block(const Product& p, int64_t item, const Block& all, F&& f) {
  constexpr int64_t kBlockRows = 384, kBlockColumns = 192;
  for (int64_t j = all.j0; j < all.j1; j += kBlockColumns)
    for (int64_t i = all.i0; i < all.i1; i += kBlockRows) {
      Product own = p;
      own.m = std::min(kBlockRows, all.i1 - i);
      own.n = std::min(kBlockColumns, all.j1 - j);
      own.a = static_cast<const char*>(p.a) + i * p.ra * item;
      own.b = static_cast<const char*>(p.b) + j * p.cb * item;
      f(own, i, j);
    }
}

template <class F>
void each_share(const Product& p, F&& f) {
  const double work = static_cast<double>(p.m) * static_cast<double>(p.n) * static_cast<double>(p.k + 8);
  const int wanted = static_cast<int>(std::min(work / kThreadWork, 64.0));
  const auto body = [&](int part, int parts) {
    const Block all = share(p.m, p.n, part, parts);
    if (all.i1 > all.i0 && all.j1 > all.j0) f(all, part);
  };
  if (wanted < 2)
    body(0, 1);
  else
    parallel(wanted, body);
}

}  // namespace

void run_matmul_relu_backward(const Call& call, ProductFunction product, MaskFunction mask, MaskedProduct direct,
                              Kernel fallback) {
  const View &y = call.in[2], &c = call.out[0];
  const int64_t m = c.shape[0], n = c.shape[1], item = c.dtype == DType::f32 ? 4 : 8;
  if (m == 0 || n == 0 || !dense_rows(y) || !dense_rows(c)) return fallback(call);
  const Product p = plain_product(call);
  if (call.nout < 2 && p.ca == 1 && p.cb == 1) {
    each_share(p, [&](const Block& all, int) {
      Product own = p;
      own.m = all.i1 - all.i0;
      own.n = all.j1 - all.j0;
      own.a = static_cast<const char*>(p.a) + all.i0 * p.ra * item;
      own.b = static_cast<const char*>(p.b) + all.j0 * item;
      own.c = static_cast<char*>(c.data) + (all.i0 * c.stride[0] + all.j0) * item;
      own.rc = c.stride[0];
      direct(own, static_cast<const char*>(y.data) + (all.i0 * y.stride[0] + all.j0) * item, y.stride[0]);
    });
    return;
  }
  std::vector<double> sums;
  if (call.nout > 1) sums.resize(static_cast<size_t>(n * 64));
  each_share(p, [&](const Block& all, int part) {
    each_block(p, item, all, [&](Product own, int64_t i, int64_t j) {
      own.c = static_cast<char*>(c.data) + (i * c.stride[0] + j) * item;
      own.rc = c.stride[0];
      product(own);
      mask(own.c, own.rc, static_cast<const char*>(y.data) + (i * y.stride[0] + j) * item, y.stride[0], own.m, own.n,
           sums.empty() ? nullptr : sums.data() + part * n + j);
    });
  });
  if (call.nout < 2) return;
  for (int64_t j = 0; j < n; ++j) {
    double total = 0;
    for (int part = 0; part < 64; ++part) total += sums[static_cast<size_t>(part * n + j)];
    if (item == 4)
      static_cast<float*>(call.out[1].data)[j * call.out[1].stride[0]] = static_cast<float>(total);
    else
      static_cast<double*>(call.out[1].data)[j * call.out[1].stride[0]] = total;
  }
}

void run_matmul_update(const Call& call, ProductFunction product, StepFunction step, UpdateProduct direct,
                       const double* params, Kernel fallback) {
  const int64_t item = call.out[0].dtype == DType::f32 ? 4 : 8;
  const Product p = plain_product(call);
  bool dense = p.m > 0 && p.n > 0;
  for (int i = 0; i < call.nout; ++i) dense = dense && dense_rows(call.out[i]);
  if (!dense) return fallback(call);
  if (direct != nullptr && p.k > 0 && p.k <= kDirectDepth && (p.ra == 1 || p.m == 1) && (p.cb == 1 || p.n == 1)) {
    const View &w = call.out[0], &buffer = call.out[call.nout - 1];
    const int64_t stride[] = {w.stride[0], buffer.stride[0]};
    const auto part = [&](const Block& all) {
      Product own = p;
      own.m = all.i1 - all.i0;
      own.n = all.j1 - all.j0;
      own.a = static_cast<const char*>(p.a) + all.i0 * item;
      own.b = static_cast<const char*>(p.b) + all.j0 * item;
      void* state[2];
      for (int s = 0; s < 2; ++s)
        state[s] = static_cast<char*>((s == 0 ? w : buffer).data) + (all.i0 * stride[s] + all.j0) * item;
      direct(own, state, stride, params);
    };
    // Whole rows for each thread: the parameter's memory then stays with one processor.
    const double work = static_cast<double>(p.m) * static_cast<double>(p.n) * static_cast<double>(p.k + 8);
    if (work < 2 * kThreadWork) return part({0, p.m, 0, p.n});
    return parallel(static_cast<int>(std::min(work / kThreadWork, 64.0)), [&](int index, int parts) {
      const Block all = p.m >= 16 * parts ? Block{p.m * index / parts, p.m * (index + 1) / parts, 0, p.n}
                                          : share(p.m, p.n, index, parts);
      if (all.i1 > all.i0 && all.j1 > all.j0) part(all);
    });
  }
  each_share(p, [&](const Block& all, int) {
    each_block(p, item, all, [&](Product own, int64_t i, int64_t j) {
      own.c = scratch(3, static_cast<size_t>(own.m * own.n * item));
      own.rc = own.n;
      product(own);
      for (int64_t row = 0; row < own.m; ++row) {
        void* state[4];
        for (int s = 0; s < call.nout; ++s)
          state[s] = static_cast<char*>(call.out[s].data) + ((i + row) * call.out[s].stride[0] + j) * item;
        step(static_cast<const char*>(own.c) + row * own.n * item, state, call.nout, params, own.n);
      }
    });
  });
}

void run_sum_update(const Call& call, ColumnsFunction columns, StepFunction step, const double* params, Kernel sum,
                    Kernel update, Kernel fallback) {
  constexpr int64_t kAlone = 8 * 1024, kTall = 16 * 1024, kColumns = 256, kUnit = 16;
  const View& g = call.in[0];
  const int64_t m = g.shape[0], n = g.shape[1], item = g.dtype == DType::f32 ? 4 : 8;
  if (m * n > kTall && n < 4 * kUnit) {  // the threads share the rows
    View sums{scratch(3, static_cast<size_t>(n * item)), g.dtype, 2, {1, n}, {0, n == 1 ? 0 : 1}};
    sum({&g, 1, &sums, 1, nullptr, 0, call.kernel});
    sums.rank = 1;
    sums.shape[0] = n;
    sums.stride[0] = sums.stride[1];
    return update({&sums, 1, call.out, call.nout, call.params, call.nparams, call.kernel});
  }
  bool dense = n == 1 || g.stride[1] == 1;
  for (int s = 0; s < call.nout; ++s) dense = dense && (n == 1 || call.out[s].stride[0] == 1);
  if (!dense) return fallback(call);
  const auto part = [&](int64_t begin, int64_t end) {
    for (int64_t j = begin; j < end; j += kColumns) {
      alignas(64) double sums[kColumns];
      const int64_t width = std::min(kColumns, end - j);
      columns(static_cast<const char*>(g.data) + j * item, g.stride[0], m, width, sums);
      void* state[4];
      for (int s = 0; s < call.nout; ++s) state[s] = static_cast<char*>(call.out[s].data) + j * item;
      step(sums, state, call.nout, params, width);
    }
  };
  if (m * n < kAlone || n < 4 * kUnit) return part(0, n);
  // The columns that a thread has in the product that made g: taking lines from another's cache and having it take
  // them back for the next step cost more than the sums (64 x 256: 2.4 us of a step).
  parallel(static_cast<int>(std::min<int64_t>(n / (2 * kUnit), 64)), [&](int index, int parts) {
    const Block own = share(m, n, index, parts);
    part(own.j0, own.j1);
  });
}

}  // namespace graphnet
