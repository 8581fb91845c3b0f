// What the files that know pybind11 share: arrays as views, running without the GIL. Arrays are read through the fields
// of PyArrayObject, because run() is called once per operation and a py::array_t argument costs more than a small
// kernel.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <exception>
#include <string>
#include <vector>

#include "core.h"

namespace graphnet {

namespace py = pybind11;

std::string argument(const char* kernel, const char* kind, Py_ssize_t index);

// False for a dtype that is not one of ours in native byte order.
bool dtype_of(const py::detail::PyArrayDescr_Proxy* descr, DType* dtype);

// Throw TypeError or ValueError naming kernel and argument.
void parse_array(View& view, PyObject* object, bool output, const char* kernel, Py_ssize_t index, PyTypeObject* array);
void parse_tuple(View* views, PyObject* tuple, bool output, const char* kernel, PyTypeObject* array);
std::vector<View> parse_views(const py::tuple& arrays, bool output, const char* kernel);

// Calls f with the GIL released. Not a destructor's work: taking the GIL back in an interpreter that is shutting down
// ends the thread by unwinding it, and unwinding out of a destructor would abort the process.
template <class F>
void run_released(const F& f) {
  PyThreadState* const state = PyEval_SaveThread();
  std::exception_ptr error;
  try {
    f();
  } catch (...) {
    error = std::current_exception();
  }
  PyEval_RestoreThread(state);
  if (error) std::rethrow_exception(error);
}

// Sets the Python error that stands for the exception being handled.
void set_error();

void bind_parameters(py::module_& m);
void bind_programs(py::module_& m);
void bind_tensors(py::module_& m);

}  // namespace graphnet
