// Walks over the nodes of Python graphs, and writing them: what is done for each of tens of thousands of nodes and
// needs no rule of an operation. Rules stay in Python: a walk stops at a node that needs one, and goes on behind it.
//
// Every function checks what it is handed only as far as it has to, to be safe: they are called by graphnet alone.
#include "binding_nodes.h"
#include "binding_tensor.h"

namespace graphnet {
namespace {

py::object owned(PyObject* made) {
  if (made == nullptr) throw py::error_already_set();
  return py::reinterpret_steal<py::object>(made);
}

py::object attribute(py::handle object, PyObject* name) { return owned(PyObject_GetAttr(object.ptr(), name)); }

// What a dict has under a key; borrowed, null where nothing is there.
PyObject* found_in(PyObject* dict, PyObject* key) {
  PyObject* const found = PyDict_GetItemWithError(dict, key);
  if (found == nullptr && PyErr_Occurred() != nullptr) throw py::error_already_set();
  return found;
}

void put(PyObject* dict, PyObject* key, PyObject* value) {
  if (PyDict_SetItem(dict, key, value) != 0) throw py::error_already_set();
}

void append(PyObject* list, PyObject* item) {
  if (PyList_Append(list, item) != 0) throw py::error_already_set();
}

bool in_set(PyObject* set, PyObject* item) {
  const int found = PySet_Contains(set, item);
  if (found < 0) throw py::error_already_set();
  return found == 1;
}

const NodeObject* node_at(const py::list& nodes, size_t index) {
  PyObject* const node = PyList_GET_ITEM(nodes.ptr(), static_cast<Py_ssize_t>(index));
  if (!is_node(node)) throw TypeError("a graph holds nodes");
  return reinterpret_cast<const NodeObject*>(node);
}

PyObject* object(const NodeObject* node) { return const_cast<PyObject*>(reinterpret_cast<const PyObject*>(node)); }
bool has_blocks(const NodeObject* node) { return PyTuple_GET_SIZE(node->blocks) != 0; }
bool is_input(const NodeObject* node) { return PyUnicode_CompareWithASCIIString(node->op, "input") == 0; }

// -- types ----------------------------------------------------------------------------------------------------

// Shape and dtype of an operand, as `types` and the operand itself tell them.
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

// The types that were inferred for a node like this one; empty where there was none, or a setting cannot be a key.
py::object inferred(const py::tuple& key, PyObject* op, PyObject* attrs, PyObject* known) {
  try {
    complete(key, op, attrs);
    return py::reinterpret_borrow<py::object>(found_in(known, key.ptr()));
  } catch (py::error_already_set& error) {
    if (!error.matches(PyExc_TypeError)) throw;
  }
  return {};
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

// -- rewriting --------------------------------------------------------------------------------------------------

// What an operand of an old graph is in a new one: `moved` has the first results of nodes that were made anew,
// `replaced` other operands for first results. New reference.
PyObject* now(PyObject* operand, PyObject* moved, PyObject* replaced) {
  if (is_value(operand)) {
    PyObject* const node = reinterpret_cast<PyObject*>(node_of(operand));
    const Py_ssize_t slot = slot_of(operand);
    if (PyObject* const made = found_in(moved, node)) {
      if (slot != 0 && is_value(made)) return make_value(reinterpret_cast<PyObject*>(node_of(made)), slot);
      operand = made;
    } else if (slot == 0) {
      if (PyObject* const other = found_in(replaced, node)) operand = other;
    }
  }
  Py_INCREF(operand);
  return operand;
}

// The operands of a node in a new graph: the same tuple where none is another one there.
py::object now_all(PyObject* operands, PyObject* moved, PyObject* replaced) {
  const Py_ssize_t count = PyTuple_GET_SIZE(operands);
  for (Py_ssize_t i = 0; i < count; ++i) {
    py::object first = owned(now(PyTuple_GET_ITEM(operands, i), moved, replaced));
    if (first.ptr() == PyTuple_GET_ITEM(operands, i)) continue;
    py::tuple inputs(static_cast<size_t>(count));
    for (Py_ssize_t j = 0; j < count; ++j) {
      PyObject* const operand = PyTuple_GET_ITEM(operands, j);
      if (j < i) Py_INCREF(operand);
      PyTuple_SET_ITEM(inputs.ptr(), j,
                       j < i    ? operand
                       : j == i ? first.release().ptr()
                                : owned(now(operand, moved, replaced)).release().ptr());
    }
    return std::move(inputs);
  }
  return py::reinterpret_borrow<py::object>(operands);
}

// A graph that is written as a copy of another one with changes.
struct Rewriting {
  py::dict moved;      // nodes made anew: the first results of the new ones
  py::dict replaced;   // other operands for first results of nodes that are left out
  py::dict types;      // of the old graph's nodes
  py::object retyped;  // what its types become, by their ids; None where they stay
  py::list nodes;      // of the new graph, and their types
  py::dict new_types;

  explicit Rewriting(const py::tuple& state)
      : moved(state[0]), replaced(state[1]), types(state[2]), retyped(state[3]), nodes(state[4]), new_types(state[5]) {}

  void copy(const NodeObject* node) const;

  void add(PyObject* old, const py::object& made) const {
    PyObject* type = found_in(types.ptr(), old);
    if (type != nullptr && !retyped.is_none()) type = found_in(retyped.ptr(), owned(PyLong_FromVoidPtr(type)).ptr());
    if (type == nullptr) throw py::key_error("a node without a type");
    append(nodes.ptr(), made.ptr());
    put(new_types.ptr(), made.ptr(), type);
    if (made.ptr() != old) put(moved.ptr(), old, owned(make_value(made.ptr(), 0)).ptr());
  }
};

void Rewriting::copy(const NodeObject* node) const {
  const py::object inputs = now_all(node->inputs, moved.ptr(), replaced.ptr());
  py::object made = py::reinterpret_borrow<py::object>(object(node));
  if (inputs.ptr() != node->inputs)
    made = owned(make_node(node->op, inputs.ptr(), node->attrs, node->name, node->scope, node->where, node->blocks));
  add(object(node), made);
}

// keep(nodes, start, stops, state): copies nodes up to one that is among the stops and returns its number, or that of
// nodes in all. A node whose operands are as they were is in both graphs. `state` is what a Rewriting is made of.
size_t keep(const py::list& nodes, size_t start, const py::object& stops, const py::tuple& state) {
  const Rewriting graph(state);
  for (; start < nodes.size(); ++start) {
    const NodeObject* const node = node_at(nodes, start);
    if (PySequence_Contains(stops.ptr(), object(node)) == 1) break;
    graph.copy(node);
  }
  return start;
}

// rewrite(nodes, changes, dropped, state): copies nodes; those among the changes become nodes without blocks of another
// (op, operands of the old graph, settings), dropped ones are left out.
void rewrite(const py::list& nodes, const py::dict& changes, const py::set& dropped, const py::tuple& state) {
  const Rewriting graph(state);
  for (size_t at = 0; at < nodes.size(); ++at) {
    const NodeObject* const node = node_at(nodes, at);
    if (in_set(dropped.ptr(), object(node))) continue;
    PyObject* const change = found_in(changes.ptr(), object(node));
    if (change == nullptr) {
      graph.copy(node);
      continue;
    }
    PyObject *op = nullptr, *operands = nullptr, *attrs = nullptr;
    if (PyArg_ParseTuple(change, "UO!O", &op, &PyTuple_Type, &operands, &attrs) == 0) throw py::error_already_set();
    const py::object inputs = now_all(operands, graph.moved.ptr(), graph.replaced.ptr());
    graph.add(object(node),
              owned(make_node(op, inputs.ptr(), attrs, node->name, node->scope, node->where, ir.no_blocks)));
  }
}

// use_counts(nodes): how often operands name each node.
py::dict use_counts(const py::list& nodes) {
  py::dict counts;
  for (size_t at = 0; at < nodes.size(); ++at) {
    const NodeObject* const node = node_at(nodes, at);
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(node->inputs); ++i) {
      PyObject* const operand = PyTuple_GET_ITEM(node->inputs, i);
      if (!is_value(operand)) continue;
      PyObject* const source = reinterpret_cast<PyObject*>(node_of(operand));
      PyObject* const before = found_in(counts.ptr(), source);
      put(counts.ptr(), source, owned(PyLong_FromLong(before == nullptr ? 1 : PyLong_AsLong(before) + 1)).ptr());
    }
  }
  return counts;
}

// -- walking ----------------------------------------------------------------------------------------------------

// check(nodes, start, types, names, seen, parameter, known): looks through nodes up to one that has blocks or that is
// wrong and returns (its number, what is wrong, the operand at fault); at the end the number of nodes in all.
py::tuple check(const py::list& nodes, size_t start, const py::dict& types, const py::dict& names, const py::set& seen,
                const py::type& parameter, const py::dict& known) {
  auto* const weight = reinterpret_cast<PyTypeObject*>(parameter.ptr());
  const auto stop = [&start](const char* what, PyObject* operand = Py_None) {
    return py::make_tuple(start, what, py::handle(operand));
  };
  for (; start < nodes.size(); ++start) {
    const NodeObject* const node = node_at(nodes, start);
    if (found_in(names.ptr(), node->name) != nullptr) return stop("name");
    put(names.ptr(), node->name, object(node));
    if (found_in(types.ptr(), object(node)) == nullptr) return stop("type");
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(node->inputs); ++i) {
      PyObject* const operand = PyTuple_GET_ITEM(node->inputs, i);
      if (is_value(operand)) {
        PyObject* const source = reinterpret_cast<PyObject*>(node_of(operand));
        if (!in_set(seen.ptr(), source)) return stop("source", operand);
        if (slot_of(operand) != 0 && slot_of(operand) >= PyObject_Length(found_in(types.ptr(), source)))
          return stop("slot", operand);
      } else if (PyObject_TypeCheck(operand, weight) && found_in(known.ptr(), operand) == nullptr) {
        return stop("parameter", operand);
      }
    }
    if (PySet_Add(seen.ptr(), object(node)) != 0) throw py::error_already_set();
    if (has_blocks(node)) return stop("blocks");
  }
  return stop("");
}

// typed(nodes, start, types, rows, others, inferred): goes on while nodes have the types that were inferred for nodes
// like them, and returns the number of one that Python has to look at; at the end the number of nodes in all.
size_t typed(const py::list& nodes, size_t start, const py::dict& types, const py::dict& rows, const py::dict& others,
             const py::dict& known) {
  for (; start < nodes.size(); ++start) {
    const NodeObject* const node = node_at(nodes, start);
    if (is_input(node)) continue;
    PyObject* op = found_in(rows.ptr(), node->op);
    if (op == nullptr) op = found_in(others.ptr(), node->op);
    if (op == nullptr || has_blocks(node)) break;
    const py::tuple key(static_cast<size_t>(PyTuple_GET_SIZE(node->inputs) + 2));
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(node->inputs); ++i)
      PyTuple_SET_ITEM(key.ptr(), i + 1, type_of(types.ptr(), PyTuple_GET_ITEM(node->inputs, i)).release().ptr());
    const py::object found = inferred(key, op, node->attrs, known.ptr());
    PyObject* const noted = found_in(types.ptr(), object(node));
    if (!found || noted == nullptr) break;
    const int same = found.ptr() == noted ? 1 : PyObject_RichCompareBool(found.ptr(), noted, Py_EQ);
    if (same < 0) throw py::error_already_set();
    if (same == 0) break;
  }
  return start;
}

