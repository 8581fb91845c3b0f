// What the kernels' generic parts ask of a view. Not for *-inl.h files, which are compiled once for each target.
#pragma once

#include "core.h"

namespace graphnet {

constexpr int64_t kItemSize[kNumDTypes] = {4, 8, 4, 8, 1};
inline int64_t item_size(DType dtype) { return kItemSize[static_cast<int>(dtype)]; }

// Writes a view, and nothing to what it does not use of its sizes: programs have a hundred thousand views.
inline void assign(View& to, const View& from, void* data) {
  to.data = data;
  to.dtype = from.dtype;
  to.rank = from.rank;
  for (int d = 0; d < from.rank; ++d) {
    to.shape[d] = from.shape[d];
    to.stride[d] = from.stride[d];
  }
}

// How many elements.
int64_t count(const View& view);

// Whether the elements follow each other in row-major order.
bool contiguous(const View& view);

// The same shape in row-major memory elsewhere.
View packed(const View& like, void* data);

// Where the element, or row, lies that is number `index` over the first `rank` dimensions, in elements.
int64_t offset_of(const View& view, int rank, int64_t index);

// An element of float32 or float64.
double value(const View& view, int64_t offset);
void put(const View& view, int64_t offset, double x);

}  // namespace graphnet
