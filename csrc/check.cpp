#include "check.h"

#include <cmath>

#include "view.h"

namespace graphnet {
namespace {

std::string argument(const char* kind, int index) { return std::string(kind) + " " + std::to_string(index); }

[[noreturn]] void bad_type(const Call& call, const std::string& which, const std::string& expected, DType got) {
  throw TypeError(std::string(call.kernel) + ": " + which + ": expected dtype " + expected + ", got " +
                  dtype_name(got));
}

[[noreturn]] void bad_shape(const Call& call, const std::string& which, const std::string& expected, const View& got) {
  throw ValueError(std::string(call.kernel) + ": " + which + ": expected shape " + expected + ", got " +
                   shape_text(got));
}

[[noreturn]] void bad_param(const Call& call, int index, const std::string& expected) {
  throw ValueError(std::string(call.kernel) + ": parameter " + std::to_string(index) + ": expected " + expected +
                   ", got " + std::to_string(call.params[index]));
}

std::string dtypes_text(unsigned mask) {
  std::string text;
  for (int i = 0; i < kNumDTypes; ++i)
    if (mask >> i & 1) text += (text.empty() ? "" : " or ") + std::string(dtype_name(static_cast<DType>(i)));
  return text;
}

void require_dtype(const Call& call, const char* kind, int index, const View& view, DType expected) {
  if (view.dtype != expected) bad_type(call, argument(kind, index), dtype_name(expected), view.dtype);
}

void require_allowed(const Call& call, const KernelInfo& info, int index) {
  const View& view = call.in[index];
  if (!(info.dtypes >> static_cast<int>(view.dtype) & 1))
    bad_type(call, argument("input", index), dtypes_text(info.dtypes), view.dtype);
}

void require_one_dtype(const Call& call, const KernelInfo& info, int first_in = 0) {
  require_allowed(call, info, first_in);
  const DType dtype = call.in[first_in].dtype;
  for (int i = first_in + 1; i < call.nin; ++i) require_dtype(call, "input", i, call.in[i], dtype);
  for (int i = 0; i < call.nout; ++i) require_dtype(call, "output", i, call.out[i], dtype);
}

void require_broadcast(const Call& call, int index, const View& in, const View& out) {
  bool ok = in.rank <= out.rank;
  for (int i = 0; ok && i < in.rank; ++i) {
    const int64_t n = in.shape[in.rank - 1 - i];
    ok = n == 1 || n == out.shape[out.rank - 1 - i];
  }
  if (!ok) bad_shape(call, argument("input", index), "broadcastable to " + shape_text(out), in);
}

bool same_shape(const View& a, const View& b) {
  if (a.rank != b.rank) return false;
  for (int i = 0; i < a.rank; ++i)
    if (a.shape[i] != b.shape[i]) return false;
  return true;
}

void require_same_shape(const Call& call, const char* kind, int index, const View& got, const View& expected) {
  if (!same_shape(got, expected)) bad_shape(call, argument(kind, index), shape_text(expected), got);
}

void require_rank(const Call& call, const char* kind, int index, const View& view, int rank) {
  if (view.rank != rank) bad_shape(call, argument(kind, index), "of rank " + std::to_string(rank), view);
}

std::string dims_text(std::initializer_list<int64_t> dims) {
  std::string text = "(";
  for (int64_t n : dims) text += (text.size() > 1 ? ", " : "") + std::to_string(n);
  return text + (dims.size() == 1 ? ",)" : ")");
}

// --- one function per `check` column of the table ---

void elementwise(const Call& call, const KernelInfo& info) {
  require_one_dtype(call, info);
  for (int i = 0; i < call.nin; ++i) require_broadcast(call, i, call.in[i], call.out[0]);
}

void predicate(const Call& call, const KernelInfo& info) {
  require_allowed(call, info, 0);
  for (int i = 1; i < call.nin; ++i) require_dtype(call, "input", i, call.in[i], call.in[0].dtype);
  require_dtype(call, "output", 0, call.out[0], DType::b8);
  for (int i = 0; i < call.nin; ++i) require_broadcast(call, i, call.in[i], call.out[0]);
}

void where(const Call& call, const KernelInfo& info) {
  require_dtype(call, "input", 0, call.in[0], DType::b8);
  require_one_dtype(call, info, 1);
  for (int i = 0; i < 3; ++i) require_broadcast(call, i, call.in[i], call.out[0]);
}

void copy(const Call& call, const KernelInfo&) { require_broadcast(call, 0, call.in[0], call.out[0]); }

void require_reduced_shape(const Call& call) {
  const View &in = call.in[0], &out = call.out[0];
  bool ok = in.rank == out.rank;
  for (int i = 0; ok && i < in.rank; ++i) ok = out.shape[i] == in.shape[i] || out.shape[i] == 1;
  if (!ok) bad_shape(call, "output 0", shape_text(in) + " with the reduced axes of size 1", out);
}

void reduce(const Call& call, const KernelInfo& info) {
  require_one_dtype(call, info);
  require_reduced_shape(call);
}

void require_nonempty(const Call& call) {
  if (count(call.in[0]) == 0 && count(call.out[0]) != 0)
    throw ValueError(std::string(call.kernel) +
                     ": input 0: expected at least one element along the reduced axes, got shape " +
                     shape_text(call.in[0]));
}

void reduce_nonempty(const Call& call, const KernelInfo& info) {
  reduce(call, info);
  require_nonempty(call);
}

int require_axis(const Call& call, int rank) {
  const double axis = call.params[0];
  if (!(axis >= 0 && axis < rank && axis == std::floor(axis)))
    bad_param(call, 0, "an axis from 0 to " + std::to_string(rank - 1));
  return static_cast<int>(axis);
}

void arg_reduce(const Call& call, const KernelInfo& info) {
  const View &in = call.in[0], &out = call.out[0];
  require_allowed(call, info, 0);
  require_dtype(call, "output", 0, out, DType::i64);
  require_reduced_shape(call);
  const int axis = require_axis(call, in.rank);
  for (int i = 0; i < in.rank; ++i)
    if (out.shape[i] != (i == axis ? 1 : in.shape[i]))
      bad_shape(call, "output 0", shape_text(in) + " with only axis " + std::to_string(axis) + " of size 1", out);
  require_nonempty(call);
}

void running(const Call& call, const KernelInfo& info) {
  require_one_dtype(call, info);
  require_same_shape(call, "output", 0, call.out[0], call.in[0]);
  require_axis(call, call.in[0].rank);
}

void require_bias(const Call& call, int index, int64_t n) {
  if (call.nin <= index) return;
  const View& bias = call.in[index];
  bool ok = true;
  for (int i = 0; i < bias.rank; ++i) ok = ok && (bias.shape[i] == 1 || (i == bias.rank - 1 && bias.shape[i] == n));
  if (!ok) bad_shape(call, argument("input", index), "broadcastable to " + dims_text({n}), bias);
}

void matmul(const Call& call, const KernelInfo& info) {
  require_one_dtype(call, info);
  const View &a = call.in[0], &b = call.in[1], &c = call.out[0];
  for (int i = 0; i < 2; ++i)
    if (call.in[i].rank < 2) bad_shape(call, argument("input", i), "of rank 2 or more", call.in[i]);
  if (c.rank < 2 || c.rank < a.rank || c.rank < b.rank)
    bad_shape(call, "output 0", "of rank " + std::to_string(a.rank > b.rank ? a.rank : b.rank) + " or more", c);
  const int64_t m = a.shape[a.rank - 2], k = a.shape[a.rank - 1], n = b.shape[b.rank - 1];
  if (b.shape[b.rank - 2] != k)
    bad_shape(call, "input 1", "(..., " + std::to_string(k) + ", n) as input 0 has k = " + std::to_string(k), b);
  if (c.shape[c.rank - 2] != m || c.shape[c.rank - 1] != n)
    bad_shape(call, "output 0", "(..., " + std::to_string(m) + ", " + std::to_string(n) + ")", c);
  for (int i = 0; i < 2; ++i) {
    const View& x = call.in[i];
    for (int d = 3; d <= x.rank; ++d)
      if (x.shape[x.rank - d] != 1 && x.shape[x.rank - d] != c.shape[c.rank - d])
        bad_shape(call, argument("input", i), "with batch dimensions broadcastable to " + shape_text(c), x);
  }
  require_bias(call, 2, n);
  const double beta = param(call, 0, 0);
  if (beta != 0 && beta != 1) bad_param(call, 0, "beta 0 or 1");
}

void linear(const Call& call, const KernelInfo& info) {
  require_one_dtype(call, info);
  const View &x = call.in[0], &w = call.in[1], &y = call.out[0];
  require_rank(call, "input", 1, w, 2);
  if (x.rank < 1 || x.shape[x.rank - 1] != w.shape[1])
    bad_shape(call, "input 0", "(..., " + std::to_string(w.shape[1]) + ")", x);
  bool ok = y.rank == x.rank && y.shape[y.rank - 1] == w.shape[0];
  for (int i = 0; ok && i + 1 < x.rank; ++i) ok = x.shape[i] == y.shape[i];
  if (!ok) bad_shape(call, "output 0", shape_text(x) + " with last dimension " + std::to_string(w.shape[0]), y);
  require_bias(call, 2, w.shape[0]);
}

void require_product(const Call& call) {
  const View &a = call.in[0], &b = call.in[1];
  require_rank(call, "input", 0, a, 2);
  require_rank(call, "input", 1, b, 2);
  if (b.shape[0] != a.shape[1]) bad_shape(call, "input 1", "(" + std::to_string(a.shape[1]) + ", n)", b);
}

void require_product_shape(const Call& call, const char* kind, int index, const View& view) {
  if (view.rank != 2 || view.shape[0] != call.in[0].shape[0] || view.shape[1] != call.in[1].shape[1])
    bad_shape(call, argument(kind, index), dims_text({call.in[0].shape[0], call.in[1].shape[1]}), view);
}

void matmul_relu_backward(const Call& call, const KernelInfo& info) {
  require_one_dtype(call, info);
  require_product(call);
  require_product_shape(call, "input", 2, call.in[2]);
  require_product_shape(call, "output", 0, call.out[0]);
  if (call.nout > 1 && (call.out[1].rank != 1 || call.out[1].shape[0] != call.in[1].shape[1]))
    bad_shape(call, "output 1", dims_text({call.in[1].shape[1]}), call.out[1]);
}

void require_momentum_buffer(const Call& call) {
  if (call.params[1] != 0 && call.nout < 2)
    throw ValueError(std::string(call.kernel) +
                     ": outputs: expected (param, momentum buffer) as momentum is not 0, got 1 array");
}

void matmul_sgd(const Call& call, const KernelInfo& info) {
  require_one_dtype(call, info);
  require_product(call);
  for (int i = 0; i < call.nout; ++i) require_product_shape(call, "output", i, call.out[i]);
  require_momentum_buffer(call);
}

void matmul_adam(const Call& call, const KernelInfo& info) {
  require_one_dtype(call, info);
  require_product(call);
  for (int i = 0; i < call.nout; ++i) require_product_shape(call, "output", i, call.out[i]);
}

void sum_update(const Call& call, const KernelInfo& info) {
  require_one_dtype(call, info);
  require_rank(call, "input", 0, call.in[0], 2);
  for (int i = 0; i < call.nout; ++i)
    if (call.out[i].rank != 1 || call.out[i].shape[0] != call.in[0].shape[1])
      bad_shape(call, argument("output", i), dims_text({call.in[0].shape[1]}), call.out[i]);
}

void sum_sgd(const Call& call, const KernelInfo& info) {
  sum_update(call, info);
  require_momentum_buffer(call);
}

void softmax(const Call& call, const KernelInfo& info) {
  require_one_dtype(call, info);
  if (call.in[0].rank < 1) bad_shape(call, "input 0", "of rank 1 or more", call.in[0]);
  require_same_shape(call, "output", 0, call.out[0], call.in[0]);
}

void require_entropy_inputs(const Call& call, const KernelInfo& info, int weight_index) {
  const View &x = call.in[0], &t = call.in[1];
  require_allowed(call, info, 0);
  require_rank(call, "input", 0, x, 2);
  const int64_t n = x.shape[0], c = x.shape[1];
  if (t.dtype == DType::i64 && t.rank == 1) {
    if (t.shape[0] != n) bad_shape(call, "input 1", dims_text({n}), t);
  } else if (t.dtype == x.dtype) {
    if (!same_shape(t, x)) bad_shape(call, "input 1", shape_text(x) + " (probabilities)", t);
  } else if (t.dtype == DType::i64) {
    bad_shape(call, "input 1", dims_text({n}), t);
  } else {
    bad_type(call, "input 1", std::string("int64 or ") + dtype_name(x.dtype), t.dtype);
  }
  if (call.nin > weight_index) {
    const View& w = call.in[weight_index];
    require_dtype(call, "input", weight_index, w, x.dtype);
    if (w.rank != 1 || w.shape[0] != c) bad_shape(call, argument("input", weight_index), dims_text({c}), w);
  }
  require_dtype(call, "output", 0, call.out[0], x.dtype);
  const double reduction = param(call, 0, 1), smoothing = param(call, 2, 0), ignore = param(call, 1, -100);
  if (reduction != 0 && reduction != 1 && reduction != 2) bad_param(call, 0, "reduction 0 (none), 1 (mean) or 2 (sum)");
  if (!(std::fabs(ignore) < 9e15) || ignore != std::floor(ignore)) bad_param(call, 1, "an integer ignore_index");
  if (!(smoothing >= 0 && smoothing <= 1)) bad_param(call, 2, "label_smoothing from 0 to 1");
}

void cross_entropy(const Call& call, const KernelInfo& info) {
  require_entropy_inputs(call, info, 2);
  const View& out = call.out[0];
  const int64_t n = call.in[0].shape[0];
  if (param(call, 0, 1) == 0) {
    if (out.rank != 1 || out.shape[0] != n) bad_shape(call, "output 0", dims_text({n}), out);
  } else if (out.rank != 0) {
    bad_shape(call, "output 0", "()", out);
  }
}

void cross_entropy_backward(const Call& call, const KernelInfo& info) {
  require_entropy_inputs(call, info, 3);
  const View& g = call.in[2];
  const int64_t n = call.in[0].shape[0];
  require_dtype(call, "input", 2, g, call.in[0].dtype);
  if (param(call, 0, 1) == 0) {
    if (g.rank != 1 || g.shape[0] != n) bad_shape(call, "input 2", dims_text({n}), g);
  } else if (g.rank != 0) {
    bad_shape(call, "input 2", "()", g);
  }
  require_same_shape(call, "output", 0, call.out[0], call.in[0]);
}

void require_labels(const Call& call) {
  if (call.in[1].dtype != DType::i64) bad_type(call, "input 1", "int64", call.in[1].dtype);
}

void nll_loss(const Call& call, const KernelInfo& info) {
  require_labels(call);
  cross_entropy(call, info);
}

void nll_loss_backward(const Call& call, const KernelInfo& info) {
  require_labels(call);
  cross_entropy_backward(call, info);
}

void normalize(const Call& call, const KernelInfo& info) {
  require_one_dtype(call, info);
  for (int i = 0; i < call.nin; ++i) require_same_shape(call, "input", i, call.in[i], call.out[0]);
  if (!(call.params[0] >= 0)) bad_param(call, 0, "eps of 0 or more");
  for (int i = 2; i < call.nparams; ++i) {
    const double axis = call.params[i];
    if (!(axis >= 0 && axis < call.out[0].rank && axis == std::floor(axis)))
      bad_param(call, i, "an axis from 0 to " + std::to_string(call.out[0].rank - 1));
  }
}

void running_statistics(const Call& call, const KernelInfo& info) {
  require_one_dtype(call, info);
  const View &x = call.in[0], &out = call.out[0];
  int64_t kept = 1;
  bool reduced[kMaxRank] = {};
  for (int i = 0; i < call.nparams; ++i) {
    const double axis = call.params[i];
    if (!(axis >= 0 && axis < x.rank && axis == std::floor(axis)))
      bad_param(call, i, "an axis from 0 to " + std::to_string(x.rank - 1));
    reduced[static_cast<int>(axis)] = true;
  }
  for (int d = 0; d < x.rank; ++d) kept *= reduced[d] ? 1 : x.shape[d];
  for (int i = 1; i < 3; ++i)
    if (call.in[i].rank != 1 || call.in[i].shape[0] != kept)
      bad_shape(call, argument("input", i), dims_text({kept}), call.in[i]);
  require_rank(call, "input", 3, call.in[3], 0);
  if (out.rank != 2 || out.shape[0] != 2 || out.shape[1] != kept)
    bad_shape(call, "output 0", dims_text({2, kept}), out);
}

void sgd(const Call& call, const KernelInfo& info) {
  require_one_dtype(call, info);
  for (int i = 0; i < call.nout; ++i) require_same_shape(call, "output", i, call.out[i], call.in[0]);
  require_momentum_buffer(call);
}

void adam(const Call& call, const KernelInfo& info) {
  require_one_dtype(call, info);
  for (int i = 0; i < call.nout; ++i) require_same_shape(call, "output", i, call.out[i], call.in[0]);
}

void rmsprop(const Call& call, const KernelInfo& info) {
  adam(call, info);
  const int expected = 2 + (call.params[4] != 0) + (call.params[5] != 0);
  if (call.nout != expected)
    throw ValueError(std::string(call.kernel) + ": outputs: expected " + std::to_string(expected) +
                     " (param, mean square, buffer with momentum, mean gradient where centered), got " +
                     std::to_string(call.nout));
}

void adagrad(const Call& call, const KernelInfo& info) { adam(call, info); }

void dropout_mask(const Call& call, const KernelInfo& info) {
  const View &key = call.in[0], &out = call.out[0];
  require_dtype(call, "input", 0, key, DType::i64);
  if (key.rank != 1 || key.shape[0] != 2) bad_shape(call, "input 0", "(2,)", key);
  if (!(info.dtypes >> static_cast<int>(out.dtype) & 1))
    bad_type(call, "output 0", dtypes_text(info.dtypes), out.dtype);
  if (!(call.params[0] >= 0 && call.params[0] <= 1)) bad_param(call, 0, "a probability from 0 to 1");
}

// rows = the indices' shape + table.shape[number of indices:]
void require_rows(const Call& call, const char* kind, const View& rows, const View& table) {
  const int indices = call.nin - 1;
  for (int i = 1; i < call.nin; ++i) require_dtype(call, "input", i, call.in[i], DType::i64);
  const View frame = index_frame(call);
  bool ok = table.rank >= indices && rows.rank == frame.rank + table.rank - indices;
  for (int i = 0; ok && i < rows.rank; ++i)
    ok = rows.shape[i] == (i < frame.rank ? frame.shape[i] : table.shape[i - frame.rank + indices]);
  if (!ok)
    bad_shape(call, argument(kind, 0),
              shape_text(frame) + " + " + shape_text(table) + "[" + std::to_string(indices) + ":]", rows);
}

void take(const Call& call, const KernelInfo& info) {
  require_allowed(call, info, 0);
  require_dtype(call, "output", 0, call.out[0], call.in[0].dtype);
  if (call.in[0].rank < 1) bad_shape(call, "input 0", "of rank 1 or more", call.in[0]);
  require_rows(call, "output", call.out[0], call.in[0]);
}

void index_add(const Call& call, const KernelInfo& info) {
  require_allowed(call, info, 0);
  require_dtype(call, "output", 0, call.out[0], call.in[0].dtype);
  if (call.out[0].rank < 1) bad_shape(call, "output 0", "of rank 1 or more", call.out[0]);
  require_rows(call, "input", call.in[0], call.out[0]);
}

// rows has the index's shape; neither is larger than the table but along the axis.
void require_places(const Call& call, const KernelInfo& info, const char* kind, const View& rows, const View& table) {
  const View& idx = call.in[1];
  require_allowed(call, info, 0);
  require_dtype(call, "input", 1, idx, DType::i64);
  require_dtype(call, "output", 0, call.out[0], call.in[0].dtype);
  const int axis = require_axis(call, table.rank > 0 ? table.rank : 1);
  bool ok = idx.rank == table.rank;
  for (int d = 0; ok && d < idx.rank; ++d) ok = d == axis || idx.shape[d] <= table.shape[d];
  if (!ok)
    bad_shape(call, "input 1", "no larger than " + shape_text(table) + " except along axis " + std::to_string(axis),
              idx);
  require_same_shape(call, kind, 0, rows, idx);
}

void gather(const Call& call, const KernelInfo& info) { require_places(call, info, "output", call.out[0], call.in[0]); }

void scatter_add(const Call& call, const KernelInfo& info) {
  require_places(call, info, "input", call.in[0], call.out[0]);
}

void argsort(const Call& call, const KernelInfo& info) {
  const View &in = call.in[0], &out = call.out[0];
  require_allowed(call, info, 0);
  require_dtype(call, "output", 0, out, DType::i64);
  const int axis = require_axis(call, in.rank > 0 ? in.rank : 1);
  bool ok = in.rank == out.rank;
  for (int d = 0; ok && d < in.rank; ++d) ok = d == axis ? out.shape[d] <= in.shape[d] : out.shape[d] == in.shape[d];
  if (!ok) bad_shape(call, "output 0", shape_text(in) + " or less along axis " + std::to_string(axis), out);
}

void concat(const Call& call, const KernelInfo& info) {
  require_one_dtype(call, info);
  const View& out = call.out[0];
  const int axis = require_axis(call, out.rank);
  int64_t total = 0;
  for (int i = 0; i < call.nin; ++i) {
    const View& in = call.in[i];
    bool ok = in.rank == out.rank;
    for (int d = 0; ok && d < in.rank; ++d) ok = d == axis || in.shape[d] == out.shape[d];
    if (!ok) bad_shape(call, argument("input", i), shape_text(out) + " except along axis " + std::to_string(axis), in);
    total += in.shape[axis];
  }
  if (total != out.shape[axis])
    bad_shape(call, "output 0", "with " + std::to_string(total) + " along axis " + std::to_string(axis), out);
}

constexpr unsigned F = 1u << static_cast<int>(DType::f32) | 1u << static_cast<int>(DType::f64);
constexpr unsigned I = 1u << static_cast<int>(DType::i32) | 1u << static_cast<int>(DType::i64);
constexpr unsigned B = 1u << static_cast<int>(DType::b8);

constexpr KernelInfo kInfo[] = {
#define GRAPHNET_INFO(name, in0, in1, out0, out1, p0, p1, check, dtypes) \
  {#name, in0, in1, out0, out1, p0, p1, check, dtypes},
    GRAPHNET_KERNELS(GRAPHNET_INFO)
#undef GRAPHNET_INFO
};

void require_count(const Call& call, const char* what, int got, int low, int high) {
  if (got >= low && got <= high) return;
  const std::string expected = low == high ? std::to_string(low) : std::to_string(low) + " to " + std::to_string(high);
  throw ValueError(std::string(call.kernel) + ": " + what + ": expected " + expected + ", got " + std::to_string(got));
}

// A kernel may read an input after it has begun to write: only some may write over one, and only in the same place.
void require_apart(const Call& call, const KernelInfo& info) {
  const bool in_place = info.check == elementwise || info.check == where || info.check == copy || info.check == sgd ||
                        info.check == adam || info.check == softmax || info.check == cross_entropy_backward;
  for (int o = 0; o < call.nout; ++o) {
    const View& out = call.out[o];
    for (int i = 0; i < call.nin; ++i)
      if (may_overlap(out, call.in[i]) && !(in_place && same_elements(out, call.in[i])))
        throw ValueError(std::string(call.kernel) + ": output " + std::to_string(o) + ": expected memory " +
                         (in_place ? "apart from input " + std::to_string(i) + "'s, or all of it in the same order"
                                   : "apart from input " + std::to_string(i) + "'s") +
                         ", got arrays that overlap");
    for (int i = 0; i < o; ++i)
      if (may_overlap(out, call.out[i]))
        throw ValueError(std::string(call.kernel) + ": output " + std::to_string(o) +
                         ": expected memory apart from output " + std::to_string(i) + "'s, got arrays that overlap");
  }
}

}  // namespace

const KernelInfo& kernel_info(int id) { return kInfo[id]; }

bool joins_groups(const KernelInfo& info, DType dtype) {
  const auto is = [&](Id id) { return &info == &kInfo[static_cast<int>(id)]; };
  if (is(Id::floor_div_) || is(Id::remainder_) || is(Id::pow_)) return dtype == DType::f32 || dtype == DType::f64;
  return !is(Id::binary_entropy_) &&
         (info.check == elementwise || info.check == predicate || info.check == where || info.check == copy);
}

const char* dtype_name(DType dtype) {
  switch (dtype) {
    case DType::f32:
      return "float32";
    case DType::f64:
      return "float64";
    case DType::i32:
      return "int32";
    case DType::i64:
      return "int64";
    case DType::b8:
      return "bool";
  }
  return "?";
}

std::string shape_text(const View& view) {
  std::string text = "(";
  for (int i = 0; i < view.rank; ++i) text += (i ? ", " : "") + std::to_string(view.shape[i]);
  return text + (view.rank == 1 ? ",)" : ")");
}

View index_frame(const Call& call) {
  View frame{nullptr, DType::i64, 0, {}, {}};
  for (int i = 1; i < call.nin; ++i)
    if (call.in[i].rank > frame.rank) frame.rank = call.in[i].rank;
  for (int d = 0; d < frame.rank; ++d) frame.shape[d] = 1;
  for (int i = 1; i < call.nin; ++i) {
    const View& idx = call.in[i];
    for (int d = 0; d < idx.rank; ++d) {
      int64_t& n = frame.shape[d + frame.rank - idx.rank];
      if (n == 1)
        n = idx.shape[d];
      else if (idx.shape[d] != 1 && idx.shape[d] != n)
        bad_shape(call, argument("input", i), "broadcastable to " + shape_text(frame), idx);
    }
  }
  return frame;
}

double param(const Call& call, int index, double fallback) {
  return index < call.nparams ? call.params[index] : fallback;
}

void check_call(const Call& call, const KernelInfo& info) {
  require_count(call, "inputs", call.nin, info.min_in, info.max_in);
  require_count(call, "outputs", call.nout, info.min_out, info.max_out);
  require_count(call, "params", call.nparams, info.min_params, info.max_params);
  info.check(call, info);
  for (int i = 0; i < call.nout; ++i)
    for (int d = 0; d < call.out[i].rank; ++d)
      if (call.out[i].stride[d] == 0 && call.out[i].shape[d] > 1 && count(call.out[i]) != 0)
        throw ValueError(std::string(call.kernel) + ": output " + std::to_string(i) +
                         ": expected distinct elements, got a broadcast array (stride 0) of shape " +
                         shape_text(call.out[i]));
  require_apart(call, info);
}

}  // namespace graphnet
