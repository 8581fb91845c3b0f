// A program: kernel calls in order, prepared once and run many times with no Python in between, and loops and branches
// around some of them.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <vector>

#include "core.h"
#include "group.h"
#include "shelf.h"
#include "stack.h"

namespace graphnet {

// A loop made as many trips as it may, and would go on.
struct LimitError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

class Program {
 public:
  // Appends a checked call and gives its number. Views point into memory that the caller keeps alive and in place.
  int add(int kernel, const Call& call);
  // The same of views that the program made, for the caller to write: inputs, then outputs.
  int add_made(int kernel, const Call& call);
  View* make_views(size_t count) { return views_.row(count); }

  // Appends elementwise operations that run as one.
  int add_group(const std::vector<View>& in, const std::vector<View>& out,
                const std::vector<Group::Operation>& operations, const std::vector<int>& results);

  void set_params(int step, const std::vector<double>& params);
  // Another number, which the caller vouches for.
  void set_param(int step, int index, double value);

  // Memory that will lie elsewhere for a run, such as an input's: parts of one range of addresses, numbered from 0.
  // Said before there are steps: where each part begins, in order, and where the last one ends.
  void reserve(std::vector<const char*> begins, const char* end);
  // The part that begins there, or -1.
  int external(const void* begin) const;
  // Has a view of the caller's own follow where memory goes. Nothing was relocated yet.
  void watch(View& view);
  void relocate(int number, void* data);

  // What a step calls; `in` is null where it is no kernel's call.
  Call call(int step) const;
  int kernel_of(int step) const { return steps_[static_cast<size_t>(step)].kernel; }

  // Control flow is a step with the steps inside it behind it. open_* appends it; middle() ends its first block, the
  // condition of a `while` or the then-branch of an `if`; close() ends it.
  int open_branch(const View& condition);
  // `trips` receives how many trips were made; `limit` is the most, or negative.
  int open_while(const View& trips, int64_t limit);
  int open_repeat(const View& total, const View& trips, bool backward);
  void middle(int step, const View& condition);
  void close(int step);
  // Stacks keep one element for each trip of a loop. Within the loop, push and fetch append steps that write or read
  // the element of the trip that is being made.
  int add_stack(const View& element);
  int push(int stack, int loop, const View& element);
  int fetch(int stack, int loop, const View& element);

  // Runs every step; on an error, failed() names the step that threw. Loops call `poll` a few times in a second; what
  // it throws ends the run.
  void run(const std::function<void()>& poll);

  int size() const;
  // Whether a run takes some microseconds at most: no control flow, and little memory.
  bool light() const;
  int failed() const;
  // Bytes that stacks hold since the last run.
  int64_t stacked() const;

 private:
  enum class Kind { call, group, branch, loop, repeat, push, fetch };
  struct Step {
    Kind kind;
    int kernel;  // of a call; else which of the groups or flows
    int nin, nout, nparams;
    View *in, *out;
    double* params;
  };
  struct Flow {
    int middle, end;  // of control flow: where its second block begins, and where it ends
    int stack = 0, loop = 0;
    int64_t limit = -1;
    bool backward = false;
    int64_t index = 0;  // of a loop: which element of its stacks the running trip is about
  };
  // A view into external memory.
  struct Place {
    View* view;
    int64_t offset;
    int part;
  };

  int push_back(Kind kind, int kernel, const Call& call);
  int append(Kind kind, int kernel, const Call& made);
  int control(Kind kind, const View* in, const View* out);
  Flow& flow(const Step& step) { return flows_[static_cast<size_t>(step.kernel)]; }
  Step& inside(int step, std::initializer_list<Kind> kinds);
  void sort_places();
  void run_steps(int begin, int end);
  void run_while(const Step& s, int at);
  void run_repeat(const Step& s, int at);
  void trip();

  std::vector<Step> steps_;
  Shelf<View> views_;
  Shelf<double> params_;
  std::vector<std::unique_ptr<const Group>> groups_;
  std::vector<Flow> flows_;
  std::vector<const char*> begins_;  // of the parts of external memory
  const char* end_ = nullptr;
  std::vector<Place> places_;
  std::vector<size_t> firsts_;  // of the places of each part, once they are sorted; else empty
  std::vector<Stack> stacks_;
  const std::function<void()>* poll_ = nullptr;
  std::chrono::steady_clock::time_point polled_;  // 0 before the first trip
  int failed_ = -1;
  int at_ = -1;
};

}  // namespace graphnet
