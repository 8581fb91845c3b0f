// Programs as Python sees them, and calls of compiled networks: from the caller's tensors to new ones in one step, with
// everything that could make the plan out of date looked at on the way.
#include <pybind11/stl.h>

#include <algorithm>
#include <cstring>
#include <exception>
#include <memory>
#include <mutex>
#include <utility>

#include "binding_guards.h"
#include "binding_tensor.h"
#include "binding_training.h"
#include "check.h"
#include "kernels.h"
#include "program.h"
#include "table.h"
#include "view.h"

namespace graphnet {
namespace {

using py::detail::npy_api;

struct Interrupted : std::exception {};

// A program and the arrays that its views point into.
class PyProgram {
 public:
  int add(int id, const py::tuple& inputs, const py::tuple& outputs, const std::vector<double>& params) {
    if (id < 0 || id >= kNumKernels) throw ValueError("Program.add: kernel: unknown id " + std::to_string(id));
    const char* const name = kernel_info(id).name;
    const int step = program.add(id, parse_views(inputs, false, name), parse_views(outputs, true, name), params);
    arrays_.append(inputs);
    arrays_.append(outputs);
    return step;
  }

  // Each operation is (kernel, operands, dtype of the result as in kernels.h); values are numbered, inputs first.
  int add_group(const py::tuple& inputs, const py::tuple& outputs,
                const std::vector<std::tuple<int, std::vector<int>, int>>& operations,
                const std::vector<int>& results) {
    std::vector<Group::Operation> parsed;
    for (const auto& [kernel, in, dtype] : operations) {
      if (dtype < 0 || dtype >= kNumDTypes) throw ValueError("Program.add_group: unknown dtype");
      parsed.push_back({kernel, in, static_cast<DType>(dtype)});
    }
    const int step = program.add_group(parse_views(inputs, false, "elementwise"),
                                       parse_views(outputs, true, "elementwise"), parsed, results);
    arrays_.append(inputs);
    arrays_.append(outputs);
    return step;
  }

  void set_params(int step, const std::vector<double>& params) {
    if (step < 0 || step >= program.size()) throw ValueError("Program: no step " + std::to_string(step));
    program.set_params(step, params);
  }

  int open_branch(const py::array& condition) { return program.open_branch(kept(condition, false)); }
  int open_while(const py::array& trips, int64_t limit) { return program.open_while(kept(trips, true), limit); }
  int open_repeat(const py::array& total, const py::array& trips, bool backward) {
    return program.open_repeat(kept(total, false), kept(trips, true), backward);
  }
  void middle(int step, const py::object& condition) {
    program.middle(step, condition.is_none() ? View{} : kept(condition, false));
  }
  void close(int step) { program.close(step); }
  int add_stack(const py::array& element) { return program.add_stack(kept(element, false)); }
  int push(int stack, int loop, const py::array& element) { return program.push(stack, loop, kept(element, false)); }
  int fetch(int stack, int loop, const py::array& element) { return program.fetch(stack, loop, kept(element, true)); }

  Program program;
  std::mutex mutex;  // of a run: it writes the program's memory

 private:
  View kept(const py::object& object, bool output) {
    View view;
    parse_array(view, object.ptr(), output, "program", 0, npy_api::get().PyArray_Type_);
    arrays_.append(object);
    return view;
  }

  py::list arrays_;
};

// A program for inputs of certain types, ready to be called with tensors.
class Plan {
 public:
  Plan(py::object program, const py::list& inputs, const py::list& outputs, const py::list& fixed, py::list version,
       py::object failed, py::object finish)
      : owner_(std::move(program)),
        program_(owner_.cast<PyProgram&>()),
        versions_(std::move(version)),
        version_(versions_[0]),
        failed_(std::move(failed)),
        finish_(std::move(finish)) {
    PyTypeObject* const array = npy_api::get().PyArray_Type_;
    for (const py::handle row : outputs) {
      const py::tuple t = py::reinterpret_borrow<py::tuple>(row);  // the array, whether it may be elsewhere, a tensor
      outputs_.push_back(std::make_unique<Output>(
          Output{{}, t[0].cast<py::array>(), -1, Pattern(t[2]), Pattern(t[2].attr("_memory"))}));
      parse_array(outputs_.back()->from, t[0].ptr(), false, "Plan", 0, array);
      program_.program.watch(&outputs_.back()->from);
    }
    for (size_t i = 0; i < outputs_.size(); ++i)
      if (py::reinterpret_borrow<py::tuple>(outputs[i])[1].cast<bool>())
        outputs_[i]->number = program_.program.external(outputs_[i]->from.data, outputs_[i]->like.nbytes());
    for (const py::handle placeholder : inputs) {
      Input input;
      parse_array(input.type, placeholder.ptr(), false, "Plan", 0, array);
      input.bytes = py::reinterpret_borrow<py::array>(placeholder).nbytes();
      input.number = program_.program.external(input.type.data, input.bytes);
      inputs_.push_back(input);
    }
    for (const py::handle row : fixed) {
      const py::tuple t = py::reinterpret_borrow<py::tuple>(row);
      fixed_.emplace_back(t[0], t[1]);
    }
    light_ = program_.program.light();
  }

