// Nodes with their types, and gradients, written into Python graphs.
#include <utility>
#include <vector>

#include "binding_graphs.h"
#include "binding_tensor.h"

namespace graphnet {
namespace {

// -- types ----------------------------------------------------------------------------------------------------

// The same with what `sizes` has learnt put in.
py::object known_type(PyObject* types, PyObject* operand, py::handle sizes, bool learnt) {
  py::object type = type_of(types, operand);
  if (!learnt || all_numbers(PyTuple_GET_ITEM(type.ptr(), 0))) return type;
  const py::object shape =
      owned(PyObject_CallMethodOneArg(sizes.ptr(), ir.resolve_shape, PyTuple_GET_ITEM(type.ptr(), 0)));
  return owned(tensor_type(shape.ptr(), PyTuple_GET_ITEM(type.ptr(), 1)));
}

bool has_learnt(py::handle sizes) { return PyObject_IsTrue(attribute(sizes, ir.values).ptr()) == 1; }

// -- settings as keys -------------------------------------------------------------------------------------------

py::object pair(PyObject* a, const py::object& b) { return py::make_tuple(py::handle(a), b); }

}  // namespace

// A setting as a key: 1, 1.0 and True differ, and so do 0.0 and -0.0. TypeError where it cannot be one.
py::object setting_key(PyObject* value) {
  const auto itself = [value] { return py::reinterpret_borrow<py::object>(value); };
  PyTypeObject* const kind = Py_TYPE(value);
  PyObject* const type = reinterpret_cast<PyObject*>(kind);
  if (kind == &PyLong_Type || kind == &PyUnicode_Type || value == Py_None) return itself();
  if (kind == &PyDict_Type) {
    py::tuple result(PyDict_GET_SIZE(value));
    Py_ssize_t at = 0, index = 0;
    PyObject *name = nullptr, *setting = nullptr;
    while (PyDict_Next(value, &at, &name, &setting) != 0)
      PyTuple_SET_ITEM(result.ptr(), index++, pair(name, setting_key(setting)).release().ptr());
    return std::move(result);
  }
  if (kind == &PyTuple_Type && all_numbers(value)) return itself();
  if (kind == &PyTuple_Type || kind == &PyList_Type) {
    const py::tuple parts = py::reinterpret_borrow<py::object>(value);
    py::tuple keys(parts.size());
    for (size_t i = 0; i < parts.size(); ++i)
      PyTuple_SET_ITEM(keys.ptr(), static_cast<Py_ssize_t>(i), setting_key(parts[i].ptr()).release().ptr());
    return pair(type, keys);
  }
  if (kind == &PyBool_Type) return pair(type, py::str(value == Py_True ? "True" : "False"));
  if (kind == &PyFloat_Type) return pair(type, py::repr(value));
  if (PyObject_Hash(value) == -1) throw py::error_already_set();
  return pair(type, itself());
}

namespace {

// What an inferred type is kept under: the operation, the operands' types, which are in the key already, and its
// settings. Of an update, of which there are thousands, the settings are its number.
void complete(const py::tuple& key, PyObject* op, PyObject* attrs) {
  Py_INCREF(op);
  PyTuple_SET_ITEM(key.ptr(), 0, op);
  py::object settings = py::none();
  if (PyObject_IsTrue(attrs) == 1 && attribute(op, ir.overwrites).is_none()) settings = setting_key(attrs);
  PyTuple_SET_ITEM(key.ptr(), PyTuple_GET_SIZE(key.ptr()) - 1, settings.release().ptr());
}

// signature(op, types, attrs)
PyObject* signature(PyObject* const* args) {
  const py::object types = owned(PySequence_Tuple(args[1]));
  const py::tuple key(static_cast<size_t>(PyTuple_GET_SIZE(types.ptr()) + 2));
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(types.ptr()); ++i) {
    Py_INCREF(PyTuple_GET_ITEM(types.ptr(), i));
    PyTuple_SET_ITEM(key.ptr(), i + 1, PyTuple_GET_ITEM(types.ptr(), i));
  }
  complete(key, args[0], args[2]);
  return py::object(key).release().ptr();
}

// -- writing ----------------------------------------------------------------------------------------------------

// The name, with a number behind it where it is taken.
py::object unique(PyObject* taken, py::object name) {
  for (;;) {
    PyObject* const before = found_in(taken, name.ptr());
    const long count = before == nullptr ? 1 : PyLong_AsLong(before) + 1;
    put(taken, name.ptr(), owned(PyLong_FromLong(count)).ptr());
    if (count == 1) return name;
    name = owned(PyUnicode_FromFormat("%U#%ld", name.ptr(), count));
  }
}

// Adds a node with its type, which `infer(op, sizes, types, attrs)` gives where it is not known from a node like it,
// and returns its result. The arguments begin with graph, sizes, names taken, infer, op.
PyObject* add(PyObject* const* args, const py::object& inputs, py::object wish, PyObject* scope, PyObject* where,
              PyObject* attrs) {
  PyObject *const graph = args[0], *const sizes = args[1], *const taken = args[2], *const infer = args[3];
  PyObject* const op = args[4];
  const py::object nodes = attribute(graph, ir.nodes), types = attribute(graph, ir.table);
  if (!PyList_Check(nodes.ptr()) || !PyDict_Check(types.ptr()) || !PyDict_Check(taken))
    throw TypeError("emit: expects a graph and a dict of names");
  const bool learnt = has_learnt(sizes);
  const py::tuple key(static_cast<size_t>(PyTuple_GET_SIZE(inputs.ptr()) + 2));
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(inputs.ptr()); ++i)
    PyTuple_SET_ITEM(key.ptr(), i + 1,
                     known_type(types.ptr(), PyTuple_GET_ITEM(inputs.ptr(), i), sizes, learnt).release().ptr());
  py::object result = inferred(key, op, attrs, attribute(sizes, ir.inferred).ptr());
  if (!result) {
    const py::object given = owned(PyList_New(PyTuple_GET_SIZE(inputs.ptr())));
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(given.ptr()); ++i) {
      Py_INCREF(PyTuple_GET_ITEM(key.ptr(), i + 1));
      PyList_SET_ITEM(given.ptr(), i, PyTuple_GET_ITEM(key.ptr(), i + 1));
    }
    result = py::make_tuple(owned(PyObject_CallFunctionObjArgs(infer, op, sizes, given.ptr(), attrs, nullptr)));
  }
  const py::object name = unique(taken, std::move(wish));
  const py::object node =
      owned(make_node(attribute(op, ir.name).ptr(), inputs.ptr(), attrs, name.ptr(), scope, where, ir.no_blocks));
  append(nodes.ptr(), node.ptr());
  put(types.ptr(), node.ptr(), result.ptr());
  return make_value(node.ptr(), 0);
}

