#include "binding.h"

#include <new>

#include "view.h"

namespace graphnet {
namespace {

std::string text(PyObject* object) {
  const py::object str = py::reinterpret_steal<py::object>(PyObject_Str(object));
  if (!str) {
    PyErr_Clear();
    return "?";
  }
  return str.cast<std::string>();
}

}  // namespace

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
  const int64_t size = item_size(view.dtype);
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

void set_error() {
  try {
    throw;
  } catch (py::error_already_set& e) {
    e.restore();
  } catch (const py::builtin_exception& e) {
    e.set_error();
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
}

}  // namespace graphnet
