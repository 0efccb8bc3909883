// Python's binding of engine.h: the module pynq_ee.remainder._native. native.py is what calls it.
//
// Arrays come through the buffer protocol, so neither NumPy's headers nor a binding library is needed to build it. Every
// buffer's type and size is checked here, because a wrong one would be read or written out of bounds; a mismatch is a
// ValueError, which native.py turns into the package's own error.

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <cstdlib>
#include <new>
#include <utility>

#include "beside.h"
#include "decision.h"
#include "engine.h"

namespace {

using namespace pynq_ee;

constexpr const char* kNetworkCapsule = "pynq_ee.remainder.network";
constexpr const char* kTableCapsule = "pynq_ee.remainder.decision_table";
constexpr const char* kWorkersCapsule = "pynq_ee.remainder.workers";
constexpr const char* kHandedCapsule = "pynq_ee.remainder.handed_over";

// Rows from which on other Python threads may run meanwhile: a shorter call is over before one could. Layers, of which a
// row takes an ARM a sixth of a millisecond, and decisions.
constexpr Py_ssize_t kReleaseRows = 2, kReleaseDecisions = 16;

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
void drop(T* object) {
  delete object;
}

void drop(Workers* workers) {
  if (!workers->foreign()) delete workers;  // in a fork, a lock that nobody releases and threads that nobody can join
}

// A capsule that owns the object.
template <typename T>
PyObject* wrap(std::unique_ptr<T> object, const char* name) {
  PyObject* capsule = PyCapsule_New(object.get(), name, [](PyObject* dropped) {
    drop(static_cast<T*>(PyCapsule_GetPointer(dropped, PyCapsule_GetName(dropped))));
  });
  if (capsule) object.release();
  return capsule;
}

// C++ signals the lack of memory by an exception, which must not cross into the interpreter.
template <typename Function>
PyObject* guarded(Function function) {
  try {
    return function();
  } catch (const std::bad_alloc&) {
    return PyErr_NoMemory();
  } catch (const std::exception& error) {  // a thread that cannot be started
    PyErr_SetString(PyExc_RuntimeError, error.what());
    return nullptr;
  }
}

// (kernel, padding, channels, side, input_max, largest, weight int8 (taps, outputs), bias int32, shift uint8)
struct Arrays {
  Buffer weight, bias, shift;
};

bool read_layer(PyObject* tuple, RawLayer* raw, int* input_max, Arrays* arrays) {
  PyObject *weights = nullptr, *biases = nullptr, *shifts = nullptr;
  if (!PyTuple_Check(tuple)) return refuse("a layer must be a tuple");
  if (!PyArg_ParseTuple(tuple, "iiiiiiOOO", &raw->kernel, &raw->padding, &raw->channels, &raw->side, input_max,
                        &raw->largest, &weights, &biases, &shifts))
    return false;
  Buffer &weight = arrays->weight, &bias = arrays->bias, &shift = arrays->shift;
  if (!weight.open(weights, PyBUF_C_CONTIGUOUS) || !bias.open(biases, PyBUF_C_CONTIGUOUS) ||
      !shift.open(shifts, PyBUF_C_CONTIGUOUS))
    return false;
  const bool bias_type = bias.is('i', sizeof(int32_t)) || bias.is('l', sizeof(int32_t));
  if (!weight.is('b', 1) || !bias_type || !shift.is('B', 1) || weight.dimensions() != 2 || bias.dimensions() != 1 ||
      shift.dimensions() != 1 || weight.shape(1) != bias.shape(0) || weight.shape(1) != shift.shape(0))
    return refuse("weight must be int8 (taps, outputs), bias int32 (outputs), shift uint8 (outputs)");
  if (weight.shape(0) < 1 || weight.shape(0) > kMaxTaps || weight.shape(1) < 1 || weight.shape(1) > kMaxTaps)
    return refuse("a layer has 1 to 4096 inputs and outputs");
  raw->taps = static_cast<int>(weight.shape(0));
  raw->outputs = static_cast<int>(weight.shape(1));
  raw->weight = weight.as<int8_t>();
  raw->bias = bias.as<int32_t>();
  raw->shift = shift.as<uint8_t>();
  for (int output = 0; output < raw->outputs; ++output)
    if (raw->shift[output] > 31) return refuse("a shift is more than 31");
  if (*input_max < 1 || *input_max > 255 || raw->largest < 0 || raw->largest > 127)
    return refuse("inputs reach 1 to 255, activations at most 127");
  return true;
}

bool read_convolution(PyObject* tuple, const Kernels& kernels, Convolution* layer) {
  RawLayer raw{};
  int input_max = 0;
  Arrays arrays;
  if (!read_layer(tuple, &raw, &input_max, &arrays)) return false;
  const int64_t padded = int64_t{raw.side} + 2 * int64_t{raw.padding};
  if (raw.kernel < 1 || raw.kernel > 64 || raw.padding < 0 || raw.padding > 64 || raw.channels < 1 ||
      raw.channels > kPanel || raw.side < 1 || raw.side > 256 || padded <= raw.kernel ||
      padded * padded * raw.channels > kMaxImage || (padded - raw.kernel + 1) % 2 != 0)
    return refuse("a convolution's image has at most 16384 bytes, and its output's side is even");
  if (raw.taps != raw.kernel * raw.kernel * raw.channels || raw.outputs > kPanel || raw.largest < 1)
    return refuse("a convolution has kernel * kernel * channels taps, and activations of at most 16 channels");
  for (int output = 0; output < raw.outputs; ++output) {
    int64_t span = 0;
    int largest = 0;
    for (int tap = 0; tap < raw.taps; ++tap) {
      const int product = std::abs(int{raw.weight[tap * raw.outputs + output]}) * input_max;
      span += product;
      largest = std::max(largest, product);
    }
    if (span >= 1 << 16) return refuse("a convolution's sums must stay within a range of 2**16");
    if (2 * largest > INT16_MAX) return refuse("a convolution's products by pairs must stay within 16 bits");
  }
  *layer = pack_convolution(raw, input_max, kernels);
  return true;
}

// `channels` and `stored`: real outputs of one position of the layer before, and bytes that one image of it takes; 0 if
// any will do.
bool read_connection(PyObject* tuple, const Kernels& kernels, int channels, int stored, Connection* layer) {
  RawLayer raw{};
  int input_max = 0;
  Arrays arrays;
  if (!read_layer(tuple, &raw, &input_max, &arrays)) return false;
  if (raw.kernel || input_max > 127 || channels < 1 || raw.taps % channels != 0)
    return refuse("only the first layer is a convolution, and a connection's inputs are at most 127");
  *layer = pack_connection(raw, channels, kernels);
  if (stored && layer->inputs != stored) return refuse("a layer's inputs are the results of the one before");
  return true;
}

// (convolution or None, connections, body)
bool read_stage(PyObject* tuple, const Kernels& kernels, int channels, int stored, Stage* stage) {
  PyObject *convolution = nullptr, *connections = nullptr;
  Py_ssize_t body = 0;
  if (!PyTuple_Check(tuple)) return refuse("a stage must be a tuple");
  if (!PyArg_ParseTuple(tuple, "OO!n", &convolution, &PyTuple_Type, &connections, &body)) return false;
  if (PyTuple_GET_SIZE(connections) < 1 || body < 0 || body >= PyTuple_GET_SIZE(connections))
    return refuse("a stage has connections, and its body fewer than all of them");
  if (convolution != Py_None) {
    if (stored) return refuse("only the first stage has a convolution");
    stage->convolution = std::make_unique<Convolution>();
    if (!read_convolution(convolution, kernels, stage->convolution.get())) return false;
    if (stage->convolution->padding || stage->convolution->image() % 2)
      return refuse("the remainder's convolution has no padding, and an even number of features");
    channels = stage->convolution->outputs;
    stored = stage->convolution->results();
  } else if (!stored) {
    return refuse("the first stage begins with a convolution");
  }
  stage->body = static_cast<size_t>(body);
  for (Py_ssize_t number = 0; number < PyTuple_GET_SIZE(connections); ++number) {
    Connection layer{};
    if (!read_connection(PyTuple_GET_ITEM(connections, number), kernels, channels, stored, &layer)) return false;
    const bool last = number + 1 == PyTuple_GET_SIZE(connections);
    if ((layer.largest == 0) != last) return refuse("the last layer of a stage, and no other, gives logits");
    channels = layer.outputs;
    stored = layer.results();
    stage->connections.push_back(std::move(layer));
  }
  return true;
}

bool read_first_exit(PyObject* tuple, const Kernels& kernels, FirstExit* layers) {
  PyObject *trunk = nullptr, *branch = nullptr, *classifier = nullptr;
  if (!PyTuple_Check(tuple)) return refuse("the first exit must be a tuple");
  if (!PyArg_ParseTuple(tuple, "OOO", &trunk, &branch, &classifier)) return false;
  if (!read_convolution(trunk, kernels, &layers->trunk) || !read_convolution(branch, kernels, &layers->branch))
    return false;
  if (layers->trunk.channels != 1 || layers->branch.channels != layers->trunk.outputs ||
      layers->branch.side != layers->trunk.half() || layers->trunk.largest > 15 ||
      layers->branch.side * layers->branch.channels % 2)
    return refuse("the trunk takes pixels, and the branch what the trunk gives, in four bits");
  if (!read_connection(classifier, kernels, layers->branch.outputs, layers->branch.results(), &layers->classifier))
    return false;
  if (layers->classifier.largest) return refuse("the classifier gives logits");
  return true;
}

// build(first_exit or None, stages, instruction_set) -> network
PyObject* build(PyObject*, PyObject* const* arguments, Py_ssize_t count) {
  if (!expect_arguments(count, 3)) return nullptr;
  return guarded([&]() -> PyObject* {
    const Py_ssize_t choice = PyLong_AsSsize_t(arguments[2]);
    if (PyErr_Occurred()) return nullptr;
    const std::vector<const Kernels*> sets = kernels_of_this_machine();
    if (!PyTuple_Check(arguments[1]) || choice < 0 || static_cast<size_t>(choice) >= sets.size())
      return refuse("stages must be a tuple, and instruction_set an index"), nullptr;
    auto network = std::make_unique<Network>();
    network->kernels = sets[choice];
    if (arguments[0] != Py_None) {
      network->first_exit = std::make_unique<FirstExit>();
      if (!read_first_exit(arguments[0], *network->kernels, network->first_exit.get())) return nullptr;
    }
    int channels = 0, stored = 0;
    for (Py_ssize_t number = 0; number < PyTuple_GET_SIZE(arguments[1]); ++number) {
      Stage stage;
      if (!read_stage(PyTuple_GET_ITEM(arguments[1], number), *network->kernels, channels, stored, &stage))
        return nullptr;
      const bool convolved = stage.body == 0 && stage.convolution;
      channels = stage.body ? stage.connections[stage.body - 1].outputs
                            : convolved ? stage.convolution->outputs : channels;
      stored = stage.hidden();
      network->stages.push_back(std::move(stage));
    }
    return wrap(std::move(network), kNetworkCapsule);
  });
}

bool matches(const Buffer& buffer, char letter, size_t size, Py_ssize_t rows, Py_ssize_t columns) {
  return buffer.is(letter, size) && buffer.dimensions() == 2 && buffer.shape(0) == rows && buffer.shape(1) == columns;
}

bool input_kind(const Stage& stage, const Buffer& inputs, Input* kind) {
  if (!inputs.is('B', 1)) return false;
  if (!stage.convolution) {
    *kind = Input::kHidden;
    return inputs.dimensions() == 2 && inputs.shape(1) == stage.inputs();
  }
  const Convolution& first = *stage.convolution;
  *kind = inputs.dimensions() == 4 ? Input::kPlanes : Input::kNibbles;
  if (*kind == Input::kNibbles) return inputs.dimensions() == 2 && inputs.shape(1) == first.image() / 2;
  return inputs.shape(1) == first.channels && inputs.shape(2) == first.side && inputs.shape(3) == first.side;
}

// A number of threads, at least 1; 0 and an error if it is none.
size_t read_threads(PyObject* object) {
  const Py_ssize_t threads = PyLong_AsSsize_t(object);
  if (threads >= 1 && threads <= 1024) return static_cast<size_t>(threads);
  if (!PyErr_Occurred()) refuse("threads must be 1 to 1024");
  return 0;
}

// A stage and its arrays, checked.
struct StageCall {
  const Network* network = nullptr;
  const Stage* stage = nullptr;
  Buffer inputs, hidden, logits;
  Input kind{};
  bool changes = false;

