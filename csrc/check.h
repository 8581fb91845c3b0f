// What a kernel may assume is checked here, before the GIL is released and in one place for all targets.
#pragma once

#include "core.h"
#include "kernels.h"

namespace graphnet {

struct KernelInfo {
  const char* name;
  int min_in, max_in, min_out, max_out, min_params, max_params;
  void (*check)(const Call&, const KernelInfo&);
  unsigned dtypes;  // bit per DType
};

const KernelInfo& kernel_info(int id);

// Throws TypeError, ValueError or IndexError naming kernel, argument, expected and got.
void check_call(const Call& call, const KernelInfo& info);

// Whether a kernel may be part of a Group: it is elementwise, and refuses no data of that dtype.
bool joins_groups(const KernelInfo& info, DType dtype);

// Whether two views may share memory; false is certain. `same_elements`: each element of one is the same of the other.
bool may_overlap(const View& x, const View& y);
bool same_elements(const View& x, const View& y);

const char* dtype_name(DType dtype);
std::string shape_text(const View& view);

// The shape to which the indices of take, index_add and index_put, inputs 1 and up, broadcast; ValueError where they
// do not.
View index_frame(const Call& call);

// params[index], or `fallback` when the call has fewer.
double param(const Call& call, int index, double fallback);

}  // namespace graphnet
