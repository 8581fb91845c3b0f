// Calls of compiled networks: from the caller's tensors to new ones in one step, with everything that could make the
// plan out of date looked at on the way.
#include <pybind11/stl.h>

#include <algorithm>
#include <cstring>
#include <exception>
#include <memory>
#include <mutex>
#include <utility>

#include "binding_guards.h"
#include "binding_program.h"
#include "binding_tensor.h"
#include "binding_training.h"
#include "kernels.h"
#include "table.h"
#include "view.h"

namespace graphnet {
namespace {

using py::detail::npy_api;

struct Interrupted : std::exception {};

// A program for inputs of certain types, ready to be called with tensors.
class Plan {
 public:
  // `like` has a tensor of each dtype, in their order.
  Plan(py::object program, const py::list& like, py::list version, py::object failed, py::object finish)
      : owner_(std::move(program)),
        program_(owner_.cast<PyProgram&>()),
        inputs_(program_.inputs),
        outputs_(program_.outputs),
        versions_(std::move(version)),
        version_(versions_[0]),
        failed_(std::move(failed)),
        finish_(std::move(finish)),
        light_(program_.program.light()) {
    for (const py::handle tensor : like) results_.emplace_back(tensor);
    if (results_.size() != kNumDTypes) throw ValueError("Plan: expected a tensor of each dtype");
  }

  void train(py::object optimizer, const py::list& groups, const py::list& updates, bool counts) {
    training_ = std::make_unique<Training>(std::move(optimizer), groups, updates, counts);
  }
  void rest() { training_.reset(); }

  // Memory that `source` makes anew for every run: a list of arrays.
  void draw(const py::list& places, py::object source) {
    source_ = std::move(source);
    for (const py::handle place : places) {
      drawn_.push_back(program_.program.external(py::reinterpret_borrow<py::array>(place).data()));
      if (drawn_.back() < 0) throw ValueError("Plan.draw: expected memory that may lie elsewhere");
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
    const auto& constants = program_.constants;
    return std::all_of(constants.begin(), constants.end(),
                       [](const auto& pair) { return holds(pair.first.ptr(), pair.second.ptr()); });
  }

  // Results as one tensor or a tuple of them; null without an error where the call is not this plan's; null with one.
  PyObject* call(PyObject* const* args, Py_ssize_t count, bool train, bool checked = true) {
    if (static_cast<size_t>(count) != inputs_.size() || (checked && !valid())) return nullptr;
    if (train && training_ == nullptr) return nullptr;
    const CollectorPause pause(outputs_.size());
    const Taken taken(*this);  // declared before the lock: giving up arrays may run any Python
    Held& held = taken.frame->held;
    std::vector<const void*>& data = taken.frame->data;
    for (size_t i = 0; i < inputs_.size(); ++i)
      if (!take(inputs_[i], args[i], &data[i], held)) return nullptr;
    std::vector<PyObject*>& results = taken.frame->results;
    for (size_t i = 0; i < outputs_.size(); ++i) {
      results[i] = result_of(outputs_[i]).make(outputs_[i].from);
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
        if (outputs_[i].number >= 0) program.relocate(outputs_[i].number, py::detail::array_proxy(results[i])->data);
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
          if (outputs_[i].number < 0) copy(outputs_[i].from, py::detail::array_proxy(results[i])->data);
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
        if (error.empty()) overwritten(buffer.ptr());
    }
    if (!error.empty() && PyErr_Occurred()) return nullptr;
    if (!error.empty()) {
      failed_(step, error);  // raises
      throw ValueError(error.substr(1));
    }
    if (finish_.is_none()) return result_of(outputs_[0]).wrap(results[0]);
    py::tuple all(outputs_.size());
    for (size_t i = 0; i < outputs_.size(); ++i) {
      PyObject* const tensor = result_of(outputs_[i]).wrap(results[i]);
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

  using Input = PyProgram::Input;
  using Output = PyProgram::Output;

  // Results of a dtype.
  struct Result {
    explicit Result(const py::handle& like)
        : dtype(like.attr("_array").attr("dtype")), tensor(py::reinterpret_borrow<py::object>(like)) {}

    // A new array of that shape.
    PyObject* make(const View& view) const {
      static_assert(sizeof(int64_t) == sizeof(Py_ssize_t), "sizes are NumPy's");
      Py_INCREF(dtype.ptr());
      return npy_api::get().PyArray_NewFromDescr_(npy_api::get().PyArray_Type_, dtype.ptr(), view.rank, view.shape,
                                                  nullptr, nullptr, 0, nullptr);
    }

    PyObject* wrap(PyObject* array) const { return tensor.copy(array); }

    py::object dtype;
    Pattern tensor;
  };
  const Result& result_of(const Output& output) const { return results_[static_cast<size_t>(output.from.dtype)]; }

  static void copy(const View& from, void* data) {
    const View to = packed(from, data);
    constexpr int kCopy = static_cast<int>(Id::copy_);
    kernel(kCopy)({&from, 1, &to, 1, nullptr, 0, "copy"});
  }

  // Thousands of results would have Python look through all objects there are, again and again.
  class CollectorPause {
   public:
    explicit CollectorPause(size_t results) : paused_(results > kMany && PyGC_Disable() != 0) {}
    ~CollectorPause() {
      if (paused_) PyGC_Enable();
    }
    CollectorPause(const CollectorPause&) = delete;
    CollectorPause& operator=(const CollectorPause&) = delete;

   private:
    static constexpr size_t kMany = 256;
    bool paused_;
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
    return std::any_of(program_.written.begin(), program_.written.end(),
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
  const std::vector<Input>& inputs_;
  const std::vector<Output>& outputs_;
  py::list versions_;
  py::object version_, failed_, finish_;
  bool light_;
  std::vector<Result> results_;  // by dtype
  std::unique_ptr<Training> training_;
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

void bind_plans(py::module_& m) {
  py::class_<Plan>(m, "Plan", "A program for inputs of certain types, ready to be called.", py::dynamic_attr())
      .def(py::init<py::object, const py::list&, py::list, py::object, py::object>())
      .def("train", &Plan::train)
      .def("rest", &Plan::rest)
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
  m.def("call_directly", &call_directly);
}

}  // namespace graphnet
