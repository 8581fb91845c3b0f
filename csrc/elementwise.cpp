// Reduces any call to runs of the inner loop: dimensions are ordered by the output's strides and merged where all
// operands allow; what is then still strided inside goes through small contiguous buffers.
#include "elementwise.h"

#include <algorithm>
#include <cstring>

#include "pool.h"
#include "stream.h"
#include "view.h"

namespace graphnet {
namespace {

constexpr int kMaxOperands = 4;         // the output, then up to three inputs
constexpr int64_t kChunk = 512;         // elements of a strided run that pass through buffers at a time
constexpr int64_t kStreamChunk = 1024;  // elements that pass through a buffer on their way past the caches

struct Plan {
  int operands;
  int rank = 0;  // merged dimensions, outermost first
  int64_t shape[kMaxRank];
  int64_t stride[kMaxOperands][kMaxRank];  // in elements
  int64_t item[kMaxOperands];
  char* data[kMaxOperands];
  Loop loop;
  bool streamed;  // the output is large and no input: store it past the caches
};

int64_t magnitude(int64_t x) { return x < 0 ? -x : x; }

// Whether dimension p should be further out than q.
bool outer(const Plan& plan, int p, int q) {
  for (int i = 0; i < plan.operands; ++i) {
    const int64_t a = magnitude(plan.stride[i][p]), b = magnitude(plan.stride[i][q]);
    if (a != b && a != 0 && b != 0) return a > b;
  }
  return false;
}

void swap_dims(Plan& plan, int p, int q) {
  std::swap(plan.shape[p], plan.shape[q]);
  for (int i = 0; i < plan.operands; ++i) std::swap(plan.stride[i][p], plan.stride[i][q]);
}

// True when there is anything to do.
bool make_plan(const Call& call, Plan& plan) {
  const View& out = call.out[0];
  plan.operands = 1 + call.nin;
  const View* views[kMaxOperands] = {&out};
  for (int i = 0; i < call.nin; ++i) views[i + 1] = &call.in[i];
  for (int i = 0; i < plan.operands; ++i) {
    plan.data[i] = static_cast<char*>(views[i]->data);
    plan.item[i] = item_size(views[i]->dtype);
  }

  // The common case first: everything contiguous and of one shape, or a single value.
  bool flat = contiguous(out);
  const int64_t total = count(out);
  if (total == 0) return false;
  for (int i = 1; flat && i < plan.operands; ++i) {
    const int64_t n = count(*views[i]);
    flat = n == 1 || (n == total && contiguous(*views[i]));
    plan.stride[i][0] = n == 1 ? 0 : 1;
  }
  if (flat) {
    plan.rank = 1;
    plan.shape[0] = total;
    plan.stride[0][0] = 1;
    return true;
  }

  for (int d = 0; d < out.rank; ++d) {
    if (out.shape[d] == 1) continue;
    const int r = plan.rank++;
    plan.shape[r] = out.shape[d];
    for (int i = 0; i < plan.operands; ++i) {
      const int local = d - (out.rank - views[i]->rank);
      plan.stride[i][r] = local < 0 ? 0 : views[i]->stride[local];
    }
    if (plan.stride[0][r] < 0)
      for (int i = 0; i < plan.operands; ++i) {
        plan.data[i] += plan.stride[i][r] * (plan.shape[r] - 1) * plan.item[i];
        plan.stride[i][r] = -plan.stride[i][r];
      }
    for (int p = r; p > 0 && outer(plan, p, p - 1); --p) swap_dims(plan, p, p - 1);
  }
  int kept = 0;
  for (int r = 1; r < plan.rank; ++r) {
    bool merge = true;
    for (int i = 0; i < plan.operands; ++i) merge = merge && plan.stride[i][kept] == plan.stride[i][r] * plan.shape[r];
    if (merge) {
      plan.shape[kept] *= plan.shape[r];
    } else {
      ++kept;
      plan.shape[kept] = plan.shape[r];
    }
    for (int i = 0; i < plan.operands; ++i) plan.stride[i][kept] = plan.stride[i][r];
  }
  plan.rank = kept + 1;
  return true;
}

template <class T>
void gather_as(void* to, const char* from, int64_t stride, int64_t n) {
  T* out = static_cast<T*>(to);
  const T* in = reinterpret_cast<const T*>(from);
  for (int64_t i = 0; i < n; ++i) out[i] = in[i * stride];
}

void gather(void* to, const char* from, int64_t stride, int64_t n, int64_t item) {
  if (item == 4)
    gather_as<uint32_t>(to, from, stride, n);
  else if (item == 8)
    gather_as<uint64_t>(to, from, stride, n);
  else
    gather_as<uint8_t>(to, from, stride, n);
}

template <class T>
void scatter_as(char* to, const void* from, int64_t stride, int64_t n) {
  T* out = reinterpret_cast<T*>(to);
  const T* in = static_cast<const T*>(from);
  for (int64_t i = 0; i < n; ++i) out[i * stride] = in[i];
}

void scatter(char* to, const void* from, int64_t stride, int64_t n, int64_t item) {
  if (item == 4)
    scatter_as<uint32_t>(to, from, stride, n);
  else if (item == 8)
    scatter_as<uint64_t>(to, from, stride, n);
  else
    scatter_as<uint8_t>(to, from, stride, n);
}

// n elements along one dimension, from the given places.
void run_line(const Plan& plan, char* const* at, const int64_t* stride, int64_t n) {
  bool direct = stride[0] == 1 || n == 1;
  for (int i = 1; i < plan.operands; ++i) direct = direct && (stride[i] == 0 || stride[i] == 1);
  const void* in[kMaxOperands - 1];
  int64_t step[kMaxOperands - 1];
  if (direct && plan.streamed) {
    alignas(64) char buffer[kStreamChunk * 8];
    for (int64_t start = 0; start < n; start += kStreamChunk) {
      const int64_t m = std::min(kStreamChunk, n - start);
      for (int i = 1; i < plan.operands; ++i)
        in[i - 1] = at[i] + start * stride[i] * plan.item[i], step[i - 1] = stride[i];
      plan.loop(buffer, in, step, m);
      stream_copy(at[0] + start * plan.item[0], buffer, static_cast<size_t>(m * plan.item[0]));
    }
    return;
  }
  if (direct) {
    for (int i = 1; i < plan.operands; ++i) in[i - 1] = at[i], step[i - 1] = stride[i];
    plan.loop(at[0], in, step, n);
    return;
  }
  alignas(64) char buffer[kMaxOperands][kChunk * 8];
  for (int64_t start = 0; start < n; start += kChunk) {
    const int64_t m = std::min(kChunk, n - start);
    for (int i = 1; i < plan.operands; ++i) {
      const char* from = at[i] + start * stride[i] * plan.item[i];
      step[i - 1] = stride[i] != 0;
      if (stride[i] == 0 || stride[i] == 1) {
        in[i - 1] = from;
      } else {
        gather(buffer[i], from, stride[i], m, plan.item[i]);
        in[i - 1] = buffer[i];
      }
    }
    char* to = at[0] + start * stride[0] * plan.item[0];
    if (stride[0] == 1) {
      plan.loop(to, in, step, m);
    } else {
      plan.loop(buffer[0], in, step, m);
      scatter(to, buffer[0], stride[0], m, plan.item[0]);
    }
  }
}

void run_part(const Plan& plan, char* const* start, int64_t first, int64_t outer_count) {
  const int last = plan.rank - 1;
  int64_t stride[kMaxOperands];
  char* at[kMaxOperands];
  for (int i = 0; i < plan.operands; ++i) {
    stride[i] = plan.stride[i][last];
    at[i] = start[i];
  }
  if (plan.rank == 1) return run_line(plan, at, stride, plan.shape[last]);

  // Lines `first` to `first + outer_count`, counted over all but the last dimension.
  int64_t index[kMaxRank] = {};
  int64_t rest = first;
  for (int r = last - 1; r >= 0; --r) {
    index[r] = rest % plan.shape[r];
    rest /= plan.shape[r];
    for (int i = 0; i < plan.operands; ++i) at[i] += index[r] * plan.stride[i][r] * plan.item[i];
  }
  for (int64_t line = 0; line < outer_count; ++line) {
    run_line(plan, at, stride, plan.shape[last]);
    for (int r = last - 1; r >= 0; --r) {
      for (int i = 0; i < plan.operands; ++i) at[i] += plan.stride[i][r] * plan.item[i];
      if (++index[r] < plan.shape[r]) break;
      for (int i = 0; i < plan.operands; ++i) at[i] -= plan.stride[i][r] * plan.item[i] * plan.shape[r];
      index[r] = 0;
    }
  }
}

}  // namespace

void run_elementwise(const Call& call, Loop loop, Kernel fallback, int cost) {
  if (loop == nullptr) return fallback(call);
  Plan plan;
  plan.loop = loop;
  if (!make_plan(call, plan)) return;
  int64_t lines = 1;
  for (int r = 0; r + 1 < plan.rank; ++r) lines *= plan.shape[r];
  const int64_t inner = plan.shape[plan.rank - 1];
  const int64_t work = lines * inner * cost;
  plan.streamed = lines * inner * plan.item[0] > kStreamBytes && inner >= 256;
  for (int i = 1; i < plan.operands; ++i) plan.streamed = plan.streamed && plan.data[i] != plan.data[0];
  if (work < 2 * kParallelWork) return run_part(plan, plan.data, 0, lines);

  const int wanted = static_cast<int>(std::min<int64_t>(work / kParallelWork, 1 << 20));
  if (plan.rank == 1) {
    parallel(wanted, [&](int part, int parts) {
      // Whole cache lines for each thread.
      const int64_t block = (inner / parts + 63) & ~int64_t{63};
      const int64_t begin = std::min(inner, block * part);
      const int64_t n = part + 1 == parts ? inner - begin : std::min(block, inner - begin);
      if (n <= 0) return;
      Plan own = plan;
      own.shape[0] = n;
      for (int i = 0; i < own.operands; ++i) own.data[i] += begin * own.stride[i][0] * own.item[i];
      run_part(own, own.data, 0, 1);
    });
  } else {
    parallel(wanted, [&](int part, int parts) {
      const int64_t begin = lines * part / parts, end = lines * (part + 1) / parts;
      if (end > begin) run_part(plan, plan.data, begin, end - begin);
    });
  }
}

}  // namespace graphnet
