#include "binding_tensor.h"

#include <structmember.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

namespace graphnet {

Py_ssize_t slot_offset(const py::handle& type, const char* name) {
  const py::object descriptor = type.attr(name);
  if (Py_TYPE(descriptor.ptr()) != &PyMemberDescr_Type)
    throw TypeError(std::string("expected a class with a slot ") + name);
  return reinterpret_cast<PyMemberDescrObject*>(descriptor.ptr())->d_member->offset;
}

namespace {

// Where the slots of a class lie, its bases' included; found once for each class, which stays alive.
const std::vector<Py_ssize_t>& slots_of(PyTypeObject* type) {
  static std::map<PyTypeObject*, std::vector<Py_ssize_t>> known;
  const auto found = known.find(type);
  if (found != known.end()) return found->second;
  std::vector<Py_ssize_t> slots;
  for (const py::handle base : py::reinterpret_borrow<py::tuple>(type->tp_mro))
    for (const auto& item : py::dict(base.attr("__dict__"))) {
      if (Py_TYPE(item.second.ptr()) != &PyMemberDescr_Type) continue;
      const PyMemberDef* const member = reinterpret_cast<PyMemberDescrObject*>(item.second.ptr())->d_member;
      if (member->type == T_OBJECT_EX) slots.push_back(member->offset);
    }
  Py_INCREF(type);
  return known.emplace(type, std::move(slots)).first->second;
}

}  // namespace

Layout layout;

void set_tensor_layout(const py::type& tensor, const py::type& memory) {
  layout.tensor = reinterpret_cast<PyTypeObject*>(py::object(tensor).release().ptr());
  layout.array = slot_offset(tensor, "_array");
  layout.dtype = slot_offset(tensor, "_dtype");
  layout.memory = slot_offset(tensor, "_memory");
  layout.version = slot_offset(memory, "version");
}

bool overwritten(PyObject* tensor) {
  PyObject* const memory = slot(tensor, layout.memory);
  const long long version = PyLong_AsLongLong(slot(memory, layout.version));
  PyObject* const later = PyLong_FromLongLong(version + 1);
  if (later == nullptr) return false;
  set_slot(memory, layout.version, later);
  return true;
}

Pattern::Pattern(py::object like) : like_(std::move(like)), slots_(slots_of(Py_TYPE(like_.ptr()))) {}

PyObject* Pattern::copy() const {
  PyTypeObject* const type = Py_TYPE(like_.ptr());
  PyObject* const made = type->tp_alloc(type, 0);
  if (made == nullptr) return nullptr;
  for (const Py_ssize_t offset : slots_) {
    PyObject* const value = slot(like_.ptr(), offset);
    Py_XINCREF(value);
    slot(made, offset) = value;
  }
  return made;
}

}  // namespace graphnet