  void train(py::object optimizer, const py::list& groups, const py::list& updates, bool counts) {
    training_ = std::make_unique<Training>(std::move(optimizer), groups, updates, counts);
  }
  void rest() { training_.reset(); }

  // Memory that `source` makes anew for every run: a list of arrays.
  void draw(const py::list& places, py::object source) {
    source_ = std::move(source);
    for (const py::handle place : places) {
      const py::array array = py::reinterpret_borrow<py::array>(place);
      drawn_.push_back(program_.program.external(array.data(), array.nbytes()));
    }
  }
  // Memory that a run writes while it may still read it as an input: such inputs are copied.
  void guard(const py::list& arrays) {
    for (const py::handle item : arrays) {
      const py::array array = py::reinterpret_borrow<py::array>(item);
      const char* const begin = static_cast<const char*>(array.data());
      written_.emplace_back(begin, begin + array.nbytes());
    }
  }
  // What the network's code reads besides modules.
  void depend(py::object guards) {
    guards_ = &guards.cast<Guards&>();
    reads_ = std::move(guards);
  }
  // Tensors that a run overwrites.
  void update(const py::list& buffers) {
    for (const py::handle buffer : buffers) buffers_.push_back(py::reinterpret_borrow<py::object>(buffer));
  }

  // The network is again what the plan was made of.
  void renew() { version_ = versions_[0]; }

  // Whether the plan still holds: nothing changed in the network, its constants lie where they lay.
  bool valid() const {
    if (PyList_GET_ITEM(versions_.ptr(), 0) != version_.ptr()) return false;
    if (guards_ != nullptr && !guards_->hold()) return false;
    return std::all_of(fixed_.begin(), fixed_.end(),
                       [](const auto& pair) { return holds(pair.first.ptr(), pair.second.ptr()); });
  }

