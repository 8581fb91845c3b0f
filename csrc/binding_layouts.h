// How values lie in memory, addresses aside: a network has few layouts for many values, so each is looked at once.
#pragma once

#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "address_map.h"
#include "binding.h"

namespace graphnet {

struct ArrayLayout {
  py::object dtype;                        // NumPy's
  std::vector<Py_ssize_t> shape, strides;  // as NumPy has them, in bytes
  View view;                               // as kernels see it, without an address
  int64_t begin, end;                      // the bytes it covers, from the address of its first element
  bool fits;                               // whether kernels take it

  bool empty() const { return begin == end; }
};

// What a view covers, from the address of its first element.
std::pair<int64_t, int64_t> covered(const View& view);

class Layouts {
 public:
  int of_array(PyObject* array);
  // Row-major memory of a TensorType whose sizes are numbers.
  int of_type(PyObject* type);

  const ArrayLayout& operator[](int number) const { return all_[static_cast<size_t>(number)]; }
  // An array over memory that `base` keeps alive.
  py::object array(int number, char* data, const py::handle& base, bool writeable) const;

 private:
  int enter(ArrayLayout layout);

  std::vector<ArrayLayout> all_;
  std::unordered_map<std::string, int> known_;
  AddressMap types_;
};

}  // namespace graphnet