// emit(graph, sizes, taken, infer, op, operands, attrs, name, scope, where)
PyObject* emit(PyObject* const* args) {
  return add(args, owned(PySequence_Tuple(args[5])), py::reinterpret_borrow<py::object>(args[7]), args[8], args[9],
             args[6]);
}

// -- gradients --------------------------------------------------------------------------------------------------

// gradient_key(node, types, wanted, g): what nodes have in common whose gradients are the same operations: the op, its
// settings, the operands' types or the numbers that they are, which of them are wanted, and the type of what arrives.
// None where a setting cannot be a key.
PyObject* gradient_key(PyObject* const* args) {
  if (!is_node(args[0]) || !PyDict_Check(args[1])) throw TypeError("gradient_key: expects a node and types of nodes");
  const auto* const node = reinterpret_cast<const NodeObject*>(args[0]);
  const Py_ssize_t count = PyTuple_GET_SIZE(node->inputs);
  py::tuple key(static_cast<size_t>(2 * count + 3));
  try {
    for (Py_ssize_t i = 0; i < count; ++i) {
      PyObject* const operand = PyTuple_GET_ITEM(node->inputs, i);
      const bool number = Py_TYPE(operand) == ir.literal;
      py::object type = type_of(args[1], operand);
      if (number) type = pair(type.ptr(), setting_key(PyTuple_GET_ITEM(operand, 0)));
      PyTuple_SET_ITEM(key.ptr(), 2 * i, type.release().ptr());
      PyTuple_SET_ITEM(key.ptr(), 2 * i + 1, py::bool_(!number && in_set(args[2], operand)).release().ptr());
    }
    PyTuple_SET_ITEM(key.ptr(), 2 * count, py::reinterpret_borrow<py::object>(node->op).release().ptr());
    PyTuple_SET_ITEM(key.ptr(), 2 * count + 1, setting_key(node->attrs).release().ptr());
    PyTuple_SET_ITEM(key.ptr(), 2 * count + 2, type_of(args[1], args[3]).release().ptr());
    return key.release().ptr();
  } catch (py::error_already_set& error) {
    if (!error.matches(PyExc_TypeError)) throw;
  }
  Py_RETURN_NONE;
}

