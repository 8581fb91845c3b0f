#include "group.h"

#include <algorithm>
#include <string>

#include "check.h"
#include "elementwise.h"
#include "pool.h"
#include "stream.h"
#include "table.h"
#include "view.h"

namespace graphnet {
namespace {

constexpr int64_t kTile = 1024;          // elements of a tile at most
constexpr int64_t kCached = 24 * 1024;   // bytes of buffers that stay in the first cache beside what streams through
constexpr int64_t kScratch = 64 * 1024;  // bytes of buffers at most
constexpr int64_t kSmall = 2 * 1024;     // bytes of buffers that cost nothing to have on the stack
constexpr int64_t kLong = 128;           // from this length on a line is cut into tiles, else tiles are several lines

[[noreturn]] void refuse(const std::string& why) { throw ValueError("elementwise: " + why); }

// A stand-in for a value that has no memory.
View without_memory(const View& shape, DType dtype) {
  View view = packed(shape, nullptr);
  view.dtype = dtype;
  return view;
}

template <class T>
void gather_lines(void* to, const char* from, int64_t stride, int64_t n) {
  T* out = static_cast<T*>(to);
  const T* in = reinterpret_cast<const T*>(from);
  if (stride == 1)
    for (int64_t i = 0; i < n; ++i) out[i] = in[i];
  else if (stride == 0)
    for (int64_t i = 0; i < n; ++i) out[i] = *in;
  else
    for (int64_t i = 0; i < n; ++i) out[i] = in[i * stride];
}

void gather_line(void* to, const char* from, int64_t stride, int64_t n, int64_t item) {
  if (item == 4)
    gather_lines<uint32_t>(to, from, stride, n);
  else if (item == 8)
    gather_lines<uint64_t>(to, from, stride, n);
  else
    gather_lines<uint8_t>(to, from, stride, n);
}

}  // namespace

Group::Group(const std::vector<View>& in, const std::vector<View>& out, const std::vector<Operation>& operations,
             const std::vector<int>& results)
    : inputs_(in.size()) {
  check(in, out, operations, results);
  for (const View& view : in) values_.push_back({Place::direct, view.dtype});
  for (const Operation& operation : operations) values_.push_back({Place::buffer, operation.dtype});
  for (size_t i = 0; i < results.size(); ++i) {
    ValueInfo& value = values_[static_cast<size_t>(results[i])];
    value.output = static_cast<int>(i);
    value.place = count(out[i]) * item_size(value.dtype) > kStreamBytes ? Place::streamed : Place::output;
  }
  total_ = count(out[0]);
  if (total_ == 0) return;
  merge(in, out[0]);
  whole_lines_ = rank_ > 1 && inner_ < kLong;
  place_inputs();
  assign_slots(operations);
  if (whole_lines_ && tile_ < 2 * inner_) {
    whole_lines_ = false;
    place_inputs();
    assign_slots(operations);
  }
  if (whole_lines_) tile_ = tile_ / inner_ * inner_;
}

void Group::check(const std::vector<View>& in, const std::vector<View>& out, const std::vector<Operation>& operations,
                  const std::vector<int>& results) {
  if (operations.empty() || operations.size() > kMaxMembers || out.empty() || out.size() != results.size())
    refuse("expected 1 to " + std::to_string(kMaxMembers) + " operations, and a value for each output");
  for (const View& view : out) {
    bool ok = view.rank == out[0].rank && (count(view) == 0 || contiguous(view));
    for (int d = 0; ok && d < view.rank; ++d) ok = view.shape[d] == out[0].shape[d];
    if (!ok) refuse("expected contiguous outputs of one shape, got one of shape " + shape_text(view));
  }
  std::vector<View> values = in;
  for (const Operation& operation : operations) {
    if (operation.kernel < 0 || operation.kernel >= kNumKernels) refuse("there is no such kernel");
    const KernelInfo& info = kernel_info(operation.kernel);
    std::vector<View> operands;
    for (const int number : operation.in) {
      if (number < 0 || static_cast<size_t>(number) >= values.size()) refuse("an operand is not there yet");
      operands.push_back(values[static_cast<size_t>(number)]);
    }
    if (static_cast<int>(operands.size()) < info.min_in || static_cast<int>(operands.size()) > info.max_in ||
        operands.size() > 3 || !joins_groups(info, operands[0].dtype))
      refuse(std::string(info.name) + " cannot be part of a group");
    const View result = without_memory(out[0], operation.dtype);
    info.check({operands.data(), static_cast<int>(operands.size()), &result, 1, nullptr, 0, info.name}, info);
    values.push_back(result);
  }
  for (size_t o = 0; o < out.size(); ++o) {
    const auto value = static_cast<size_t>(results[o]);
    if (results[o] < 0 || value >= values.size() || value < in.size() || values[value].dtype != out[o].dtype ||
        std::count(results.begin(), results.end(), results[o]) != 1)
      refuse("an output is not one operation's result");
    for (const View& view : in)
      if (may_overlap(out[o], view)) refuse("expected outputs apart from inputs, got arrays that overlap");
    for (size_t other = 0; other < o; ++other)
      if (may_overlap(out[o], out[other])) refuse("expected outputs apart, got arrays that overlap");
  }
}

// Dimensions are merged where all inputs allow; outputs, which are contiguous, always do.
void Group::merge(const std::vector<View>& in, const View& out) {
  for (int d = 0; d < out.rank; ++d) {
    if (out.shape[d] == 1) continue;
    const auto stride = [&](size_t i) {
      const int local = d - (out.rank - in[i].rank);
      return local < 0 || in[i].shape[local] == 1 ? int64_t{0} : in[i].stride[local];
    };
    bool joins = rank_ > 0;
    for (size_t i = 0; joins && i < in.size(); ++i) joins = values_[i].stride[rank_ - 1] == stride(i) * out.shape[d];
    if (!joins) shape_[rank_++] = 1;
    shape_[rank_ - 1] *= out.shape[d];
    for (size_t i = 0; i < in.size(); ++i) values_[i].stride[rank_ - 1] = stride(i);
  }
  if (rank_ == 0) shape_[rank_++] = 1;
  inner_ = shape_[rank_ - 1];
  lines_ = total_ / inner_;
}

void Group::place_inputs() {
  repeated_.clear();
  for (size_t i = 0; i < inputs_; ++i) {
    ValueInfo& value = values_[i];
    const int64_t last = value.stride[rank_ - 1];
    int64_t expected = inner_;
    bool outer_zero = true, follows = last == 1;
    for (int d = rank_ - 2; d >= 0; --d) {
      outer_zero = outer_zero && value.stride[d] == 0;
      follows = follows && value.stride[d] == expected;
      expected *= shape_[d];
    }
    value.step = last == 0 ? 0 : 1;
    if (!whole_lines_)
      value.place = last == 0 || last == 1 ? Place::direct : Place::gathered;
    else if ((last == 0 && outer_zero) || follows)
      value.place = Place::direct;
    else
      value.place = outer_zero ? Place::repeated : Place::gathered;
    if (value.place == Place::gathered || value.place == Place::repeated) value.step = 1;
    if (value.place == Place::repeated) repeated_.push_back(static_cast<int>(i));
  }
}

void Group::assign_slots(const std::vector<Operation>& operations) {
  steps_.clear();
  std::vector<int> last(values_.size(), -1), unused;
  int slots = 0;
  int64_t widest = 1;
  for (size_t s = 0; s < operations.size(); ++s)
    for (const int number : operations[s].in) last[static_cast<size_t>(number)] = static_cast<int>(s);
  const auto take = [&](ValueInfo& value) {
    widest = std::max(widest, item_size(value.dtype));
    if (unused.empty()) {
      value.slot = slots++;
    } else {
      value.slot = unused.back();
      unused.pop_back();
    }
  };
  for (ValueInfo& value : values_) value.slot = -1;
  for (const int number : repeated_) take(values_[static_cast<size_t>(number)]);
  for (size_t s = 0; s < operations.size(); ++s) {
    const Operation& operation = operations[s];
    Step step{operation.kernel, 0, {}, static_cast<int>(inputs_ + s), {}, 0};
    for (const int number : operation.in) {
      ValueInfo& value = values_[static_cast<size_t>(number)];
      step.in[step.nin++] = number;
      if (value.place == Place::gathered && value.slot < 0) {
        take(value);
        step.gather[step.ngather++] = number;
      }
    }
    // A result may be written over an operand that nothing reads any more, where their elements have one size.
    ValueInfo& result = values_[inputs_ + s];
    const auto ends = [&](int number) {
      const ValueInfo& value = values_[static_cast<size_t>(number)];
      return value.slot >= 0 && value.place != Place::repeated &&
             last[static_cast<size_t>(number)] == static_cast<int>(s);
    };
    if (result.place != Place::output) {
      for (const int number : operation.in)
        if (result.slot < 0 && ends(number) &&
            item_size(values_[static_cast<size_t>(number)].dtype) == item_size(result.dtype))
          result.slot = values_[static_cast<size_t>(number)].slot;
      if (result.slot < 0) take(result);
    }
    std::vector<int> done;
    for (const int number : operation.in) {
      const int slot = values_[static_cast<size_t>(number)].slot;
      if (ends(number) && slot != result.slot && std::count(done.begin(), done.end(), slot) == 0) done.push_back(slot);
    }
    if (result.slot >= 0 && last[inputs_ + s] < 0) done.push_back(result.slot);
    unused.insert(unused.end(), done.begin(), done.end());
    steps_.push_back(step);
  }
  const int64_t each = std::max(1, slots) * widest;
  tile_ = std::max<int64_t>(64, std::min(kTile, kCached / each) & ~int64_t{15});
  tile_ = std::min({tile_, kScratch / each & ~int64_t{15}, (total_ + 15) & ~int64_t{15}});
  slot_bytes_ = tile_ * widest;
  scratch_bytes_ = slots * slot_bytes_;
}

// The running of some tiles by one thread.
class Group::Tiles {
 public:
  Tiles(const Group& group, const View* in, const View* out, const Loop* loops, char* scratch)
      : g_(group), in_(in), out_(out), loops_(loops), scratch_(scratch) {}

