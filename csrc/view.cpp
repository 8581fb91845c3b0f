#include "view.h"

namespace graphnet {

int64_t count(const View& view) {
  int64_t n = 1;
  for (int d = 0; d < view.rank; ++d) n *= view.shape[d];
  return n;
}

bool contiguous(const View& view) {
  int64_t expected = 1;
  for (int d = view.rank - 1; d >= 0; --d) {
    if (view.shape[d] == 1) continue;
    if (view.stride[d] != expected) return false;
    expected *= view.shape[d];
  }
  return true;
}

View packed(const View& like, void* data) {
  View view = like;
  view.data = data;
  int64_t stride = 1;
  for (int d = view.rank - 1; d >= 0; --d) {
    view.stride[d] = view.shape[d] == 1 ? 0 : stride;
    stride *= view.shape[d];
  }
  return view;
}

int64_t offset_of(const View& view, int rank, int64_t index) {
  int64_t offset = 0;
  for (int d = rank - 1; d >= 0; --d) {
    offset += index % view.shape[d] * view.stride[d];
    index /= view.shape[d];
  }
  return offset;
}

double value(const View& view, int64_t offset) {
  return view.dtype == DType::f32 ? static_cast<double>(static_cast<const float*>(view.data)[offset])
                                  : static_cast<const double*>(view.data)[offset];
}

void put(const View& view, int64_t offset, double x) {
  if (view.dtype == DType::f32)
    static_cast<float*>(view.data)[offset] = static_cast<float>(x);
  else
    static_cast<double*>(view.data)[offset] = x;
}

}  // namespace graphnet