// used(nodes, start, kind, found): enters the operands that are of a class in `found`, up to a node with blocks, whose
// operands are entered too, and returns its number.
size_t used(const py::list& nodes, size_t start, const py::type& kind, const py::dict& found) {
  auto* const type = reinterpret_cast<PyTypeObject*>(kind.ptr());
  for (; start < nodes.size(); ++start) {
    const NodeObject* const node = node_at(nodes, start);
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(node->inputs); ++i) {
      PyObject* const operand = PyTuple_GET_ITEM(node->inputs, i);
      if (!is_value(operand) && PyObject_TypeCheck(operand, type)) put(found.ptr(), operand, Py_None);
    }
    if (has_blocks(node)) break;
  }
  return start;
}

// flows(nodes, start, types, wanted): enters the floating-point results of nodes that have a wanted operand, up to a
// node with blocks, and returns its number.
size_t flows(const py::list& nodes, size_t start, const py::dict& types, const py::set& wanted) {
  for (; start < nodes.size(); ++start) {
    const NodeObject* const node = node_at(nodes, start);
    if (has_blocks(node)) break;
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(node->inputs); ++i) {
      PyObject* const operand = PyTuple_GET_ITEM(node->inputs, i);
      if (Py_TYPE(operand) == ir.literal || !in_set(wanted.ptr(), operand)) continue;
      const py::object result = owned(make_value(object(node), 0));
      const py::object dtype =
          py::reinterpret_borrow<py::object>(PyTuple_GET_ITEM(type_of(types.ptr(), result.ptr()).ptr(), 1));
      if (PyObject_IsTrue(attribute(dtype, ir.floating).ptr()) == 1 && PySet_Add(wanted.ptr(), result.ptr()) != 0)
        throw py::error_already_set();
      break;
    }
  }
  return start;
}

