// The library's own threads: one small pool, spinning briefly between regions and then parked.
#pragma once

#include <cstdint>
#include <string>

namespace graphnet {

// How many threads a region may use, counting the caller: at most min(affinity, cgroup quota, OMP_NUM_THREADS).
int num_threads();
void set_num_threads(int n);

constexpr int kMaxThreads = 256;
// How many processors the control groups of this process grant it, rounded up; kMaxThreads where they set no limit.
int cgroup_quota(const std::string& root = "/sys/fs/cgroup", const std::string& membership = "/proc/self/cgroup");

// Runs body(context, part, parts) for part 0..parts-1, the caller taking part 0. `parts` is at most `wanted` and
// num_threads(); it is 1 while another thread has the pool or inside a region. Bodies must not throw.
void parallel(int wanted, void (*body)(void* context, int part, int parts), void* context);

template <class F>
void parallel(int wanted, const F& f) {
  parallel(
      wanted, [](void* context, int part, int parts) { (*static_cast<const F*>(context))(part, parts); },
      const_cast<F*>(&f));
}

}  // namespace graphnet
