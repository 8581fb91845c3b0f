// Turns the nodes of a Python graph into a program's steps.
//
// How a node becomes steps is said in Python, for arrays (`graphnet/program.py`). Networks have the same few nodes
// thousands of times, so what Python did for one is kept as a recipe, and the next one that takes operands of the same
// layouts gets the same steps over its own memory.
#include <pybind11/stl.h>

#include <algorithm>
#include <optional>
#include <string>

#include "binding_liveness.h"
#include "binding_program.h"
#include "check.h"
#include "view.h"

namespace graphnet {
namespace {

using Item = Liveness::Item;
using Kind = Liveness::Kind;

class Builder {
 public:
  // `nodes` receives the node of each step; `literal(operand)` gives the array that a number is; `numbers` has what
  // updates' kernels take besides memory.
  Builder(const py::object& program, const py::object& live, py::list nodes, py::object literal, py::sequence numbers)
      : owners_(py::make_tuple(program, live)),
        program_(program.cast<PyProgram&>()),
        live_(live.cast<Liveness&>()),
        nodes_(std::move(nodes)),
        literal_(std::move(literal)),
        numbers_(std::move(numbers)) {}

  py::tuple place(const py::sequence& outputs, size_t returned);
  void instruct(const py::object& graph, const py::object& python);
  void finish();

  // The memory of an operand as an array.
  py::object array(const py::handle& operand);
  // Where a result is that Python made.
  void put(const py::handle& value, const py::array& array);

 private:
  struct Place {
    char* data;
    int layout;
    bool writeable;
  };
  // A part of an operand's memory, of the result's, or memory of its own.
  struct Part {
    static constexpr int kResult = -1, kOwn = -2;
    int of;
    int64_t offset;
    View view;
  };
  struct Recipe {
    struct Step {
      int kernel;
      std::vector<Part> in, out;
      std::vector<double> params;
    };
    std::vector<Step> steps;
    int64_t offset = 0;  // of a view, into its operand
    int layout = -1;
  };

  Place place_of(int code);
  const py::object& memory_of(int code);
  View view_of(int code);
  const ArrayLayout& layout_of(const Place& place) const { return live_.layouts[place.layout]; }
  bool find_places(const Item& item);
  bool make_key(const Item& item);
  int settings_of(PyObject* attrs);
  bool follow(const Recipe& recipe, const Item& item);
  void learn(const Item& item, int before);
  std::optional<Part> part_of(const View& view) const;
  void write(View* views, const std::vector<Part>& parts) const;
  long number_of(const Item& item) const;
  std::vector<double> numbers_of(long number) const;

