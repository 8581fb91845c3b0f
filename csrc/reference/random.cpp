// Plain loops for random numbers. A key is a seed and the number of the draw; element i depends on the key and i alone,
// so the numbers are the same for every target and number of threads.
#include <cmath>

#include "../random.h"
#include "reference.h"
#include "walk.h"

namespace graphnet::reference {

void dropout_mask_(const Call& call) {
  const View& out = call.out[0];
  const Dropout d(call);
  uint64_t i = 0;
  visit_float(out.dtype, [&](auto tag) {
    using T = decltype(tag);
    walk<1>(out, {&out}, [&](const auto& at_) {
      const uint64_t both = random_bits(d.start, i / 2);
      const uint64_t bits = i % 2 == 0 ? both & 0xffffffffu : both >> 32;
      *at<T>(out, at_[0]) = bits < d.limit ? T(0) : static_cast<T>(d.scale);
      ++i;
    });
  });
}

}  // namespace graphnet::reference
