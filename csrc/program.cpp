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

int Program::add(int kernel, const Call& call) {
  check_call(call, kernel_info(kernel));
  return push_back(Kind::call, kernel, call);
}

int Program::add_group(const std::vector<View>& in, const std::vector<View>& out,
                       const std::vector<Group::Operation>& operations, const std::vector<int>& results) {
  groups_.push_back(std::make_unique<const Group>(in, out, operations, results));
  return push_back(
      Kind::group, static_cast<int>(groups_.size()) - 1,
      {in.data(), static_cast<int>(in.size()), out.data(), static_cast<int>(out.size()), nullptr, 0, nullptr});
}

int Program::add_made(int kernel, const Call& call) {
  check_call(call, kernel_info(kernel));
  return append(Kind::call, kernel, call);
}

int Program::push_back(Kind kind, int kernel, const Call& call) {
  View* const views = views_.row(static_cast<size_t>(call.nin) + static_cast<size_t>(call.nout));
  for (int i = 0; i < call.nin; ++i) assign(views[i], call.in[i], call.in[i].data);
  for (int i = 0; i < call.nout; ++i) assign(views[call.nin + i], call.out[i], call.out[i].data);
  return append(kind, kernel, {views, call.nin, views + call.nin, call.nout, call.params, call.nparams, nullptr});
}

int Program::append(Kind kind, int kernel, const Call& made) {
  View *const in = const_cast<View*>(made.in), *const out = const_cast<View*>(made.out);
  double* const params = params_.row(static_cast<size_t>(made.nparams));
  std::copy(made.params, made.params + made.nparams, params);
  steps_.push_back({kind, kernel, made.nin, made.nout, made.nparams, in, out, params});
  for (int i = 0; i < made.nin; ++i) watch(in[i]);
  for (int i = 0; i < made.nout; ++i) watch(out[i]);
  return size() - 1;
}

int Program::control(Kind kind, const View* in, const View* out) {
  flows_.push_back({size() + 1, size() + 1});
  return push_back(kind, static_cast<int>(flows_.size()) - 1,
                   {in, in != nullptr ? 1 : 0, out, out != nullptr ? 1 : 0, nullptr, 0, nullptr});
}

int Program::open_branch(const View& condition) {
  expect(condition, DType::b8, "the condition of a branch");
  return control(Kind::branch, &condition, nullptr);
}

int Program::open_while(const View& trips, int64_t limit) {
  expect(trips, DType::i64, "the number of trips");
  const int step = control(Kind::loop, nullptr, &trips);
  flows_.back().limit = limit;
  return step;
}

int Program::open_repeat(const View& total, const View& trips, bool backward) {
  expect(total, DType::i64, "the number of trips to make");
  expect(trips, DType::i64, "the number of trips");
  const int step = control(Kind::repeat, &total, &trips);
  flows_.back().backward = backward;
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
    s.in = views_.row(1);
    *s.in = condition;
    s.nin = 1;
    watch(s.in[0]);
  }
  flow(s).middle = size();
}

void Program::close(int step) { flow(inside(step, {Kind::branch, Kind::loop, Kind::repeat})).end = size(); }

int Program::add_stack(const View& element) {
  stacks_.emplace_back(count(element) * item_size(element.dtype));
  return static_cast<int>(stacks_.size()) - 1;
}

int Program::push(int stack, int loop, const View& element) {
  inside(loop, {Kind::loop, Kind::repeat});
  const int step = control(Kind::push, &element, nullptr);
  flows_.back().stack = stack;
  flows_.back().loop = loop;
  return step;
}

int Program::fetch(int stack, int loop, const View& element) {
  inside(loop, {Kind::repeat});
  const int step = control(Kind::fetch, nullptr, &element);
  flows_.back().stack = stack;
  flows_.back().loop = loop;
  return step;
}

void Program::set_params(int step, const std::vector<double>& params) {
  Step& s = inside(step, {Kind::call});
  Call call = this->call(step);
  call.params = params.data();
  call.nparams = static_cast<int>(params.size());
  check_call(call, kernel_info(s.kernel));
  if (call.nparams > s.nparams) s.params = params_.row(params.size());
  std::copy(params.begin(), params.end(), s.params);
  s.nparams = call.nparams;
}

