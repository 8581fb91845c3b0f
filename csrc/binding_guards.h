// What a compiled network was made with besides modules: entries of dicts, attributes of classes, closures, containers.
#pragma once

#include <pybind11/pybind11.h>

#include <vector>

namespace graphnet {

namespace py = pybind11;

class Guards {
 public:
  // Rows of (holder, key, value): a dict or class and a key, a cell and None, or a list or dict, None and a tuple of
  // all that it holds.
  explicit Guards(const py::list& rows);

  // Whether every value is the same object still.
  bool hold() const;

 private:
  enum class Kind { entry, attribute, cell, list, dict };
  struct Guard {
    Kind kind;
    py::object holder, key, value;

    bool holds() const;
  };

  std::vector<Guard> guards_;
};

void bind_guards(py::module_& m);

}  // namespace graphnet