  // Results as one tensor or a tuple of them; null without an error where the call is not this plan's; null with one.
  PyObject* call(PyObject* const* args, Py_ssize_t count, bool train, bool checked = true) {
    if (static_cast<size_t>(count) != inputs_.size() || (checked && !valid())) return nullptr;
    if (train && training_ == nullptr) return nullptr;
    const Taken taken(*this);  // declared before the lock: giving up arrays may run any Python
    Held& held = taken.frame->held;
    std::vector<const void*>& data = taken.frame->data;
    for (size_t i = 0; i < inputs_.size(); ++i)
      if (!take(inputs_[i], args[i], &data[i], held)) return nullptr;
    std::vector<PyObject*>& results = taken.frame->results;
    for (size_t i = 0; i < outputs_.size(); ++i) {
      results[i] = outputs_[i]->make();
      if (results[i] == nullptr) return nullptr;
      held.push_back(py::reinterpret_steal<py::object>(results[i]));
    }
    py::object drawn;
    if (source_) {
      if (train && !training_->ready()) return nullptr;  // before anything is drawn in vain
      drawn = source_();
    }
    int step = -1;
    std::string error;
    {
      Lock lock(program_.mutex);
      if (train && !training_->ready()) return nullptr;
      Program& program = program_.program;
      if (train) training_->set_step_numbers(program);
      for (size_t i = 0; i < inputs_.size(); ++i) program.relocate(inputs_[i].number, const_cast<void*>(data[i]));
      for (size_t i = 0; i < outputs_.size(); ++i)
        if (outputs_[i]->number >= 0) program.relocate(outputs_[i]->number, py::detail::array_proxy(results[i])->data);
      for (size_t i = 0; i < drawn_.size(); ++i)
        program.relocate(drawn_[i],
                         py::detail::array_proxy(PyList_GET_ITEM(drawn.ptr(), static_cast<Py_ssize_t>(i)))->data);
      // As in run_released; but giving up the lock and taking it back costs more than the smallest networks' kernels.
      PyThreadState* state = light_ ? nullptr : PyEval_SaveThread();
      // A long loop lets Ctrl-C through: its handler runs here, and the error it set stays with the thread.
      const auto poll = [&state] {
        PyEval_RestoreThread(state);
        const bool interrupted = PyErr_CheckSignals() != 0;
        state = PyEval_SaveThread();
        if (interrupted) throw Interrupted();
      };
      try {
        program.run(poll);
        for (size_t i = 0; i < outputs_.size(); ++i)
          if (outputs_[i]->number < 0) outputs_[i]->copy_to(py::detail::array_proxy(results[i])->data);
      } catch (const Interrupted&) {
        error = "interrupted";
      } catch (const LimitError& e) {
        error = std::string("L") + e.what();
      } catch (const TypeError& e) {
        error = std::string("T") + e.what();
      } catch (const IndexError& e) {
        error = std::string("I") + e.what();
      } catch (const std::exception& e) {
        error = std::string("V") + e.what();
      }
      step = program.failed();
      if (!light_) PyEval_RestoreThread(state);
      if (error.empty() && train && !training_->advance()) return nullptr;
      for (const py::object& buffer : buffers_)
        if (error.empty() && !overwritten(buffer.ptr())) return nullptr;
    }
    if (!error.empty() && PyErr_Occurred()) return nullptr;
    if (!error.empty()) {
      failed_(step, error);  // raises
      throw ValueError(error.substr(1));
    }
    if (finish_.is_none()) return outputs_[0]->wrap(results[0]);
    py::tuple all(outputs_.size());
    for (size_t i = 0; i < outputs_.size(); ++i) {
      PyObject* const tensor = outputs_[i]->wrap(results[i]);
      if (tensor == nullptr) return nullptr;
      PyTuple_SET_ITEM(all.ptr(), static_cast<Py_ssize_t>(i), tensor);
    }
    return finish_(all).release().ptr();
  }

  // Right after it was made or found valid: without a look at the network or the optimizer, which it may have changed
  // while it was traced. None where the inputs are of other types.
  py::object run(const py::tuple& args) {
    PyObject* const result = call(&PyTuple_GET_ITEM(args.ptr(), 0), PyTuple_GET_SIZE(args.ptr()), false, false);
    if (result == nullptr && PyErr_Occurred()) throw py::error_already_set();
    return result == nullptr ? py::none() : py::reinterpret_steal<py::object>(result);
  }

 private:
  using Held = std::vector<py::object>;

  // What a call keeps while it lasts: one is left for the next call.
  struct Frame {
    Held held;
    std::vector<const void*> data;
    std::vector<PyObject*> results;
  };
  struct Taken {
    explicit Taken(Plan& owner)
        : plan(owner), frame(plan.spare_ != nullptr ? std::move(plan.spare_) : std::make_unique<Frame>()) {
      frame->data.resize(plan.inputs_.size());
      frame->results.resize(plan.outputs_.size());
    }
    ~Taken() {
      frame->held.clear();
      plan.spare_ = std::move(frame);
    }
    Taken(const Taken&) = delete;
    Taken& operator=(const Taken&) = delete;

    Plan& plan;
    std::unique_ptr<Frame> frame;
  };

  struct Input {
    View type;
    int64_t bytes;
    int number;
  };

  struct Output {
    View from;
    py::array like;
    int number;  // -1: copied from where it is
    Pattern tensor, memory;

    // A new array of its type.
    PyObject* make() const {
      const auto* proxy = py::detail::array_proxy(like.ptr());
      PyObject* const descr = proxy->descr;
      Py_INCREF(descr);
      return npy_api::get().PyArray_NewFromDescr_(npy_api::get().PyArray_Type_, descr, proxy->nd, proxy->dimensions,
                                                  nullptr, nullptr, 0, nullptr);
    }

    void copy_to(void* data) const {
      const View to = packed(from, data);
      constexpr int kCopy = static_cast<int>(Id::copy_);
      kernel(kCopy)({&from, 1, &to, 1, nullptr, 0, "copy"});
    }

