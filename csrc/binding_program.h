// Programs as Python sees them.
#pragma once

#include <mutex>
#include <tuple>
#include <utility>
#include <vector>

#include "binding.h"
#include "program.h"

namespace graphnet {

// A program, the memory that its views point into, and what a call of it takes and gives.
class PyProgram {
 public:
  struct Input {
    View type;
    int64_t bytes;
    int number;  // of the external memory
  };
  struct Output {
    View from;
    int number;  // -1: copied from where it is
  };
  using Range = std::pair<const char*, const char*>;

  int add(int id, const py::tuple& inputs, const py::tuple& outputs, const std::vector<double>& params);
  // Each operation is (kernel, operands, dtype of the result as in kernels.h); values are numbered, inputs first.
  int add_group(const py::tuple& inputs, const py::tuple& outputs,
                const std::vector<std::tuple<int, std::vector<int>, int>>& operations, const std::vector<int>& results);
  void set_params(int step, const std::vector<double>& params);

  int open_branch(const py::array& condition) { return program.open_branch(kept(condition, false)); }
  int open_while(const py::array& trips, int64_t limit) { return program.open_while(kept(trips, true), limit); }
  int open_repeat(const py::array& total, const py::array& trips, bool backward) {
    return program.open_repeat(kept(total, false), kept(trips, true), backward);
  }
  void middle(int step, const py::object& condition) {
    program.middle(step, condition.is_none() ? View{} : kept(condition, false));
  }
  void close(int step) { program.close(step); }
  int add_stack(const py::array& element) { return program.add_stack(kept(element, false)); }
  int push(int stack, int loop, const py::array& element) { return program.push(stack, loop, kept(element, false)); }
  int fetch(int stack, int loop, const py::array& element) { return program.fetch(stack, loop, kept(element, true)); }

  void keep(const py::object& memory) { kept_.append(memory); }
  // A step overwrites memory, and is to be found under a number.
  void note_update(int number, int step);
  // Memory that is read where it lies: of a tensor, which calls see to, or a constant's own.
  void note_constant(const py::object& constant, const py::object& array);

  Program program;
  std::mutex mutex;  // of a run: it writes the program's memory
  std::vector<Input> inputs;
  std::vector<Output> outputs;
  std::vector<std::pair<py::object, py::object>> constants;  // and the memory that they had
  std::vector<std::pair<int, int>> updates;                  // number, step
  std::vector<Range> written;                                // by updates, which may still read it as an input

 private:
  View kept(const py::object& object, bool output);

  py::list kept_;
};

void bind_builder(py::module_& m);
void bind_plans(py::module_& m);

}  // namespace graphnet
