#include "binding_liveness.h"

#include <algorithm>
#include <tuple>

#include "binding_tensor.h"

namespace graphnet {
namespace {

using Order = Liveness::Value::Order;

py::object owned(PyObject* made) {
  if (made == nullptr) throw py::error_already_set();
  return py::reinterpret_steal<py::object>(made);
}

// The types of a node's results, borrowed.
PyObject* types_of(const py::dict& types, NodeObject* node) {
  PyObject* const found = PyDict_GetItemWithError(types.ptr(), reinterpret_cast<PyObject*>(node));
  if (found == nullptr || !PyTuple_Check(found) || PyTuple_GET_SIZE(found) == 0) {
    if (PyErr_Occurred() != nullptr) throw py::error_already_set();
    throw ValueError("a node without types");
  }
  return found;
}

}  // namespace

int Liveness::op(PyObject* name) {
  if (PyObject* const known = PyDict_GetItemWithError(names_.ptr(), name))
    return static_cast<int>(PyLong_AsLong(known));
  const py::tuple t = traits_(py::handle(name));
  ops_.push_back({t[0].cast<bool>(), t[1].cast<bool>(), t[2].cast<bool>(), t[3].cast<bool>(), t[4].cast<bool>(),
                  t[5].cast<bool>(), t[6].cast<int>()});
  const int number = static_cast<int>(ops_.size()) - 1;
  names_[py::handle(name)] = number;
  return number;
}

int Liveness::add_values(NodeObject* node, Py_ssize_t count, int item) {
  const int first = static_cast<int>(values.size());
  for (Py_ssize_t slot = 0; slot < count; ++slot) values.push_back({node, static_cast<int>(slot), item});
  nodes_.insert(node, first);
  return first;
}

int Liveness::code(const py::handle& operand) {
  if (is_value(operand.ptr())) {
    const int first = nodes_.find(node_of(operand.ptr()));
    const Py_ssize_t at = first + slot_of(operand.ptr());
    if (first < 0 || at < first || at >= static_cast<Py_ssize_t>(values.size()) ||
        values[static_cast<size_t>(at)].node != node_of(operand.ptr()))
      throw ValueError("an operand that is not in the graph");
    return static_cast<int>(at);
  }
  int found = others_.find(operand.ptr());
  if (found < 0) {
    found = static_cast<int>(others.size());
    others.push_back({py::reinterpret_borrow<py::object>(operand), {}, nullptr, -1, false});
    others_.insert(operand.ptr(), found);
  }
  return -1 - found;
}

Liveness::Other& Liveness::loaded(int code) {
  Other& constant = other(code);
  if (constant.array) return constant;
  PyTypeObject* const array = py::detail::npy_api::get().PyArray_Type_;
  PyObject* known = nullptr;  // the usual case, without a call
  if (layout.tensor != nullptr && PyObject_TypeCheck(constant.operand.ptr(), layout.tensor))
    known = slot(constant.operand.ptr(), layout.array);
  constant.array = known != nullptr && Py_TYPE(known) == array ? py::reinterpret_borrow<py::object>(known)
                                                               : constant.operand.attr("_values")();
  if (!PyObject_TypeCheck(constant.array.ptr(), array)) throw TypeError("a constant's memory is an array");
  const auto* const proxy = py::detail::array_proxy(constant.array.ptr());
  constant.data = proxy->data;
  constant.writeable = (proxy->flags & py::detail::npy_api::NPY_ARRAY_WRITEABLE_) != 0;
  constant.layout = layouts.of_array(constant.array.ptr());
  return constant;
}

// -- reading ------------------------------------------------------------------------------------------------------

void Liveness::read(const py::object& graph) {
  const py::object nodes = owned(PyObject_GetAttr(graph.ptr(), ir.nodes));
  const py::dict types = owned(PyObject_GetAttr(graph.ptr(), ir.table));
  if (!PyList_Check(nodes.ptr())) throw TypeError("a graph has a list of nodes");
  const auto size = static_cast<size_t>(PyList_GET_SIZE(nodes.ptr()));
  nodes_.reserve(size);
  values.reserve(values.size() + size);
  items.reserve(items.size() + size);
  operands.reserve(operands.size() + 3 * size);
  for (const py::handle object : py::reinterpret_borrow<py::list>(nodes)) {
    if (!is_node(object.ptr())) throw TypeError("a graph holds nodes");
    auto* const node = reinterpret_cast<NodeObject*>(object.ptr());
    const Py_ssize_t count = PyTuple_GET_SIZE(node->inputs);
    Item item{node, op(node->op), static_cast<int>(operands.size()), static_cast<int>(count), 0, Kind::kernel, false};
    const Op& row = ops_[static_cast<size_t>(item.op)];
    const bool blocks = PyTuple_GET_SIZE(node->blocks) != 0;
    if (blocks) item.kind = row.group ? Kind::group : Kind::control;
    if (PyUnicode_CompareWithASCIIString(node->op, "input") == 0) item.kind = Kind::input;
    if (row.source) item.kind = Kind::source;
    for (Py_ssize_t i = 0; i < count; ++i) operands.push_back(code(PyTuple_GET_ITEM(node->inputs, i)));
    const int index = static_cast<int>(items.size());
    item.value = nodes_.find(node);  // an input of a block has one already
    if (item.value < 0) item.value = add_values(node, blocks ? PyTuple_GET_SIZE(types_of(types, node)) : 1, index);
    values[static_cast<size_t>(item.value)].item = index;
    items.push_back(item);
  }
}

// Which nodes lead to the outputs; inputs do, and what is drawn anew at every run.
void Liveness::mark(size_t begin, const py::object& outputs) {
  const auto want = [this, begin](int code) {
    if (code >= 0 && value(code).item >= static_cast<int>(begin))
      items[static_cast<size_t>(value(code).item)].needed = true;
  };
  for (const py::handle output : outputs) want(code(output));
  for (size_t i = items.size(); i-- > begin;) {
    Item& item = items[i];
    if (item.kind == Kind::input || ops_[static_cast<size_t>(item.op)].fresh) item.needed = true;
    if (!item.needed) continue;
    for (int j = 0; j < item.operands; ++j) want(operand(item, j));
  }
}

// -- walking ------------------------------------------------------------------------------------------------------

void Liveness::visit(const py::object& inner, const py::object& outputs, const py::object& control) {
  if (!graph) {
    graph = inner;
    updates_ = graph.attr("updates");
  }
  const size_t begin = items.size();
  read(inner);
  mark(begin, outputs);
  const size_t end = items.size();
  blocks_[inner.ptr()] = {static_cast<int>(begin), static_cast<int>(end)};
  for (size_t i = begin; i < end; ++i) {
    if (!items[i].needed) continue;
    ++now_;
    for (int j = 0; j < items[i].operands; ++j) use(operand(items[i], j));
    define(i, inner, control);
  }
  ++now_;
}

void Liveness::define(size_t index, const py::object& inner, const py::object& control) {
  Item& item = items[index];
  const py::dict types = owned(PyObject_GetAttr(inner.ptr(), ir.table));
  if (item.kind == Kind::control) {
    control(inner, py::handle(reinterpret_cast<PyObject*>(item.node)));  // which may add to the items
    return;
  }
  if (item.kind == Kind::input && !inner.is(graph)) return;
  PyObject* const result = types_of(types, item.node);
  if (item.kind == Kind::group) {
    for (Py_ssize_t slot = 0; slot < PyTuple_GET_SIZE(result); ++slot)
      own(item.value + static_cast<int>(slot), PyTuple_GET_ITEM(result, slot));
    return;
  }
  const Op& row = ops_[static_cast<size_t>(item.op)];
  if (row.overwrites >= 0 && row.overwrites < item.operands) {
    item.kind = Kind::update;
    lie_in(item.value, operand(item, row.overwrites), Order::no);
    return;
  }
  if (row.view && item.operands > 0) {
    // A view, but not where that would have to be packed first, or where the old value is gone after a run.
    const int code = operand(item, 0);
    item.kind = updated(code) || (row.packed && !row_major(code)) ? Kind::copied : Kind::view;
    if (item.kind == Kind::view) {
      Order order = Order::no;
      if (row.packed) order = Order::yes;
      if (row.ordered && !row.packed) order = code < 0 ? Order::as_root : value(code).order;
      lie_in(item.value, code, order);
      return;
    }
  }
  own(item.value, PyTuple_GET_ITEM(result, 0));
  Value& made = value(item.value);
  if (item.kind == Kind::source) made.order = Order::no;
  if (item.kind == Kind::input) made.first = 0;
}

void Liveness::own(int number, PyObject* type) {
  Value& made = value(number);
  made.type = type;
  made.root = number;
  made.owns = true;
  made.first = made.last = now_;
  owners.push_back(number);
}

void Liveness::lie_in(int number, int code, Order order) {
  Value& made = value(number);
  made.given = code;
  made.root = root_of(code);
  made.order = order;
}

void Liveness::use(int code) {
  const int root = root_of(code);
  if (root >= 0 && value(root).owns) value(root).last = now_;
}

bool Liveness::row_major(int code) {
  if (code >= 0 && value(code).order != Order::as_root) return value(code).order == Order::yes;
  const int root = root_of(code);
  if (Py_TYPE(other(root).operand.ptr()) == ir.literal) return true;
  constexpr int kContiguous = py::detail::npy_api::NPY_ARRAY_C_CONTIGUOUS_;
  return (py::detail::array_proxy(loaded(root).array.ptr())->flags & kContiguous) != 0;
}

bool Liveness::updated(int code) const {
  if (code >= 0 || PyDict_GET_SIZE(updates_.ptr()) == 0) return false;
  const int found = PyDict_Contains(updates_.ptr(), others[static_cast<size_t>(-1 - code)].operand.ptr());
  if (found < 0) throw py::error_already_set();
  return found == 1;
}

// -- what Python tells of control flow ------------------------------------------------------------------------------

void Liveness::own(const py::handle& value, const py::handle& type) {
  if (is_value(value.ptr()) && nodes_.find(node_of(value.ptr())) < 0) add_values(node_of(value.ptr()), 1, -1);
  own(code(value), type.ptr());
}

void Liveness::give(const py::list& inputs, const py::sequence& operands) {
  for (size_t i = 0; i < inputs.size(); ++i) {
    const py::object object = inputs[i], operand = operands[i];
    if (!is_node(object.ptr())) throw TypeError("a block's inputs are nodes");
    auto* const node = reinterpret_cast<NodeObject*>(object.ptr());
    const int outside = code(operand), known = nodes_.find(node);
    lie_in(known < 0 ? add_values(node, 1, -1) : known, outside, outside < 0 ? Order::as_root : value(outside).order);
  }
}

void Liveness::use(const py::sequence& operands) {
  for (const py::handle operand : operands) use(code(operand));
}

bool Liveness::owns(const py::handle& operand) {
  const int number = code(operand);
  return number >= 0 && value(number).owns;
}

py::object Liveness::owner(const py::handle& operand) {
  const int number = code(operand);
  const int root = root_of(number) == kNone ? number : root_of(number);
  if (root < 0) return other(root).operand;
  return owned(make_value(reinterpret_cast<PyObject*>(value(root).node), value(root).slot));
}

// -- what was found ---------------------------------------------------------------------------------------------------

std::pair<int, int> Liveness::block(const py::handle& inner) const {
  const auto found = blocks_.find(inner.ptr());
  if (found == blocks_.end()) throw ValueError("a graph that was not looked at");
  return found->second;
}

bool Liveness::is_source(int value) const {
  const int item = values[static_cast<size_t>(value)].item;
  return item >= 0 && items[static_cast<size_t>(item)].kind == Kind::source;
}

std::vector<int> Liveness::inputs() {
  std::vector<int> found;
  for (const py::handle node : graph.attr("inputs")) found.push_back(nodes_.find(node.ptr()));
  if (std::count(found.begin(), found.end(), -1) != 0) throw ValueError("an input that is not in the graph");
  return found;
}

py::list Liveness::steps(const py::handle& inner) const {
  const auto [begin, end] = block(inner);
  py::list found;
  for (int i = begin; i < end; ++i) {
    const Item& item = items[static_cast<size_t>(i)];
    if (item.needed) found.append(py::handle(reinterpret_cast<PyObject*>(item.node)));
  }
  return found;
}

std::vector<Buffer> Liveness::buffers() {
  std::vector<Buffer> found;
  found.reserve(owners.size());
  for (const int number : owners) {
    const Value& owner = value(number);
    const ArrayLayout& memory = layouts[layouts.of_type(owner.type)];
    found.push_back({memory.end - memory.begin, owner.first, owner.last});
  }
  return found;
}

}  // namespace graphnet
