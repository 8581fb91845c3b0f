// The Python module: the only file that knows pybind11. Arrays are read through the fields of PyArrayObject, because
// run() is called once per operation and a py::array_t argument costs more than a small kernel.
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <exception>
#include <new>
#include <utility>
#include <vector>

#include "check.h"
#include "core.h"
#include "kernels.h"
#include "pool.h"
#include "probe.h"
#include "program.h"
#include "table.h"

namespace py = pybind11;
using namespace graphnet;

namespace {

constexpr int64_t kItemSize[kNumDTypes] = {4, 8, 4, 8, 1};

std::string text(PyObject* object) {
  const py::object str = py::reinterpret_steal<py::object>(PyObject_Str(object));
  if (!str) {
    PyErr_Clear();
    return "?";
  }
  return str.cast<std::string>();
}

std::string argument(const char* kernel, const char* kind, Py_ssize_t index) {
  return std::string(kernel) + ": " + kind + " " + std::to_string(index);
}

bool dtype_of(const py::detail::PyArrayDescr_Proxy* descr, DType* dtype) {
  if (descr->byteorder == '>') return false;
  switch (descr->kind) {
    case 'f':
      if (descr->type_num == py::detail::npy_api::NPY_FLOAT_) return *dtype = DType::f32, true;
      if (descr->type_num == py::detail::npy_api::NPY_DOUBLE_) return *dtype = DType::f64, true;
      return false;
    case 'i':
      if (descr->type_num == py::detail::npy_api::NPY_INT_) return *dtype = DType::i32, true;
      if (descr->type_num == py::detail::npy_api::NPY_LONG_)
        return *dtype = sizeof(long) == 8 ? DType::i64 : DType::i32, true;
      if (descr->type_num == py::detail::npy_api::NPY_LONGLONG_) return *dtype = DType::i64, true;
      return false;
    case 'b':
      return *dtype = DType::b8, true;
    default:
      return false;
  }
}

void parse_array(View& view, PyObject* object, bool output, const char* kernel, Py_ssize_t index, PyTypeObject* array) {
  const char* kind = output ? "output" : "input";
  if (Py_TYPE(object) != array && !PyType_IsSubtype(Py_TYPE(object), array))
    throw TypeError(argument(kernel, kind, index) + ": expected a numpy.ndarray, got " + Py_TYPE(object)->tp_name);
  const auto* proxy = py::detail::array_proxy(object);
  const auto* descr = py::detail::array_descriptor_proxy(proxy->descr);
  if (!dtype_of(descr, &view.dtype))
    throw TypeError(argument(kernel, kind, index) +
                    ": expected dtype float32, float64, int32, int64 or bool in native byte order, got " +
                    text(proxy->descr));
  if (proxy->nd > kMaxRank)
    throw ValueError(argument(kernel, kind, index) + ": expected rank 16 or less, got " + std::to_string(proxy->nd));
  if (output && !(proxy->flags & py::detail::npy_api::NPY_ARRAY_WRITEABLE_))
    throw ValueError(argument(kernel, kind, index) + ": expected a writeable array, got a read-only one");
  const int64_t size = kItemSize[static_cast<int>(view.dtype)];
  view.data = proxy->data;
  view.rank = proxy->nd;
  bool empty = false;
  for (int d = 0; d < view.rank; ++d) {
    view.shape[d] = proxy->dimensions[d];
    empty = empty || view.shape[d] == 0;
  }
  uint64_t misaligned = empty ? 0 : reinterpret_cast<uintptr_t>(proxy->data) & static_cast<uint64_t>(size - 1);
  for (int d = 0; d < view.rank; ++d) {
    if (view.shape[d] <= 1 || empty) {
      view.stride[d] = 0;
      continue;
    }
    const int64_t bytes = proxy->strides[d];
    misaligned |= static_cast<uint64_t>(bytes) & static_cast<uint64_t>(size - 1);
    view.stride[d] = bytes / size;
  }
  if (misaligned != 0)
    throw ValueError(argument(kernel, kind, index) + ": expected data and strides aligned to " + std::to_string(size) +
                     " bytes, got an unaligned array");
}

// Not a destructor's work: taking the GIL back in an interpreter that is shutting down ends the thread by unwinding it,
// and unwinding out of a destructor would abort the process.
void run_released(Kernel function, const Call& call) {
  PyThreadState* const state = PyEval_SaveThread();
  std::exception_ptr error;
  try {
    function(call);
  } catch (...) {
    error = std::current_exception();
  }
  PyEval_RestoreThread(state);
  if (error) std::rethrow_exception(error);
}

void parse_tuple(View* views, PyObject* tuple, bool output, const char* kernel, PyTypeObject* array) {
  const char* kind = output ? "outputs" : "inputs";
  if (!PyTuple_Check(tuple))
    throw TypeError(std::string(kernel) + ": " + kind + ": expected a tuple of arrays, got " + Py_TYPE(tuple)->tp_name);
  const Py_ssize_t n = PyTuple_GET_SIZE(tuple);
  if (n > kMaxArgs)
    throw ValueError(std::string(kernel) + ": " + kind + ": expected at most 64 arrays, got " + std::to_string(n));
  for (Py_ssize_t i = 0; i < n; ++i) parse_array(views[i], PyTuple_GET_ITEM(tuple, i), output, kernel, i, array);
}

std::vector<View> parse_views(const py::tuple& arrays, bool output, const char* kernel) {
  std::vector<View> views(arrays.size());
  if (arrays.size() > kMaxArgs) throw ValueError(std::string(kernel) + ": expected at most 64 arrays");
  PyTypeObject* const array = py::detail::npy_api::get().PyArray_Type_;
  parse_tuple(views.data(), arrays.ptr(), output, kernel, array);
  return views;
}

// A program and the arrays that its views point into.
class PyProgram {
 public:
  int add(int id, const py::tuple& inputs, const py::tuple& outputs, const std::vector<double>& params) {
    if (id < 0 || id >= kNumKernels) throw ValueError("Program.add: kernel: unknown id " + std::to_string(id));
    const char* const name = kernel_info(id).name;
    std::vector<View> in = parse_views(inputs, false, name);
    std::vector<View> out = parse_views(outputs, true, name);
    const int step = program_.add(id, std::move(in), std::move(out), params);
    arrays_.append(inputs);
    arrays_.append(outputs);
    return step;
  }

