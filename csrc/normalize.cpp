#include "normalize.h"

#include <algorithm>

#include "pool.h"

namespace graphnet {
namespace {

bool contiguous(const View& view) {
  int64_t expected = 1;
  for (int d = view.rank - 1; d >= 0; --d) {
    if (view.shape[d] == 1) continue;
    if (view.stride[d] != expected) return false;
    expected *= view.shape[d];
  }
  return true;
}

}  // namespace

void run_normalize(const Call& call, NormFunction f, Kernel fallback) {
  const View &x = call.in[call.nin - 1], &out = call.out[0];
  for (int i = 0; i < call.nin; ++i)
    if (!contiguous(call.in[i])) return fallback(call);
  if (!contiguous(out)) return fallback(call);
  bool reduced[kMaxRank] = {};
  for (int i = 2; i < call.nparams; ++i) reduced[static_cast<int>(call.params[i])] = true;
  // Reduced axes, then kept ones, then reduced ones; axes of size 1 count as either.
  Norm n{x.data, call.nin > 1 ? call.in[0].data : nullptr, out.data, 1, 1, 1, call.params[0], call.params[1] != 0};
  int64_t* const parts[3] = {&n.outer, &n.kept, &n.inner};
  int part = 0;
  for (int d = 0; d < x.rank; ++d) {
    if (x.shape[d] == 1) continue;
    if ((part == 1) == reduced[d]) ++part;
    if (part > 2) return fallback(call);
    *parts[part] *= x.shape[d];
  }
  const int64_t total = n.outer * n.kept * n.inner;
  if (total == 0) return;
  // Columns next to each other are for one thread, so that threads do not write to one cache line.
  const int64_t grain = n.inner == 1 ? 64 : 1, units = (n.kept + grain - 1) / grain;
  const auto body = [&](int p, int count) {
    f(n, units * p / count * grain, std::min(n.kept, units * (p + 1) / count * grain));
  };
  const int wanted = static_cast<int>(std::min<int64_t>({total / 8192, units, 1024}));
  if (wanted < 2)
    body(0, 1);
  else
    parallel(wanted, body);
}

}  // namespace graphnet
