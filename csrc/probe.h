// What the machine can do right now, for benchmarks: a virtual machine's processors may be near cores, two threads of
// one core, or far apart, and that changes from minute to minute.
#pragma once

namespace graphnet {

struct Probe {
  double round_trip_ns;  // of a cache line between two of the pool's threads; 0 with one thread
  double fma_gflops[2];  // float32, of each thread while both run (one alone with one thread)
};
Probe probe();

}  // namespace graphnet