  void run(int64_t begin, int64_t end) {
    const int64_t per_line = g_.whole_lines_ ? 1 : (g_.inner_ + g_.tile_ - 1) / g_.tile_;
    for (const int number : g_.repeated_) {
      const ValueInfo& value = g_.values_[static_cast<size_t>(number)];
      const int64_t item = item_size(value.dtype);
      for (int64_t at = 0; at < g_.tile_; at += g_.inner_)
        gather_line(slot(value) + at * item, static_cast<const char*>(in_[number].data), value.stride[g_.rank_ - 1],
                    g_.inner_, item);
    }
    for (int64_t tile = begin; tile < end; ++tile) {
      if (g_.whole_lines_) {
        start_ = tile * g_.tile_;
        n_ = std::min(g_.tile_, g_.total_ - start_);
        line_ = start_ / g_.inner_;
      } else {
        line_ = tile / per_line;
        within_ = tile % per_line * g_.tile_;
        n_ = std::min(g_.tile_, g_.inner_ - within_);
        start_ = line_ * g_.inner_ + within_;
      }
      locate();
      for (size_t s = 0; s < g_.steps_.size(); ++s) step(g_.steps_[s], loops_[s]);
    }
  }

 private:
  char* slot(const ValueInfo& value) { return scratch_ + value.slot * g_.slot_bytes_; }