void Program::set_param(int step, int index, double value) {
  const Step& s = steps_.at(static_cast<size_t>(step));
  if (index < 0 || index >= s.nparams) throw ValueError("program: a step has no such number");
  s.params[index] = value;
}

void Program::reserve(std::vector<const char*> begins, const char* end) {
  begins_ = std::move(begins);
  end_ = end;
}

int Program::external(const void* begin) const {
  const auto at = std::lower_bound(begins_.begin(), begins_.end(), begin, std::less<const void*>());
  return at != begins_.end() && *at == begin ? static_cast<int>(at - begins_.begin()) : -1;
}

void Program::watch(View& view) {
  const std::less<const void*> before;
  if (begins_.empty() || before(view.data, begins_[0]) || !before(view.data, end_)) return;
  const auto part = std::upper_bound(begins_.begin(), begins_.end(), view.data, before) - begins_.begin() - 1;
  const int64_t offset = static_cast<const char*>(view.data) - begins_[static_cast<size_t>(part)];
  places_.push_back({&view, offset, static_cast<int>(part)});
  firsts_.clear();
}

void Program::sort_places() {
  std::stable_sort(places_.begin(), places_.end(), [](const Place& a, const Place& b) { return a.part < b.part; });
  firsts_.assign(begins_.size() + 1, 0);
  for (const Place& place : places_) ++firsts_[static_cast<size_t>(place.part) + 1];
  for (size_t i = 1; i < firsts_.size(); ++i) firsts_[i] += firsts_[i - 1];
}

void Program::relocate(int number, void* data) {
  if (firsts_.empty()) sort_places();
  const auto part = static_cast<size_t>(number);
  for (size_t i = firsts_[part]; i < firsts_[part + 1]; ++i)
    places_[i].view->data = static_cast<char*>(data) + places_[i].offset;
}

Call Program::call(int step) const {
  const Step& s = steps_[static_cast<size_t>(step)];
  if (s.kind != Kind::call) return {};
  return {s.in, s.nin, s.out, s.nout, s.params, s.nparams, kernel_info(s.kernel).name};
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
    const Step& s = steps_[static_cast<size_t>(i)];
    at_ = i;
    switch (s.kind) {
      case Kind::call:
        kernel(s.kernel)({s.in, s.nin, s.out, s.nout, s.params, s.nparams, kernel_info(s.kernel).name});
        ++i;
        continue;
      case Kind::group:
        groups_[static_cast<size_t>(s.kernel)]->run(s.in, s.out);
        ++i;
        continue;
      case Kind::push:
      case Kind::fetch: {
        const Step& loop = steps_[static_cast<size_t>(flow(s).loop)];
        char* const memory = stacks_[static_cast<size_t>(flow(s).stack)].at(flow(loop).index);
        if (s.kind == Kind::push)
          copy(s.in[0], packed(s.in[0], memory));
        else
          copy(packed(s.out[0], memory), s.out[0]);
        ++i;
        continue;
      }
      case Kind::branch:
        if (*static_cast<const bool*>(s.in[0].data))
          run_steps(i + 1, flow(s).middle);
        else
          run_steps(flow(s).middle, flow(s).end);
        break;
      case Kind::loop:
        run_while(s, i);
        break;
      case Kind::repeat:
        run_repeat(s, i);
        break;
    }
    i = flow(s).end;
  }
}

void Program::run_while(const Step& s, int at) {
  Flow& f = flow(s);
  auto& trips = *static_cast<int64_t*>(s.out[0].data);
  trips = f.index = 0;
  while (true) {
    trip();
    run_steps(at + 1, f.middle);
    if (!*static_cast<const bool*>(s.in[0].data)) return;
    at_ = at;
    if (trips == f.limit) throw LimitError("a loop goes on after max_trips=" + std::to_string(f.limit) + " trips");
    run_steps(f.middle, f.end);
    f.index = ++trips;
  }
}

void Program::run_repeat(const Step& s, int at) {
  Flow& f = flow(s);
  const int64_t total = *static_cast<const int64_t*>(s.in[0].data);
  for (int64_t i = 0; i < total; ++i) {
    trip();
    f.index = f.backward ? total - 1 - i : i;
    run_steps(at + 1, f.end);
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
    for (int i = 0; i < step.nin; ++i) total += count(step.in[i]);
    for (int i = 0; i < step.nout; ++i) total += count(step.out[i]);
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
