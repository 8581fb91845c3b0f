// Walks over the nodes of Python graphs, and copies of graphs with changes.
#include "binding_graphs.h"

namespace graphnet {
namespace {

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

PyObject* now_boundary(PyObject* const* args) {
  if (!PyDict_Check(args[1]) || !PyDict_Check(args[2])) throw TypeError("now: expects dicts of nodes");
  return now(args[0], args[1], args[2]);
}

}  // namespace

void bind_graphs(py::module_& m) {
  static PyMethodDef methods[] = {method<now_boundary, 3>("now"), {nullptr, nullptr, 0, nullptr}};
  if (PyModule_AddFunctions(m.ptr(), methods) != 0) throw py::error_already_set();
  m.def("keep", &keep);
  m.def("rewrite", &rewrite);
  m.def("use_counts", &use_counts);
  m.def("check", &check);
  m.def("typed", &typed);
  m.def("used", &used);
  m.def("flows", &flows);
  m.def("live", &live);
  m.def("sized", &sized);
}

}  // namespace graphnet
