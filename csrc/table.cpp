#include "table.h"

#include <array>
#include <atomic>
#include <cstdlib>

#include "reference/reference.h"
#include "target.h"

namespace graphnet {
namespace {

struct Target {
  const char* name;
  std::array<Kernel, kNumKernels> kernels;
  std::array<ProductFunction, 2> products;  // float32, float64
  std::array<Loops, kNumKernels> loops;
};

std::vector<Target> make_targets() {
  std::vector<Target> list;
  list.push_back({"scalar", {}, {}, {}});
#define GRAPHNET_FILL(name, ...) list.back().kernels[static_cast<int>(Id::name##_)] = reference::name##_;
  GRAPHNET_KERNELS(GRAPHNET_FILL)
#undef GRAPHNET_FILL
#if defined(GRAPHNET_X86)
  if (cpu_has_avx2()) {
    list.push_back({"avx2", list.front().kernels, {}, {}});
    avx2::fill(list.back().kernels.data(), list.back().products.data(), list.back().loops.data());
  }
  if (cpu_has_avx512()) {
    list.push_back({"avx512", list.front().kernels, {}, {}});
    avx512::fill(list.back().kernels.data(), list.back().products.data(), list.back().loops.data());
  }
#elif defined(GRAPHNET_ARM64)
  list.push_back({"neon", list.front().kernels, {}, {}});
  neon::fill(list.back().kernels.data(), list.back().products.data(), list.back().loops.data());
#endif
  return list;
}

const std::vector<Target>& all() {
  static const std::vector<Target> list = make_targets();
  return list;
}

std::atomic<const Target*> current{nullptr};

}  // namespace

std::vector<std::string> targets() {
  std::vector<std::string> names;
  for (const Target& t : all()) names.emplace_back(t.name);
  return names;
}

std::string target() { return current.load()->name; }

void set_target(const std::string& name) {
  std::string choices;
  for (const Target& t : all()) {
    if (name == t.name) {
      current.store(&t);
      return;
    }
    choices += (choices.empty() ? "" : ", ") + std::string(t.name);
  }
  throw ValueError("target '" + name + "' is unknown or not supported by this CPU; choose from: " + choices);
}

void choose_target() {
  const char* wanted = std::getenv("GRAPHNET_TARGET");
  if (wanted == nullptr || *wanted == '\0') {
    current.store(&all().back());
    return;
  }
  try {
    set_target(wanted);
  } catch (const ValueError& error) {
    throw ValueError(std::string("GRAPHNET_TARGET: ") + error.what());
  }
}

ProductFunction product_function(DType dtype) {
  return current.load(std::memory_order_relaxed)->products[dtype == DType::f32 ? 0 : 1];
}

InnerLoop inner_loop(int id, DType in, DType out) {
  const Loops found = current.load(std::memory_order_relaxed)->loops[static_cast<size_t>(id)];
  constexpr int kPlain = 10;  // what an element costs in a reference kernel
  if (found.loops == nullptr) return {nullptr, kPlain};
  int index = static_cast<int>(in);
  if (id == static_cast<int>(Id::where_)) index = static_cast<int>(out);
  if (id == static_cast<int>(Id::copy_)) index = index * kNumDTypes + static_cast<int>(out);
  const Loop loop = found.loops[index];
  return {loop, loop == nullptr ? kPlain : found.cost};
}

Kernel kernel(int id) { return current.load(std::memory_order_relaxed)->kernels[static_cast<size_t>(id)]; }

}  // namespace graphnet
