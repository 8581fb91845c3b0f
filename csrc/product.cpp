#include "product.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <new>
#include <vector>

#include "check.h"
#include "pool.h"

namespace graphnet {
namespace {

constexpr size_t kAlign = 64;
constexpr int kSlots = 4;

struct AlignedDelete {
  void operator()(void* p) const { ::operator delete(p, std::align_val_t{kAlign}); }
};

struct Scratch {
  std::unique_ptr<void, AlignedDelete> memory;
  size_t bytes = 0;
};

struct Matrix {
  char* data;
  int64_t row, col;
};

Matrix matrix(const View& view) {
  return {static_cast<char*>(view.data), view.stride[view.rank - 2], view.stride[view.rank - 1]};
}

void run_parallel(const Product& p, size_t item, ProductFunction f) {
  const double work = static_cast<double>(p.m) * static_cast<double>(p.n) * static_cast<double>(p.k);
  const int wanted = static_cast<int>(std::min(work / kThreadWork, 1024.0));
  if (wanted < 2 || num_threads() < 2) return f(p);
  parallel(wanted, [&](int part, int parts) {
    Product own = p;
    // Columns first, in whole cache lines of c: each thread then packs only its own part of b, and a weight's rows stay
    // with the thread that updates them. Rows where they are most of what is read.
    const int64_t unit = 64 / static_cast<int64_t>(item);
    if (p.n >= parts * 2 * unit && p.m < 8 * p.n) {
      const int64_t blocks = (p.n + unit - 1) / unit;
      const int64_t begin = std::min(p.n, blocks * part / parts * unit),
                    end = std::min(p.n, blocks * (part + 1) / parts * unit);
      own.n = end - begin;
      own.b = static_cast<const char*>(p.b) + begin * p.cb * static_cast<int64_t>(item);
      own.c = static_cast<char*>(p.c) + begin * static_cast<int64_t>(item);
      if (p.bias != nullptr) own.bias = static_cast<const char*>(p.bias) + begin * static_cast<int64_t>(item);
    } else {
      const int64_t begin = p.m * part / parts, end = p.m * (part + 1) / parts;
      own.m = end - begin;
      own.a = static_cast<const char*>(p.a) + begin * p.ra * static_cast<int64_t>(item);
      own.c = static_cast<char*>(p.c) + begin * p.rc * static_cast<int64_t>(item);
    }
    if (own.m > 0 && own.n > 0) f(own);
  });
}

template <class T>
void copy_matrix(T* to, int64_t tr, int64_t tc, const T* from, int64_t fr, int64_t fc, int64_t m, int64_t n) {
  for (int64_t i = 0; i < m; ++i)
    for (int64_t j = 0; j < n; ++j) to[i * tr + j * tc] = from[i * fr + j * fc];
}

// One product into c of any strides.
template <class T>
void product(Product p, int64_t cc, ProductFunction f) {
  if (cc == 1) return run_parallel(p, sizeof(T), f);
  if ((p.rc == 1 || p.m == 1) && p.bias == nullptr) {
    // A transposed c: c' = b' a'.
    std::swap(p.a, p.b);
    std::swap(p.ra, p.cb);
    std::swap(p.ca, p.rb);
    std::swap(p.m, p.n);
    p.rc = cc;
    return run_parallel(p, sizeof(T), f);
  }
  T* const c = static_cast<T*>(p.c);
  const int64_t rc = p.rc;
  std::unique_ptr<T[]> temporary(new T[static_cast<size_t>(p.m * p.n)]);
  p.c = temporary.get();
  p.rc = p.n;
  if (p.accumulate) copy_matrix(temporary.get(), p.n, 1, c, rc, cc, p.m, p.n);
  run_parallel(p, sizeof(T), f);
  copy_matrix(c, rc, cc, temporary.get(), p.n, 1, p.m, p.n);
}

// Folds the batch dimension next to the rows into them while a's and c's strides allow and b does not depend on it.
struct Batch {
  int rank;
  int64_t shape[kMaxRank];
  int64_t a[kMaxRank], b[kMaxRank], c[kMaxRank];
};

void merge_rows(Batch& batch, Product& p) {
  while (batch.rank > 0) {
    const int d = batch.rank - 1;
    if (batch.shape[d] != 1) {
      const bool rows_fold = p.m == 1 || (batch.a[d] == p.ra * p.m && batch.c[d] == p.rc * p.m);
      if (batch.b[d] != 0 || !rows_fold) return;
      if (p.m == 1) {
        p.ra = batch.a[d];
        p.rc = batch.c[d];
      }
      p.m *= batch.shape[d];
    }
    --batch.rank;
  }
}

template <class T>
void run(Batch& batch, Product p, int64_t cc, const View* bias, ProductFunction f) {
  if (p.m == 0 || p.n == 0) return;
  int64_t batches = 1;
  for (int d = 0; d < batch.rank; ++d) batches *= batch.shape[d];
  if (batches == 0) return;
  std::unique_ptr<T[]> dense;
  if (bias != nullptr) {
    const int64_t step = bias->rank == 0 ? 0 : bias->stride[bias->rank - 1];
    const T* from = static_cast<const T*>(bias->data);
    p.bias = from;
    if (step != 1 && p.n > 1) {
      dense.reset(new T[static_cast<size_t>(p.n)]);
      for (int64_t j = 0; j < p.n; ++j) dense[static_cast<size_t>(j)] = from[j * step];
      p.bias = dense.get();
    }
  }
  merge_rows(batch, p);
  // Dimensions of size 1 have stride 0; what follows looks for stride 1.
  if (p.k <= 1) p.ca = 1;
  if (p.n == 1 && p.rb != 1) p.cb = 1;
  if (p.m == 1) p.rc = p.n;

  const char *a = static_cast<const char*>(p.a), *b = static_cast<const char*>(p.b);
  char* c = static_cast<char*>(p.c);
  const auto one = [&](int64_t index) {
    int64_t ao = 0, bo = 0, co = 0;
    for (int d = batch.rank - 1; d >= 0; --d) {
      const int64_t i = index % batch.shape[d];
      index /= batch.shape[d];
      ao += i * batch.a[d];
      bo += i * batch.b[d];
      co += i * batch.c[d];
    }
    Product own = p;
    own.a = a + ao * static_cast<int64_t>(sizeof(T));
    own.b = b + bo * static_cast<int64_t>(sizeof(T));
    own.c = c + co * static_cast<int64_t>(sizeof(T));
    return own;
  };
  batches = 1;
  for (int d = 0; d < batch.rank; ++d) batches *= batch.shape[d];
  const double work = static_cast<double>(p.m) * static_cast<double>(p.n) * static_cast<double>(p.k);
  if (batches >= 2 * num_threads() && cc == 1 && work * static_cast<double>(batches) > 2 * kThreadWork) {
    parallel(static_cast<int>(std::min<int64_t>(batches, 1024)), [&](int part, int parts) {
      for (int64_t i = batches * part / parts; i < batches * (part + 1) / parts; ++i) f(one(i));
    });
    return;
  }
  for (int64_t i = 0; i < batches; ++i) product<T>(one(i), cc, f);
}

}  // namespace

void* scratch(int slot, size_t bytes) {
  thread_local Scratch slots[kSlots];
  Scratch& s = slots[slot];
  if (s.bytes < bytes) {
    s.memory.reset();
    s.bytes = 0;
    const size_t rounded = (bytes + 4095) & ~size_t{4095};
    s.memory.reset(::operator new(rounded, std::align_val_t{kAlign}));
    s.bytes = rounded;
  }
  return s.memory.get();
}

void run_product(Product p, DType dtype, ProductFunction f) {
  // Dimensions of size 1 have any stride; what follows looks for stride 1.
  if (p.k == 1) p.ca = 1;
  if (p.n == 1 && p.rb != 1) p.cb = 1;
  if (p.m == 1) p.rc = p.n;
  run_parallel(p, dtype == DType::f32 ? 4 : 8, f);
}

void run_matmul(const Call& call, ProductFunction f32, ProductFunction f64) {
  const View &va = call.in[0], &vb = call.in[1], &vc = call.out[0];
  const Matrix a = matrix(va), b = matrix(vb), c = matrix(vc);
  Product p{vc.shape[vc.rank - 2],
            vc.shape[vc.rank - 1],
            va.shape[va.rank - 1],
            a.data,
            a.row,
            a.col,
            b.data,
            b.row,
            b.col,
            c.data,
            c.row,
            param(call, 0, 0) != 0,
            nullptr,
            param(call, 1, 0) != 0};
  Batch batch;
  batch.rank = vc.rank - 2;
  for (int d = 0; d < batch.rank; ++d) {
    const int da = d - (vc.rank - va.rank), db = d - (vc.rank - vb.rank);
    batch.shape[d] = vc.shape[d];
    batch.a[d] = da < 0 ? 0 : va.stride[da];
    batch.b[d] = db < 0 ? 0 : vb.stride[db];
    batch.c[d] = vc.stride[d];
  }
  const View* bias = call.nin > 2 ? &call.in[2] : nullptr;
  const int64_t cc = p.n == 1 ? 1 : c.col;
  if (vc.dtype == DType::f32)
    run<float>(batch, p, cc, bias, f32);
  else
    run<double>(batch, p, cc, bias, f64);
}

void run_linear(const Call& call, ProductFunction f32, ProductFunction f64) {
  const View &x = call.in[0], &w = call.in[1], &y = call.out[0];
  const int last = x.rank - 1;
  Product p{1,           w.shape[0],  w.shape[1], x.data, 0,     x.stride[last], w.data,
            w.stride[1], w.stride[0], y.data,     0,      false, nullptr,        param(call, 0, 0) != 0};
  Batch batch;
  batch.rank = last;
  for (int d = 0; d < last; ++d) {
    batch.shape[d] = x.shape[d];
    batch.a[d] = x.stride[d];
    batch.b[d] = 0;
    batch.c[d] = y.stride[d];
    if (batch.shape[d] == 0) return;
  }
  const View* bias = call.nin > 2 ? &call.in[2] : nullptr;
  const int64_t cc = p.n == 1 ? 1 : y.stride[last];
  if (y.dtype == DType::f32)
    run<float>(batch, p, cc, bias, f32);
  else
    run<double>(batch, p, cc, bias, f64);
}

}  // namespace graphnet