  void set_params(int step, const std::vector<double>& params) {
    check_step(step);
    program_.set_params(step, params);
  }

  int open_branch(const py::array& condition) { return program_.open_branch(kept(condition, false)); }
  int open_while(const py::array& trips, int64_t limit) { return program_.open_while(kept(trips, true), limit); }
  int open_repeat(const py::array& total, const py::array& trips, bool backward) {
    return program_.open_repeat(kept(total, false), kept(trips, true), backward);
  }
  void middle(int step, const py::object& condition) {
    program_.middle(step, condition.is_none() ? View{} : kept(condition, false));
  }
  void close(int step) { program_.close(step); }
  int add_stack(const py::array& element) { return program_.add_stack(kept(element, false)); }
  int push(int stack, int loop, const py::array& element) { return program_.push(stack, loop, kept(element, false)); }
  int fetch(int stack, int loop, const py::array& element) { return program_.fetch(stack, loop, kept(element, true)); }
  int64_t stacked() const { return program_.stacked(); }

  // `sources` replace the inputs of the first steps, which copy them into the program's own memory.
  void run(const py::tuple& sources) {
    PyTypeObject* const array = py::detail::npy_api::get().PyArray_Type_;
    const std::vector<View> before = current_sources(static_cast<int>(sources.size()));
    View view;
    for (size_t i = 0; i < sources.size(); ++i) {
      parse_array(view, PyTuple_GET_ITEM(sources.ptr(), static_cast<Py_ssize_t>(i)), false, "program",
                  static_cast<Py_ssize_t>(i), array);
      program_.set_source(static_cast<int>(i), view);
    }
    PyThreadState* state = PyEval_SaveThread();  // as in run_released
    std::exception_ptr error;
    bool interrupted = false;
    // A long loop lets Ctrl-C through: its handler runs here, and the error it set stays with the thread.
    const auto poll = [&] {
      PyEval_RestoreThread(state);
      interrupted = PyErr_CheckSignals() != 0;
      state = PyEval_SaveThread();
      if (interrupted) throw std::runtime_error("interrupted");
    };
    try {
      program_.run(poll);
    } catch (...) {
      error = std::current_exception();
    }
    PyEval_RestoreThread(state);
    for (size_t i = 0; i < before.size(); ++i) program_.set_source(static_cast<int>(i), before[i]);
    if (interrupted) throw py::error_already_set();
    if (error) std::rethrow_exception(error);
  }

