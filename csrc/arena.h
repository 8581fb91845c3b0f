// Memory planning: where in one arena each buffer lies, reused once nothing reads it any more.
#pragma once

#include <cstdint>
#include <vector>

namespace graphnet {

constexpr int64_t kArenaAlignment = 64;  // bytes: a cache line, and the widest vector

// Bytes that are written at step `first` and read for the last time at step `last`.
struct Buffer {
  int64_t size, first, last;
};

struct ArenaPlan {
  std::vector<int64_t> offsets;
  int64_t size = 0;
  int64_t unplanned = 0;  // what separate buffers would take
};

// Gives buffers that live at the same time places that do not overlap, in time n log n.
ArenaPlan plan_arena(const std::vector<Buffer>& buffers);

}  // namespace graphnet