  // network, number, inputs, hidden or None, logits
  bool open(PyObject* const* arguments) {
    network = unwrap<Network>(arguments[0], kNetworkCapsule);
    if (!network) return false;
    const Py_ssize_t number = PyLong_AsSsize_t(arguments[1]);
    if (PyErr_Occurred()) return false;
    if (number < 0 || static_cast<size_t>(number) >= network->stages.size()) return refuse("no such stage");
    stage = &network->stages[number];
    if (!inputs.open(arguments[2], PyBUF_C_CONTIGUOUS)) return false;
    if (!input_kind(*stage, inputs, &kind)) return refuse("inputs have another type or shape");
    changes = stage->body || stage->convolution;
    if (changes) {
      if (!hidden.open(arguments[3], PyBUF_C_CONTIGUOUS | PyBUF_WRITABLE)) return false;
      if (!matches(hidden, 'B', 1, rows(), stage->hidden())) return refuse("hidden has another type or shape");
    }
    if (!logits.open(arguments[4], PyBUF_C_CONTIGUOUS | PyBUF_WRITABLE)) return false;
    if (!matches(logits, 'h', sizeof(int16_t), rows(), stage->connections.back().outputs))
      return refuse("logits have another type or shape");
    return true;
  }
  Py_ssize_t rows() const { return inputs.shape(0); }
  void run(size_t first, size_t last) const {
    const size_t bytes = rows() ? inputs.items() / rows() : 0;
    pynq_ee::run_stage(*network, *stage, kind, inputs.as<uint8_t>() + first * bytes, last - first,
                       changes ? hidden.as<uint8_t>() + first * stage->hidden() : nullptr,
                       logits.as<int16_t>() + first * stage->connections.back().outputs);
  }
};

// run_stage(network, number, inputs, hidden or None, logits, threads)
PyObject* run_stage(PyObject*, PyObject* const* arguments, Py_ssize_t count) {
  if (!expect_arguments(count, 6)) return nullptr;
  const size_t threads = read_threads(arguments[5]);
  StageCall call;
  if (!threads || !call.open(arguments)) return nullptr;
  return guarded([&]() -> PyObject* {
    {
      Released released(call.rows() >= kReleaseRows);
      in_threads(call.rows(), threads, [&](size_t first, size_t last) { call.run(first, last); });
    }
    Py_RETURN_NONE;
  });
}

// workers(threads) -> workers
PyObject* workers(PyObject*, PyObject* const* arguments, Py_ssize_t count) {
  if (!expect_arguments(count, 1)) return nullptr;
  const size_t threads = read_threads(arguments[0]);
  if (!threads) return nullptr;
  return guarded([&] { return wrap(std::make_unique<Workers>(threads), kWorkersCapsule); });
}

// end(workers): what has been handed over is computed first.
PyObject* end(PyObject*, PyObject* const* arguments, Py_ssize_t count) {
  if (!expect_arguments(count, 1)) return nullptr;
  auto* found = unwrap<Workers>(arguments[0], kWorkersCapsule);
  if (!found) return nullptr;
  if (!found->foreign()) {
    Released released(true);
    found->close();
  }
  Py_RETURN_NONE;
}

// What keeps a job's arrays, its network and its workers.
struct HandedOver {
  StageCall call;
  Workers* workers = nullptr;
  std::shared_ptr<Job> job;
  PyObject *network_capsule = nullptr, *workers_capsule = nullptr;

