// Compiled with -ffp-contract=off: NumPy rounds the product and the sum, a fused multiply-add would not.
#include "philox.h"

#include <algorithm>

#include "pool.h"

namespace graphnet {
namespace {

constexpr int kRounds = 10;
constexpr int64_t kParallel = 1 << 15;  // elements worth a thread of their own, some 40 us

struct Block {
  uint64_t word[4];
};

__extension__ using Wide = unsigned __int128;

Block philox_block(PhiloxKey key, uint64_t counter) {
  Block c{{counter, 0, 0, 0}};
  for (int round = 0; round < kRounds; ++round) {
    const Wide a = Wide{0xd2e7470ee14c6c93u} * c.word[0], b = Wide{0xca5a826395121157u} * c.word[2];
    c = {{static_cast<uint64_t>(b >> 64) ^ c.word[1] ^ key.word[0], static_cast<uint64_t>(b),
          static_cast<uint64_t>(a >> 64) ^ c.word[3] ^ key.word[1], static_cast<uint64_t>(a)}};
    key.word[0] += 0x9e3779b97f4a7c15u;
    key.word[1] += 0xbb67ae8584caa73bu;
  }
  return c;
}

// A float takes 24 bits of half a word, the lower half first; a double 53 bits of a word.
constexpr int numbers_in_block(float) { return 8; }
constexpr int numbers_in_block(double) { return 4; }
float number(const Block& block, int i, float) {
  const auto half = static_cast<uint32_t>(block.word[i / 2] >> (i % 2 * 32));
  return static_cast<float>(half >> 8) * (1.0f / 16777216.0f);
}
double number(const Block& block, int i, double) {
  return static_cast<double>(block.word[i] >> 11) * (1.0 / 9007199254740992.0);
}

template <class T>
void fill(const PhiloxKey& key, double low, double high, T* out, int64_t n) {
  constexpr int kEach = numbers_in_block(T{});
  const T scale = static_cast<T>(high - low), start = static_cast<T>(low);
  const auto body = [&](int part, int parts) {
    const int64_t blocks = (n + kEach - 1) / kEach, end = blocks * (part + 1) / parts;
    for (int64_t b = blocks * part / parts; b < end; ++b) {
      const Block block = philox_block(key, static_cast<uint64_t>(b) + 1);  // NumPy counts before it draws
      T* const to = out + b * kEach;
      const int count = static_cast<int>(std::min<int64_t>(kEach, n - b * kEach));
      for (int i = 0; i < count; ++i) to[i] = number(block, i, T{}) * scale + start;
    }
  };
  const int wanted = static_cast<int>(std::min<int64_t>(n / kParallel, kMaxThreads));
  if (wanted < 2)
    body(0, 1);
  else
    parallel(wanted, body);
}

}  // namespace

void philox_uniform(const PhiloxKey& key, double low, double high, DType dtype, void* out, int64_t n) {
  if (dtype == DType::f32)
    fill(key, low, high, static_cast<float*>(out), n);
  else
    fill(key, low, high, static_cast<double*>(out), n);
}

}  // namespace graphnet
