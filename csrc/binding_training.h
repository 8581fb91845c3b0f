// What compiled training knows of an optimizer.
#pragma once

#include <array>
#include <vector>

#include "binding_tensor.h"
#include "program.h"

namespace graphnet {

// What an optimizer's update needs to know and to note, besides what its kernel does.
struct Update {
  int step;  // of the program
  py::object parameter;
  std::vector<std::array<py::object, 3>> kept;  // name, tensor, array: what is kept for the parameter
  int counted;                                  // which of the kernel's numbers is that of the optimizer's step, or -1

  py::object state;  // the optimizer's for this parameter, found anew for every call
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
    size_t parameters;

    bool same() const;
  };

  py::object optimizer_, groups_;
  py::object state_name_, groups_name_, step_name_;
  size_t group_count_;
  bool counts_;  // whether the number of updates is part of a parameter's state
  std::vector<Group> kept_;
  std::vector<Update> updates_;
};

}  // namespace graphnet
