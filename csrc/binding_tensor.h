// Tensors as C++ sees them: Python objects whose memory is in a slot.
#pragma once

#include <utility>
#include <vector>

#include "binding.h"

namespace graphnet {

// What a slot of an object with __slots__ holds; borrowed.
inline PyObject*& slot(PyObject* object, Py_ssize_t offset) {
  return *reinterpret_cast<PyObject**>(reinterpret_cast<char*>(object) + offset);
}

inline void set_slot(PyObject* object, Py_ssize_t offset, PyObject* stolen) {
  PyObject* const before = std::exchange(slot(object, offset), stolen);
  Py_XDECREF(before);
}

// The classes and slots of tensors; filled once, at import.
struct Layout {
  PyTypeObject* tensor = nullptr;
  Py_ssize_t array = 0, dtype = 0, memory = 0, version = 0;
};
extern Layout layout;

// Where a slot of a class with __slots__ lies in its instances; TypeError where there is none.
Py_ssize_t slot_offset(const py::handle& type, const char* name);

void set_tensor_layout(const py::type& tensor, const py::type& memory);

inline bool holds(PyObject* tensor, PyObject* array) { return slot(tensor, layout.array) == array; }

// Counts one more change of a tensor's memory; false with a Python error set.
bool overwritten(PyObject* tensor);

// Makes objects of a class with __slots__ that are like a given one.
class Pattern {
 public:
  explicit Pattern(py::object like);

  // A copy whose slots hold what the pattern's do; null with a Python error set.
  PyObject* copy() const;

 private:
  py::object like_;
  const std::vector<Py_ssize_t>& slots_;
};

}  // namespace graphnet
