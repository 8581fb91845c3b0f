// What compiled training knows of an optimizer.
#pragma once

#include <array>
#include <vector>

#include "binding_tensor.h"
#include "program.h"

namespace graphnet {

// The number of a dictionary's state, another one after each change; 0 where Python keeps none.
inline uint64_t dict_version(PyObject* dict) {
#if PY_VERSION_HEX < 0x030C0000
  return reinterpret_cast<PyDictObject*>(dict)->ma_version_tag;
#else
  static_cast<void>(dict);
  return 0;
#endif
}

// Whether a dictionary is as it was when it was last found to be right.
class DictWatch {
 public:
  bool same(PyObject* dict) const { return version_ != 0 && dict_version(dict) == version_; }
  void note(PyObject* dict) { version_ = dict_version(dict); }

 private:
  uint64_t version_ = 0;
};

// What an optimizer's update needs to know and to note, besides what its kernel does.
struct Update {
  int step;  // of the program
  py::object parameter;
  std::vector<std::array<py::object, 3>> kept;  // name, tensor, array: what is kept for the parameter
  int counted;                                  // which of the kernel's numbers is that of the optimizer's step, or -1
  py::object told;                              // an array for the next line, or None
  const bool* chosen;                           // whether the last run made it; null where every run does

  py::object state;  // the optimizer's for this parameter
  DictWatch watch;   // of the state
  long long done;
};

// Training: whether the optimizer is as it was when the plan was made, and its books.
class Training {
 public:
  Training(py::object optimizer, const py::list& groups, const py::list& updates, bool counts);

  // Whether everything is as planned. Allocates nothing that Python's collector looks at.
  bool ready();
  void set_step_numbers(Program& program) const;
  // Notes that every parameter was updated; false with a Python error set.
  bool advance();

 private:
  struct Group {
    py::object dict;
    std::vector<py::object> values;
    std::vector<PyObject*> lists;  // those among the values
    size_t parameters;
    DictWatch watch;

    bool same();
  };

  py::object optimizer_, groups_;
  py::object state_name_, groups_name_, step_name_;
  size_t group_count_;
  bool counts_;  // whether the number of updates is part of a parameter's state
  std::vector<Group> kept_;
  DictWatch watch_;  // of the optimizer's state
  std::vector<Update> updates_;
};

}  // namespace graphnet