// live(nodes, end, taken, used, fresh, kept): goes backward from the node before `end` over nodes that lead to those
// taken, inputs, and those whose op is among the fresh ones; notes them in `kept` and what they take in `taken`, and
// the results of nodes with blocks in `used`. Stops at one with blocks that is live and returns its number + 1; 0 at
// the start.
size_t live(const py::list& nodes, size_t end, const py::set& taken, const py::set& used, const py::object& fresh,
            const py::list& kept) {
  for (; end > 0; --end) {
    const NodeObject* const node = node_at(nodes, end - 1);
    if (!in_set(taken.ptr(), object(node)) && !is_input(node) && !in_set(fresh.ptr(), node->op)) continue;
    if (has_blocks(node)) break;
    append(kept.ptr(), object(node));
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(node->inputs); ++i) {
      PyObject* const operand = PyTuple_GET_ITEM(node->inputs, i);
      if (!is_value(operand)) continue;
      if (PySet_Add(taken.ptr(), reinterpret_cast<PyObject*>(node_of(operand))) != 0) throw py::error_already_set();
      if (has_blocks(node_of(operand)) && PySet_Add(used.ptr(), operand) != 0) throw py::error_already_set();
    }
  }
  return end;
}

// Whether a setting may hold sizes that are no numbers.
bool may_hold_size(PyObject* value) {
  PyTypeObject* const kind = Py_TYPE(value);
  if (kind == &PyTuple_Type) {
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(value); ++i)
      if (may_hold_size(PyTuple_GET_ITEM(value, i))) return true;
    return false;
  }
  return kind != &PyLong_Type && kind != &PyUnicode_Type && kind != &PyBool_Type && kind != &PyFloat_Type &&
         value != Py_None;
}

