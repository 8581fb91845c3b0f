// What parameters are made with: memory on a cache line's boundary, and the first random values in it.
#include <algorithm>

#include "binding.h"
#include "philox.h"
#include "view.h"

namespace graphnet {
namespace {

constexpr Py_ssize_t kAlignment = 64;         // as in passes/memory.py
constexpr int64_t kReleaseNumbers = 1 << 14;  // random numbers from which on others may run meanwhile, some 20 us

using py::detail::npy_api;

PyObject* aligned_empty(PyObject* const* args, Py_ssize_t nargs) {
  constexpr int kContiguousC = 1, kContiguousF = 2, kAligned = 0x100;
  const npy_api& numpy = npy_api::get();
  if (nargs != 2 || !PyTuple_Check(args[0]) || !PyObject_TypeCheck(args[1], numpy.PyArrayDescr_Type_))
    throw TypeError("aligned_empty: expected a shape, which is a tuple, and a numpy.dtype");
  const Py_ssize_t rank = PyTuple_GET_SIZE(args[0]);
  if (rank > kMaxRank) throw ValueError("aligned_empty: expected rank 16 or less, got " + std::to_string(rank));
  Py_intptr_t dims[kMaxRank];
  const py::dtype dtype = py::reinterpret_borrow<py::dtype>(args[1]);
  Py_intptr_t bytes = dtype.itemsize();
  int longer = 0;  // axes that have an order
  for (Py_ssize_t d = 0; d < rank; ++d) {
    dims[d] = PyLong_AsSsize_t(PyTuple_GET_ITEM(args[0], d));
    if (dims[d] == -1 && PyErr_Occurred()) throw py::error_already_set();
    if (dims[d] < 0) throw ValueError("aligned_empty: expected sizes from 0 up, got " + std::to_string(dims[d]));
    longer += dims[d] != 1;
    if (__builtin_mul_overflow(bytes, std::max<Py_intptr_t>(dims[d], 1), &bytes) || bytes > PY_SSIZE_T_MAX - kAlignment)
      throw ValueError("aligned_empty: the array is too large");
  }
  Py_intptr_t room = bytes + kAlignment;
  PyObject* const byte = numpy.PyArray_DescrFromType_(npy_api::NPY_UBYTE_);
  PyObject* const memory =
      numpy.PyArray_NewFromDescr_(numpy.PyArray_Type_, byte, 1, &room, nullptr, nullptr, 0, nullptr);
  if (memory == nullptr) return nullptr;
  char* const begin = py::detail::array_proxy(memory)->data;
  char* const data = begin + (-reinterpret_cast<uintptr_t>(begin) & (kAlignment - 1));
  const bool empty = std::find(dims, dims + rank, 0) != dims + rank;
  const int flags = kContiguousC | kAligned | npy_api::NPY_ARRAY_WRITEABLE_ | (longer < 2 || empty ? kContiguousF : 0);
  Py_INCREF(args[1]);
  PyObject* const array = numpy.PyArray_NewFromDescr_(numpy.PyArray_Type_, args[1], static_cast<int>(rank), dims,
                                                      nullptr, data, flags, nullptr);
  if (array == nullptr) return Py_DECREF(memory), nullptr;
  if (numpy.PyArray_SetBaseObject_(array, memory) != 0) return Py_DECREF(array), nullptr;
  return array;
}

double real(PyObject* object) {
  const double value = PyFloat_AsDouble(object);
  if (value == -1.0 && PyErr_Occurred()) throw py::error_already_set();
  return value;
}

PyObject* fill_uniform(PyObject* const* args, Py_ssize_t nargs) {
  if (nargs != 4 || !PyTuple_Check(args[1]) || PyTuple_GET_SIZE(args[1]) != 2)
    throw TypeError("fill_uniform: expected (array, key, low, high), the key a tuple of two numbers");
  View out;
  parse_array(out, args[0], true, "fill_uniform", 0, npy_api::get().PyArray_Type_);
  if (out.dtype != DType::f32 && out.dtype != DType::f64)
    throw TypeError("fill_uniform: output 0: expected dtype float32 or float64");
  if (!(py::detail::array_proxy(args[0])->flags & npy_api::NPY_ARRAY_C_CONTIGUOUS_))
    throw ValueError("fill_uniform: output 0: expected a contiguous array");
  PhiloxKey key;
  for (int i = 0; i < 2; ++i) {
    key.word[i] = PyLong_AsUnsignedLongLong(PyTuple_GET_ITEM(args[1], i));
    if (key.word[i] == ~uint64_t{0} && PyErr_Occurred()) throw py::error_already_set();
  }
  const double low = real(args[2]), high = real(args[3]);
  int64_t n = 1;
  for (int d = 0; d < out.rank; ++d) n *= out.shape[d];
  const auto fill = [&] { philox_uniform(key, low, high, out.dtype, out.data, n); };
  if (n < kReleaseNumbers)
    fill();
  else
    run_released(fill);
  Py_RETURN_NONE;
}

// A function of Python's that throws, as one that returns null with an error set.
template <PyObject* (*f)(PyObject* const*, Py_ssize_t)>
PyObject* boundary(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  try {
    return f(args, nargs);
  } catch (...) {
    set_error();
  }
  return nullptr;
}

template <PyObject* (*f)(PyObject* const*, Py_ssize_t)>
PyCFunction method() noexcept {
  return reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(boundary<f>));
}

PyMethodDef kMethods[] = {
    {"aligned_empty", method<aligned_empty>(), METH_FASTCALL,
     "aligned_empty(shape, dtype)\n--\n\nAs numpy.empty, on a cache line's boundary: kernels are up to a fifth faster "
     "there, and parameters stay."},
    {"fill_uniform", method<fill_uniform>(), METH_FASTCALL,
     "fill_uniform(array, key, low, high)\n--\n\nUniform numbers on [low, high): those of NumPy's Philox with that "
     "key."},
    {nullptr, nullptr, 0, nullptr}};

}  // namespace

void bind_parameters(py::module_& m) {
  if (PyModule_AddFunctions(m.ptr(), kMethods) != 0) throw py::error_already_set();
}

}  // namespace graphnet
