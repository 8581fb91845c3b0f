#include "rows.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>
#include <vector>

#include "check.h"
#include "entropy.h"
#include "pool.h"
#include "stream.h"
#include "view.h"

namespace graphnet {
namespace {

constexpr int64_t kParallel = 16 * 1024;  // bytes of a kernel's main operand from which a second thread pays

int wanted_threads(int64_t bytes) { return static_cast<int>(std::min<int64_t>(bytes / kParallel, 1024)); }

template <class T>
void copy_row(void* to, int64_t to_step, const void* from, int64_t from_step, int64_t n) {
  for (int64_t i = 0; i < n; ++i) static_cast<T*>(to)[i * to_step] = static_cast<const T*>(from)[i * from_step];
}

void copy_row(void* to, int64_t to_step, const void* from, int64_t from_step, int64_t n, int64_t item) {
  if (item == 4)
    copy_row<uint32_t>(to, to_step, from, from_step, n);
  else
    copy_row<uint64_t>(to, to_step, from, from_step, n);
}

// body(part, parts) on so many threads.
template <class F>
void in_parts(int wanted, const F& body) {
  if (wanted < 2)
    body(0, 1);
  else
    parallel(wanted, body);
}

bool hard_labels_only(const Entropy& e, const View& x) {
  return e.has_labels() && e.smoothing == 0 && e.classes > 0 && (e.classes == 1 || x.stride[1] == 1);
}

// As many rows as stay in L1 beside as many results.
int64_t rows_together(int64_t n, int64_t item) {
  constexpr int64_t kBytes = 16 << 10;
  return std::clamp<int64_t>(kBytes / (n * item), 1, kRowsTogether);
}

// Where a thread's rows of n elements go, group by group: each group's last step and stores are done with the next
// one's work. Those that go past the caches are kept in a room until then, where the next group's take their places.
class Results {
 public:
  Results(const void* to, int64_t n, int64_t item, int64_t together, bool past)
      : bytes_(n * item), past_(past && n >= 64) {
    pending_.rows = 0;
    pending_.streamed = past_ && reinterpret_cast<uintptr_t>(to) % 16 == 0 && bytes_ % 16 == 0;
    if (!past_) return;
    memory_.reset(new char[static_cast<size_t>(together * bytes_ + 64)]);
    room_ = memory_.get() + (64 - reinterpret_cast<uintptr_t>(memory_.get()) % 64) % 64;
  }

  // work(room for the rows, where they go, what is pending)
  template <class F>
  void take(void* to, int64_t rows, const F& work) {
    if (!past_) return work(to, to, &pending_);
    if (pending_.streamed) return work(room_, to, &pending_);
    work(room_, room_, nullptr);
    stream_copy(to, room_, static_cast<size_t>(rows * bytes_));
  }

  template <class F>
  void finish(const F& work) {
    if (pending_.rows > 0) work(&pending_);
    if (past_) stream_fence();
  }

