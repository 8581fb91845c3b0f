#include "arena.h"

#include <algorithm>
#include <functional>
#include <numeric>
#include <queue>
#include <set>
#include <unordered_map>
#include <utility>

namespace graphnet {
namespace {

// Best fit with splitting and merging: memory that grows where no free block is large enough.
class Arena {
 public:
  int64_t size() const { return size_; }

  int64_t take(int64_t size) {
    const auto fit = free_.lower_bound({size, 0});
    if (fit != free_.end()) {
      const auto [have, offset] = *fit;
      forget(have, offset);
      if (have > size) keep(have - size, offset + size);
      return offset;
    }
    const int64_t last = found(ends_, size_);  // a free block at the end grows
    if (last != 0) forget(last, size_ - last);
    const int64_t offset = size_ - last;
    size_ = offset + size;
    return offset;
  }

  void give_back(int64_t size, int64_t offset) {
    const int64_t before = found(ends_, offset), after = found(starts_, offset + size);
    if (before != 0) forget(before, offset - before);
    if (after != 0) forget(after, offset + size);
    keep(before + size + after, offset - before);
  }

 private:
  using Sizes = std::unordered_map<int64_t, int64_t>;

  static int64_t found(const Sizes& sizes, int64_t offset) {
    const auto at = sizes.find(offset);
    return at == sizes.end() ? 0 : at->second;
  }

  void keep(int64_t size, int64_t offset) {
    free_.insert({size, offset});
    starts_[offset] = ends_[offset + size] = size;
  }

  void forget(int64_t size, int64_t offset) {
    free_.erase({size, offset});
    starts_.erase(offset);
    ends_.erase(offset + size);
  }

  int64_t size_ = 0;
  std::set<std::pair<int64_t, int64_t>> free_;  // size, offset
  Sizes starts_, ends_;                         // of free blocks: by where they begin, by what is behind them
};

}  // namespace

// In order of first use: placing the largest first packs a few percent tighter, and takes time n^2.
ArenaPlan plan_arena(const std::vector<Buffer>& buffers) {
  using Use = std::pair<int64_t, size_t>;  // the last one, and of which buffer
  const auto aligned = [](int64_t size) { return (size + kArenaAlignment - 1) / kArenaAlignment * kArenaAlignment; };
  std::vector<size_t> order(buffers.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return buffers[a].first < buffers[b].first; });
  std::priority_queue<Use, std::vector<Use>, std::greater<>> alive;
  ArenaPlan plan;
  plan.offsets.resize(buffers.size());
  Arena arena;
  for (const size_t index : order) {
    for (; !alive.empty() && alive.top().first < buffers[index].first; alive.pop()) {
      const size_t done = alive.top().second;
      arena.give_back(aligned(buffers[done].size), plan.offsets[done]);
    }
    const int64_t size = aligned(buffers[index].size);
    plan.unplanned += size;
    if (size == 0) continue;
    plan.offsets[index] = arena.take(size);
    alive.push({buffers[index].last, index});
  }
  plan.size = arena.size();
  return plan;
}

}  // namespace graphnet
