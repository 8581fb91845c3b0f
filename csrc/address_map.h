// Numbers for addresses: a hash table without deletions, for the hundred thousand objects of a graph.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace graphnet {

class AddressMap {
 public:
  // The number of an address, or -1.
  int find(const void* key) const {
    if (slots_.empty()) return -1;
    return slots_[place(key)].value;
  }

  // Gives an address that has none a number from 0 up.
  void insert(const void* key, int value) {
    if (2 * (count_ + 1) > slots_.size()) resize(slots_.empty() ? 64 : 2 * slots_.size());
    slots_[place(key)] = {key, value};
    ++count_;
  }

  // Room for so many more.
  void reserve(size_t more) {
    size_t size = 64;
    while (size < 2 * (count_ + more)) size *= 2;
    if (size > slots_.size()) resize(size);
  }

 private:
  struct Slot {
    const void* key = nullptr;
    int value = -1;
  };

  // Where an address is, or would be.
  size_t place(const void* key) const {
    const size_t mask = slots_.size() - 1;
    auto at = static_cast<size_t>((reinterpret_cast<uintptr_t>(key) >> 4) * uint64_t{0x9E3779B97F4A7C15} >> 32) & mask;
    while (slots_[at].key != nullptr && slots_[at].key != key) at = (at + 1) & mask;
    return at;
  }

  void resize(size_t size) {
    const std::vector<Slot> before = std::move(slots_);
    slots_.assign(size, {});
    for (const Slot& slot : before)
      if (slot.key != nullptr) slots_[place(slot.key)] = slot;
  }

  std::vector<Slot> slots_;
  size_t count_ = 0;
};

}  // namespace graphnet
