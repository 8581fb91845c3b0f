// Compares every target's kernels with the plain loops, without Python: for processors that only an emulator has.
//   cmake -S . -B build-arm -DGRAPHNET_PYTHON=OFF -DGRAPHNET_SELFCHECK=ON -DCMAKE_CXX_COMPILER=aarch64-linux-gnu-g++
//   cmake --build build-arm && qemu-aarch64 -L /usr/aarch64-linux-gnu build-arm/selfcheck
#include <cmath>
#include <cstdio>
#include <random>
#include <vector>

#include "check.h"
#include "pool.h"
#include "table.h"

using namespace graphnet;

namespace {

struct Array {
  std::vector<double> memory;  // as bytes: aligned for every dtype
  View view;
};

Array make(DType dtype, std::vector<int64_t> shape, std::mt19937& random, bool turned = false) {
  int64_t n = 1;
  for (int64_t d : shape) n *= d;
  Array a{std::vector<double>(static_cast<size_t>(n) + 1), {}};
  a.view.data = a.memory.data();
  a.view.dtype = dtype;
  a.view.rank = static_cast<int>(shape.size());
  int64_t stride = 1;
  for (int i = 0; i < a.view.rank; ++i) {
    const int d = turned ? i : a.view.rank - 1 - i;
    a.view.shape[d] = shape[static_cast<size_t>(d)];
    a.view.stride[d] = shape[static_cast<size_t>(d)] == 1 ? 0 : stride;
    stride *= shape[static_cast<size_t>(d)];
  }
  std::normal_distribution<double> normal;
  for (int64_t i = 0; i < n; ++i) {
    const double x = normal(random);
    if (dtype == DType::f32) static_cast<float*>(a.view.data)[i] = static_cast<float>(x);
    if (dtype == DType::f64) static_cast<double*>(a.view.data)[i] = x;
    if (dtype == DType::b8) static_cast<uint8_t*>(a.view.data)[i] = x > 0;
  }
  return a;
}

double element(const View& v, int64_t i) {
  if (v.dtype == DType::f32) return static_cast<double>(static_cast<float*>(v.data)[i]);
  if (v.dtype == DType::f64) return static_cast<double*>(v.data)[i];
  return static_cast<double>(static_cast<uint8_t*>(v.data)[i]);
}

int failures = 0, checks = 0;

// Runs `id` on both targets and compares all outputs.
void compare(Id id, const std::string& target_name, std::vector<Array>& in, std::vector<Array> out,
             std::vector<double> params, double tolerance) {
  const KernelInfo& info = kernel_info(static_cast<int>(id));
  std::vector<View> views;
  for (Array& a : in) {
    a.view.data = a.memory.data();  // copied since it was made
    views.push_back(a.view);
  }
  std::vector<Array> results[2] = {out, out};
  for (int side = 0; side < 2; ++side) {
    set_target(side == 0 ? "scalar" : target_name);
    std::vector<View> outs;
    for (Array& a : results[side]) {
      a.view.data = a.memory.data();
      outs.push_back(a.view);
    }
    const Call call{views.data(),  static_cast<int>(views.size()),  outs.data(), static_cast<int>(outs.size()),
                    params.data(), static_cast<int>(params.size()), info.name};
    check_call(call, info);
    kernel(static_cast<int>(id))(call);
  }
  ++checks;
  for (size_t o = 0; o < out.size(); ++o) {
    int64_t n = 1;
    for (int d = 0; d < out[o].view.rank; ++d) n *= out[o].view.shape[d];
    for (int64_t i = 0; i < n; ++i) {
      const double x = element(results[0][o].view, i), y = element(results[1][o].view, i);
      if (std::isnan(x) && std::isnan(y)) continue;
      if (!(std::fabs(x - y) <= tolerance * (1 + std::fabs(x)))) {
        std::printf("%s on %s: output %zu element %lld: %g, plain loops %g\n", info.name, target_name.c_str(), o,
                    static_cast<long long>(i), y, x);
        ++failures;
        return;
      }
    }
  }
}

void check_target(const std::string& name, DType dtype) {
  std::mt19937 random(7);
  const double eps = dtype == DType::f32 ? 3e-5 : 1e-11;
  for (int64_t n : {1, 3, 16, 37, 1000})
    for (int id = 0; id < static_cast<int>(Id::copy_); ++id) {
      const KernelInfo& info = kernel_info(id);
      if (!(info.dtypes >> static_cast<int>(dtype) & 1) || info.max_in > 2) continue;
      const bool to_bool = (id >= static_cast<int>(Id::eq_) && id <= static_cast<int>(Id::ge_)) ||
                           id == static_cast<int>(Id::isnan_) || id == static_cast<int>(Id::isfinite_);
      std::vector<Array> in, out;
      for (int i = 0; i < info.min_in; ++i) in.push_back(make(dtype, {3, n}, random, i == 1));
      out.push_back(make(to_bool ? DType::b8 : dtype, {3, n}, random));
      compare(static_cast<Id>(id), name, in, out, {}, eps);
    }
  for (Id id : {Id::sum_, Id::prod_, Id::max_, Id::min_})
    for (const auto& shape : {std::vector<int64_t>{1, 70}, {50, 1}, {1, 1}}) {
      std::vector<Array> in{make(dtype, {50, 70}, random)}, out{make(dtype, shape, random)};
      compare(id, name, in, out, {}, eps * 10);
    }
  for (Id id : {Id::softmax_, Id::log_softmax_}) {
    std::vector<Array> in{make(dtype, {9, 37}, random)}, out{make(dtype, {9, 37}, random)};
    compare(id, name, in, out, {}, eps);
  }
  for (const auto& shape : {std::vector<int64_t>{2, 256}, {33, 70}, {500, 40}}) {
    const std::vector<int64_t> own{shape[1]};
    std::vector<Array> in{make(dtype, shape, random)};
    compare(Id::sum_sgd_, name, in, {make(dtype, own, random), make(dtype, own, random)}, {0.1, 0.9, 0, 0.01, 0, 0, 0},
            eps * 10);
  }
  for (int64_t m : {1, 2, 7, 33, 70})
    for (int64_t n : {1, 5, 10, 16, 50, 130})
      for (int64_t k : {1, 9, 64, 600})
        for (int turned = 0; turned < 4; ++turned) {
          std::vector<Array> in{make(dtype, {m, k}, random, turned & 1), make(dtype, {k, n}, random, turned & 2),
                                make(dtype, {n}, random)};
          compare(Id::matmul_, name, in, {make(dtype, {m, n}, random)},
                  {turned == 0 ? 1.0 : 0.0, turned == 3 ? 1.0 : 0.0}, eps * 10);
          in.pop_back();
          compare(Id::matmul_sgd_, name, in, {make(dtype, {m, n}, random), make(dtype, {m, n}, random)},
                  {0.1, 0.9, 0, 0.01, 0, 0, 0}, eps * 10);
          in.push_back(make(dtype, {m, n}, random));
          compare(Id::matmul_relu_backward_, name, in, {make(dtype, {m, n}, random), make(dtype, {n}, random)}, {},
                  eps * 100);
        }
}

}  // namespace

int main() {
  for (int threads : {1, 2}) {
    set_num_threads(threads);
    for (const std::string& name : targets()) {
      if (name == "scalar") continue;
      check_target(name, DType::f32);
      check_target(name, DType::f64);
      std::printf("%s on %d threads: %d checks, %d failures so far\n", name.c_str(), threads, checks, failures);
    }
  }
  if (targets().size() == 1) std::printf("only the plain loops run on this processor\n");
  return failures != 0;
}
