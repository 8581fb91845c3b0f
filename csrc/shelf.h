// Rows of small objects that stay where they are: one allocation for hundreds of rows.
#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <vector>

namespace graphnet {

template <class T>
class Shelf {
 public:
  // A row that is not written to yet.
  T* row(size_t count) {
    if (count == 0) return nullptr;
    if (count > left_) {
      left_ = std::max(count, kRow);
      // Not make_unique, which would write to all of it first.
      chunks_.push_back(std::unique_ptr<T[]>(new T[left_]));
      next_ = chunks_.back().get();
    }
    T* const made = next_;
    next_ += count;
    left_ -= count;
    return made;
  }

 private:
  static constexpr size_t kRow = 256;

  std::vector<std::unique_ptr<T[]>> chunks_;
  T* next_ = nullptr;
  size_t left_ = 0;
};

}  // namespace graphnet
