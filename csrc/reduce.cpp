// Orders the input's dimensions by stride and merges them, so that what is left is either lines to fold into one
// output each, or rows to fold into a row of outputs.
#include "reduce.h"

#include <algorithm>
#include <memory>
#include <vector>

#include "check.h"
#include "pool.h"
#include "view.h"

namespace graphnet {
namespace {

constexpr int64_t kParallel = 32 * 1024;  // elements from which a second thread pays

struct Dim {
  int64_t n, in, out;  // size, strides in elements
  bool reduced;
};

struct Plan {
  const Fold* fold;
  int64_t item;
  double scale;
  const char* in;
  char* out;
  int rank = 0;
  Dim dim[kMaxRank];  // outermost first
};

int64_t magnitude(int64_t x) { return x < 0 ? -x : x; }

void make_plan(const Call& call, Plan& plan) {
  const View &x = call.in[0], &out = call.out[0];
  plan.in = static_cast<const char*>(x.data);
  plan.out = static_cast<char*>(out.data);
  for (int d = 0; d < x.rank; ++d) {
    if (x.shape[d] == 1) continue;
    Dim dim{x.shape[d], x.stride[d], out.stride[d], out.shape[d] == 1};
    if (dim.in < 0) {  // any order will do, as long as the output turns too
      plan.in += dim.in * (dim.n - 1) * plan.item;
      plan.out += dim.out * (dim.n - 1) * item_size(out.dtype);
      dim.in = -dim.in;
      dim.out = -dim.out;
    }
    int p = plan.rank++;
    for (; p > 0 && magnitude(plan.dim[p - 1].in) < dim.in; --p) plan.dim[p] = plan.dim[p - 1];
    plan.dim[p] = dim;
  }
  int kept = -1;
  for (int r = 0; r < plan.rank; ++r) {
    const Dim dim = plan.dim[r];
    if (kept >= 0) {
      Dim& last = plan.dim[kept];
      if (last.reduced == dim.reduced && last.in == dim.in * dim.n && (dim.reduced || last.out == dim.out * dim.n)) {
        last = {last.n * dim.n, dim.in, dim.out, dim.reduced};
        continue;
      }
    }
    plan.dim[++kept] = dim;
  }
  plan.rank = kept + 1;
}

// Calls f(in, out) for every index of the dimensions of `dims`.
template <class F>
void each_index(const Dim* dims, int rank, const char* in, int64_t item, char* out, int64_t out_item, F&& f) {
  int64_t index[kMaxRank] = {};
  while (true) {
    f(in, out);
    int r = rank - 1;
    for (; r >= 0; --r) {
      in += dims[r].in * item;
      out += dims[r].out * out_item;
      if (++index[r] < dims[r].n) break;
      in -= dims[r].in * item * dims[r].n;
      out -= dims[r].out * out_item * dims[r].n;
      index[r] = 0;
    }
    if (r < 0) return;
  }
}

// Room for the states of n outputs; most reductions need little.
class States {
 public:
  States(const Fold& fold, int64_t n) {
    const size_t bytes = fold.state * static_cast<size_t>(n);
    if (bytes > sizeof small_) large_.reset(new char[bytes]);
    fold.init(get(), n);
  }
  void* get() { return large_ ? large_.get() : small_; }

