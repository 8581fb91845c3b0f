#include "program.h"

#include <algorithm>
#include <functional>
#include <string>
#include <utility>

#include "check.h"
#include "kernels.h"
#include "table.h"
#include "view.h"

namespace graphnet {

namespace {

constexpr auto kPollEvery = std::chrono::milliseconds(20);

Call call_of(const std::vector<View>& in, const std::vector<View>& out, const std::vector<double>& params, int kernel) {
  return {in.data(),
          static_cast<int>(in.size()),
          out.data(),
          static_cast<int>(out.size()),
          params.data(),
          static_cast<int>(params.size()),
          kernel_info(kernel).name};
}

int copy_kernel() {
  static const int id = [] {
    int found = 0;
    while (std::string(kernel_info(found).name) != "copy") ++found;
    return found;
  }();
  return id;
}

void copy(const View& from, const View& to) { kernel(copy_kernel())({&from, 1, &to, 1, nullptr, 0, "copy"}); }

void expect(const View& view, DType dtype, const char* what) {
  if (view.dtype != dtype || count(view) != 1)
    throw ValueError(std::string("program: ") + what + (dtype == DType::b8 ? " is one bool" : " is one int64"));
}

}  // namespace

int Program::add(int kernel, std::vector<View> in, std::vector<View> out, std::vector<double> params) {
  check_call(call_of(in, out, params, kernel), kernel_info(kernel));
  return push_back({Kind::call, kernel, std::move(in), std::move(out), std::move(params)});
}

int Program::add_group(std::vector<View> in, std::vector<View> out, const std::vector<Group::Operation>& operations,
                       const std::vector<int>& results) {
  auto group = std::make_shared<const Group>(in, out, operations, results);
  return push_back({Kind::group, -1, std::move(in), std::move(out), {}, std::move(group)});
}

int Program::control(Kind kind, std::vector<View> in, std::vector<View> out) {
  const int step = push_back({kind, -1, std::move(in), std::move(out), {}});
  steps_.back().middle = steps_.back().end = size();
  return step;
}

int Program::open_branch(const View& condition) {
  expect(condition, DType::b8, "the condition of a branch");
  return control(Kind::branch, {condition}, {});
}

int Program::open_while(const View& trips, int64_t limit) {
  expect(trips, DType::i64, "the number of trips");
  const int step = control(Kind::loop, {}, {trips});
  steps_.back().limit = limit;
  return step;
}

int Program::open_repeat(const View& total, const View& trips, bool backward) {
  expect(total, DType::i64, "the number of trips to make");
  expect(trips, DType::i64, "the number of trips");
  const int step = control(Kind::repeat, {total}, {trips});
  steps_.back().backward = backward;
  return step;
}

Program::Step& Program::inside(int step, std::initializer_list<Kind> kinds) {
  if (step >= 0 && step < size())
    for (const Kind kind : kinds)
      if (steps_[static_cast<size_t>(step)].kind == kind) return steps_[static_cast<size_t>(step)];
  throw ValueError("program: step " + std::to_string(step) + " is no such control flow");
}

void Program::middle(int step, const View& condition) {
  Step& s = inside(step, {Kind::branch, Kind::loop});
  if (s.kind == Kind::loop) {
    expect(condition, DType::b8, "the condition of a loop");
    s.in = {condition};
    watch(s.in[0]);
  }
  s.middle = size();
}

void Program::close(int step) { inside(step, {Kind::branch, Kind::loop, Kind::repeat}).end = size(); }

int Program::add_stack(const View& element) {
  stacks_.emplace_back(count(element) * item_size(element.dtype));
  return static_cast<int>(stacks_.size()) - 1;
}

int Program::push(int stack, int loop, const View& element) {
  inside(loop, {Kind::loop, Kind::repeat});
  const int step = control(Kind::push, {element}, {});
  steps_.back().stack = stack;
  steps_.back().loop = loop;
  return step;
}

int Program::fetch(int stack, int loop, const View& element) {
  inside(loop, {Kind::repeat});
  const int step = control(Kind::fetch, {}, {element});
  steps_.back().stack = stack;
  steps_.back().loop = loop;
  return step;
}

void Program::set_params(int step, const std::vector<double>& params) {
  Step& s = inside(step, {Kind::call});
  check_call(call_of(s.in, s.out, params, s.kernel), kernel_info(s.kernel));
  s.params = params;
}

void Program::set_param(int step, int index, double value) {
  steps_.at(static_cast<size_t>(step)).params.at(static_cast<size_t>(index)) = value;
}

void Program::reserve(std::vector<const char*> begins, const char* end) {
  begins_ = std::move(begins);
  end_ = end;
  external_.resize(begins_.size());
}

int Program::external(const void* begin) const {
  const auto at = std::lower_bound(begins_.begin(), begins_.end(), begin, std::less<const void*>());
  return at != begins_.end() && *at == begin ? static_cast<int>(at - begins_.begin()) : -1;
}

void Program::watch(View& view) {
  const std::less<const void*> before;
  if (begins_.empty() || before(view.data, begins_[0]) || !before(view.data, end_)) return;
  const auto at = std::upper_bound(begins_.begin(), begins_.end(), view.data, before) - begins_.begin() - 1;
  const auto part = static_cast<size_t>(at);
  external_[part].push_back({&view, static_cast<const char*>(view.data) - begins_[part]});
}

int Program::push_back(Step step) {
  steps_.push_back(std::move(step));
  // Steps may move later, their views do not.
  for (View& view : steps_.back().in) watch(view);
  for (View& view : steps_.back().out) watch(view);
  return size() - 1;
}

Call Program::call(int step) const {
  const Step& s = steps_[static_cast<size_t>(step)];
  if (s.kind != Kind::call) return {};
  return call_of(s.in, s.out, s.params, s.kernel);
}

void Program::relocate(int number, void* data) {
  for (const Place& place : external_[static_cast<size_t>(number)])
    place.view->data = static_cast<char*>(data) + place.offset;
}

void Program::run(const std::function<void()>& poll) {
  failed_ = at_ = -1;
  poll_ = &poll;
  polled_ = {};
  for (Stack& stack : stacks_) stack.clear();
  try {
    run_steps(0, size());
  } catch (...) {
    failed_ = at_;
    for (Stack& stack : stacks_) stack.trim();
    throw;
  }
  for (Stack& stack : stacks_) stack.trim();
}

void Program::run_steps(int begin, int end) {
  int i = begin;
  while (i < end) {
    Step& s = steps_[static_cast<size_t>(i)];
    at_ = i;
    switch (s.kind) {
      case Kind::call:
        kernel(s.kernel)(call_of(s.in, s.out, s.params, s.kernel));
        ++i;
        continue;
      case Kind::group:
        s.group->run(s.in.data(), s.out.data());
        ++i;
        continue;
      case Kind::push:
      case Kind::fetch: {
        char* const memory = stacks_[static_cast<size_t>(s.stack)].at(steps_[static_cast<size_t>(s.loop)].index);
        if (s.kind == Kind::push)
          copy(s.in[0], packed(s.in[0], memory));
        else
          copy(packed(s.out[0], memory), s.out[0]);
        ++i;
        continue;
      }
      case Kind::branch:
        if (*static_cast<const bool*>(s.in[0].data))
          run_steps(i + 1, s.middle);
        else
          run_steps(s.middle, s.end);
        break;
      case Kind::loop:
        run_while(s, i);
        break;
      case Kind::repeat:
        run_repeat(s, i);
        break;
    }
    i = s.end;
  }
}

void Program::run_while(Step& s, int at) {
  auto& trips = *static_cast<int64_t*>(s.out[0].data);
  trips = s.index = 0;
  while (true) {
    trip();
    run_steps(at + 1, s.middle);
    if (!*static_cast<const bool*>(s.in[0].data)) return;
    at_ = at;
    if (trips == s.limit) throw LimitError("a loop goes on after max_trips=" + std::to_string(s.limit) + " trips");
    run_steps(s.middle, s.end);
    s.index = ++trips;
  }
}

void Program::run_repeat(Step& s, int at) {
  const int64_t total = *static_cast<const int64_t*>(s.in[0].data);
  for (int64_t i = 0; i < total; ++i) {
    trip();
    s.index = s.backward ? total - 1 - i : i;
    run_steps(at + 1, s.end);
  }
  *static_cast<int64_t*>(s.out[0].data) = total;
}

void Program::trip() {
  const auto now = std::chrono::steady_clock::now();
  if (polled_.time_since_epoch().count() == 0) polled_ = now;
  if (now - polled_ < kPollEvery) return;
  polled_ = now;
  (*poll_)();
}

int Program::size() const { return static_cast<int>(steps_.size()); }
bool Program::light() const {
  constexpr int64_t kLight = 16 * 1024;  // elements
  int64_t total = 0;
  for (const Step& step : steps_) {
    if (step.kind != Kind::call && step.kind != Kind::group) return false;
    for (const View& view : step.in) total += count(view);
    for (const View& view : step.out) total += count(view);
    if (total > 2 * kLight) return false;
  }
  return true;
}

int Program::failed() const { return failed_; }

int64_t Program::stacked() const {
  int64_t total = 0;
  for (const Stack& stack : stacks_) total += stack.bytes();
  return total;
}

}  // namespace graphnet