  // The place of the current line in all but the last dimension, and where inputs are read.
  void locate() {
    int64_t rest = line_;
    for (int d = g_.rank_ - 2; d >= 0; --d) {
      index_[d] = rest % g_.shape_[d];
      rest /= g_.shape_[d];
    }
    for (size_t i = 0; i < g_.inputs_; ++i) {
      const ValueInfo& value = g_.values_[i];
      if (value.place != Place::direct) continue;
      int64_t offset = within_ * value.stride[g_.rank_ - 1];
      for (int d = 0; d < g_.rank_ - 1; ++d) offset += index_[d] * value.stride[d];
      at_[i] = static_cast<const char*>(in_[i].data) + offset * item_size(value.dtype);
    }
  }

  void gather(int number) {
    const ValueInfo& value = g_.values_[static_cast<size_t>(number)];
    const int64_t item = item_size(value.dtype), last = value.stride[g_.rank_ - 1];
    int64_t index[kMaxRank];
    std::copy(index_, index_ + g_.rank_, index);
    int64_t offset = within_ * last;
    for (int d = 0; d < g_.rank_ - 1; ++d) offset += index[d] * value.stride[d];
    const char* const data = static_cast<const char*>(in_[number].data);
    char* to = slot(value);
    if (!g_.whole_lines_) return gather_line(to, data + offset * item, last, n_, item);
    for (int64_t done = 0; done < n_; done += g_.inner_) {
      gather_line(to + done * item, data + offset * item, last, g_.inner_, item);
      for (int d = g_.rank_ - 2; d >= 0; --d) {
        offset += value.stride[d];
        if (++index[d] < g_.shape_[d]) break;
        offset -= value.stride[d] * g_.shape_[d];
        index[d] = 0;
      }
    }
  }

