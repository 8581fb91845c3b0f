#include "normalize.h"

#include <algorithm>
#include <vector>

#include "pool.h"
#include "view.h"

namespace graphnet {
namespace {

// Reduced axes, then kept ones, then reduced ones; axes of size 1 count as either. False for other orders.
bool split(const Call& call, const View& x, int first_axis, Norm& n) {
  bool reduced[kMaxRank] = {};
  for (int i = first_axis; i < call.nparams; ++i) reduced[static_cast<int>(call.params[i])] = true;
  int64_t* const parts[3] = {&n.outer, &n.kept, &n.inner};
  int part = 0;
  for (int d = 0; d < x.rank; ++d) {
    if (x.shape[d] == 1) continue;
    if ((part == 1) == reduced[d]) ++part;
    if (part > 2) return false;
    *parts[part] *= x.shape[d];
  }
  return true;
}

// body(begin, end) for parts of the kept indices.
template <class F>
void each_part(const Norm& n, F body) {
  // Columns next to each other are for one thread, so that threads do not write to one cache line.
  const int64_t grain = n.inner == 1 ? 64 : 1, units = (n.kept + grain - 1) / grain;
  const int wanted = static_cast<int>(std::min<int64_t>({n.outer * n.kept * n.inner / 8192, units, 1024}));
  if (wanted < 2) return body(0, n.kept);
  parallel(wanted, [&](int p, int count) {
    body(units * p / count * grain, std::min(n.kept, units * (p + 1) / count * grain));
  });
}

}  // namespace

void run_normalize(const Call& call, NormFunction f, Kernel fallback) {
  const View &x = call.in[call.nin - 1], &out = call.out[0];
  for (int i = 0; i < call.nin; ++i)
    if (!contiguous(call.in[i])) return fallback(call);
  if (!contiguous(out)) return fallback(call);
  Norm n{x.data, call.nin > 1 ? call.in[0].data : nullptr, out.data, 1, 1, 1, call.params[0], call.params[1] != 0};
  if (!split(call, x, 2, n)) return fallback(call);
  if (n.outer * n.kept * n.inner != 0) each_part(n, [&](int64_t begin, int64_t end) { f(n, begin, end); });
}

void run_running_statistics(const Call& call, StatisticsFunction f, Kernel fallback) {
  const View &x = call.in[0], &old_mean = call.in[1], &old_variance = call.in[2], &out = call.out[0];
  Norm n{x.data, nullptr, nullptr, 1, 1, 1, 0, true};
  if (!contiguous(x) || !split(call, x, 0, n) || n.outer * n.inner == 0) return fallback(call);
  const double momentum = value(call.in[3], 0), less = static_cast<double>(n.outer * n.inner - 1);
  std::vector<double> mean(static_cast<size_t>(n.kept)), square(static_cast<size_t>(n.kept));
  each_part(n, [&](int64_t begin, int64_t end) { f(n, begin, end, mean.data(), square.data()); });
  for (int64_t k = 0; k < n.kept; ++k) {
    const auto at = static_cast<size_t>(k);
    put(out, k * out.stride[1], (1 - momentum) * value(old_mean, k * old_mean.stride[0]) + momentum * mean[at]);
    put(out, out.stride[0] + k * out.stride[1],
        (1 - momentum) * value(old_variance, k * old_variance.stride[0]) + momentum * square[at] / less);
  }
}

}  // namespace graphnet
