#include "binding_nodes.h"

#include <structmember.h>

#include <cstdint>

namespace graphnet {

NodeClasses ir;

namespace {

void node_dealloc(PyObject* self) {
  PyTypeObject* const type = Py_TYPE(self);
  auto* const node = reinterpret_cast<NodeObject*>(self);
  // Chains of nodes are as long as graphs: their tuples of inputs are given up through Python's trashcan, one by one.
  Py_XDECREF(node->op);
  Py_XDECREF(node->inputs);
  Py_XDECREF(node->attrs);
  Py_XDECREF(node->name);
  Py_XDECREF(node->scope);
  Py_XDECREF(node->where);
  Py_XDECREF(node->blocks);
  type->tp_free(self);
  Py_DECREF(type);
}

PyObject* node_new(PyTypeObject*, PyObject* args, PyObject* kwargs) {
  static const char* const names[] = {"op", "inputs", "attrs", "name", "scope", "where", "blocks", nullptr};
  PyObject* fields[] = {nullptr, nullptr, ir.no_attrs, ir.no_name, Py_None, Py_None, ir.no_blocks};
  if (PyArg_ParseTupleAndKeywords(args, kwargs, "UO!|OUOOO!:Node", const_cast<char**>(names), &fields[0], &PyTuple_Type,
                                  &fields[1], &fields[2], &fields[3], &fields[4], &fields[5], &PyTuple_Type,
                                  &fields[6]) == 0)
    return nullptr;
  return make_node(fields[0], fields[1], fields[2], fields[3], fields[4], fields[5], fields[6]);
}

// The nodes whose results it takes, one entry per use.
PyObject* node_sources(PyObject* self, void*) {
  PyObject* const inputs = reinterpret_cast<NodeObject*>(self)->inputs;
  Py_ssize_t count = 0;
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(inputs); ++i) count += is_value(PyTuple_GET_ITEM(inputs, i)) ? 1 : 0;
  PyObject* const found = PyTuple_New(count);
  if (found == nullptr) return nullptr;
  for (Py_ssize_t i = 0, at = 0; i < PyTuple_GET_SIZE(inputs); ++i) {
    PyObject* const operand = PyTuple_GET_ITEM(inputs, i);
    if (!is_value(operand)) continue;
    PyObject* const source = reinterpret_cast<PyObject*>(node_of(operand));
    Py_INCREF(source);
    PyTuple_SET_ITEM(found, at++, source);
  }
  return found;
}

PyGetSetDef kNodeGetters[] = {
    {"sources", node_sources, nullptr, "The nodes whose results it takes, one entry per use.", nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr},
};

PyMemberDef kNodeMembers[] = {
    {"op", T_OBJECT, offsetof(NodeObject, op), READONLY, nullptr},
    {"inputs", T_OBJECT, offsetof(NodeObject, inputs), READONLY, nullptr},
    {"attrs", T_OBJECT, offsetof(NodeObject, attrs), READONLY, nullptr},
    {"name", T_OBJECT, offsetof(NodeObject, name), READONLY, nullptr},
    {"scope", T_OBJECT, offsetof(NodeObject, scope), READONLY, nullptr},
    {"where", T_OBJECT, offsetof(NodeObject, where), READONLY, nullptr},
    {"blocks", T_OBJECT, offsetof(NodeObject, blocks), READONLY, nullptr},
    {nullptr, 0, 0, 0, nullptr},
};

PyType_Slot kNodeSlots[] = {
    {Py_tp_dealloc, reinterpret_cast<void*>(node_dealloc)},
    {Py_tp_new, reinterpret_cast<void*>(node_new)},
    {Py_tp_members, kNodeMembers},
    {Py_tp_getset, kNodeGetters},
    {0, nullptr},
};

PyType_Spec kNodeSpec = {"graphnet.ir.nodes.Node", sizeof(NodeObject), 0, Py_TPFLAGS_DEFAULT, kNodeSlots};

// -- values ---------------------------------------------------------------------------------------------------

void value_dealloc(PyObject* self) {
  PyTypeObject* const type = Py_TYPE(self);
  Py_XDECREF(reinterpret_cast<ValueObject*>(self)->node);
  type->tp_free(self);
  Py_DECREF(type);
}

PyObject* value_vectorcall(PyObject*, PyObject* const* args, size_t nargsf, PyObject* names) {
  const Py_ssize_t count = PyVectorcall_NARGS(nargsf);
  const Py_ssize_t total = count + (names != nullptr ? PyTuple_GET_SIZE(names) : 0);
  PyObject* node = count > 0 ? args[0] : nullptr;
  PyObject* number = count > 1 ? args[1] : nullptr;
  for (Py_ssize_t i = count; i < total; ++i) {
    PyObject* const name = PyTuple_GET_ITEM(names, i - count);
    if (PyUnicode_CompareWithASCIIString(name, "node") == 0 && node == nullptr)
      node = args[i];
    else if (PyUnicode_CompareWithASCIIString(name, "slot") == 0 && number == nullptr)
      number = args[i];
    else
      return PyErr_Format(PyExc_TypeError, "Value: takes a node and a slot, got %R", name);
  }
  if (node == nullptr || total > 2) {
    PyErr_SetString(PyExc_TypeError, "Value: takes a node and a slot");
    return nullptr;
  }
  Py_ssize_t slot = 0;
  if (number != nullptr) {
    slot = PyNumber_AsSsize_t(number, PyExc_IndexError);
    if (slot == -1 && PyErr_Occurred() != nullptr) return nullptr;
  }
  return make_value(node, slot);
}

PyObject* value_new(PyTypeObject* type, PyObject* args, PyObject* kwargs) {
  if (kwargs != nullptr && PyDict_GET_SIZE(kwargs) != 0) {
    PyErr_SetString(PyExc_TypeError, "Value: takes a node and a slot");
    return nullptr;
  }
  return value_vectorcall(reinterpret_cast<PyObject*>(type), &PyTuple_GET_ITEM(args, 0),
                          static_cast<size_t>(PyTuple_GET_SIZE(args)), nullptr);
}

Py_hash_t value_hash(PyObject* self) {
  const auto address = reinterpret_cast<uintptr_t>(node_of(self));
  const auto mixed = (address >> 4) ^ (static_cast<uintptr_t>(slot_of(self)) * 0x9e3779b97f4a7c15U);
  const auto hash = static_cast<Py_hash_t>(mixed);
  return hash == -1 ? -2 : hash;
}

PyObject* value_compare(PyObject* a, PyObject* b, int op) {
  if ((op != Py_EQ && op != Py_NE) || Py_TYPE(a) != Py_TYPE(b)) Py_RETURN_NOTIMPLEMENTED;
  const bool same = node_of(a) == node_of(b) && slot_of(a) == slot_of(b);
  if (same == (op == Py_EQ)) Py_RETURN_TRUE;
  Py_RETURN_FALSE;
}

Py_ssize_t value_length(PyObject*) { return 2; }

PyObject* value_item(PyObject* self, Py_ssize_t index) {
  if (index == 1) return PyLong_FromSsize_t(slot_of(self));
  if (index != 0) {
    PyErr_SetString(PyExc_IndexError, "Value: has a node and a slot");
    return nullptr;
  }
  PyObject* const node = reinterpret_cast<PyObject*>(node_of(self));
  Py_INCREF(node);
  return node;
}

PyObject* value_repr(PyObject* self) {
  PyObject* const name = node_of(self)->name;
  if (slot_of(self) != 0) return PyUnicode_FromFormat("%U[%zd]", name, slot_of(self));
  Py_INCREF(name);
  return name;
}

PyObject* value_reduce(PyObject* self, PyObject*) {
  return Py_BuildValue("O(On)", Py_TYPE(self), node_of(self), slot_of(self));
}

PyMemberDef kValueMembers[] = {
    {"node", T_OBJECT, offsetof(ValueObject, node), READONLY, "the node"},
    {"slot", T_PYSSIZET, offsetof(ValueObject, slot), READONLY, "which of its results, from 0"},
    {nullptr, 0, 0, 0, nullptr},
};

PyMethodDef kValueMethods[] = {{"__reduce__", value_reduce, METH_NOARGS, nullptr}, {nullptr, nullptr, 0, nullptr}};

const char kValueDoc[] = "One result of a node; `slot` counts from 0. Two are equal that name the same.";

PyType_Slot kValueSlots[] = {
    {Py_tp_dealloc, reinterpret_cast<void*>(value_dealloc)},
    {Py_tp_new, reinterpret_cast<void*>(value_new)},
    {Py_tp_hash, reinterpret_cast<void*>(value_hash)},
    {Py_tp_richcompare, reinterpret_cast<void*>(value_compare)},
    {Py_tp_repr, reinterpret_cast<void*>(value_repr)},
    {Py_sq_length, reinterpret_cast<void*>(value_length)},
    {Py_sq_item, reinterpret_cast<void*>(value_item)},
    {Py_tp_members, kValueMembers},
    {Py_tp_methods, kValueMethods},
    {Py_tp_doc, const_cast<char*>(kValueDoc)},
    {0, nullptr},
};

PyType_Spec kValueSpec = {"graphnet.ir.nodes.Value", sizeof(ValueObject), 0, Py_TPFLAGS_DEFAULT, kValueSlots};

PyTypeObject* made(PyType_Spec* spec) {
  auto* const type = reinterpret_cast<PyTypeObject*>(PyType_FromSpec(spec));
  if (type == nullptr) throw py::error_already_set();
  return type;
}

PyTypeObject* held(const py::type& type) { return reinterpret_cast<PyTypeObject*>(py::object(type).release().ptr()); }

}  // namespace

