#include "program.h"

#include <string>
#include <utility>

#include "check.h"
#include "kernels.h"
#include "table.h"

namespace graphnet {

namespace {

Call call_of(const std::vector<View>& in, const std::vector<View>& out, const std::vector<double>& params, int kernel) {
  return {in.data(),
          static_cast<int>(in.size()),
          out.data(),
          static_cast<int>(out.size()),
          params.data(),
          static_cast<int>(params.size()),
          kernel_info(kernel).name};
}

}  // namespace

int Program::add(int kernel, std::vector<View> in, std::vector<View> out, std::vector<double> params) {
  check_call(call_of(in, out, params, kernel), kernel_info(kernel));
  steps_.push_back({kernel, std::move(in), std::move(out), std::move(params)});
  return size() - 1;
}

void Program::set_params(int step, const std::vector<double>& params) {
  Step& s = steps_.at(static_cast<size_t>(step));
  check_call(call_of(s.in, s.out, params, s.kernel), kernel_info(s.kernel));
  s.params = params;
}

void Program::set_source(int step, const View& source) {
  Step& s = steps_.at(static_cast<size_t>(step));
  View& have = s.in.at(0);
  bool same = source.dtype == have.dtype && source.rank == have.rank;
  for (int d = 0; same && d < have.rank; ++d) same = source.shape[d] == have.shape[d];
  if (!same) throw ValueError("program: input " + std::to_string(step) + " has another shape or dtype than planned");
  have = source;
}

void Program::run() {
  failed_ = -1;
  int index = 0;
  try {
    for (const Step& s : steps_) {
      kernel(s.kernel)(call_of(s.in, s.out, s.params, s.kernel));
      ++index;
    }
  } catch (...) {
    failed_ = index;
    throw;
  }
}

int Program::size() const { return static_cast<int>(steps_.size()); }
int Program::failed() const { return failed_; }
const View& Program::source(int step) const { return steps_.at(static_cast<size_t>(step)).in.at(0); }

}  // namespace graphnet
