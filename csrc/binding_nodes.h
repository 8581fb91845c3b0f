// Nodes of graphs and their results as Python objects of the extension: a graph has tens of thousands of each, and
// neither is looked at by the garbage collector, as nodes refer to what was there before them and never change.
#pragma once

#include "binding.h"

namespace graphnet {

struct NodeObject {
  PyObject_HEAD PyObject *op, *inputs, *attrs, *name, *scope, *where, *blocks;
};

struct ValueObject {
  PyObject_HEAD NodeObject* node;
  Py_ssize_t slot;
};

// The classes of nodes' parts, which Python defines, and what else of Python graphs are read with; filled once, at
// import, and held for ever.
struct NodeClasses {
  PyTypeObject *node = nullptr, *value = nullptr;
  PyTypeObject *literal = nullptr, *type = nullptr;  // of graphnet.ir
  PyObject* types = nullptr;                         // every TensorType of known sizes that was asked for
  PyObject *no_attrs = nullptr, *no_name = nullptr, *no_blocks = nullptr;
  // names of attributes
  PyObject *nodes = nullptr, *table = nullptr, *name = nullptr, *typed = nullptr, *inferred = nullptr;
  PyObject *values = nullptr, *overwrites = nullptr, *resolve_shape = nullptr, *floating = nullptr;
};
extern NodeClasses ir;

inline bool is_node(PyObject* object) { return Py_TYPE(object) == ir.node; }
inline bool is_value(PyObject* operand) { return Py_TYPE(operand) == ir.value; }
inline NodeObject* node_of(PyObject* value) { return reinterpret_cast<ValueObject*>(value)->node; }
inline Py_ssize_t slot_of(PyObject* value) { return reinterpret_cast<ValueObject*>(value)->slot; }

// New references; empty with a Python error set. Arguments are borrowed.
PyObject* make_value(PyObject* node, Py_ssize_t slot);
PyObject* make_node(PyObject* op, PyObject* inputs, PyObject* attrs, PyObject* name, PyObject* scope, PyObject* where,
                    PyObject* blocks);

// The TensorType of this shape and dtype, one object for all that are equal and of known sizes.
PyObject* tensor_type(PyObject* shape, PyObject* dtype);

// Whether all sizes of a shape are numbers.
bool all_numbers(PyObject* shape);

// A setting as a key; TypeError where it cannot be one.
py::object setting_key(PyObject* value);

void bind_nodes(py::module_& m);
void bind_emit(py::module_& m);
void bind_graphs(py::module_& m);
void bind_traces(py::module_& m);

}  // namespace graphnet
