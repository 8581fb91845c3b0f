// The targets with code of their own: what the CPU must have, and what they put into the table.
#pragma once

#include "core.h"
#include "elementwise.h"
#include "product.h"

#if (defined(__x86_64__) || defined(_M_X64)) && !defined(GRAPHNET_NO_SIMD)
#define GRAPHNET_X86 1
#elif defined(__aarch64__) && !defined(GRAPHNET_NO_SIMD)
#define GRAPHNET_ARM64 1
#endif

namespace graphnet {

bool cpu_has_avx2();         // AVX2 and FMA, and the system saves their registers
bool cpu_has_avx512();       // AVX-512 F, BW, DQ, VL
bool cpu_has_avx512_bf16();  // and BF16

namespace avx2 {
void fill(Kernel* table, ProductFunction* products, Loops* loops);
}
namespace avx512 {
void fill(Kernel* table, ProductFunction* products, Loops* loops);
}
namespace neon {
void fill(Kernel* table, ProductFunction* products, Loops* loops);
}

}  // namespace graphnet
