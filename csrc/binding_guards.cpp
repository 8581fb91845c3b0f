#include "binding_guards.h"

#include <algorithm>

namespace graphnet {
namespace {

bool entry_is(PyObject* dict, PyObject* key, PyObject* value) {
  PyObject* const found = PyDict_GetItemWithError(dict, key);
  if (found == nullptr) PyErr_Clear();
  return found == value;
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
    else
      throw py::type_error("Guards: expected a dict, a class, a cell or a list");
    if ((kind == Kind::list || kind == Kind::dict) && !PyTuple_Check(py::object(t[2]).ptr()))
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
