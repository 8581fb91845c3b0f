// Tensors without data, which stand for results of nodes while a graph is traced.
#include <memory>

#include "binding_nodes.h"
#include "binding_tensor.h"

namespace graphnet {
namespace {

// The class of symbolic tensors, its slots, and what new ones start as; filled once, at import.
struct Symbolic {
  PyTypeObject* type = nullptr;
  Py_ssize_t tracer = 0, value = 0, seen = 0, number = 0, origin = 0, requires_grad = 0, buffer = 0;
  const Pattern* tensor = nullptr;  // never freed: Python is gone when globals are
};
Symbolic symbolic;

void set_symbolic_pattern(const py::object& like) {
  const py::type type = py::type::of(like);
  const auto offset = [&type](const char* name) { return slot_offset(type, name); };
  symbolic.tracer = offset("_tracer");
  symbolic.value = offset("_value");
  symbolic.seen = offset("_seen");
  symbolic.number = offset("_number");
  symbolic.origin = offset("_origin");
  symbolic.requires_grad = offset("_requires_grad");
  symbolic.buffer = offset("_buffer");
  symbolic.tensor = std::make_unique<Pattern>(like).release();
  symbolic.type = reinterpret_cast<PyTypeObject*>(py::object(type).release().ptr());
}

void put(PyObject* tensor, Py_ssize_t offset, PyObject* borrowed) {
  Py_INCREF(borrowed);
  set_slot(tensor, offset, borrowed);
}

// symbolic_tensor(tracer, value, dtype, origin, requires_grad): a tensor of a traced graph, with memory of its own.
PyObject* symbolic_tensor(PyObject*, PyObject* const* args, Py_ssize_t count) {
  if (count != 5 || symbolic.type == nullptr) {
    PyErr_SetString(PyExc_TypeError, "symbolic_tensor: expects a tracer, a value, a dtype, an origin and a bool");
    return nullptr;
  }
  PyObject* const tensor = symbolic.tensor->copy(Py_None);
  if (tensor == nullptr) return nullptr;
  put(tensor, symbolic.tracer, args[0]);
  put(tensor, symbolic.value, args[1]);
  put(tensor, layout.dtype, args[2]);
  put(tensor, symbolic.origin, args[3]);
  put(tensor, symbolic.requires_grad, args[4]);
  return tensor;
}

// plain_operands(tracer, operands): how a node refers to them, and whether one requires a gradient; None unless all are
// tensors of one floating-point type that need no second look: of this tracer and not overwritten since, or no buffers.
PyObject* plain_operands(PyObject*, PyObject* const* args, Py_ssize_t count) {
  if (count != 2 || !(PyTuple_Check(args[1]) || PyList_Check(args[1]))) {
    PyErr_SetString(PyExc_TypeError, "plain_operands: expects a tracer and operands");
    return nullptr;
  }
  const Py_ssize_t size = PySequence_Fast_GET_SIZE(args[1]);
  if (size == 0 || symbolic.type == nullptr) Py_RETURN_NONE;
  PyObject* dtype = nullptr;
  bool wanted = false;
  PyObject* inputs[kMaxArgs];
  if (size > kMaxArgs) Py_RETURN_NONE;
  for (Py_ssize_t i = 0; i < size; ++i) {
    PyObject* const operand = PySequence_Fast_GET_ITEM(args[1], i);
    if (Py_TYPE(operand) == symbolic.type) {
      const long long version = reinterpret_cast<Memory*>(slot(operand, layout.memory))->version;
      if (slot(operand, symbolic.tracer) != args[0] || slot(operand, symbolic.number) != Py_False ||
          PyLong_AsLongLong(slot(operand, symbolic.seen)) != version)
        Py_RETURN_NONE;
      inputs[i] = slot(operand, symbolic.value);
    } else if (PyObject_TypeCheck(operand, layout.tensor) && !PyObject_TypeCheck(operand, symbolic.type) &&
               slot(operand, symbolic.buffer) == Py_False) {
      inputs[i] = operand;
    } else {
      Py_RETURN_NONE;
    }
    if (dtype != nullptr && slot(operand, layout.dtype) != dtype) Py_RETURN_NONE;
    dtype = slot(operand, layout.dtype);
    wanted = wanted || slot(operand, symbolic.requires_grad) == Py_True;
  }
  PyObject* const floating = PyObject_GetAttr(dtype, ir.floating);
  if (floating == nullptr) return nullptr;
  Py_DECREF(floating);  // one of two objects that live for ever
  if (floating != Py_True) Py_RETURN_NONE;
  PyObject* const known = PyTuple_New(size);
  if (known == nullptr) return nullptr;
  for (Py_ssize_t i = 0; i < size; ++i) {
    Py_INCREF(inputs[i]);
    PyTuple_SET_ITEM(known, i, inputs[i]);
  }
  return Py_BuildValue("NO", known, wanted ? Py_True : Py_False);
}

// PyMethodDef stores every calling convention as one function pointer type.
PyMethodDef kMethods[] = {
    {"symbolic_tensor", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(symbolic_tensor)), METH_FASTCALL,
     nullptr},
    {"plain_operands", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(plain_operands)), METH_FASTCALL,
     nullptr},
    {nullptr, nullptr, 0, nullptr}};

}  // namespace

void bind_traces(py::module_& m) {
  if (PyModule_AddFunctions(m.ptr(), kMethods) != 0) throw py::error_already_set();
  m.def("set_symbolic_pattern", &set_symbolic_pattern);
}

}  // namespace graphnet
