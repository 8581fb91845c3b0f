// What a compiled network was made with besides modules: entries of dicts, attributes of classes, closures, containers.
#pragma once

#include <pybind11/pybind11.h>

#include <vector>

namespace graphnet {

namespace py = pybind11;

class Guards {
 public:
  // Rows of (holder, key, value): a dict or class and a key, a cell and None; a list, set, deque or dict, None and a
  // tuple of all that it holds; a tensor, None and its array; an array, None and a copy of it in row-major order; or
  // any object and the name of one of its slots.
  explicit Guards(const py::list& rows);

  // Whether every value is the same object still.
  bool hold() const;

 private:
  enum class Kind { entry, attribute, cell, list, set, sequence, dict, memory, content, member };
  struct Guard {
    Kind kind;
    py::object holder, key, value;

    bool holds() const;
  };

  std::vector<Guard> guards_;
};

void bind_guards(py::module_& m);

}  // namespace graphnet
