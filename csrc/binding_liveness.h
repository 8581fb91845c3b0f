// When each value of a Python graph is in use, blocks included, and in whose memory it lies.
//
// What the table of operations says comes from Python, once for each operation; so does what a node with blocks needs,
// which Python tells through `own`, `give` and `use`. The rest is a walk over tens of thousands of nodes.
#pragma once

#include <climits>
#include <unordered_map>
#include <utility>
#include <vector>

#include "address_map.h"
#include "arena.h"
#include "binding_layouts.h"
#include "binding_nodes.h"

namespace graphnet {

class Liveness {
 public:
  enum class Kind : unsigned char { input, kernel, view, copied, update, source, group, control };

  // What the table says: `ordered` views are in row-major order where what they look at is.
  struct Op {
    bool fresh, source, view, packed, ordered, group;
    int overwrites;
  };

  // A node, and its operands as codes: a value's number, or -1 - n for number n among constants and literals.
  struct Item {
    NodeObject* node;
    int op, operand, operands;
    int value;  // its first result
    Kind kind;
    bool needed;
  };

  // A result of a node. It owns memory, or lies in that of `root`, which is a code.
  struct Value {
    enum class Order : unsigned char { no, yes, as_root };

    NodeObject* node;
    int slot;
    int item = -1;
    PyObject* type = nullptr;  // of one that owns memory
    int root = kNone, given = kNone;
    int first = 0, last = 0;
    bool owns = false;
    Order order = Order::yes;
    // Where it is, as far as that is known yet.
    char* data = nullptr;
    int layout = -1;
  };

  // A constant or literal, and its memory once that was asked for.
  struct Other {
    py::object operand, array;
    char* data = nullptr;
    int layout = -1;
    bool writeable = false;
  };

  static constexpr int kNone = INT_MIN;

  // `traits(name)` tells what the fields of Op are, in order.
  explicit Liveness(py::object traits) : traits_(std::move(traits)) {}

  // Goes through the nodes that lead to the outputs; `control(graph, node)` does for nodes of control flow. The first
  // graph is the whole, others are blocks of it.
  void visit(const py::object& graph, const py::object& outputs, const py::object& control);

  // A value has memory of its own from now on.
  void own(const py::handle& value, const py::handle& type);
  // Inputs of a block are what stands outside for them.
  void give(const py::list& inputs, const py::sequence& operands);
  void use(const py::sequence& operands);
  void advance() { ++now_; }

  bool owns(const py::handle& value);
  // The value in whose memory an operand lies, or the constant or literal that it is.
  py::object owner(const py::handle& operand);
  py::list steps(const py::handle& graph) const;
  std::vector<Buffer> buffers();

  // What a builder goes on with.
  int operand(const Item& item, int number) const {
    return operands[static_cast<size_t>(item.operand) + static_cast<size_t>(number)];
  }
  std::pair<int, int> block(const py::handle& graph) const;
  int code(const py::handle& operand);
  int root_of(int code) const { return code < 0 ? code : values[static_cast<size_t>(code)].root; }
  Value& value(int code) { return values[static_cast<size_t>(code)]; }
  Other& other(int code) { return others[static_cast<size_t>(-1 - code)]; }
  bool is_fresh(const Item& item) const { return ops_[static_cast<size_t>(item.op)].fresh; }
  bool is_source(int value) const;
  std::vector<int> inputs();  // of the whole graph, in their order
  // A constant with its memory.
  Other& loaded(int code);

  py::object graph;  // the whole
  std::vector<Item> items;
  std::vector<int> operands;
  std::vector<Value> values;
  std::vector<int> owners;  // values that own memory, in order of first use
  std::vector<Other> others;
  Layouts layouts;

 private:
  int op(PyObject* name);
  int add_values(NodeObject* node, Py_ssize_t count, int item);
  void read(const py::object& graph);
  void mark(size_t begin, const py::object& outputs);
  void define(size_t index, const py::object& graph, const py::object& control);
  void own(int value, PyObject* type);
  void lie_in(int value, int code, Value::Order order);
  void use(int code);
  bool row_major(int code);
  bool updated(int code) const;

  py::object traits_;
  py::object updates_;
  py::dict names_;  // of operations -> their numbers
  std::vector<Op> ops_;
  AddressMap nodes_;   // -> their first values
  AddressMap others_;  // constants and literals -> their numbers
  std::unordered_map<PyObject*, std::pair<int, int>> blocks_;
  int now_ = 0;
};

}  // namespace graphnet
