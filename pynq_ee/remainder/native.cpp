// Python's binding of native_engine.h: the module pynq_ee.remainder._native. native.py is what calls it.
//
// Arrays come through the buffer protocol, so neither NumPy's headers nor a binding library is needed to build it. Every
// buffer's type and size is checked here, because a wrong one would be read or written out of bounds; a mismatch is a
// ValueError, which native.py turns into the package's own error.

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <new>
#include <utility>

#include "native_engine.h"

namespace {

using namespace pynq_ee;

constexpr const char* kProgramCapsule = "pynq_ee.remainder.program";
constexpr const char* kTableCapsule = "pynq_ee.remainder.exponential_table";

// Rows from which on other Python threads may run meanwhile: a shorter call is over before one could.
constexpr Py_ssize_t kReleaseRows = 16;

class Released {
 public:
  explicit Released(bool release) : state_(release ? PyEval_SaveThread() : nullptr) {}
  ~Released() {
    if (state_) PyEval_RestoreThread(state_);
  }
  Released(const Released&) = delete;
  Released& operator=(const Released&) = delete;

 private:
  PyThreadState* state_;
};

class Buffer {
 public:
  Buffer() = default;
  ~Buffer() {
    if (view_.obj) PyBuffer_Release(&view_);
  }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;

  bool open(PyObject* object, int flags) { return PyObject_GetBuffer(object, &view_, flags | PyBUF_FORMAT) == 0; }
  // Native byte order: NumPy writes no prefix, or '@' or '=' before the letter.
  bool is(char letter, size_t size) const {
    const char* format = view_.format ? view_.format : "B";
    if (*format == '@' || *format == '=') ++format;
    return format[0] == letter && format[1] == 0 && view_.itemsize == static_cast<Py_ssize_t>(size);
  }
  int dimensions() const { return view_.ndim; }
  Py_ssize_t shape(int axis) const { return view_.shape[axis]; }
  Py_ssize_t stride(int axis) const { return view_.strides[axis]; }
  Py_ssize_t items() const { return view_.len / view_.itemsize; }
  template <typename T>
  T* as() const {
    return static_cast<T*>(view_.buf);
  }
  bool aligned(size_t to) const { return reinterpret_cast<uintptr_t>(view_.buf) % to == 0; }

