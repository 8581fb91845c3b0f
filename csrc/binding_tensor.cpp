#include "binding_tensor.h"

#include <structmember.h>

#include <cstddef>
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

void free_memory(PyObject* self) {
  PyTypeObject* const type = Py_TYPE(self);
  Py_XDECREF(reinterpret_cast<Memory*>(self)->viewers);
  type->tp_free(self);
  Py_DECREF(type);
}

PyMemberDef kMemoryMembers[] = {
    {"version", T_LONGLONG, offsetof(Memory, version), 0, "How often it was overwritten."},
    {"viewers", T_OBJECT, offsetof(Memory, viewers), 0, "Weak references to tensors, once there are several."},
    {"borrowed", T_BOOL, offsetof(Memory, borrowed), 0, "Whether an array of the caller's is copied before a write."},
    {nullptr, 0, 0, 0, nullptr}};

PyType_Slot kMemorySlots[] = {{Py_tp_members, kMemoryMembers},
                              {Py_tp_new, reinterpret_cast<void*>(PyType_GenericNew)},
                              {Py_tp_dealloc, reinterpret_cast<void*>(free_memory)},
                              {0, nullptr}};

PyType_Spec kMemorySpec = {"graphnet._core.Memory", sizeof(Memory), 0, Py_TPFLAGS_DEFAULT, kMemorySlots};

void set_tensor_layout(const py::type& tensor, const py::type& memory) {
  layout.tensor = reinterpret_cast<PyTypeObject*>(py::object(tensor).release().ptr());
  layout.memory_type = reinterpret_cast<PyTypeObject*>(py::object(memory).release().ptr());
  layout.array = slot_offset(tensor, "_array");
  layout.dtype = slot_offset(tensor, "_dtype");
  layout.memory = slot_offset(tensor, "_memory");
}

constexpr const char* kCapsule = "graphnet.Pattern";

PyObject* make_tensor(PyObject* self, PyObject* array) {
  return static_cast<Pattern*>(PyCapsule_GetPointer(self, kCapsule))->copy(array);
}

PyMethodDef kMake = {"make", make_tensor, METH_O, "make(array)\n--\n\nA tensor over the array."};

// A plain built-in function, as it is called for every parameter.
py::object tensor_maker(const py::object& like) {
  const py::capsule self(new Pattern(like), kCapsule, [](PyObject* capsule) {
    delete static_cast<Pattern*>(PyCapsule_GetPointer(capsule, kCapsule));
  });
  return py::reinterpret_steal<py::object>(PyCFunction_NewEx(&kMake, self.ptr(), nullptr));
}

}  // namespace

Layout layout;

Pattern::Pattern(py::object like) : like_(std::move(like)), slots_(slots_of(Py_TYPE(like_.ptr()))) {}

PyObject* Pattern::copy(PyObject* array) const {
  PyTypeObject* const type = Py_TYPE(like_.ptr());
  PyObject* const made = type->tp_alloc(type, 0);
  if (made == nullptr) return nullptr;
  PyObject* const memory = layout.memory_type->tp_alloc(layout.memory_type, 0);
  if (memory == nullptr) return Py_DECREF(made), nullptr;
  for (const Py_ssize_t offset : slots_) {
    PyObject* const value = slot(like_.ptr(), offset);
    Py_XINCREF(value);
    slot(made, offset) = value;
  }
  set_slot(made, layout.memory, memory);
  Py_INCREF(array);
  set_slot(made, layout.array, array);
  return made;
}

void bind_tensors(py::module_& m) {
  m.attr("Memory") = py::reinterpret_steal<py::object>(PyType_FromSpec(&kMemorySpec));
  m.def("set_tensor_layout", &set_tensor_layout);
  m.def("tensor_maker", &tensor_maker);
}

}  // namespace graphnet