  void step(const Step& step, Loop loop) {
    for (int i = 0; i < step.ngather; ++i) gather(step.gather[i]);
    const void* in[3];
    int64_t strides[3];
    for (int i = 0; i < step.nin; ++i) {
      const auto number = static_cast<size_t>(step.in[i]);
      const ValueInfo& value = g_.values_[number];
      if (value.place == Place::direct)
        in[i] = at_[number];
      else if (value.place == Place::output)
        in[i] = output(value);
      else
        in[i] = slot(value);
      strides[i] = value.step;
    }
    const ValueInfo& result = g_.values_[static_cast<size_t>(step.out)];
    char* const to = result.place == Place::output ? output(result) : slot(result);
    if (loop != nullptr)
      loop(to, in, strides, n_);
    else
      call(step, to, in, strides);
    if (result.place == Place::streamed)
      stream_copy(output(result), to, static_cast<size_t>(n_ * item_size(result.dtype)));
  }

  char* output(const ValueInfo& value) {
    return static_cast<char*>(out_[value.output].data) + start_ * item_size(value.dtype);
  }

  // An operation that has no inner loop for its dtype on this target.
  void call(const Step& step, void* to, const void* const* in, const int64_t* strides) {
    const auto line = [&](const void* data, int number, int64_t stride) {
      View view;
      view.data = const_cast<void*>(data);
      view.dtype = g_.values_[static_cast<size_t>(number)].dtype;
      view.rank = 1;
      view.shape[0] = stride == 0 ? 1 : n_;
      view.stride[0] = stride == 0 || n_ == 1 ? 0 : 1;
      return view;
    };
    View operands[3];
    for (int i = 0; i < step.nin; ++i) operands[i] = line(in[i], step.in[i], strides[i]);
    const View result = line(to, step.out, 1);
    kernel(step.kernel)({operands, step.nin, &result, 1, nullptr, 0, kernel_info(step.kernel).name});
  }

  const Group& g_;
  const View* in_;
  const View* out_;
  const Loop* loops_;
  int64_t line_ = 0, within_ = 0, start_ = 0, n_ = 0;
  int64_t index_[kMaxRank] = {};
  const char* at_[kMaxArgs];
  char* scratch_;
};

template <int64_t kBytes>
void Group::run_tiles(const View* in, const View* out, const Loop* loops, int64_t begin, int64_t end) const {
  alignas(64) char scratch[kBytes];
  Tiles(*this, in, out, loops, scratch).run(begin, end);
}

void Group::run(const View* in, const View* out) const {
  if (total_ == 0) return;
  Loop found[kMaxMembers];
  int64_t cost = 0;
  for (size_t s = 0; s < steps_.size(); ++s) {
    const DType first = values_[static_cast<size_t>(steps_[s].in[0])].dtype;
    const InnerLoop inner = inner_loop(steps_[s].kernel, first, values_[static_cast<size_t>(steps_[s].out)].dtype);
    found[s] = inner.loop;
    cost += inner.cost;
  }
  const int64_t tiles = whole_lines_ ? (total_ + tile_ - 1) / tile_ : lines_ * ((inner_ + tile_ - 1) / tile_);
  const auto some = [&](int64_t begin, int64_t end) {
    if (scratch_bytes_ <= kSmall)
      run_tiles<kSmall>(in, out, found, begin, end);
    else
      run_tiles<kScratch>(in, out, found, begin, end);
  };
  const int64_t work = total_ * cost;
  if (work < 2 * kParallelWork || tiles == 1) return some(0, tiles);
  parallel(static_cast<int>(std::min({work / kParallelWork, tiles, int64_t{1} << 20})),
           [&](int part, int parts) { some(tiles * part / parts, tiles * (part + 1) / parts); });
}

}  // namespace graphnet