 private:
  Py_buffer view_ = {};
};

bool refuse(const char* message) {
  PyErr_SetString(PyExc_ValueError, message);
  return false;
}

bool expect_arguments(Py_ssize_t found, Py_ssize_t expected) {
  if (found == expected) return true;
  PyErr_Format(PyExc_TypeError, "%zd arguments; %zd are needed", found, expected);
  return false;
}

template <typename T>
T* unwrap(PyObject* capsule, const char* name) {
  return static_cast<T*>(PyCapsule_GetPointer(capsule, name));
}

template <typename T>
PyObject* wrap(T* object, const char* name) {
  return PyCapsule_New(object, name, [](PyObject* capsule) {
    delete static_cast<T*>(PyCapsule_GetPointer(capsule, PyCapsule_GetName(capsule)));
  });
}

// C++ signals the lack of memory by an exception, which must not cross into the interpreter.
template <typename Function>
PyObject* guarded(Function function) {
  try {
    return function();
  } catch (const std::bad_alloc&) {
    return PyErr_NoMemory();
  }
}

// (kernel, channels, side, relu, weight (inputs, outputs) float32, bias (outputs) float32)
bool read_layer(PyObject* tuple, const Kernels& kernels, Layer* layer) {
  int relu = 0;
  PyObject *weights = nullptr, *biases = nullptr;
  if (!PyArg_ParseTuple(tuple, "iiipOO", &layer->kernel, &layer->channels, &layer->side, &relu, &weights, &biases))
    return false;
  layer->relu = relu != 0;
  Buffer weight, bias;
  if (!weight.open(weights, PyBUF_C_CONTIGUOUS) || !bias.open(biases, PyBUF_C_CONTIGUOUS)) return false;
  if (!weight.is('f', sizeof(float)) || !bias.is('f', sizeof(float)) || weight.dimensions() != 2 ||
      bias.dimensions() != 1 || weight.shape(1) != bias.shape(0))
    return refuse("weight must be float32 (inputs, outputs), bias float32 (outputs)");
  if (weight.shape(0) < 1 || weight.shape(0) > kMaxInputs || bias.shape(0) < 1 || bias.shape(0) > kMaxInputs ||
      bias.shape(0) % kBlock != 0)
    return refuse("a layer has 1 to 4096 inputs, and a multiple of 16 outputs, at most 4096");
  layer->inputs = static_cast<int>(weight.shape(0));
  layer->outputs = static_cast<int>(weight.shape(1));
  if (layer->kernel != 0) {
    if (layer->kernel < 1 || layer->kernel > 64 || layer->channels < 1 || layer->channels > kMaxInputs ||
        layer->side <= layer->kernel || layer->side > 256 || layer->image() > kMaxImage || layer->image() % 2 != 0 ||
        (layer->side - layer->kernel + 1) % 2 != 0)
      return refuse("a convolution's features are an even number, at most 16384, and its output's side is even");
    if (layer->inputs != layer->kernel * layer->kernel * layer->channels)
      return refuse("a convolution's weight has kernel * kernel * channels inputs");
  }
  layer->weight = pack(weight.as<float>(), layer->inputs, layer->outputs, kernels.width);
  layer->bias = copy(bias.as<float>(), layer->outputs);
  return true;
}

PyObject* build(PyObject*, PyObject* const* arguments, Py_ssize_t count) {
  if (!expect_arguments(count, 3)) return nullptr;
  return guarded([&]() -> PyObject* {
    const Py_ssize_t body = PyLong_AsSsize_t(arguments[1]);
    const Py_ssize_t choice = PyLong_AsSsize_t(arguments[2]);
    if (PyErr_Occurred()) return nullptr;
    const std::vector<InstructionSet> sets = instruction_sets();
    if (!PyTuple_Check(arguments[0]) || PyTuple_GET_SIZE(arguments[0]) < 1 || body < 0 ||
        body >= PyTuple_GET_SIZE(arguments[0]) || choice < 0 || static_cast<size_t>(choice) >= sets.size())
      return refuse("layers must be a tuple, body fewer than all of them, and instruction_set an index"), nullptr;
    auto program = std::make_unique<Program>();
    program->kernels = sets[choice].kernels;
    program->body = body;
    for (Py_ssize_t number = 0; number < PyTuple_GET_SIZE(arguments[0]); ++number) {
      Layer layer{};
      if (!read_layer(PyTuple_GET_ITEM(arguments[0], number), *program->kernels, &layer)) return nullptr;
      if (number > 0 && (layer.kernel || layer.inputs != program->layers.back().results()))
        return refuse("only the first layer is a convolution, and a layer's inputs are the results before it"), nullptr;
      program->layers.push_back(std::move(layer));
    }
    PyObject* capsule = wrap(program.get(), kProgramCapsule);
    if (capsule) program.release();
    return capsule;
  });
}

bool matches(const Buffer& buffer, char letter, size_t size, Py_ssize_t rows, Py_ssize_t columns) {
  return buffer.is(letter, size) && buffer.dimensions() == 2 && buffer.shape(0) == rows && buffer.shape(1) == columns;
}

bool input_kind(const Program& program, const Buffer& inputs, Input* kind) {
  const Layer& first = program.layers[0];
  if (!first.kernel) {
    *kind = Input::kHidden;
    return inputs.is('f', sizeof(float)) && inputs.dimensions() == 2 && inputs.shape(1) == first.inputs;
  }
  *kind = inputs.dimensions() == 4 ? Input::kPlanes : Input::kNibbles;
  if (!inputs.is('B', 1)) return false;
  if (*kind == Input::kNibbles) return inputs.dimensions() == 2 && inputs.shape(1) == first.image() / 2;
  return inputs.shape(1) == first.channels && inputs.shape(2) == first.side && inputs.shape(3) == first.side;
}

// run(program, inputs, hidden or None, logits)
PyObject* run(PyObject*, PyObject* const* arguments, Py_ssize_t count) {
  if (!expect_arguments(count, 4)) return nullptr;
  const auto* program = unwrap<Program>(arguments[0], kProgramCapsule);
  if (!program) return nullptr;
  Buffer inputs, hidden, logits;
  Input kind;
  if (!inputs.open(arguments[1], PyBUF_C_CONTIGUOUS)) return nullptr;
  if (!input_kind(*program, inputs, &kind)) return refuse("inputs have another type or shape"), nullptr;
  const Py_ssize_t rows = inputs.shape(0);
  if (program->body) {
    if (!hidden.open(arguments[2], PyBUF_C_CONTIGUOUS | PyBUF_WRITABLE)) return nullptr;
    if (!matches(hidden, 'f', sizeof(float), rows, program->layers[program->body - 1].results()))
      return refuse("hidden has another type or shape"), nullptr;
  }
  if (!logits.open(arguments[3], PyBUF_C_CONTIGUOUS | PyBUF_WRITABLE)) return nullptr;
  if (!logits.is('f', sizeof(float)) || logits.dimensions() != 2 || logits.shape(0) != rows ||
      logits.shape(1) > program->layers.back().results())
    return refuse("logits have another type or shape"), nullptr;
  return guarded([&]() -> PyObject* {
    {
      Released released(rows >= kReleaseRows);
      pynq_ee::run(*program, kind, inputs.as<void>(), rows, program->body ? hidden.as<float>() : nullptr,
                   logits.as<float>(), static_cast<int>(logits.shape(1)));
    }
    Py_RETURN_NONE;
  });
}

// exponential_table(scale)
PyObject* exponential_table(PyObject*, PyObject* scale) {
  const double value = PyFloat_AsDouble(scale);
  if (value == -1 && PyErr_Occurred()) return nullptr;
  if (!(value > 0) || !std::isfinite(value)) return refuse("scale must be positive and finite"), nullptr;
  return guarded([&]() -> PyObject* {
    auto table = std::make_unique<ExponentialTable>(value);
    PyObject* capsule = wrap(table.get(), kTableCapsule);
    if (capsule) table.release();
    return capsule;
  });
}

// decide(exponential_table or None, logits, threshold, entropy, labels, leaves); False if a logit is not finite
PyObject* decide(PyObject*, PyObject* const* arguments, Py_ssize_t count) {
  if (!expect_arguments(count, 6)) return nullptr;
  const bool integer = arguments[0] != Py_None;
  const ExponentialTable* table = integer ? unwrap<ExponentialTable>(arguments[0], kTableCapsule) : nullptr;
  if (integer && !table) return nullptr;
  const double threshold = PyFloat_AsDouble(arguments[2]);
  if (threshold == -1 && PyErr_Occurred()) return nullptr;
  Buffer logits, entropy, labels, leaves;
  const int flags = PyBUF_C_CONTIGUOUS | PyBUF_WRITABLE;
  if (!logits.open(arguments[1], integer ? PyBUF_STRIDES : PyBUF_C_CONTIGUOUS) || !entropy.open(arguments[3], flags) ||
      !labels.open(arguments[4], flags) || !leaves.open(arguments[5], flags))
    return nullptr;
  const size_t size = integer ? sizeof(int16_t) : sizeof(float);
  if (!logits.is(integer ? 'h' : 'f', size) || logits.dimensions() != 2 || logits.shape(1) < 1 ||
      logits.shape(1) > kMaxInputs)
    return refuse("logits have another type or shape"), nullptr;
  // Rows may be the records that the circuit returns, with other bytes between them, but each row is a plain array.
  if (integer && (logits.stride(1) != 2 || logits.stride(0) % 2 != 0 || !logits.aligned(2)))
    return refuse("the logits of one image must stand side by side"), nullptr;
  const Py_ssize_t rows = logits.shape(0);
  const bool label_type = labels.is('l', sizeof(int64_t)) || labels.is('q', sizeof(int64_t));
  if (!entropy.is('d', sizeof(double)) || !label_type || !leaves.is('?', 1) || entropy.items() != rows ||
      labels.items() != rows || leaves.items() != rows)
    return refuse("entropy, labels or leaves have another type or shape"), nullptr;
  const Decision out = {entropy.as<double>(), labels.as<int64_t>(), leaves.as<uint8_t>()};
  const int classes = static_cast<int>(logits.shape(1));
  bool finite = true;
  {
    Released released(rows >= kReleaseRows);
    if (integer)
      pynq_ee::decide(*table, logits.as<char>(), logits.stride(0), rows, classes, threshold, out);
    else
      finite = pynq_ee::decide(logits.as<float>(), rows, classes, threshold, out);
  }
  return PyBool_FromLong(finite);
}

PyMethodDef kMethods[] = {
    {"build", reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(build)), METH_FASTCALL,
     "build(layers, body, instruction_set) -> program"},
    {"run", reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(run)), METH_FASTCALL,
     "run(program, inputs, hidden, logits)"},
    {"exponential_table", exponential_table, METH_O, "exponential_table(scale) -> table"},
    {"decide", reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(decide)), METH_FASTCALL,
     "decide(table, logits, threshold, entropy, labels, leaves) -> whether every logit is finite"},
    {nullptr, nullptr, 0, nullptr},
};

int execute(PyObject* module) {
  const std::vector<InstructionSet> sets = instruction_sets();
  PyObject* names = PyTuple_New(static_cast<Py_ssize_t>(sets.size()));
  if (!names) return -1;
  for (size_t i = 0; i < sets.size(); ++i) {
    PyObject* name = PyUnicode_FromString(sets[i].name);
    if (!name) {
      Py_DECREF(names);
      return -1;
    }
    PyTuple_SET_ITEM(names, static_cast<Py_ssize_t>(i), name);
  }
  const int status = PyModule_AddObjectRef(module, "INSTRUCTION_SETS", names);
  Py_DECREF(names);
  return status;
}

PyModuleDef_Slot kSlots[] = {{Py_mod_exec, reinterpret_cast<void*>(execute)}, {0, nullptr}};

PyModuleDef kModule = {PyModuleDef_HEAD_INIT, "pynq_ee.remainder._native", nullptr, 0, kMethods, kSlots,
                       nullptr,               nullptr,                     nullptr};

}  // namespace

PyMODINIT_FUNC PyInit__native() { return PyModuleDef_Init(&kModule); }
