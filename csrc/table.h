// The kernel table: for each target (instruction set) one complete list of kernels, filled with the plain-loop
// reference first and overwritten by what the target has its own code for.
#pragma once

#include <string>
#include <vector>

#include "core.h"
#include "elementwise.h"
#include "kernels.h"
#include "product.h"

namespace graphnet {

// Supported on this CPU, best last; "scalar" is always first.
std::vector<std::string> targets();
std::string target();
// Throws ValueError naming the choices.
void set_target(const std::string& name);
// Picks GRAPHNET_TARGET, or the best target. Called once at load.
void choose_target();

Kernel kernel(int id);
// The target's inner loop of an elementwise kernel for operands of these dtypes, and what an element costs; null where
// only the kernel as a whole has the dtype.
struct InnerLoop {
  Loop loop;
  int cost;
};
InnerLoop inner_loop(int id, DType in, DType out);
// The target's product of two matrices by one thread; null where only the reference has one.
ProductFunction product_function(DType dtype);

}  // namespace graphnet