// replay(graph, taken, steps, results, node, g): adds the operations that a node's gradient consists of, at its place
// and named after it, and returns some of their results. Each step is (op, operands, settings, types); operands and
// results are literals, None, or numbers: of the node's operands from 0 on, then its result, then what arrives, then
// the steps.
py::object replay(PyObject* graph, PyObject* taken, PyObject* steps, PyObject* results, PyObject* at, PyObject* g) {
  const py::object nodes = attribute(graph, ir.nodes), types = attribute(graph, ir.table);
  if (!PyList_Check(nodes.ptr()) || !PyDict_Check(types.ptr()) || !PyDict_Check(taken) || !PyTuple_Check(steps) ||
      !PyTuple_Check(results) || !is_node(at))
    throw TypeError("replay: expects a graph, names, steps, results, a node and an operand");
  const auto* const node = reinterpret_cast<const NodeObject*>(at);
  std::vector<py::object> values;
  values.reserve(static_cast<size_t>(PyTuple_GET_SIZE(node->inputs) + PyTuple_GET_SIZE(steps) + 2));
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(node->inputs); ++i)
    values.push_back(py::reinterpret_borrow<py::object>(PyTuple_GET_ITEM(node->inputs, i)));
  values.push_back(owned(make_value(at, 0)));
  values.push_back(py::reinterpret_borrow<py::object>(g));
  const auto values_of = [&values](PyObject* operands) {
    py::tuple found(static_cast<size_t>(PyTuple_GET_SIZE(operands)));
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(operands); ++i) {
      PyObject* operand = PyTuple_GET_ITEM(operands, i);
      if (PyLong_CheckExact(operand)) operand = values.at(PyLong_AsSize_t(operand)).ptr();
      Py_INCREF(operand);
      PyTuple_SET_ITEM(found.ptr(), i, operand);
    }
    return found;
  };
  const py::object wish = owned(PyUnicode_FromFormat("grad.%U", node->name));
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(steps); ++i) {
    PyObject* const step = PyTuple_GET_ITEM(steps, i);
    const py::object made =
        owned(make_node(PyTuple_GET_ITEM(step, 0), values_of(PyTuple_GET_ITEM(step, 1)).ptr(),
                        PyTuple_GET_ITEM(step, 2), unique(taken, wish).ptr(), node->scope, node->where, ir.no_blocks));
    append(nodes.ptr(), made.ptr());
    put(types.ptr(), made.ptr(), PyTuple_GET_ITEM(step, 3));
    values.push_back(owned(make_value(made.ptr(), 0)));
  }
  return values_of(results);
}

PyObject* replay_boundary(PyObject* const* args) {
  return replay(args[0], args[1], args[2], args[3], args[4], args[5]).release().ptr();
}

bool same_operand(PyObject* a, PyObject* b) {
  return a == b || (is_value(a) && is_value(b) && node_of(a) == node_of(b) && slot_of(a) == slot_of(b));
}

// carry(nodes, end, graph, taken, wanted, gradients, recipes): goes backward from the node before `end` and carries the
// gradients of results to operands that have none yet, by recipes (steps and results of `replay`) under the keys of
// nodes. Stops at a node that has no recipe, has blocks, or adds to gradients; returns its number + 1; 0 at the start.
size_t carry(const py::list& nodes, size_t end, const py::object& graph, const py::dict& taken, const py::set& wanted,
             const py::dict& gradients, const py::dict& recipes) {
  const py::object types = attribute(graph, ir.table);
  for (; end > 0; --end) {
    const NodeObject* const node = node_at(nodes, end - 1);
    if (has_blocks(node)) break;
    const py::object result = owned(make_value(object(node), 0));
    const py::object g = py::reinterpret_borrow<py::object>(found_in(gradients.ptr(), result.ptr()));
    if (!g || is_input(node)) continue;
    PyObject* const key_of[] = {object(node), types.ptr(), wanted.ptr(), g.ptr()};
    const py::object key = owned(gradient_key(key_of));
    const py::object recipe = py::reinterpret_borrow<py::object>(found_in(recipes.ptr(), key.ptr()));
    if (!recipe) break;
    PyObject* const results = PyTuple_GET_ITEM(recipe.ptr(), 1);
    bool adds = false;
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(results) && !adds; ++i) {
      if (PyTuple_GET_ITEM(results, i) == Py_None) continue;
      PyObject* const operand = PyTuple_GET_ITEM(node->inputs, i);
      adds = found_in(gradients.ptr(), operand) != nullptr;
      for (Py_ssize_t j = 0; j < i && !adds; ++j)  // x * x
        adds = same_operand(PyTuple_GET_ITEM(node->inputs, j), operand);
    }
    if (adds) break;
    const py::object found =
        replay(graph.ptr(), taken.ptr(), PyTuple_GET_ITEM(recipe.ptr(), 0), results, object(node), g.ptr());
    if (PyDict_DelItem(gradients.ptr(), result.ptr()) != 0) throw py::error_already_set();
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(results); ++i)
      if (PyTuple_GET_ITEM(results, i) != Py_None)
        put(gradients.ptr(), PyTuple_GET_ITEM(node->inputs, i), PyTuple_GET_ITEM(found.ptr(), i));
  }
  return end;
}

