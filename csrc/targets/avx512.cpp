#include "../target.h"

namespace graphnet::avx512 {
void fill(Kernel*) {}
}  // namespace graphnet::avx512