  int size() const { return program_.size(); }
  int failed() const { return program_.failed(); }

 private:
  View kept(const py::object& object, bool output) {
    View view;
    parse_array(view, object.ptr(), output, "program", 0, py::detail::npy_api::get().PyArray_Type_);
    arrays_.append(object);
    return view;
  }

  void check_step(int step) const {
    if (step < 0 || step >= program_.size()) throw ValueError("Program: no step " + std::to_string(step));
  }

  std::vector<View> current_sources(int count) const {
    std::vector<View> views;
    for (int i = 0; i < count; ++i) {
      check_step(i);
      views.push_back(program_.source(i));
    }
    return views;
  }

  Program program_;
  py::list arrays_;
};

void run(PyObject* const* args, Py_ssize_t nargs) {
  if (nargs != 4)
    throw TypeError("run: expected (kernel, inputs, outputs, params), got " + std::to_string(nargs) + " arguments");
  const long id = PyLong_AsLong(args[0]);
  if (id == -1 && PyErr_Occurred()) {
    PyErr_Clear();
    throw TypeError(std::string("run: kernel: expected an id from kernel_ids(), got ") + Py_TYPE(args[0])->tp_name);
  }
  if (id < 0 || id >= kNumKernels)
    throw ValueError("run: kernel: expected an id from 0 to " + std::to_string(kNumKernels - 1) + ", got " +
                     std::to_string(id));
  const KernelInfo& info = kernel_info(static_cast<int>(id));
  PyTypeObject* array = py::detail::npy_api::get().PyArray_Type_;

  View in[kMaxArgs], out[4];
  double params[kMaxParams];
  parse_tuple(in, args[1], false, info.name, array);
  if (PyTuple_Check(args[2]) && PyTuple_GET_SIZE(args[2]) > 4)
    throw ValueError(std::string(info.name) + ": outputs: expected at most 4, got " +
                     std::to_string(PyTuple_GET_SIZE(args[2])));
  parse_tuple(out, args[2], true, info.name, array);
  if (!PyTuple_Check(args[3]))
    throw TypeError(std::string(info.name) + ": params: expected a tuple of numbers, got " + Py_TYPE(args[3])->tp_name);
  const Py_ssize_t nparams = PyTuple_GET_SIZE(args[3]);
  if (nparams > kMaxParams)
    throw ValueError(std::string(info.name) + ": params: expected at most 32, got " + std::to_string(nparams));
  for (Py_ssize_t i = 0; i < nparams; ++i) {
    params[i] = PyFloat_AsDouble(PyTuple_GET_ITEM(args[3], i));
    if (params[i] == -1.0 && PyErr_Occurred()) {
      PyErr_Clear();
      throw TypeError(argument(info.name, "parameter", i) + ": expected a number, got " +
                      Py_TYPE(PyTuple_GET_ITEM(args[3], i))->tp_name);
    }
  }
  const Call call{in,       static_cast<int>(PyTuple_GET_SIZE(args[1])),
                  out,      static_cast<int>(PyTuple_GET_SIZE(args[2])),
                  params,   static_cast<int>(nparams),
                  info.name};
  check_call(call, info);
  run_released(kernel(static_cast<int>(id)), call);
}

PyObject* run_boundary(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  try {
    run(args, nargs);
    Py_RETURN_NONE;
  } catch (const TypeError& e) {
    PyErr_SetString(PyExc_TypeError, e.what());
  } catch (const ValueError& e) {
    PyErr_SetString(PyExc_ValueError, e.what());
  } catch (const IndexError& e) {
    PyErr_SetString(PyExc_IndexError, e.what());
  } catch (const std::bad_alloc&) {
    PyErr_NoMemory();
  } catch (const std::exception& e) {
    PyErr_SetString(PyExc_RuntimeError, e.what());
  }
  return nullptr;
}

// PyMethodDef stores every calling convention as one function pointer type.
PyMethodDef kRun[] = {
    {"run", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(run_boundary)), METH_FASTCALL,
     "run(kernel, inputs, outputs, params)\n--\n\nRun a kernel by id. Arrays are checked; the GIL is released once."},
    {nullptr, nullptr, 0, nullptr}};