  py::tuple owners_;
  PyProgram& program_;
  Liveness& live_;
  py::list nodes_;
  py::object literal_;
  py::sequence numbers_;
  py::object arena_, outside_;  // the memory of values; that of those which lie elsewhere in every run
  py::dict settings_;           // keys of settings -> their numbers
  AddressMap known_settings_;   // dicts of settings -> their numbers
  std::unordered_map<std::string, Recipe> recipes_;
  std::vector<int> results_;  // what a call gives
  enum class Where : unsigned char { arena, elsewhere, result };
  std::vector<Where> where_;                     // of values; results go into the caller's arrays
  std::unordered_map<int, py::object> sources_;  // what Python made for values
  const py::str number_ = py::str("number");
  // Of the node that is being looked at:
  std::vector<Place> places_;
  Place result_{};
  std::string key_;
};

// -- memory -----------------------------------------------------------------------------------------------------------

py::object bytes(int64_t count) { return py::array_t<uint8_t>(count); }

char* aligned(const py::object& memory) {
  auto* const data = static_cast<char*>(py::reinterpret_borrow<py::array>(memory).mutable_data());
  return data + (-reinterpret_cast<intptr_t>(data) & (kArenaAlignment - 1));
}

// Gives every value its place: in the arena; or elsewhere, as inputs, what is drawn anew, and outputs that go straight
// into the caller's arrays: those with a kernel's memory to themselves. These have addresses only.
py::tuple Builder::place(const py::sequence& outputs, size_t returned) {
  std::vector<int> count(live_.values.size(), 0);
  for (const py::handle output : outputs) {
    results_.push_back(live_.code(output));
    if (results_.back() >= 0) ++count[static_cast<size_t>(results_.back())];
  }
  results_.resize(returned);
  where_.assign(live_.values.size(), Where::arena);
  const auto where = [this](int code) -> Where& { return where_[static_cast<size_t>(code)]; };
  for (const Item& item : live_.items)
    if (item.needed && live_.is_fresh(item)) where(item.value) = Where::elsewhere;
  for (const int input : live_.inputs()) where(input) = Where::elsewhere;
  for (const int code : results_) {
    if (code < 0 || count[static_cast<size_t>(code)] != 1 || !live_.value(code).owns) continue;
    if (!live_.is_source(code) && where(code) == Where::arena) where(code) = Where::result;
  }
  std::vector<Buffer> buffers = live_.buffers();
  int64_t outside = 0;
  std::vector<int64_t> offsets;
  const auto step = [](int64_t size) { return std::max<int64_t>(1, (size + kArenaAlignment - 1) / kArenaAlignment); };
  for (size_t i = 0; i < buffers.size(); ++i) {
    if (where(live_.owners[i]) == Where::arena) continue;
    offsets.push_back(outside);
    outside += kArenaAlignment * step(buffers[i].size);
    buffers[i].size = 0;
  }
  const ArenaPlan plan = plan_arena(buffers);
  arena_ = bytes(plan.size + kArenaAlignment);
  outside_ = bytes(outside + kArenaAlignment);
  program_.keep(arena_);
  program_.keep(outside_);
  char *const arena = aligned(arena_), *const base = aligned(outside_);
  std::vector<const char*> begins;
  for (size_t i = 0; i < buffers.size(); ++i) {
    Liveness::Value& owner = live_.value(live_.owners[i]);
    owner.layout = live_.layouts.of_type(owner.type);
    owner.data = arena + plan.offsets[i];
    if (where(live_.owners[i]) == Where::arena) continue;
    owner.data = base + offsets[begins.size()];
    begins.push_back(owner.data);
  }
  program_.program.reserve(std::move(begins), base + outside);
  return py::make_tuple(py::tuple(py::cast(plan.offsets)), plan.size, plan.unplanned);
}

Builder::Place Builder::place_of(int code) {
  while (code >= 0) {
    const Liveness::Value& value = live_.value(code);
    if (value.layout >= 0) {
      const int root = live_.root_of(code);
      return {value.data, value.layout, root == Liveness::kNone || root >= 0 || live_.other(root).writeable};
    }
    if (value.given == Liveness::kNone) throw ValueError("a value without memory");
    code = value.given;
  }
  Liveness::Other& other = live_.other(code);
  if (!other.array && Py_TYPE(other.operand.ptr()) == ir.literal) {
    other.array = literal_(other.operand);
    program_.keep(other.array);
    other.data = static_cast<char*>(py::reinterpret_borrow<py::array>(other.array).mutable_data());
    other.layout = live_.layouts.of_array(other.array.ptr());
  }
  const Liveness::Other& loaded = live_.loaded(code);
  return {loaded.data, loaded.layout, loaded.writeable};
}

py::object Builder::array(const py::handle& operand) {
  const int code = live_.code(operand);
  const Place place = place_of(code);
  if (code < 0) return live_.other(code).array;
  return live_.layouts.array(place.layout, place.data, memory_of(code), place.writeable);
}

// What keeps a value's memory alive.
const py::object& Builder::memory_of(int code) {
  const int root = live_.root_of(code);
  if (root == Liveness::kNone) throw ValueError("a value without memory");
  if (root < 0) return live_.loaded(root).array;
  const auto source = sources_.find(root);
  if (source != sources_.end()) return source->second;
  return where_[static_cast<size_t>(root)] == Where::arena ? arena_ : outside_;
}

void Builder::put(const py::handle& value, const py::array& array) {
  const int code = live_.code(value);
  Liveness::Value& made = live_.value(code);
  if (made.owns) sources_[code] = array;
  made.data = static_cast<char*>(const_cast<void*>(array.data()));
  made.layout = live_.layouts.of_array(array.ptr());
  program_.keep(array);
}

// -- steps
// --------------------------------------------------------------------------------------------------------------

void Builder::instruct(const py::object& graph, const py::object& python) {
  const auto [begin, end] = live_.block(graph);
  for (int i = begin; i < end; ++i) {
    const Item item = live_.items[static_cast<size_t>(i)];
    if (!item.needed || item.kind == Kind::input) continue;
    const bool known = find_places(item) && make_key(item);
    if (known) {
      const auto found = recipes_.find(key_);
      if (found != recipes_.end() && follow(found->second, item)) continue;
    }
    const int before = program_.program.size();
    python(graph, py::handle(reinterpret_cast<PyObject*>(item.node)));
    if (known) learn(item, before);
  }
}

// Where the operands and the result of a node are; false where steps could not be told apart by that.
bool Builder::find_places(const Item& item) {
  if (item.kind == Kind::control || item.kind == Kind::group || item.kind == Kind::source) return false;
  places_.clear();
  for (int i = 0; i < item.operands; ++i) {
    places_.push_back(place_of(live_.operand(item, i)));
    if (!layout_of(places_.back()).fits || layout_of(places_.back()).empty()) return false;
  }
  result_ = {nullptr, -1, true};
  if (!live_.value(item.value).owns) return true;
  result_ = place_of(item.value);
  return layout_of(result_).fits && !layout_of(result_).empty();
}

// All that steps depend on: the operation and its settings, layouts, and which operands share memory.
bool Builder::make_key(const Item& item) {
  const auto append = [this](int64_t number) { key_.append(reinterpret_cast<const char*>(&number), sizeof number); };
  const int settings = item.kind == Kind::update ? 0 : settings_of(item.node->attrs);
  if (settings < 0) return false;
  key_.clear();
  append(item.op);
  append(settings);
  append(static_cast<int>(item.kind));
  append(result_.layout);
  for (size_t i = 0; i < places_.size(); ++i) {
    const ArrayLayout& layout = layout_of(places_[i]);
    append(2 * places_[i].layout + static_cast<int>(places_[i].writeable));
    for (size_t j = 0; j < i; ++j) {
      const ArrayLayout& other = layout_of(places_[j]);
      const int64_t apart = places_[i].data - places_[j].data;
      if (apart + layout.begin >= other.end || apart + layout.end <= other.begin) continue;
      append(-1 - static_cast<int64_t>(j));
      append(apart);
    }
  }
  return true;
}

// A number for a node's settings; -1 where they cannot be a key.
int Builder::settings_of(PyObject* attrs) {
  if (PyDict_CheckExact(attrs) && PyDict_GET_SIZE(attrs) == 0) return 0;
  if (const int known = known_settings_.find(attrs); known >= 0) return known;
  try {
    const py::object key = setting_key(attrs);
    PyObject* const known = PyDict_GetItemWithError(settings_.ptr(), key.ptr());
    if (PyErr_Occurred() != nullptr) throw py::error_already_set();
    const int number =
        known != nullptr ? static_cast<int>(PyLong_AsLong(known)) : static_cast<int>(settings_.size()) + 1;
    if (known == nullptr) settings_[key] = number;
    known_settings_.insert(attrs, number);
    return number;
  } catch (py::error_already_set& error) {
    if (!error.matches(PyExc_TypeError)) throw;
    return -1;
  }
}

void Builder::write(View* views, const std::vector<Part>& parts) const {
  for (const Part& part : parts) {
    char* base = nullptr;
    if (part.of == Part::kResult) base = result_.data;
    if (part.of >= 0) base = places_[static_cast<size_t>(part.of)].data;
    assign(*views++, part.view, part.of == Part::kOwn ? part.view.data : base + part.offset);
  }
}

long Builder::number_of(const Item& item) const {
  PyObject* const attrs = item.node->attrs;
  PyObject* const number = PyDict_Check(attrs) ? PyDict_GetItemWithError(attrs, number_.ptr()) : nullptr;
  return number != nullptr && PyLong_Check(number) ? PyLong_AsLong(number) : -1;
}

std::vector<double> Builder::numbers_of(long number) const {
  const py::tuple given = numbers_[static_cast<size_t>(number)];
  std::vector<double> numbers;
  for (const py::handle value : given) numbers.push_back(PyFloat_AsDouble(value.ptr()));
  if (PyErr_Occurred() != nullptr) throw py::error_already_set();
  return numbers;
}

// Adds a node's steps; false where a kernel refuses them, which Python is left to tell.
bool Builder::follow(const Recipe& recipe, const Item& item) {
  if (item.kind == Kind::view) {
    Liveness::Value& made = live_.value(item.value);
    made.data = places_[0].data + recipe.offset;
    made.layout = recipe.layout;
    return true;
  }
  const bool update = item.kind == Kind::update;
  const long number = update ? number_of(item) : -1;
  if (update && (number < 0 || number >= static_cast<long>(numbers_.size()))) return false;
  const std::vector<double> numbers = update ? numbers_of(number) : std::vector<double>();
  for (const Recipe::Step& step : recipe.steps) {
    const std::vector<double>& params = update ? numbers : step.params;
    const size_t nin = step.in.size(), nout = step.out.size();
    View* const views = program_.program.make_views(nin + nout);
    write(views, step.in);
    write(views + nin, step.out);
    try {
      const int made = program_.program.add_made(
          step.kernel, {views, static_cast<int>(nin), views + nin, static_cast<int>(nout), params.data(),
                        static_cast<int>(params.size()), kernel_info(step.kernel).name});
      if (update) program_.note_update(static_cast<int>(number), made);
    } catch (const std::exception&) {
      return false;
    }
    nodes_.append(py::handle(reinterpret_cast<PyObject*>(item.node)));
  }
  return true;
}

// Keeps what Python did as a recipe, where it is told by the places of operands and result.
void Builder::learn(const Item& item, int before) {
  Recipe recipe;
  if (item.kind == Kind::view) {
    const Liveness::Value& made = live_.value(item.value);
    const ArrayLayout& layout = live_.layouts[made.layout];
    recipe.offset = made.data - places_[0].data;
    recipe.layout = made.layout;
    if (recipe.offset + layout.begin < layout_of(places_[0]).begin) return;
    if (recipe.offset + layout.end > layout_of(places_[0]).end) return;
  }
  for (int i = before; i < program_.program.size(); ++i) {
    const Call call = program_.program.call(i);
    if (call.in == nullptr) return;
    Recipe::Step step{program_.program.kernel_of(i), {}, {}, {call.params, call.params + call.nparams}};
    for (int j = 0; j < call.nin + call.nout; ++j) {
      const std::optional<Part> part = part_of(j < call.nin ? call.in[j] : call.out[j - call.nin]);
      if (!part) return;
      (j < call.nin ? step.in : step.out).push_back(*part);
    }
    recipe.steps.push_back(std::move(step));
  }
  recipes_.emplace(key_, std::move(recipe));
}

// Which memory a view is of; nothing where that is not certain.
std::optional<Builder::Part> Builder::part_of(const View& view) const {
  const auto [begin, end] = covered(view);
  if (begin == end) return std::nullopt;
  bool apart = true;
  for (int of = Part::kResult; of < static_cast<int>(places_.size()); ++of) {
    const Place& place = of == Part::kResult ? result_ : places_[static_cast<size_t>(of)];
    if (place.layout < 0) continue;
    const ArrayLayout& layout = layout_of(place);
    const int64_t offset = reinterpret_cast<intptr_t>(view.data) - reinterpret_cast<intptr_t>(place.data);
    if (offset + begin >= layout.begin && offset + end <= layout.end) return Part{of, offset, view};
    apart = apart && (offset + end <= layout.begin || offset + begin >= layout.end);
  }
  if (!apart) return std::nullopt;
  return Part{Part::kOwn, 0, view};
}

// -- what calls take and give
// ---------------------------------------------------------------------------------------------

View Builder::view_of(int code) {
  const Place place = place_of(code);
  View view = layout_of(place).view;
  view.data = place.data;
  if (!layout_of(place).fits) {  // tells why
    const py::object memory = live_.layouts.array(place.layout, place.data, memory_of(code), place.writeable);
    parse_array(view, memory.ptr(), false, "program", 0, py::detail::npy_api::get().PyArray_Type_);
  }
  return view;
}

void Builder::finish() {
  for (const int input : live_.inputs()) {
    const View view = view_of(input);
    program_.inputs.push_back({view, count(view) * item_size(view.dtype), program_.program.external(view.data)});
  }
  program_.outputs.reserve(results_.size());  // they stay where they are
  for (const int code : results_) {
    const View view = view_of(code);
    const bool direct = code >= 0 && where_[static_cast<size_t>(code)] == Where::result;
    program_.outputs.push_back({view, direct ? program_.program.external(view.data) : -1});
    program_.program.watch(program_.outputs.back().from);
  }
  for (const Liveness::Other& other : live_.others)
    if (other.array && Py_TYPE(other.operand.ptr()) != ir.literal) program_.note_constant(other.operand, other.array);
}

}  // namespace

void bind_builder(py::module_& m) {
  py::class_<Liveness>(m, "Liveness", "When each value of a graph is in use, and in whose memory it lies.")
      .def(py::init<py::object>())
      .def("visit", &Liveness::visit)
      .def("own", py::overload_cast<const py::handle&, const py::handle&>(&Liveness::own))
      .def("give", &Liveness::give)
      .def("use", py::overload_cast<const py::sequence&>(&Liveness::use))
      .def("advance", &Liveness::advance)
      .def("owns", &Liveness::owns)
      .def("owner", &Liveness::owner)
      .def("steps", &Liveness::steps)
      .def("buffers", [](Liveness& live) {
        py::list found;
        for (const Buffer& b : live.buffers()) found.append(py::make_tuple(b.size, b.first, b.last));
        return found;
      });
  py::class_<Builder>(m, "Builder", "Turns the nodes of a graph into a program's steps.")
      .def(py::init<py::object, py::object, py::list, py::object, py::sequence>())
      .def("place", &Builder::place)
      .def("instruct", &Builder::instruct)
      .def("array", &Builder::array)
      .def("put", &Builder::put)
      .def("finish", &Builder::finish);
  m.attr("ALIGNMENT") = kArenaAlignment;
  m.def("plan_arena", [](const std::vector<std::tuple<int64_t, int64_t, int64_t>>& buffers) {
    std::vector<Buffer> parsed;
    parsed.reserve(buffers.size());
    for (const auto& [size, first, last] : buffers) parsed.push_back({size, first, last});
    const ArenaPlan plan = plan_arena(parsed);
    return py::make_tuple(py::tuple(py::cast(plan.offsets)), plan.size, plan.unplanned);
  });
}

}  // namespace graphnet