PyObject* make_value(PyObject* node, Py_ssize_t slot) {
  if (!is_node(node)) return PyErr_Format(PyExc_TypeError, "Value: expects a node, got %s", Py_TYPE(node)->tp_name);
  auto* const value = PyObject_New(ValueObject, ir.value);
  if (value == nullptr) return nullptr;
  Py_INCREF(node);
  value->node = reinterpret_cast<NodeObject*>(node);
  value->slot = slot;
  return reinterpret_cast<PyObject*>(value);
}

PyObject* make_node(PyObject* op, PyObject* inputs, PyObject* attrs, PyObject* name, PyObject* scope, PyObject* where,
                    PyObject* blocks) {
  auto* const node = PyObject_New(NodeObject, ir.node);
  if (node == nullptr) return nullptr;
  const auto kept = [](PyObject* field) {
    Py_INCREF(field);
    return field;
  };
  node->op = kept(op);
  node->inputs = kept(inputs);
  node->attrs = kept(attrs);
  node->name = kept(name);
  node->scope = kept(scope);
  node->where = kept(where);
  node->blocks = kept(blocks);
  return reinterpret_cast<PyObject*>(node);
}

PyObject* tensor_type(PyObject* shape, PyObject* dtype) {
  constexpr Py_ssize_t kKept = 1 << 16;  // ever other shapes may come
  PyObject* const type = ir.type->tp_alloc(ir.type, 2);
  if (type == nullptr) return nullptr;
  Py_INCREF(shape);
  Py_INCREF(dtype);
  PyTuple_SET_ITEM(type, 0, shape);
  PyTuple_SET_ITEM(type, 1, dtype);
  if (!all_numbers(shape)) return type;
  if (PyDict_GET_SIZE(ir.types) >= kKept) PyDict_Clear(ir.types);
  PyObject* const known = PyDict_SetDefault(ir.types, type, type);
  Py_XINCREF(known);
  Py_DECREF(type);
  return known;
}