    PyObject* wrap(PyObject* array) const {
      PyObject* const made = tensor.copy();
      if (made == nullptr) return nullptr;
      PyObject* const own = memory.copy();
      if (own == nullptr) return Py_DECREF(made), nullptr;
      set_slot(made, layout.memory, own);
      Py_INCREF(array);
      set_slot(made, layout.array, array);
      return made;
    }
  };

  class Lock {
   public:
    explicit Lock(std::mutex& mutex) : mutex_(mutex) {
      if (mutex_.try_lock()) return;
      PyThreadState* const state = PyEval_SaveThread();
      mutex_.lock();
      PyEval_RestoreThread(state);
    }
    ~Lock() { mutex_.unlock(); }
    Lock(const Lock&) = delete;
    Lock& operator=(const Lock&) = delete;

   private:
    std::mutex& mutex_;
  };

  bool writes(const char* begin, int64_t bytes) const {
    return std::any_of(written_.begin(), written_.end(),
                       [&](const auto& range) { return begin < range.second && range.first < begin + bytes; });
  }

  // Finds an argument's memory: the caller's own where it is contiguous, else a copy.
  bool take(const Input& input, PyObject* given, const void** data, Held& held) const {
    if (Py_TYPE(given) == layout.tensor) given = slot(given, layout.array);
    if (given == nullptr || Py_TYPE(given) != npy_api::get().PyArray_Type_) return false;
    const auto* proxy = py::detail::array_proxy(given);
    DType dtype{};
    if (proxy->nd != input.type.rank || !dtype_of(py::detail::array_descriptor_proxy(proxy->descr), &dtype) ||
        dtype != input.type.dtype)
      return false;
    for (int d = 0; d < proxy->nd; ++d)
      if (proxy->dimensions[d] != input.type.shape[d]) return false;
    constexpr int kPlain = npy_api::NPY_ARRAY_C_CONTIGUOUS_ | npy_api::NPY_ARRAY_ALIGNED_;
    if ((proxy->flags & kPlain) == kPlain && !writes(proxy->data, input.bytes)) {
      held.push_back(py::reinterpret_borrow<py::object>(given));
      *data = proxy->data;
      return true;
    }
    py::object copy = py::reinterpret_steal<py::object>(npy_api::get().PyArray_NewCopy_(given, 0));
    if (!copy) throw py::error_already_set();
    *data = py::detail::array_proxy(copy.ptr())->data;
    held.push_back(std::move(copy));
    return true;
  }

  py::object owner_;
  PyProgram& program_;
  py::list versions_;
  py::object version_, failed_, finish_;
  std::vector<Input> inputs_;
  std::vector<std::unique_ptr<Output>> outputs_;
  std::vector<std::pair<py::object, py::object>> fixed_;
  std::unique_ptr<Training> training_;
  bool light_ = false;
  std::vector<std::pair<const char*, const char*>> written_;
  py::object source_;
  std::vector<int> drawn_;
  std::vector<py::object> buffers_;
  std::unique_ptr<Frame> spare_;
  py::object reads_;
  const Guards* guards_ = nullptr;  // of `reads_`
};

// The plans of one network, the one used last first.
class Caller {
 public:
  explicit Caller(bool train) : train_(train) {}

  py::list plans() const { return plans_; }
  void set_plans(const py::list& plans) {
    found_.clear();
    for (const py::handle plan : plans) found_.push_back(&plan.cast<Plan&>());
    plans_ = py::list(plans);
  }

  // A new reference, Py_NotImplemented where no plan fits; null with an error set.
  PyObject* call(PyObject* args) {
    for (size_t i = 0; i < found_.size(); ++i) {
      const py::object used = plans_[i];
      PyObject* const result = found_[i]->call(&PyTuple_GET_ITEM(args, 0), PyTuple_GET_SIZE(args), train_);
      if (result != nullptr) {
        if (i > 0) raise(used);
        return result;
      }
      if (PyErr_Occurred()) return nullptr;
    }
    Py_RETURN_NOTIMPLEMENTED;
  }

 private:
  // Puts a plan to the front. The list may have changed during the call.
  void raise(const py::object& used) {
    for (size_t i = 1; i < found_.size(); ++i)
      if (py::object(plans_[i]).is(used)) {
        std::rotate(found_.begin(), found_.begin() + static_cast<std::ptrdiff_t>(i),
                    found_.begin() + static_cast<std::ptrdiff_t>(i) + 1);
        for (size_t j = i; j > 0; --j) plans_[j] = py::object(plans_[j - 1]);
        plans_[0] = used;
      }
  }

