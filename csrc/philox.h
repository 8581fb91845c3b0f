// Philox4x64-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"), as NumPy's Philox and Generator
// draw from it: uniform numbers bit for bit the same, but in any place of a sequence and on several threads.
#pragma once

#include <cstdint>

#include "core.h"

namespace graphnet {

// A key of two words has a sequence of its own.
struct PhiloxKey {
  uint64_t word[2];
};

// Writes uniform numbers on [low, high) to n adjacent elements, from the start of the key's sequence.
void philox_uniform(const PhiloxKey& key, double low, double high, DType dtype, void* out, int64_t n);

}  // namespace graphnet