// sized(nodes): those that may hold sizes that are no numbers: in settings, in literals, in blocks.
py::set sized(const py::list& nodes) {
  py::set found;
  for (size_t at = 0; at < nodes.size(); ++at) {
    const NodeObject* const node = node_at(nodes, at);
    bool holds = has_blocks(node) || !PyDict_Check(node->attrs);
    Py_ssize_t place = 0;
    PyObject* setting = nullptr;
    while (!holds && PyDict_Next(node->attrs, &place, nullptr, &setting) != 0) holds = may_hold_size(setting);
    for (Py_ssize_t i = 0; !holds && i < PyTuple_GET_SIZE(node->inputs); ++i) {
      PyObject* const operand = PyTuple_GET_ITEM(node->inputs, i);
      holds = Py_TYPE(operand) == ir.literal && may_hold_size(PyTuple_GET_ITEM(operand, 0));
    }
    if (holds && PySet_Add(found.ptr(), object(node)) != 0) throw py::error_already_set();
  }
  return found;
}

// -- the boundary: called for every node, where pybind11's way of passing arguments takes as long as the work -----

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

PyObject* now_boundary(PyObject* const* args) {
  if (!PyDict_Check(args[1]) || !PyDict_Check(args[2])) throw TypeError("now: expects dicts of nodes");
  return now(args[0], args[1], args[2]);
}

// PyMethodDef stores every calling convention as one function pointer type.
template <PyObject* (*f)(PyObject* const*), Py_ssize_t count>
PyMethodDef method(const char* name) {
  return {name, reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(boundary<f, count>)), METH_FASTCALL,
          nullptr};
}

}  // namespace

void bind_graphs(py::module_& m) {
  static PyMethodDef methods[] = {
      method<type_of_boundary, 2>("type_of"),  method<setting_key_boundary, 1>("setting_key"),
      method<signature, 3>("signature"),       method<emit, 10>("emit"),
      method<gradient_key, 4>("gradient_key"), method<replay_boundary, 6>("replay"),
      method<now_boundary, 3>("now"),          method<unique_boundary, 2>("unique"),
      {nullptr, nullptr, 0, nullptr}};
  if (PyModule_AddFunctions(m.ptr(), methods) != 0) throw py::error_already_set();
  m.def("keep", &keep);
  m.def("check", &check);
  m.def("typed", &typed);
  m.def("used", &used);
  m.def("flows", &flows);
  m.def("live", &live);
  m.def("carry", &carry);
  m.def("rewrite", &rewrite);
  m.def("sized", &sized);
  m.def("use_counts", &use_counts);
}

}  // namespace graphnet