 private:
  alignas(64) char small_[4096];
  std::unique_ptr<char[]> large_;
};

// All of `plan` by this thread. The innermost dimension is contiguous in the input.
void run_part(const Plan& plan) {
  const Fold& fold = *plan.fold;
  const Dim inner = plan.dim[plan.rank - 1];
  Dim kept[kMaxRank], reduced[kMaxRank];
  int nkept = 0, nreduced = 0;
  for (int r = 0; r + 1 < plan.rank; ++r) {
    if (plan.dim[r].reduced)
      reduced[nreduced++] = plan.dim[r];
    else
      kept[nkept++] = plan.dim[r];
  }
  if (inner.reduced && nreduced == 0 && fold.lines != nullptr && nkept > 0) {
    const Dim last = kept[nkept - 1];
    bool done = true;
    each_index(kept, nkept - 1, plan.in, plan.item, plan.out, plan.item, [&](const char* in, char* out) {
      done = done && fold.lines(in, inner.n, last.in, last.n, out, last.out, plan.scale);
    });
    if (done) return;
  }
  if (inner.reduced) {
    each_index(kept, nkept, plan.in, plan.item, plan.out, plan.item, [&](const char* in, char* out) {
      States states(fold, 1);
      each_index(reduced, nreduced, in, plan.item, nullptr, 0,
                 [&](const char* line, char*) { fold.line(line, inner.n, states.get()); });
      fold.finish(states.get(), out, 1, 1, plan.scale);
    });
    return;
  }
  const Dim rows = nreduced > 0 ? reduced[--nreduced] : Dim{1, 0, 0, true};
  each_index(kept, nkept, plan.in, plan.item, plan.out, plan.item, [&](const char* in, char* out) {
    States states(fold, inner.n);
    each_index(reduced, nreduced, in, plan.item, nullptr, 0,
               [&](const char* block, char*) { fold.rows(block, rows.n, rows.in, inner.n, states.get()); });
    fold.finish(states.get(), out, inner.out, inner.n, plan.scale);
  });
}

// Splits the largest kept dimension, or the outermost reduced one where nothing is kept.
void run_plan(Plan& plan) {
  int64_t total = 1;
  for (int r = 0; r < plan.rank; ++r) total *= plan.dim[r].n;
  const int wanted = static_cast<int>(std::min<int64_t>(total / kParallel, 1024));
  if (wanted < 2 || num_threads() < 2) return run_part(plan);
  int split = -1;
  for (int r = 0; r < plan.rank; ++r)
    if (!plan.dim[r].reduced && (split < 0 || plan.dim[r].n > plan.dim[split].n)) split = r;
  if (split >= 0 && plan.dim[split].n >= (split + 1 == plan.rank ? 128 : 2)) {
    parallel(wanted, [&](int part, int parts) {
      Plan own = plan;
      Dim& d = own.dim[split];
      int64_t begin = d.n * part / parts, end = d.n * (part + 1) / parts;
      if (split + 1 == plan.rank) {  // whole cache lines
        if (part > 0) begin = begin / 16 * 16;
        if (part + 1 < parts) end = end / 16 * 16;
      }
      own.in += begin * d.in * plan.item;
      own.out += begin * d.out * plan.item;
      d.n = end - begin;
      if (d.n > 0) run_part(own);
    });
    return;
  }
  if (plan.rank != 1) return run_part(plan);
  const Fold& fold = *plan.fold;
  constexpr int kMaxParts = 64;
  std::vector<char> states(fold.state * kMaxParts);
  int used = 1;
  const Dim d = plan.dim[0];
  parallel(std::min(wanted, kMaxParts), [&](int part, int parts) {
    if (part == 0) used = parts;
    char* state = states.data() + fold.state * static_cast<size_t>(part);
    const int64_t begin = d.n * part / parts / 64 * 64,
                  end = part + 1 == parts ? d.n : d.n * (part + 1) / parts / 64 * 64;
    fold.init(state, 1);
    fold.line(plan.in + begin * plan.item, end - begin, state);
  });
  for (int part = 1; part < used; ++part)
    fold.merge(states.data(), states.data() + fold.state * static_cast<size_t>(part), 1);
  fold.finish(states.data(), plan.out, 1, 1, plan.scale);
}

}  // namespace

void run_reduce(const Call& call, const Fold* fold, Kernel fallback, Kernel copy) {
  const View &x = call.in[0], &out = call.out[0];
  if (fold == nullptr || count(x) == 0 || count(out) == 0) return fallback(call);
  Plan plan;
  plan.fold = fold;
  plan.item = item_size(x.dtype);
  plan.scale = param(call, 0, 1);
  make_plan(call, plan);
  if (plan.rank == 0) plan.dim[plan.rank++] = {1, 1, 1, true};
  if (plan.dim[plan.rank - 1].in == 1) return run_plan(plan);

  // Strided inside: reduce a contiguous copy.
  const std::unique_ptr<char[]> memory(new char[static_cast<size_t>(count(x) * plan.item)]);
  const View dense = packed(x, memory.get());
  copy({&x, 1, &dense, 1, nullptr, 0, "copy"});
  Plan again;
  again.fold = fold;
  again.item = plan.item;
  again.scale = plan.scale;
  make_plan({&dense, 1, &out, 1, nullptr, 0, call.kernel}, again);
  run_plan(again);
}

void run_arg_reduce(const Call& call, BestIndex best, Kernel fallback) {
  const View &x = call.in[0], &out = call.out[0];
  const int axis = static_cast<int>(call.params[0]);
  if (best == nullptr || count(out) == 0 || (x.shape[axis] != 1 && x.stride[axis] != 1)) return fallback(call);
  Dim dims[kMaxRank];
  int rank = 0;
  for (int d = 0; d < x.rank; ++d)
    if (d != axis && x.shape[d] != 1) dims[rank++] = {x.shape[d], x.stride[d], out.stride[d], false};
  each_index(dims, rank, static_cast<const char*>(x.data), item_size(x.dtype), static_cast<char*>(out.data), 8,
             [&](const char* in, char* to) { *reinterpret_cast<int64_t*>(to) = best(in, x.shape[axis]); });
}

}  // namespace graphnet
