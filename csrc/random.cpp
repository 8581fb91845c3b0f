#include "random.h"

#include <algorithm>
#include <cmath>

#include "pool.h"

namespace graphnet {
namespace {

uint64_t mix(uint64_t z) {
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

}  // namespace

uint64_t random_start(const View& key) {
  const auto* words = static_cast<const int64_t*>(key.data);
  return mix(static_cast<uint64_t>(words[0]) + mix(static_cast<uint64_t>(words[key.stride[0]])));
}

uint64_t random_bits(uint64_t start, uint64_t position) { return mix(start + (position + 1) * 0x9e3779b97f4a7c15u); }

Dropout::Dropout(const Call& call)
    : start(random_start(call.in[0])),
      limit(static_cast<uint64_t>(std::llround(std::ldexp(call.params[0], 32)))),
      scale(call.params[0] < 1 ? 1 / (1 - call.params[0]) : 0) {}

void run_dropout_mask(const Call& call, DropoutFunction f, Kernel fallback) {
  const View& out = call.out[0];
  int64_t n = 1;
  for (int d = out.rank - 1; d >= 0; --d) {
    if (out.shape[d] != 1 && out.stride[d] != n) return fallback(call);
    n *= out.shape[d];
  }
  const Dropout dropout(call);
  const int64_t item = out.dtype == DType::f32 ? 4 : 8;
  const auto body = [&](int part, int parts) {
    // An even start, as two elements share 64 bits, and whole cache lines for each thread.
    const int64_t begin = n * part / parts / 64 * 64, end = part + 1 == parts ? n : n * (part + 1) / parts / 64 * 64;
    f(dropout, static_cast<char*>(out.data) + begin * item, begin, end - begin);
  };
  const int wanted = static_cast<int>(std::min<int64_t>(n / 16384, 1024));
  if (wanted < 2)
    body(0, 1);
  else
    parallel(wanted, body);
}

}  // namespace graphnet
