// The Python module. Only this file and those that include binding.h know pybind11.
#include <pybind11/stl.h>

#include <utility>
#include <vector>

#include "binding.h"
#include "binding_guards.h"
#include "binding_nodes.h"
#include "binding_program.h"
#include "check.h"
#include "core.h"
#include "kernels.h"
#include "pool.h"
#include "probe.h"
#include "product.h"
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

// Below this many multiply-adds (some 20 us) the lock is kept: giving it up and taking it back costs a tenth of a small
// product, and others wait for it longer at every switch of threads.
constexpr double kReleaseWork = 1 << 20;

struct Plain {
  char* data;
  int64_t rows, cols, row, col;  // strides in elements
};

// A matrix that needs no more checks than these; anything else is run()'s, which says what is wrong with it.
bool plain_matrix(PyObject* object, PyTypeObject* array, int type, int shift, Plain* m) {
  constexpr int kAligned = 0x0100;  // NPY_ARRAY_ALIGNED
  if (Py_TYPE(object) != array) return false;
  const auto* proxy = py::detail::array_proxy(object);
  const auto* descr = py::detail::array_descriptor_proxy(proxy->descr);
  if (proxy->nd != 2 || descr->type_num != type || descr->byteorder == '>' || !(proxy->flags & kAligned)) return false;
  // As in a View: where there is one row or column, its stride is 0.
  const int64_t rows = proxy->dimensions[0], cols = proxy->dimensions[1];
  const int64_t row = rows == 1 ? 0 : proxy->strides[0], col = cols == 1 ? 0 : proxy->strides[1];
  *m = {proxy->data, rows, cols, row >> shift, col >> shift};
  return rows > 0 && cols > 0 && ((row | col) & ((int64_t{1} << shift) - 1)) == 0;
}

// Whether two matrices with non-negative strides lie apart in memory.
bool apart(const Plain& x, const Plain& y, int64_t item) {
  const auto end = [item](const Plain& m) { return m.data + ((m.rows - 1) * m.row + (m.cols - 1) * m.col + 1) * item; };
  return x.row >= 0 && x.col >= 0 && (end(x) <= y.data || end(y) <= x.data);
}

// matmul(a, b, out): True where it was the plain case of three matrices, and done; False leaves it to run().
PyObject* matmul_boundary(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  PyTypeObject* const array = py::detail::npy_api::get().PyArray_Type_;
  if (nargs != 3 || Py_TYPE(args[2]) != array) Py_RETURN_FALSE;
  const auto* out = py::detail::array_proxy(args[2]);
  const int type = py::detail::array_descriptor_proxy(out->descr)->type_num;
  const bool single = type == py::detail::npy_api::NPY_FLOAT_;
  if (!single && type != py::detail::npy_api::NPY_DOUBLE_) Py_RETURN_FALSE;
  const DType dtype = single ? DType::f32 : DType::f64;
  const int shift = single ? 2 : 3;
  const ProductFunction f = product_function(dtype);
  Plain a, b, c;
  if (f == nullptr || !(out->flags & py::detail::npy_api::NPY_ARRAY_WRITEABLE_) ||
      !plain_matrix(args[0], array, type, shift, &a) || !plain_matrix(args[1], array, type, shift, &b) ||
      !plain_matrix(args[2], array, type, shift, &c) || b.rows != a.cols || c.rows != a.rows || c.cols != b.cols ||
      (c.cols > 1 && c.col != 1) || (c.rows > 1 && c.row < c.cols) || !apart(a, c, int64_t{1} << shift) ||
      !apart(b, c, int64_t{1} << shift))
    Py_RETURN_FALSE;
  const Product p{a.rows, b.cols, a.cols, a.data, a.row, a.col,   b.data,
                  b.row,  b.col,  c.data, c.row,  false, nullptr, false};
  const double work = static_cast<double>(p.m) * static_cast<double>(p.n) * static_cast<double>(p.k);
  try {
    if (work < kReleaseWork) {
      run_product(p, dtype, f);
    } else {
      PyThreadState* const state = PyEval_SaveThread();  // as in run_released
      std::exception_ptr error;
      try {
        run_product(p, dtype, f);
      } catch (...) {
        error = std::current_exception();
      }
      PyEval_RestoreThread(state);
      if (error) std::rethrow_exception(error);
    }
  } catch (const std::exception&) {
    return PyErr_NoMemory();  // all that a product can run out of
  }
  Py_RETURN_TRUE;
}

// PyMethodDef stores every calling convention as one function pointer type.
PyMethodDef kRun[] = {
    {"run", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(run_boundary)), METH_FASTCALL,
     "run(kernel, inputs, outputs, params)\n--\n\nRun a kernel by id. Arrays are checked; the GIL is released once."},
    {"matmul", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(matmul_boundary)), METH_FASTCALL,
     "matmul(a, b, out)\n--\n\nThe product of plain matrices; False, and nothing done, where run() has to look "
     "closer."},
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
  m.def("cgroup_quota", &cgroup_quota, py::arg("root"), py::arg("membership"));
  m.def(
      "set_num_threads",
      [](int n) {
        if (n < 1) throw ValueError("set_num_threads: expected 1 or more, got " + std::to_string(n));
        set_num_threads(n);
      },
      py::arg("n"));
  bind_nodes(m);
  bind_emit(m);
  bind_graphs(m);
  bind_traces(m);
  bind_guards(m);
  bind_parameters(m);
  bind_programs(m);
  bind_plans(m);
  bind_builder(m);
  bind_tensors(m);
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