 private:
  Pending pending_;
  int64_t bytes_;
  bool past_;
  std::unique_ptr<char[]> memory_;
  char* room_ = nullptr;
};

}  // namespace

void run_softmax(const Call& call, RowFunction f) {
  const View &x = call.in[0], &y = call.out[0];
  const int last = x.rank - 1;
  const int64_t n = x.shape[last], item = item_size(x.dtype);
  const int64_t total = count(x);
  if (total == 0) return;
  const int64_t rows = total / n;
  const char* from = static_cast<const char*>(x.data);
  char* to = static_cast<char*>(y.data);
  const int wanted = wanted_threads(total * item);
  if (contiguous(x) && contiguous(y)) {
    const int64_t together = rows_together(n, item);
    const bool past = from != to && total * item > kStreamBytes;
    const auto body = [&](int part, int parts) {
      Results results(to, n, item, together, past);
      const int64_t end = rows * (part + 1) / parts;
      for (int64_t i = rows * part / parts; i < end; i += together) {
        const int64_t m = std::min(together, end - i);
        results.take(to + i * n * item, m, [&](void* e, void* out, Pending* pending) {
          f(from + i * n * item, n, e, out, n, n, m, pending);
        });
      }
      results.finish([&](Pending* pending) { f(nullptr, 0, nullptr, nullptr, 0, n, 0, pending); });
    };
    return in_parts(wanted, body);
  }
  const bool dense_x = n == 1 || x.stride[last] == 1, dense_y = n == 1 || y.stride[last] == 1;
  in_parts(wanted, [&](int part, int parts) {
    std::unique_ptr<double[]> buffer;
    if (!dense_x || !dense_y) buffer.reset(new double[static_cast<size_t>((n * item + 7) / 8)]);
    for (int64_t i = rows * part / parts; i < rows * (part + 1) / parts; ++i) {
      const char* in = from + item * offset_of(x, last, i);
      char* out = to + item * offset_of(y, last, i);
      if (!dense_x) {
        copy_row(buffer.get(), 1, in, x.stride[last], n, item);
        in = reinterpret_cast<const char*>(buffer.get());
      }
      void* const dense = dense_y ? static_cast<void*>(out) : buffer.get();
      f(in, n, dense, dense, n, n, 1, nullptr);
      if (!dense_y) copy_row(out, y.stride[last], buffer.get(), 1, n, item);
    }
  });
}

void run_cross_entropy(const Call& call, LossFunction f, Kernel fallback) {
  const View &x = call.in[0], &out = call.out[0];
  const Entropy e(call, 2);
  if (!hard_labels_only(e, x)) return fallback(call);
  constexpr int kMaxParts = 64;
  struct alignas(128) Sums {
    double loss, weight;
  };
  Sums sums[kMaxParts];  // as many as there are parts: clearing all took longer than a small batch
  const int64_t item = item_size(x.dtype), together = rows_together(e.classes, item);
  const bool plain = e.weights() == nullptr && e.reduction != 0;
  int used = 1;
  const auto body = [&](int part, int parts) {
    if (part == 0) used = parts;
    Sums s{0, 0};
    const int64_t end = e.rows * (part + 1) / parts;
    for (int64_t i = e.rows * part / parts; i < end; i += together) {
      const int64_t m = std::min(together, end - i);
      int64_t labels[kRowsTogether];
      double loss[kRowsTogether];
      for (int64_t r = 0; r < m; ++r) labels[r] = e.label(i + r);
      f(static_cast<const char*>(x.data) + i * x.stride[0] * item, x.stride[0], e.classes, labels, m, loss);
      if (plain) {
        // Sums of their own, which stay in registers: 3 ns a row less.
        double total = 0, seen = 0;
        for (int64_t r = 0; r < m; ++r) {
          total += loss[r];  // 0 of those that are left out
          seen += labels[r] < 0 ? 0 : 1;
        }
        s.loss += total;
        s.weight += seen;
        continue;
      }
      for (int64_t r = 0; r < m; ++r) {
        const double w = labels[r] < 0 ? 0 : e.weight(labels[r]);
        if (labels[r] >= 0) loss[r] *= w;
        s.loss += loss[r];
        s.weight += w;
        if (e.reduction == 0) put(out, (i + r) * out.stride[0], loss[r]);
      }
    }
    sums[part] = s;
  };
  const int wanted = std::min(wanted_threads(e.rows * e.classes * item), kMaxParts);
  in_parts(wanted, body);
  Sums total{0, 0};
  for (int i = 0; i < used; ++i) {
    total.loss += sums[i].loss;
    total.weight += sums[i].weight;
  }
  if (e.reduction != 0) put(out, 0, e.reduction == 1 ? total.loss / total.weight : total.loss);
}

void run_cross_entropy_backward(const Call& call, LossBackwardFunction f, Kernel fallback) {
  const View &x = call.in[0], &g = call.in[2], &out = call.out[0];
  const Entropy e(call, 3);
  if (!hard_labels_only(e, x) || !(e.classes == 1 || out.stride[1] == 1)) return fallback(call);
  const double common = e.reduction == 0 ? 0 : value(g, 0) * (e.reduction == 1 ? 1 / e.total_weight() : 1);
  const int64_t item = item_size(x.dtype);
  const int64_t n = e.classes, together = rows_together(n, item);
  const bool past = x.data != out.data && e.rows * n * item > kStreamBytes && contiguous(out);
  in_parts(wanted_threads(e.rows * n * item), [&](int part, int parts) {
    Results results(out.data, n, item, together, past);
    const int64_t end = e.rows * (part + 1) / parts;
    for (int64_t i = e.rows * part / parts; i < end; i += together) {
      const int64_t m = std::min(together, end - i);
      int64_t labels[kRowsTogether];
      double factors[kRowsTogether];
      for (int64_t r = 0; r < m; ++r) {
        labels[r] = e.label(i + r);
        factors[r] = e.reduction == 0 ? value(g, (i + r) * g.stride[0]) : common;
        if (labels[r] >= 0 && e.weights() != nullptr) factors[r] *= e.weight(labels[r]);
      }
      results.take(static_cast<char*>(out.data) + i * out.stride[0] * item, m,
                   [&](void* room, void* to, Pending* pending) {
                     f(static_cast<const char*>(x.data) + i * x.stride[0] * item, x.stride[0], room, to, out.stride[0],
                       n, labels, factors, m, pending);
                   });
    }
    results.finish([&](Pending* pending) { f(nullptr, 0, nullptr, nullptr, 0, n, nullptr, nullptr, 0, pending); });
  });
}

void adam_params(const double* params, double* out) {
  std::copy(params, params + 8, out);
  out[8] = params[0] / (1 - std::pow(params[1], params[6]));
  out[9] = 1 / std::sqrt(1 - std::pow(params[2], params[6]));
}

void run_optimizer(const Call& call, StepFunction f, const double* params, Kernel fallback) {
  bool flat = contiguous(call.in[0]);
  for (int i = 0; flat && i < call.nout; ++i) flat = contiguous(call.out[i]);
  if (!flat) return fallback(call);
  const int64_t n = count(call.in[0]), item = item_size(call.in[0].dtype);
  const auto body = [&](int part, int parts) {
    // Whole cache lines for each thread.
    const int64_t begin = n * part / parts / 64 * 64, end = part + 1 == parts ? n : n * (part + 1) / parts / 64 * 64;
    void* state[4];
    for (int i = 0; i < call.nout; ++i) state[i] = static_cast<char*>(call.out[i].data) + begin * item;
    f(static_cast<const char*>(call.in[0].data) + begin * item, state, call.nout, params, end - begin);
  };
  const int wanted = wanted_threads(n * item);
  in_parts(wanted, body);
}

namespace {

// Whether view's dimensions from `skip` on are one contiguous run; then its length.
bool contiguous_tail(const View& view, int skip, int64_t* length) {
  int64_t expected = 1;
  for (int d = view.rank - 1; d >= skip; --d) {
    if (view.shape[d] != 1 && view.stride[d] != expected) return false;
    expected *= view.shape[d];
  }
  *length = expected;
  return true;
}

int64_t row_of(const Call& call, int64_t index, int64_t rows) {
  const int64_t row = index < 0 ? index + rows : index;
  if (row < 0 || row >= rows)
    throw IndexError(std::string(call.kernel) + ": input 1: index " + std::to_string(index) +
                     " is out of range for size " + std::to_string(rows));
  return row;
}

template <class T>
void add_row(void* to, const void* from, int64_t n) {
  T* out = static_cast<T*>(to);
  const T* in = static_cast<const T*>(from);
  for (int64_t i = 0; i < n; ++i) out[i] += in[i];
}

}  // namespace

void run_take(const Call& call, Kernel fallback) {
  const View &x = call.in[0], &idx = call.in[1], &out = call.out[0];
  int64_t n = 0, m = 0;
  if (call.nin > 2 || x.dtype == DType::b8 || !contiguous_tail(x, 1, &n) || !contiguous_tail(out, idx.rank, &m))
    return fallback(call);
  const int64_t item = item_size(x.dtype), indices = count(idx);
  const int64_t* at = static_cast<const int64_t*>(idx.data);
  for (int64_t i = 0; i < indices; ++i) {
    const int64_t row = row_of(call, at[offset_of(idx, idx.rank, i)], x.shape[0]);
    std::memcpy(static_cast<char*>(out.data) + offset_of(out, idx.rank, i) * item,
                static_cast<const char*>(x.data) + row * x.stride[0] * item, static_cast<size_t>(n * item));
  }
}

void run_index_add(const Call& call, Kernel fallback) {
  const View &g = call.in[0], &idx = call.in[1], &out = call.out[0];
  int64_t n = 0, m = 0;
  if (call.nin > 2 || !contiguous_tail(g, idx.rank, &n) || !contiguous_tail(out, 1, &m)) return fallback(call);
  const int64_t item = item_size(g.dtype), indices = count(idx);
  const int64_t* at = static_cast<const int64_t*>(idx.data);
  for (int64_t i = 0; i < indices; ++i) row_of(call, at[offset_of(idx, idx.rank, i)], out.shape[0]);
  for (int64_t i = 0; i < indices; ++i) {
    const int64_t row = row_of(call, at[offset_of(idx, idx.rank, i)], out.shape[0]);
    void* to = static_cast<char*>(out.data) + row * out.stride[0] * item;
    const void* from = static_cast<const char*>(g.data) + offset_of(g, idx.rank, i) * item;
    switch (g.dtype) {
      case DType::f32:
        add_row<float>(to, from, n);
        break;
      case DType::f64:
        add_row<double>(to, from, n);
        break;
      case DType::i32:
        add_row<uint32_t>(to, from, n);
        break;  // wraps
      default:
        add_row<uint64_t>(to, from, n);
        break;
    }
  }
}

void run_concat(const Call& call, Kernel copy) {
  const int axis = static_cast<int>(call.params[0]);
  const View& out = call.out[0];
  int64_t start = 0;
  for (int i = 0; i < call.nin; ++i) {
    View part = out;
    part.shape[axis] = call.in[i].shape[axis];
    if (part.shape[axis] == 1) part.stride[axis] = 0;
    part.data = static_cast<char*>(out.data) + start * out.stride[axis] * item_size(out.dtype);
    copy({&call.in[i], 1, &part, 1, nullptr, 0, call.kernel});
    start += call.in[i].shape[axis];
  }
}

}  // namespace graphnet
