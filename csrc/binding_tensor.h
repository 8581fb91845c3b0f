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

// Classes and slots of tensors; filled once, at import.
struct Layout {
  PyTypeObject *tensor = nullptr, *memory_type = nullptr;
  Py_ssize_t array = 0, dtype = 0, memory = 0;
};
extern Layout layout;

// Where a slot of a class with __slots__ lies in its instances; TypeError where there is none.
Py_ssize_t slot_offset(const py::handle& type, const char* name);

inline bool holds(PyObject* tensor, PyObject* array) { return slot(tensor, layout.array) == array; }

// A piece of memory that tensors share. The garbage collector does not know of it: there is one for every tensor, and
// it leads to weak references alone.
struct Memory {
  PyObject_HEAD long long version;  // how often it was overwritten
  PyObject* viewers;
  char borrowed;
};

// Counts one more change of a tensor's memory.
inline void overwritten(PyObject* tensor) { ++reinterpret_cast<Memory*>(slot(tensor, layout.memory))->version; }

// Makes tensors that are like a given one, in memory of their own.
class Pattern {
 public:
  explicit Pattern(py::object like);

  // One over an array, whose other slots hold what the pattern's do; null with a Python error set.
  PyObject* copy(PyObject* array) const;

 private:
  py::object like_;
  const std::vector<Py_ssize_t>& slots_;
};

}  // namespace graphnet