  bool train_;
  std::vector<Plan*> found_;
  py::list plans_;
};

constexpr const char* kCapsule = "graphnet.Caller";

PyObject* call_boundary(PyObject* self, PyObject* args) {
  try {
    return static_cast<Caller*>(PyCapsule_GetPointer(self, kCapsule))->call(args);
  } catch (...) {
    set_error();
    return nullptr;
  }
}

PyMethodDef kCall = {"call", call_boundary, METH_O,
                     "call(inputs)\n--\n\nRun the plan that fits; NotImplemented where none does."};

Py_ssize_t call_slot = 0;  // of the classes below

// A call of such an instance: its plans are tried first, with no Python in between; then what the class says.
PyObject* call_instance(PyObject* self, PyObject* args, PyObject* keywords) {
  PyObject* const function = slot(self, call_slot);
  if (function != nullptr && keywords == nullptr && PyCFunction_CheckExact(function)) {
    PyObject* const result = call_boundary(PyCFunction_GET_SELF(function), args);
    if (result != Py_NotImplemented) return result;
    Py_DECREF(result);
  }
  const py::object method = py::reinterpret_steal<py::object>(PyObject_GetAttrString(self, "__call__"));
  return method ? PyObject_Call(method.ptr(), args, keywords) : nullptr;
}

// Lets instances be called by what their slot "_call" holds, of one class and those that inherit it.
void call_directly(const py::type& type) {
  call_slot = slot_offset(type, "_call");
  reinterpret_cast<PyTypeObject*>(type.ptr())->tp_call = call_instance;
}

// A plain built-in function: calling a method of a pybind11 class costs as much as a small network.
py::object caller_function(Caller& caller) {
  const py::capsule self(&caller, kCapsule);
  return py::reinterpret_steal<py::object>(PyCFunction_NewEx(&kCall, self.ptr(), nullptr));
}

}  // namespace

void bind_programs(py::module_& m) {
  py::class_<PyProgram>(m, "Program", "Instructions in order, prepared once and run with the GIL released.")
      .def(py::init<>())
      .def("add", &PyProgram::add, py::arg("kernel"), py::arg("inputs"), py::arg("outputs"), py::arg("params"))
      .def("add_group", &PyProgram::add_group, py::arg("inputs"), py::arg("outputs"), py::arg("operations"),
           py::arg("results"))
      .def("set_params", &PyProgram::set_params, py::arg("step"), py::arg("params"))
      .def("open_branch", &PyProgram::open_branch, py::arg("condition"))
      .def("open_while", &PyProgram::open_while, py::arg("trips"), py::arg("limit"))
      .def("open_repeat", &PyProgram::open_repeat, py::arg("total"), py::arg("trips"), py::arg("backward"))
      .def("middle", &PyProgram::middle, py::arg("step"), py::arg("condition"))
      .def("close", &PyProgram::close, py::arg("step"))
      .def("add_stack", &PyProgram::add_stack, py::arg("element"))
      .def("push", &PyProgram::push, py::arg("stack"), py::arg("loop"), py::arg("element"))
      .def("fetch", &PyProgram::fetch, py::arg("stack"), py::arg("loop"), py::arg("element"))
      .def_property_readonly("stacked", [](const PyProgram& p) { return p.program.stacked(); })
      .def_property_readonly("size", [](const PyProgram& p) { return p.program.size(); });
  py::class_<Plan>(m, "Plan", "A program for inputs of certain types, ready to be called.", py::dynamic_attr())
      .def(py::init<py::object, const py::list&, const py::list&, const py::list&, py::list, py::object, py::object>())
      .def("train", &Plan::train)
      .def("rest", &Plan::rest)
      .def("guard", &Plan::guard)
      .def("draw", &Plan::draw)
      .def("depend", &Plan::depend)
      .def("update", &Plan::update)
      .def("valid", &Plan::valid)
      .def("renew", &Plan::renew)
      .def("run", &Plan::run);
  py::class_<Caller>(m, "Caller", "The plans of one network.")
      .def(py::init<bool>())
      .def_property("plans", &Caller::plans, &Caller::set_plans)
      .def("function", &caller_function, py::keep_alive<0, 1>());
  m.def("set_tensor_layout", &set_tensor_layout);
  m.def("call_directly", &call_directly);
}

}  // namespace graphnet
