#include <algorithm>
#include <cstdlib>
#include <numeric>

#include "check.h"
#include "view.h"

namespace graphnet {
namespace {

struct Run {
  int64_t stride, n;
};

// A view as runs of adjacent bytes: where the first begins, how long each is, and the dimensions that repeat it.
struct Runs {
  intptr_t begin, end;  // of all of it
  int64_t width;
  int rank = 0;
  Run dim[kMaxRank];  // smallest stride first, all positive
};

bool make_runs(const View& view, Runs& runs) {
  const int64_t item = item_size(view.dtype);
  runs.begin = reinterpret_cast<intptr_t>(view.data);
  for (int d = 0; d < view.rank; ++d) {
    if (view.shape[d] == 0) return false;
    int64_t stride = view.stride[d] * item;
    if (view.shape[d] == 1 || stride == 0) continue;
    if (stride < 0) {
      runs.begin += stride * (view.shape[d] - 1);
      stride = -stride;
    }
    int p = runs.rank++;
    for (; p > 0 && runs.dim[p - 1].stride > stride; --p) runs.dim[p] = runs.dim[p - 1];
    runs.dim[p] = {stride, view.shape[d]};
  }
  runs.width = item;
  int merged = 0;
  while (merged < runs.rank && runs.dim[merged].stride == runs.width) runs.width *= runs.dim[merged++].n;
  runs.rank -= merged;
  std::copy(runs.dim + merged, runs.dim + merged + runs.rank, runs.dim);
  runs.end = runs.begin + runs.width;
  for (int d = 0; d < runs.rank; ++d) runs.end += runs.dim[d].stride * (runs.dim[d].n - 1);
  return true;
}

}  // namespace

bool may_overlap(const View& x, const View& y) {
  Runs a, b;
  if (!make_runs(x, a) || !make_runs(y, b)) return false;
  if (a.end <= b.begin || b.end <= a.begin) return false;
  // All runs of both begin at multiples of `step` from each other's first: two column slices of a matrix are apart
  // where the runs do not meet within one step.
  int64_t step = 0;
  for (int d = 0; d < a.rank; ++d) step = std::gcd(step, a.dim[d].stride);
  for (int d = 0; d < b.rank; ++d) step = std::gcd(step, b.dim[d].stride);
  if (step == 0) return true;
  const int64_t distance = ((b.begin - a.begin) % step + step) % step;
  return distance < a.width || distance + b.width > step;
}

bool same_elements(const View& x, const View& y) {
  if (x.data != y.data || x.dtype != y.dtype) return false;
  int i = 0, j = 0;
  while (true) {
    while (i < x.rank && x.shape[i] == 1) ++i;
    while (j < y.rank && y.shape[j] == 1) ++j;
    if (i == x.rank || j == y.rank) return i == x.rank && j == y.rank;
    if (x.shape[i] != y.shape[j] || x.stride[i] != y.stride[j]) return false;
    ++i, ++j;
  }
}

}  // namespace graphnet
