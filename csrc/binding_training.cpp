#include "binding_training.h"

#include <algorithm>

namespace graphnet {
namespace {

py::object interned(const char* text) { return py::reinterpret_steal<py::object>(PyUnicode_InternFromString(text)); }

}  // namespace

Training::Training(py::object optimizer, const py::list& groups, const py::list& updates, bool counts)
    : optimizer_(std::move(optimizer)),
      groups_(optimizer_.attr("param_groups")),
      state_name_(interned("state")),
      groups_name_(interned("param_groups")),
      step_name_(interned("step")),
      group_count_(py::len(groups_)),
      counts_(counts) {
  for (const py::handle group : groups) {
    Group g{py::reinterpret_borrow<py::object>(group), {}, {}, 0, {}};
    for (const auto& item : py::reinterpret_borrow<py::dict>(group)) {
      g.values.push_back(py::reinterpret_borrow<py::object>(item.second));
      if (PyList_CheckExact(item.second.ptr())) g.lists.push_back(item.second.ptr());
    }
    g.parameters = py::len(group["params"]);
    kept_.push_back(std::move(g));
  }
  for (const py::handle row : updates) {
    const py::tuple t = py::reinterpret_borrow<py::tuple>(row);
    Update u{t[0].cast<int>(), t[1], {}, t[3].cast<int>(), t[4], nullptr, {}, {}, 0};
    if (!u.told.is_none()) u.chosen = static_cast<const bool*>(u.told.cast<py::array>().data());
    for (const py::handle part : py::reinterpret_borrow<py::tuple>(t[2])) {
      const py::tuple p = py::reinterpret_borrow<py::tuple>(part);
      u.kept.push_back({p[0], p[1], p[2]});
    }
    updates_.push_back(std::move(u));
  }
}

bool Training::ready() {
  const py::object state = py::reinterpret_steal<py::object>(PyObject_GetAttr(optimizer_.ptr(), state_name_.ptr()));
  const py::object groups = py::reinterpret_steal<py::object>(PyObject_GetAttr(optimizer_.ptr(), groups_name_.ptr()));
  if (!state || !groups) return PyErr_Clear(), false;
  if (!PyDict_Check(state.ptr()) || groups.ptr() != groups_.ptr() || !PyList_CheckExact(groups.ptr()) ||
      static_cast<size_t>(PyList_GET_SIZE(groups.ptr())) != group_count_)
    return false;
  for (size_t i = 0; i < kept_.size(); ++i)
    if (PyList_GET_ITEM(groups.ptr(), static_cast<Py_ssize_t>(i)) != kept_[i].dict.ptr() || !kept_[i].same())
      return false;
  const bool known = watch_.same(state.ptr());
  for (Update& u : updates_) {
    if (u.kept.empty() && !counts_) continue;
    if (known && u.watch.same(u.state.ptr())) {
      for (const auto& [name, tensor, array] : u.kept)
        if (!holds(tensor.ptr(), array.ptr())) return false;
      continue;
    }
    PyObject* const own = PyDict_GetItemWithError(state.ptr(), u.parameter.ptr());
    if (own == nullptr || !PyDict_CheckExact(own)) return PyErr_Clear(), false;
    if (own != u.state.ptr()) u.state = py::reinterpret_borrow<py::object>(own);
    for (const auto& [name, tensor, array] : u.kept)
      if (PyDict_GetItemWithError(own, name.ptr()) != tensor.ptr() || !holds(tensor.ptr(), array.ptr()))
        return PyErr_Clear(), false;
    if (counts_) {
      PyObject* const step = PyDict_GetItemWithError(own, step_name_.ptr());
      if (step == nullptr || !PyLong_CheckExact(step)) return PyErr_Clear(), false;
      u.done = PyLong_AsLongLong(step);
    }
    u.watch.note(own);
  }
  watch_.note(state.ptr());
  return true;
}

void Training::set_step_numbers(Program& program) const {
  for (const Update& u : updates_)
    if (u.counted >= 0) program.set_param(u.step, u.counted, static_cast<double>(u.done + 1));
}

bool Training::advance() {
  py::object next;
  long long number = -1;
  for (Update& u : updates_) {
    if (u.chosen != nullptr && !*u.chosen) continue;
    if (counts_) {
      if (u.done + 1 != number) {
        number = u.done + 1;
        next = py::reinterpret_steal<py::object>(PyLong_FromLongLong(number));
        if (!next) return false;
      }
      const bool known = u.watch.same(u.state.ptr());
      if (PyDict_SetItem(u.state.ptr(), step_name_.ptr(), next.ptr()) != 0) return false;
      u.done = number;
      if (known) u.watch.note(u.state.ptr());
    }
    overwritten(u.parameter.ptr());
  }
  return true;
}

bool Training::Group::same() {
  if (watch.same(dict.ptr()))
    return std::all_of(lists.begin(), lists.end(),
                       [this](PyObject* list) { return static_cast<size_t>(PyList_GET_SIZE(list)) == parameters; });
  PyObject *key = nullptr, *value = nullptr;
  Py_ssize_t at = 0;
  size_t i = 0;
  if (static_cast<size_t>(PyDict_Size(dict.ptr())) != values.size()) return false;
  for (; PyDict_Next(dict.ptr(), &at, &key, &value); ++i) {
    if (value != values[i].ptr()) return false;
    if (PyList_CheckExact(value) && static_cast<size_t>(PyList_GET_SIZE(value)) != parameters) return false;
  }
  watch.note(dict.ptr());
  return true;
}

}  // namespace graphnet