bool all_numbers(PyObject* shape) {
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(shape); ++i)
    if (!PyLong_CheckExact(PyTuple_GET_ITEM(shape, i))) return false;
  return true;
}

void bind_nodes(py::module_& m) {
  ir.node = made(&kNodeSpec);
  ir.value = made(&kValueSpec);
  ir.value->tp_vectorcall = value_vectorcall;
  ir.types = PyDict_New();
  ir.no_attrs = PyDict_New();
  ir.no_blocks = PyTuple_New(0);
  if (ir.types == nullptr || ir.no_attrs == nullptr || ir.no_blocks == nullptr) throw py::error_already_set();
  struct {
    PyObject** place;
    const char* text;
  } const names[] = {{&ir.no_name, ""},
                     {&ir.nodes, "nodes"},
                     {&ir.table, "types"},
                     {&ir.name, "name"},
                     {&ir.typed, "_type"},
                     {&ir.inferred, "inferred"},
                     {&ir.values, "values"},
                     {&ir.overwrites, "overwrites"},
                     {&ir.resolve_shape, "resolve_shape"},
                     {&ir.floating, "is_floating_point"}};
  for (const auto& [place, text] : names) *place = PyUnicode_InternFromString(text);
  m.attr("Node") = py::reinterpret_borrow<py::object>(reinterpret_cast<PyObject*>(ir.node));
  m.attr("Value") = py::reinterpret_borrow<py::object>(reinterpret_cast<PyObject*>(ir.value));
  m.def("set_node_classes", [](const py::type& literal, const py::type& type) {
    ir.literal = held(literal);
    ir.type = held(type);
  });
}

}  // namespace graphnet
