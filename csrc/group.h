// Elementwise operations that follow one another, run together tile by tile: what one hands to the next stays in the
// first cache and never becomes an array. Each operation is its own kernel's inner loop, over a tile.
#pragma once

#include <vector>

#include "core.h"
#include "elementwise.h"

namespace graphnet {

constexpr int kMaxMembers = 48;  // operations of a group

class Group {
 public:
  // Values are numbered: the inputs first, then each operation's result.
  struct Operation {
    int kernel;
    std::vector<int> in;
    DType dtype;  // of its result
  };

  // Checks everything: all operations are elementwise and refuse no data, their operands have the right dtypes, outputs
  // are contiguous, of one shape to which inputs broadcast, and lie apart from everything else.
  Group(const std::vector<View>& in, const std::vector<View>& out, const std::vector<Operation>& operations,
        const std::vector<int>& results);

  // The views are those of the constructor, or elsewhere in memory.
  void run(const View* in, const View* out) const;

 private:
  // Where a value is during a tile.
  enum class Place {
    direct,    // an input: read where it lies, one element for all where `step` is 0
    gathered,  // an input: copied into a buffer, for each tile
    repeated,  // an input: copied into a buffer once, every tile sees the same of it
    buffer,    // a result that only operations see
    output,    // written where it goes
    streamed,  // an output too large for the caches: made in a buffer, then stored past them
  };
  struct ValueInfo {
    Place place;
    DType dtype;
    int slot = -1;    // the buffer
    int output = -1;  // which output
    int64_t step = 1;
    int64_t stride[kMaxRank] = {};  // of inputs, for each merged dimension, in elements
  };
  struct Step {
    int kernel;
    int nin;
    int in[3];
    int out;
    int gather[3];  // inputs to copy into their buffers before
    int ngather;
  };
  class Tiles;

  static void check(const std::vector<View>& in, const std::vector<View>& out, const std::vector<Operation>& operations,
                    const std::vector<int>& results);
  void merge(const std::vector<View>& in, const View& out);
  void place_inputs();
  void assign_slots(const std::vector<Operation>& operations);
  template <int64_t kBytes>
  void run_tiles(const View* in, const View* out, const Loop* loops, int64_t begin, int64_t end) const;

  std::vector<ValueInfo> values_;
  std::vector<Step> steps_;
  std::vector<int> repeated_;
  size_t inputs_ = 0;
  int rank_ = 0;  // merged dimensions, outermost first
  int64_t shape_[kMaxRank] = {};
  int64_t total_ = 1, inner_ = 1, lines_ = 1;
  bool whole_lines_ = false;  // a tile is several lines, else a part of one
  int64_t tile_ = 0;          // elements of a tile at most
  int64_t slot_bytes_ = 0, scratch_bytes_ = 0;
};

}  // namespace graphnet