PyObject* type_of_boundary(PyObject* const* args) {
  if (!PyDict_Check(args[0])) throw TypeError("type_of: expects the types of a graph's nodes");
  return type_of(args[0], args[1]).release().ptr();
}

PyObject* setting_key_boundary(PyObject* const* args) { return setting_key(args[0]).release().ptr(); }

PyObject* unique_boundary(PyObject* const* args) {
  if (!PyDict_Check(args[0]) || !PyUnicode_Check(args[1]))
    throw TypeError("unique: expects a dict of names and a name");
  return unique(args[0], py::reinterpret_borrow<py::object>(args[1])).release().ptr();
}

}  // namespace

py::object type_of(PyObject* types, PyObject* operand) {
  if (is_value(operand)) {
    PyObject* const found = found_in(types, reinterpret_cast<PyObject*>(node_of(operand)));
    if (found == nullptr) throw py::key_error(py::repr(operand).cast<std::string>());
    if (!PyTuple_Check(found) || slot_of(operand) < 0 || slot_of(operand) >= PyTuple_GET_SIZE(found))
      throw IndexError("a node has no such result");
    return py::reinterpret_borrow<py::object>(PyTuple_GET_ITEM(found, slot_of(operand)));
  }
  if (Py_TYPE(operand) == ir.literal) return owned(tensor_type(ir.no_blocks, PyTuple_GET_ITEM(operand, 1)));  // ()
  if (layout.tensor != nullptr && PyObject_TypeCheck(operand, layout.tensor)) {
    PyObject* const array = slot(operand, layout.array);
    PyObject* const dtype = slot(operand, layout.dtype);
    if (array != nullptr && dtype != nullptr && Py_TYPE(array) == py::detail::npy_api::get().PyArray_Type_) {
      const auto* const proxy = py::detail::array_proxy(array);
      const py::tuple shape(proxy->nd);
      for (int i = 0; i < proxy->nd; ++i)
        PyTuple_SET_ITEM(shape.ptr(), i, PyLong_FromSsize_t(static_cast<Py_ssize_t>(proxy->dimensions[i])));
      return owned(tensor_type(shape.ptr(), dtype));
    }
  }
  return owned(PyObject_CallMethodNoArgs(operand, ir.typed));
}

py::object inferred(const py::tuple& key, PyObject* op, PyObject* attrs, PyObject* known) {
  try {
    complete(key, op, attrs);
    return py::reinterpret_borrow<py::object>(found_in(known, key.ptr()));
  } catch (py::error_already_set& error) {
    if (!error.matches(PyExc_TypeError)) throw;
  }
  return {};
}

void bind_emit(py::module_& m) {
  static PyMethodDef methods[] = {
      method<type_of_boundary, 2>("type_of"), method<setting_key_boundary, 1>("setting_key"),
      method<signature, 3>("signature"),      method<emit, 10>("emit"),
      method<unique_boundary, 2>("unique"),   method<gradient_key, 4>("gradient_key"),
      method<replay_boundary, 6>("replay"),   {nullptr, nullptr, 0, nullptr}};
  if (PyModule_AddFunctions(m.ptr(), methods) != 0) throw py::error_already_set();
  m.def("carry", &carry);
}

}  // namespace graphnet
