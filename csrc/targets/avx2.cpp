#include "../target.h"

namespace graphnet::avx2 {
void fill(Kernel*) {}
}  // namespace graphnet::avx2
