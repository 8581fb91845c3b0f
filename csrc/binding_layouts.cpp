#include "binding_layouts.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "view.h"

namespace graphnet {
namespace {

using py::detail::npy_api;
using Sizes = std::vector<Py_ssize_t>;

void append(std::string& key, const void* data, size_t bytes) { key.append(static_cast<const char*>(data), bytes); }

std::pair<int64_t, int64_t> covered(const Sizes& shape, const Sizes& strides, int64_t item) {
  int64_t begin = 0, end = item;
  for (size_t d = 0; d < shape.size(); ++d) {
    if (shape[d] == 0) return {0, 0};
    const int64_t reach = (shape[d] - 1) * strides[d];
    (reach < 0 ? begin : end) += reach;
  }
  return {begin, end};
}

}  // namespace

std::pair<int64_t, int64_t> covered(const View& view) {
  const int64_t item = item_size(view.dtype);
  Sizes strides;
  for (int d = 0; d < view.rank; ++d) strides.push_back(view.stride[d] * item);
  return covered(Sizes(view.shape, view.shape + view.rank), strides, item);
}

int Layouts::enter(ArrayLayout layout) {
  std::string key;
  const auto* const descr = py::detail::array_descriptor_proxy(layout.dtype.ptr());
  append(key, &descr->type_num, sizeof descr->type_num);
  append(key, &descr->byteorder, sizeof descr->byteorder);
  append(key, &layout.fits, sizeof layout.fits);
  append(key, layout.shape.data(), layout.shape.size() * sizeof(Py_ssize_t));
  append(key, layout.strides.data(), layout.strides.size() * sizeof(Py_ssize_t));
  const auto [at, fresh] = known_.emplace(std::move(key), static_cast<int>(all_.size()));
  if (fresh) {
    const auto itemsize = layout.dtype.attr("itemsize").cast<int64_t>();
    std::tie(layout.begin, layout.end) = covered(layout.shape, layout.strides, itemsize);
    layout.view.data = nullptr;
    all_.push_back(std::move(layout));
  }
  return at->second;
}

int Layouts::of_array(PyObject* array) {
  const auto* const proxy = py::detail::array_proxy(array);
  ArrayLayout layout{py::reinterpret_borrow<py::object>(proxy->descr),
                     Sizes(proxy->dimensions, proxy->dimensions + proxy->nd),
                     Sizes(proxy->strides, proxy->strides + proxy->nd),
                     {},
                     0,
                     0,
                     true};
  try {
    parse_array(layout.view, array, false, "", 0, npy_api::get().PyArray_Type_);
  } catch (const std::exception&) {
    layout.fits = false;  // whoever hands it to a kernel is told why
  }
  return enter(std::move(layout));
}

int Layouts::of_type(PyObject* type) {
  if (const int known = types_.find(type); known >= 0) return known;
  const py::tuple pair = py::reinterpret_borrow<py::tuple>(type);
  const py::tuple shape = py::reinterpret_borrow<py::tuple>(pair[0]);
  ArrayLayout layout{pair[1].attr("dtype"), Sizes(shape.size()), Sizes(shape.size()), {}, 0, 0, true};
  View& view = layout.view;
  layout.fits =
      dtype_of(py::detail::array_descriptor_proxy(layout.dtype.ptr()), &view.dtype) && shape.size() <= kMaxRank;
  auto stride = layout.dtype.attr("itemsize").cast<Py_ssize_t>();
  for (size_t d = shape.size(); d-- > 0;) {
    layout.shape[d] = shape[d].cast<Py_ssize_t>();
    layout.strides[d] = stride;
    stride *= layout.shape[d];
  }
  if (layout.fits) {
    view.rank = static_cast<int>(shape.size());
    for (size_t d = 0; d < shape.size(); ++d) view.shape[d] = layout.shape[d];
    view = packed(view, nullptr);
    if (count(view) == 0) std::fill_n(view.stride, view.rank, 0);
  }
  const int number = enter(std::move(layout));
  types_.insert(type, number);
  return number;
}

py::object Layouts::array(int number, char* data, const py::handle& base, bool writeable) const {
  const ArrayLayout& layout = (*this)[number];
  npy_api& numpy = npy_api::get();
  Py_INCREF(layout.dtype.ptr());
  py::object made = py::reinterpret_steal<py::object>(numpy.PyArray_NewFromDescr_(
      numpy.PyArray_Type_, layout.dtype.ptr(), static_cast<int>(layout.shape.size()), layout.shape.data(),
      layout.strides.data(), data, writeable ? npy_api::NPY_ARRAY_WRITEABLE_ : 0, nullptr));
  if (!made) throw py::error_already_set();
  Py_INCREF(base.ptr());
  if (numpy.PyArray_SetBaseObject_(made.ptr(), base.ptr()) != 0) throw py::error_already_set();
  return made;
}

}  // namespace graphnet
