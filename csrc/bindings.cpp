// The Python module. Only this file and those that include binding.h know pybind11.
#include <pybind11/stl.h>

#include <utility>
#include <vector>

#include "binding.h"
#include "check.h"
#include "core.h"
#include "kernels.h"
#include "pool.h"
#include "probe.h"
#include "table.h"

using namespace graphnet;

namespace {

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
  run_released([&] { kernel(static_cast<int>(id))(call); });
}

PyObject* run_boundary(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  try {
    run(args, nargs);
    Py_RETURN_NONE;
  } catch (...) {
    set_error();
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
  bind_programs(m);
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
