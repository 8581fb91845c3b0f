// One element of fixed size for each trip of a loop, in chunks: it grows without moving what it holds.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <vector>

namespace graphnet {

class Stack {
 public:
  explicit Stack(int64_t bytes);

  // Forgets the elements; their memory is kept for the next run.
  void clear();
  // Gives back memory that the elements do not need.
  void trim();
  // Memory of the element with this number, which is one behind the last at most.
  char* at(int64_t index);
  // Makes room for so many elements.
  void reserve(int64_t count);
  int64_t bytes() const;

 private:
  struct Free {
    void operator()(char* p) const { std::free(p); }
  };
  int64_t stride_, per_chunk_, count_ = 0;
  std::vector<std::unique_ptr<char, Free>> chunks_;
};

}  // namespace graphnet
