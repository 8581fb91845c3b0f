// What the files that read and write Python graphs share: what is done for each of tens of thousands of nodes and needs
// no rule of an operation. Rules stay in Python: a walk stops at a node that needs one, and goes on behind it.
//
// Every function checks what it is handed only as far as it has to, to be safe: they are called by graphnet alone.
#pragma once

#include <string>

#include "binding_nodes.h"

namespace graphnet {

inline py::object owned(PyObject* made) {
  if (made == nullptr) throw py::error_already_set();
  return py::reinterpret_steal<py::object>(made);
}

inline py::object attribute(py::handle object, PyObject* name) { return owned(PyObject_GetAttr(object.ptr(), name)); }

// What a dict has under a key; borrowed, null where nothing is there.
inline PyObject* found_in(PyObject* dict, PyObject* key) {
  PyObject* const found = PyDict_GetItemWithError(dict, key);
  if (found == nullptr && PyErr_Occurred() != nullptr) throw py::error_already_set();
  return found;
}

inline void put(PyObject* dict, PyObject* key, PyObject* value) {
  if (PyDict_SetItem(dict, key, value) != 0) throw py::error_already_set();
}

inline void append(PyObject* list, PyObject* item) {
  if (PyList_Append(list, item) != 0) throw py::error_already_set();
}

inline bool in_set(PyObject* set, PyObject* item) {
  const int found = PySet_Contains(set, item);
  if (found < 0) throw py::error_already_set();
  return found == 1;
}

inline const NodeObject* node_at(const py::list& nodes, size_t index) {
  PyObject* const node = PyList_GET_ITEM(nodes.ptr(), static_cast<Py_ssize_t>(index));
  if (!is_node(node)) throw py::type_error("a graph holds nodes");
  return reinterpret_cast<const NodeObject*>(node);
}

inline PyObject* object(const NodeObject* node) {
  return const_cast<PyObject*>(reinterpret_cast<const PyObject*>(node));
}
inline bool has_blocks(const NodeObject* node) { return PyTuple_GET_SIZE(node->blocks) != 0; }
inline bool is_input(const NodeObject* node) { return PyUnicode_CompareWithASCIIString(node->op, "input") == 0; }

// Shape and dtype of an operand, as `types` and the operand itself tell them.
py::object type_of(PyObject* types, PyObject* operand);

// The types that were inferred for a node like this one; empty where there was none, or a setting cannot be a key. The
// key has the operands' types, behind a place for the op and before one for the settings.
py::object inferred(const py::tuple& key, PyObject* op, PyObject* attrs, PyObject* known);

// Functions that are called for every node: pybind11's way of passing arguments takes as long as the work.
template <PyObject* (*f)(PyObject* const*), Py_ssize_t count>
PyObject* boundary(PyObject*, PyObject* const* args, Py_ssize_t given) {
  try {
    if (given != count) throw TypeError("expected " + std::to_string(count) + " arguments");
    return f(args);
  } catch (...) {
    set_error();
  }
  return nullptr;
}

// PyMethodDef stores every calling convention as one function pointer type.
template <PyObject* (*f)(PyObject* const*), Py_ssize_t count>
PyMethodDef method(const char* name) {
  return {name, reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(boundary<f, count>)), METH_FASTCALL,
          nullptr};
}

}  // namespace graphnet