const char* compiler() {
#if defined(__clang__)
  return "clang " __clang_version__;
#elif defined(__GNUC__)
  return "gcc " __VERSION__;
#else
  return "unknown";
#endif
}

void set_precision(const std::string& name) {
  const char* const names[] = {"highest", "high", "medium"};
  for (int i = 0; i < 3; ++i)
    if (name == names[i]) return set_matmul_precision(i);
  throw ValueError("matmul precision: expected highest, high or medium, got '" + name + "'");
}

std::string get_precision() {
  const char* const names[] = {"highest", "high", "medium"};
  return names[matmul_precision()];
}

}  // namespace

PYBIND11_MODULE(_core, m) {
  m.doc() = "graphnet's kernels";
  try {
    choose_target();
  } catch (const ValueError& e) {
    throw py::import_error(e.what());
  }
  py::detail::npy_api::get();  // imports NumPy now, so that run() needs no look-up
  if (PyModule_AddFunctions(m.ptr(), kRun) != 0) throw py::error_already_set();

  m.def("kernel_ids", [] {
    py::dict ids;
    for (int i = 0; i < kNumKernels; ++i) ids[kernel_info(i).name] = i;
    return ids;
  });
  m.def("targets", &targets);
  m.def("target", &target);
  m.def("set_target", &set_target, py::arg("name"));
  m.def("get_num_threads", &num_threads);
  m.def(
      "set_num_threads",
      [](int n) {
        if (n < 1) throw ValueError("set_num_threads: expected 1 or more, got " + std::to_string(n));
        set_num_threads(n);
      },
      py::arg("n"));
  py::class_<PyProgram>(m, "Program", "Kernel calls in order, prepared once and run with the GIL released.")
      .def(py::init<>())
      .def("add", &PyProgram::add, py::arg("kernel"), py::arg("inputs"), py::arg("outputs"), py::arg("params"))
      .def("set_params", &PyProgram::set_params, py::arg("step"), py::arg("params"))
      .def("open_branch", &PyProgram::open_branch, py::arg("condition"))
      .def("open_while", &PyProgram::open_while, py::arg("trips"), py::arg("limit"))
      .def("open_repeat", &PyProgram::open_repeat, py::arg("total"), py::arg("trips"), py::arg("backward"))
      .def("middle", &PyProgram::middle, py::arg("step"), py::arg("condition"))
      .def("close", &PyProgram::close, py::arg("step"))
      .def("add_stack", &PyProgram::add_stack, py::arg("element"))
      .def("push", &PyProgram::push, py::arg("stack"), py::arg("loop"), py::arg("element"))
      .def("fetch", &PyProgram::fetch, py::arg("stack"), py::arg("loop"), py::arg("element"))
      .def("run", &PyProgram::run, py::arg("sources"))
      .def_property_readonly("stacked", &PyProgram::stacked)
      .def_property_readonly("size", &PyProgram::size)
      .def_property_readonly("failed", &PyProgram::failed);
  m.def("set_matmul_precision", &set_precision, py::arg("precision"));
  m.def("get_matmul_precision", &get_precision);
  m.def("probe", [] {
    Probe p;
    {
      const py::gil_scoped_release released;
      p = probe();
    }
    return py::make_tuple(p.round_trip_ns, p.fma_gflops[0], p.fma_gflops[1]);
  });
  m.def("config", [] {
    py::dict d;
    d["target"] = target();
    d["targets"] = targets();
    d["threads"] = num_threads();
    d["compiler"] = compiler();
    d["version"] = GRAPHNET_VERSION;
    d["build_type"] = GRAPHNET_BUILD_TYPE;
    return d;
  });
}
