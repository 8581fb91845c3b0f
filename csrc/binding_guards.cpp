#include "binding_guards.h"

#include <pybind11/numpy.h>

#include <algorithm>
#include <cstring>

#include "binding_tensor.h"

namespace graphnet {
namespace {

bool entry_is(PyObject* dict, PyObject* key, PyObject* value) {
  PyObject* const found = PyDict_GetItemWithError(dict, key);
  if (found == nullptr) PyErr_Clear();
  return found == value;
}

// Whether an array holds the bytes of a row-major copy.
bool same_content(PyObject* array, PyObject* copy) {
  const auto* const now = py::detail::array_proxy(array);
  const auto* const then = py::detail::array_proxy(copy);
  if (now->nd != then->nd || !std::equal(now->dimensions, now->dimensions + now->nd, then->dimensions)) return false;
  const auto bytes = static_cast<size_t>(py::reinterpret_borrow<py::array>(copy).nbytes());
  if ((now->flags & py::detail::npy_api::NPY_ARRAY_C_CONTIGUOUS_) != 0)
    return bytes == 0 || std::memcmp(now->data, then->data, bytes) == 0;
  const auto& api = py::detail::npy_api::get();
  const py::object packed = py::reinterpret_steal<py::object>(api.PyArray_NewCopy_(array, 0));
  if (!packed) return PyErr_Clear(), false;
  return bytes == 0 || std::memcmp(py::detail::array_proxy(packed.ptr())->data, then->data, bytes) == 0;
}

}  // namespace

Guards::Guards(const py::list& rows) {
  for (const py::handle row : rows) {
    const py::tuple t = py::reinterpret_borrow<py::tuple>(row);
    const py::object holder = t[0], key = t[1];
    Kind kind = Kind::entry;
    if (PyCell_Check(holder.ptr()))
      kind = Kind::cell;
    else if (PyList_Check(holder.ptr()))
      kind = Kind::list;
    else if (PyType_Check(holder.ptr()))
      kind = Kind::attribute;
    else if (PyDict_Check(holder.ptr()))
      kind = key.is_none() ? Kind::dict : Kind::entry;
    else if (PyUnicode_Check(key.ptr()))
      kind = Kind::member;
    else if (py::isinstance<py::array>(holder) && py::isinstance<py::array>(t[2]))
      kind = Kind::content;
    else if (layout.tensor != nullptr && PyObject_TypeCheck(holder.ptr(), layout.tensor))
      kind = Kind::memory;
    else if (PyAnySet_Check(holder.ptr()))
      kind = Kind::set;
    else if (PySequence_Check(holder.ptr()) && PyTuple_Check(py::object(t[2]).ptr()))
      kind = Kind::sequence;
    else
      throw py::type_error("Guards: expected a dict, a class, a cell, a container, a tensor or an array");
    if ((kind == Kind::list || kind == Kind::dict || kind == Kind::set) && !PyTuple_Check(py::object(t[2]).ptr()))
      throw py::type_error("Guards: expected a tuple of what the container holds");
    guards_.push_back(Guard{kind, holder, key, t[2]});
  }
}

bool Guards::Guard::holds() const {
  PyObject* const at = holder.ptr();
  switch (kind) {
    case Kind::entry:
      return entry_is(at, key.ptr(), value.ptr());
    case Kind::attribute:
      return entry_is(reinterpret_cast<PyTypeObject*>(at)->tp_dict, key.ptr(), value.ptr());
    case Kind::cell:
      return PyCell_GET(at) == value.ptr();
    case Kind::list: {
      const Py_ssize_t count = PyTuple_GET_SIZE(value.ptr());
      if (PyList_GET_SIZE(at) != count) return false;
      for (Py_ssize_t i = 0; i < count; ++i)
        if (PyList_GET_ITEM(at, i) != PyTuple_GET_ITEM(value.ptr(), i)) return false;
      return true;
    }
    case Kind::set:
    case Kind::sequence: {
      const Py_ssize_t count = PyTuple_GET_SIZE(value.ptr());
      if (PyObject_Size(at) != count) return PyErr_Clear(), false;
      for (Py_ssize_t i = 0; i < count; ++i) {
        PyObject* const item = PyTuple_GET_ITEM(value.ptr(), i);
        if (kind == Kind::set) {
          if (PySet_Contains(at, item) != 1) return PyErr_Clear(), false;
          continue;
        }
        const py::object found = py::reinterpret_steal<py::object>(PySequence_GetItem(at, i));
        if (!found) PyErr_Clear();
        if (found.ptr() != item) return false;
      }
      return true;
    }
    case Kind::memory:
      return graphnet::holds(at, value.ptr());
    case Kind::content:
      return same_content(at, value.ptr());
    case Kind::member: {
      const py::object found = py::reinterpret_steal<py::object>(PyObject_GenericGetAttr(at, key.ptr()));
      if (!found) PyErr_Clear();
      return found.ptr() == value.ptr();
    }
    case Kind::dict: {
      const Py_ssize_t count = PyTuple_GET_SIZE(value.ptr());
      if (PyDict_Size(at) * 2 != count) return false;
      for (Py_ssize_t i = 0; i < count; i += 2)
        if (!entry_is(at, PyTuple_GET_ITEM(value.ptr(), i), PyTuple_GET_ITEM(value.ptr(), i + 1))) return false;
      return true;
    }
  }
  return false;
}

bool Guards::hold() const {
  return std::all_of(guards_.begin(), guards_.end(), [](const Guard& guard) { return guard.holds(); });
}

void bind_guards(py::module_& m) {
  py::class_<Guards>(m, "Guards", "What a compiled network was made with besides modules.")
      .def(py::init<const py::list&>())
      .def("hold", &Guards::hold);
}

}  // namespace graphnet
