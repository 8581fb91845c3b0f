#include <atomic>

#include "core.h"

namespace graphnet {
namespace {
std::atomic<int> precision{0};
}

int matmul_precision() { return precision.load(std::memory_order_relaxed); }
void set_matmul_precision(int level) { precision.store(level); }

}  // namespace graphnet