  ~HandedOver() {
    if (job) workers->drop(*job);
    Py_XDECREF(network_capsule);
    Py_XDECREF(workers_capsule);
  }
};

// hand_over(workers, network, number, inputs, hidden or None, logits) -> handed over
PyObject* hand_over(PyObject*, PyObject* const* arguments, Py_ssize_t count) {
  if (!expect_arguments(count, 6)) return nullptr;
  auto* found = unwrap<Workers>(arguments[0], kWorkersCapsule);
  if (!found) return nullptr;
  if (found->foreign()) return refuse("these workers are those of the process that this was forked from"), nullptr;
  return guarded([&]() -> PyObject* {
    auto handed = std::make_unique<HandedOver>();
    if (!handed->call.open(arguments + 1)) return nullptr;
    const StageCall* call = &handed->call;
    handed->workers = found;
    handed->workers_capsule = Py_NewRef(arguments[0]);
    handed->network_capsule = Py_NewRef(arguments[1]);
    handed->job = std::make_shared<Job>(call->rows(), [call](size_t first, size_t last) { call->run(first, last); });
    found->hand_over(handed->job);
    return wrap(std::move(handed), kHandedCapsule);
  });
}

// finish(handed over) -> begin and end, seconds of time.perf_counter
PyObject* finish(PyObject*, PyObject* const* arguments, Py_ssize_t count) {
  if (!expect_arguments(count, 1)) return nullptr;
  auto* handed = unwrap<HandedOver>(arguments[0], kHandedCapsule);
  if (!handed) return nullptr;
  return guarded([&]() -> PyObject* {
    {
      Released released(true);
      handed->workers->finish(*handed->job);
    }
    return Py_BuildValue("dd", handed->job->begin, handed->job->end);
  });
}

// run_first_exit(network, images, features, logits, threads)
PyObject* run_first_exit(PyObject*, PyObject* const* arguments, Py_ssize_t count) {
  if (!expect_arguments(count, 5)) return nullptr;
  const auto* network = unwrap<Network>(arguments[0], kNetworkCapsule);
  if (!network) return nullptr;
  const size_t threads = read_threads(arguments[4]);
  if (!threads) return nullptr;
  if (!network->first_exit) return refuse("this network has no first exit"), nullptr;
  const Convolution& trunk = network->first_exit->trunk;
  const Convolution& branch = network->first_exit->branch;
  Buffer images, features, logits;
  if (!images.open(arguments[1], PyBUF_C_CONTIGUOUS)) return nullptr;
  if (!images.is('B', 1) || images.dimensions() != 3 || images.shape(1) != trunk.side || images.shape(2) != trunk.side)
    return refuse("images have another type or shape"), nullptr;
  const Py_ssize_t rows = images.shape(0);
  const Py_ssize_t bytes = branch.side * branch.side * branch.channels / 2;
  const Py_ssize_t classes = network->first_exit->classifier.outputs;
  const int writable = PyBUF_C_CONTIGUOUS | PyBUF_WRITABLE;
  if (!features.open(arguments[2], writable) || !logits.open(arguments[3], writable)) return nullptr;
  if (!matches(features, 'B', 1, rows, bytes) || !matches(logits, 'h', sizeof(int16_t), rows, classes))
    return refuse("features or logits have another type or shape"), nullptr;
  return guarded([&]() -> PyObject* {
    {
      Released released(rows >= kReleaseRows);
      const Py_ssize_t pixels = trunk.side * trunk.side;
      in_threads(rows, threads, [&](size_t first, size_t last) {
        pynq_ee::run_first_exit(*network, images.as<uint8_t>() + first * pixels, last - first,
                                features.as<uint8_t>() + first * bytes, logits.as<int16_t>() + first * classes);
      });
    }
    Py_RETURN_NONE;
  });
}

// An array of whole numbers, uint32.
bool read_table(PyObject* object, std::vector<uint32_t>* table) {
  Buffer buffer;
  if (!buffer.open(object, PyBUF_C_CONTIGUOUS)) return false;
  if (!(buffer.is('I', 4) || buffer.is('L', 4)) || buffer.dimensions() != 1 || buffer.shape(0) < 2)
    return refuse("a table must be uint32 (n)");
  table->assign(buffer.as<uint32_t>(), buffer.as<uint32_t>() + buffer.shape(0));
  return true;
}

// decision_table(exponent, exponentials, logarithms)
PyObject* decision_table(PyObject*, PyObject* const* arguments, Py_ssize_t count) {
  if (!expect_arguments(count, 3)) return nullptr;
  const long exponent = PyLong_AsLong(arguments[0]);
  if (PyErr_Occurred()) return nullptr;
  if (exponent < -32 || exponent > 32) return refuse("exponent must be -32 to 32"), nullptr;
  return guarded([&]() -> PyObject* {
    std::vector<uint32_t> exponentials, logarithms;
    if (!read_table(arguments[1], &exponentials) || !read_table(arguments[2], &logarithms)) return nullptr;
    if (exponentials.back() != 0 || exponentials.front() != 1u << kUnitBits || exponentials.size() > 1u << 12 ||
        logarithms.size() != (1u << kLogarithmBits) + 1)
      return refuse("exponentials go from 2**20 to 0 in at most 4096, and there are 257 logarithms"), nullptr;
    return wrap(std::make_unique<DecisionTable>(exponent, std::move(exponentials), std::move(logarithms)), kTableCapsule);
  });
}

// decide(table, logits, threshold, entropy, labels, leaves)
PyObject* decide(PyObject*, PyObject* const* arguments, Py_ssize_t count) {
  if (!expect_arguments(count, 6)) return nullptr;
  const auto* table = unwrap<DecisionTable>(arguments[0], kTableCapsule);
  if (!table) return nullptr;
  const double threshold = PyFloat_AsDouble(arguments[2]);
  if (threshold == -1 && PyErr_Occurred()) return nullptr;
  Buffer logits, entropy, labels, leaves;
  const int flags = PyBUF_C_CONTIGUOUS | PyBUF_WRITABLE;
  if (!logits.open(arguments[1], PyBUF_STRIDES) || !entropy.open(arguments[3], flags) ||
      !labels.open(arguments[4], flags) || !leaves.open(arguments[5], flags))
    return nullptr;
  if (!logits.is('h', sizeof(int16_t)) || logits.dimensions() != 2 || logits.shape(1) < 1 ||
      logits.shape(1) > kMaxClasses)
    return refuse("logits have another type or shape"), nullptr;
  // Rows may be the records that the circuit returns, with other bytes between them, but each row is a plain array.
  if (logits.stride(1) != 2 || logits.stride(0) % 2 != 0 || !logits.aligned(2))
    return refuse("the logits of one image must stand side by side"), nullptr;
  const Py_ssize_t rows = logits.shape(0);
  const bool label_type = labels.is('l', sizeof(int64_t)) || labels.is('q', sizeof(int64_t));
  if (!entropy.is('d', sizeof(double)) || !label_type || !leaves.is('?', 1) || entropy.items() != rows ||
      labels.items() != rows || leaves.items() != rows)
    return refuse("entropy, labels or leaves have another type or shape"), nullptr;
  const Decision out = {entropy.as<double>(), labels.as<int64_t>(), leaves.as<uint8_t>()};
  {
    Released released(rows >= kReleaseDecisions);
    pynq_ee::decide(*table, logits.as<char>(), logits.stride(0), rows, static_cast<int>(logits.shape(1)), threshold,
                    out);
  }
  Py_RETURN_NONE;
}

template <typename Function>
PyCFunction method(Function function) {
  return reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(function));
}

