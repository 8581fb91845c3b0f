#include "binding_program.h"

#include <pybind11/stl.h>

#include <string>

#include "binding_layouts.h"
#include "binding_tensor.h"
#include "check.h"
#include "kernels.h"
#include "table.h"

namespace graphnet {

int PyProgram::add(int id, const py::tuple& inputs, const py::tuple& outputs, const std::vector<double>& params) {
  if (id < 0 || id >= kNumKernels) throw ValueError("Program.add: kernel: unknown id " + std::to_string(id));
  const char* const name = kernel_info(id).name;
  const std::vector<View> in = parse_views(inputs, false, name), out = parse_views(outputs, true, name);
  const int step = program.add(id, {in.data(), static_cast<int>(in.size()), out.data(), static_cast<int>(out.size()),
                                    params.data(), static_cast<int>(params.size()), name});
  keep(inputs);
  keep(outputs);
  return step;
}

void PyProgram::note_update(int number, int step) {
  if (step < 0 || step >= program.size()) throw ValueError("Program: no step " + std::to_string(step));
  const Call call = program.call(step);
  updates.emplace_back(number, step);
  for (int i = 0; i < call.nout; ++i) {
    const auto [begin, end] = covered(call.out[i]);
    const char* const data = static_cast<const char*>(call.out[i].data);
    written.emplace_back(data + begin, data + end);
  }
}

void PyProgram::note_constant(const py::object& constant, const py::object& array) {
  if (layout.tensor != nullptr && PyObject_TypeCheck(constant.ptr(), layout.tensor))
    constants.emplace_back(constant, array);
  else
    keep(array);
}

int PyProgram::add_group(const py::tuple& inputs, const py::tuple& outputs,
                         const std::vector<std::tuple<int, std::vector<int>, int>>& operations,
                         const std::vector<int>& results) {
  std::vector<Group::Operation> parsed;
  for (const auto& [kernel, in, dtype] : operations) {
    if (dtype < 0 || dtype >= kNumDTypes) throw ValueError("Program.add_group: unknown dtype");
    parsed.push_back({kernel, in, static_cast<DType>(dtype)});
  }
  const int step = program.add_group(parse_views(inputs, false, "elementwise"),
                                     parse_views(outputs, true, "elementwise"), parsed, results);
  keep(inputs);
  keep(outputs);
  return step;
}

void PyProgram::set_params(int step, const std::vector<double>& params) {
  if (step < 0 || step >= program.size()) throw ValueError("Program: no step " + std::to_string(step));
  program.set_params(step, params);
}

View PyProgram::kept(const py::object& object, bool output) {
  View view;
  parse_array(view, object.ptr(), output, "program", 0, py::detail::npy_api::get().PyArray_Type_);
  keep(object);
  return view;
}

void bind_programs(py::module_& m) {
  py::class_<PyProgram>(m, "Program", "Instructions in order, prepared once and run with the GIL released.")
      .def(py::init<>())
      .def("add", &PyProgram::add, py::arg("kernel"), py::arg("inputs"), py::arg("outputs"), py::arg("params"))
      .def("note_update", &PyProgram::note_update, py::arg("number"), py::arg("step"))
      .def("add_group", &PyProgram::add_group, py::arg("inputs"), py::arg("outputs"), py::arg("operations"),
           py::arg("results"))
      .def("set_params", &PyProgram::set_params, py::arg("step"), py::arg("params"))
      .def("open_branch", &PyProgram::open_branch, py::arg("condition"))
      .def("open_while", &PyProgram::open_while, py::arg("trips"), py::arg("limit"))
      .def("open_repeat", &PyProgram::open_repeat, py::arg("total"), py::arg("trips"), py::arg("backward"))
      .def("middle", &PyProgram::middle, py::arg("step"), py::arg("condition"))
      .def("close", &PyProgram::close, py::arg("step"))
      .def("add_stack", &PyProgram::add_stack, py::arg("element"))
      .def("push", &PyProgram::push, py::arg("stack"), py::arg("loop"), py::arg("element"))
      .def("fetch", &PyProgram::fetch, py::arg("stack"), py::arg("loop"), py::arg("element"))
      .def("updates",
           [](const PyProgram& p) {
             py::dict steps;
             for (const auto& [number, step] : p.updates) steps[py::int_(number)] = step;
             return steps;
           })
      .def_property_readonly("stacked", [](const PyProgram& p) { return p.program.stacked(); })
      .def_property_readonly("size", [](const PyProgram& p) { return p.program.size(); });
}

}  // namespace graphnet
