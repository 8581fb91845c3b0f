#include "probe.h"

#include <algorithm>
#include <atomic>
#include <chrono>

#include "pool.h"
#include "target.h"

namespace graphnet {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

struct alignas(128) Line {
  std::atomic<long> value{0};
};

// Twelve independent chains of multiply-adds; assembly, because it must be these instructions and no others.
double fma_rate() {
  const long loops = 400000;
  const auto start = Clock::now();
#if defined(GRAPHNET_X86)
  if (!cpu_has_avx2()) return 0;
  asm volatile(
      "mov %0, %%rcx\n1:\n"
      ".irp r,0,1,2,3,4,5,6,7,8,9,10,11\n vfmadd231ps %%ymm14, %%ymm15, %%ymm\\r\n.endr\n"
      "dec %%rcx\njnz 1b\nvzeroupper\n" ::"r"(loops)
      : "rcx", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11",
        "memory");
  return static_cast<double>(loops) * 12 * 16 / seconds_since(start) / 1e9;
#elif defined(GRAPHNET_ARM64)
  for (long i = 0; i < loops; ++i)
    asm volatile(".irp r,0,1,2,3,4,5,6,7,8,9,10,11\n fmla v\\r\\().4s, v14.4s, v15.4s\n.endr\n" ::
                     : "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v8", "v9", "v10", "v11");
  return static_cast<double>(loops) * 12 * 8 / seconds_since(start) / 1e9;
#else
  return loops > 0 && seconds_since(start) >= 0 ? 0 : 0;
#endif
}

}  // namespace

Probe probe() {
  Probe result{0, {0, 0}};
  Line ping, pong;
  constexpr int kTrips = 5000, kRounds = 5;
  double trips[kRounds] = {}, rates[kRounds] = {};
  int used = 1;
  parallel(2, [&](int part, int parts) {
    if (part == 0) used = parts;
    if (parts < 2) {
      for (double& r : rates) r = fma_rate();
      return;
    }
    for (long i = 0, round = 0; round < kRounds; ++round) {
      const auto start = Clock::now();
      for (int k = 0; k < kTrips; ++k) {
        ++i;
        if (part == 0) {
          ping.value.store(i, std::memory_order_release);
          while (pong.value.load(std::memory_order_acquire) != i) {
          }
        } else {
          while (ping.value.load(std::memory_order_acquire) != i) {
          }
          pong.value.store(i, std::memory_order_release);
        }
      }
      if (part == 0) trips[round] = seconds_since(start) / kTrips * 1e9;
      const double rate = fma_rate();
      if (part == 0)
        rates[round] = rate;
      else
        result.fma_gflops[1] = rate;
    }
  });
  std::sort(trips, trips + kRounds);
  std::sort(rates, rates + kRounds);
  result.fma_gflops[0] = rates[kRounds / 2];
  if (used > 1) result.round_trip_ns = trips[kRounds / 2];
  return result;
}

}  // namespace graphnet