PyMethodDef kMethods[] = {
    {"build", method(build), METH_FASTCALL, "build(first_exit, stages, instruction_set) -> network"},
    {"run_first_exit", method(run_first_exit), METH_FASTCALL, "run_first_exit(network, images, features, logits, threads)"},
    {"run_stage", method(run_stage), METH_FASTCALL, "run_stage(network, number, inputs, hidden, logits, threads)"},
    {"workers", method(workers), METH_FASTCALL, "workers(threads) -> workers"},
    {"end", method(end), METH_FASTCALL, "end(workers)"},
    {"hand_over", method(hand_over), METH_FASTCALL, "hand_over(workers, network, number, inputs, hidden, logits) -> handed"},
    {"finish", method(finish), METH_FASTCALL, "finish(handed) -> begin, end"},
    {"decision_table", method(decision_table), METH_FASTCALL, "decision_table(exponent, exponentials, logarithms)"},
    {"decide", method(decide), METH_FASTCALL, "decide(table, logits, threshold, entropy, labels, leaves)"},
    {nullptr, nullptr, 0, nullptr},
};

int execute(PyObject* module) {
  const std::vector<const Kernels*> sets = kernels_of_this_machine();
  PyObject* names = PyTuple_New(static_cast<Py_ssize_t>(sets.size()));
  if (!names) return -1;
  for (size_t i = 0; i < sets.size(); ++i) {
    PyObject* name = PyUnicode_FromString(sets[i]->name);
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
