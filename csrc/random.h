// Random numbers by key and position: SplitMix64 (Steele, Lea & Flood 2014, "Fast splittable pseudorandom number
// generators"), whose n-th number can be computed without those before it.
#pragma once

#include <cstdint>

#include "core.h"

namespace graphnet {

uint64_t random_start(const View& key);                   // where the sequence of a key (seed, draw) starts
uint64_t random_bits(uint64_t start, uint64_t position);  // 64 bits of it

// What a call of dropout_mask asks for: elements whose 32 bits are below `limit` are dropped, others become `scale`.
struct Dropout {
  explicit Dropout(const Call& call);
  uint64_t start, limit;
  double scale;
};

using DropoutFunction = void (*)(const Dropout& d, void* out, int64_t first, int64_t n);  // elements first .. first + n
void run_dropout_mask(const Call& call, DropoutFunction f, Kernel fallback);

}  // namespace graphnet
