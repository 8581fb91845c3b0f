#include "stack.h"

#include <algorithm>
#include <new>

namespace graphnet {

namespace {

constexpr int64_t kAlignment = 64;
constexpr int64_t kChunk = int64_t{1} << 18;  // bytes: small states share one, large ones have one each

}  // namespace

Stack::Stack(int64_t bytes)
    : stride_(std::max<int64_t>(kAlignment, (bytes + kAlignment - 1) / kAlignment * kAlignment)),
      per_chunk_(std::max<int64_t>(1, kChunk / stride_)) {}

void Stack::clear() { count_ = 0; }

void Stack::trim() {
  const int64_t used = (count_ + per_chunk_ - 1) / per_chunk_;
  if (used < static_cast<int64_t>(chunks_.size())) chunks_.resize(static_cast<size_t>(used));
}

void Stack::reserve(int64_t count) {
  if (count > 0) at(count - 1);
}

char* Stack::at(int64_t index) {
  const int64_t chunk = index / per_chunk_;
  while (static_cast<int64_t>(chunks_.size()) <= chunk) {
    char* memory = static_cast<char*>(std::aligned_alloc(kAlignment, static_cast<size_t>(per_chunk_ * stride_)));
    if (memory == nullptr) throw std::bad_alloc();
    chunks_.emplace_back(memory);
  }
  count_ = std::max(count_, index + 1);
  return chunks_[static_cast<size_t>(chunk)].get() + index % per_chunk_ * stride_;
}

int64_t Stack::bytes() const { return static_cast<int64_t>(chunks_.size()) * per_chunk_ * stride_; }

}  // namespace graphnet
