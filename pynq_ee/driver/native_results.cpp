// One pass over the result stream of a batch: the module pynq_ee.driver._native_results, which results.py calls.
//
// Arrays come through the buffer protocol; a wrong type or size is a ValueError. No number of the interface stands here.

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <cstdint>
#include <cstring>

namespace {

class Buffer {
 public:
  Buffer() = default;
  ~Buffer() {
    if (view_.obj) PyBuffer_Release(&view_);
  }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;

  bool open(PyObject* object, int flags) { return PyObject_GetBuffer(object, &view_, flags) == 0; }
  Py_ssize_t size() const { return view_.len; }
  Py_ssize_t item() const { return view_.itemsize; }
  template <typename T>
  T* as() const {
    return static_cast<T*>(view_.buf);
  }

 private:
  Py_buffer view_ = {};
};

// split(stream, count, record_bytes, flag_byte, flag, block_bytes, records, places) -> (found, end)
//
// Copies the records of images that are whole, and writes where in the stream the features of each begin that has `flag`
// in the byte `flag_byte` of its record, -1 for the others. Ends with `count` images, or where the stream ends before.
PyObject* split(PyObject*, PyObject* arguments) {
  PyObject *stream_object, *records_object, *places_object;
  Py_ssize_t count, record_bytes, flag_byte, flag, block_bytes;
  if (!PyArg_ParseTuple(arguments, "OnnnnnOO", &stream_object, &count, &record_bytes, &flag_byte, &flag, &block_bytes,
                        &records_object, &places_object))
    return nullptr;
  Buffer stream, records, places;
  if (!stream.open(stream_object, PyBUF_C_CONTIGUOUS) ||
      !records.open(records_object, PyBUF_C_CONTIGUOUS | PyBUF_WRITABLE) ||
      !places.open(places_object, PyBUF_C_CONTIGUOUS | PyBUF_WRITABLE))
    return nullptr;
  if (count < 0 || record_bytes < 1 || flag_byte < 0 || flag_byte >= record_bytes || block_bytes < 0 ||
      records.size() / record_bytes < count || places.item() != static_cast<Py_ssize_t>(sizeof(Py_ssize_t)) ||
      places.size() / places.item() < count) {
    PyErr_SetString(PyExc_ValueError, "records and places must have room for every image, places be intp");
    return nullptr;
  }
  const uint8_t* bytes = stream.as<uint8_t>();
  Py_ssize_t found = 0, position = 0;
  for (; found < count && stream.size() - position >= record_bytes; ++found) {
    const bool follow = (bytes[position + flag_byte] & flag) != 0;
    const Py_ssize_t features = position + record_bytes;
    if (follow && stream.size() - features < block_bytes) break;
    std::memcpy(records.as<uint8_t>() + found * record_bytes, bytes + position, record_bytes);
    places.as<Py_ssize_t>()[found] = follow ? features : -1;
    position = follow ? features + block_bytes : features;
  }
  return Py_BuildValue("nn", found, position);
}

PyMethodDef kMethods[] = {
    {"split", split, METH_VARARGS,
     "split(stream, count, record_bytes, flag_byte, flag, block_bytes, records, places) -> (found, end)"},
    {nullptr, nullptr, 0, nullptr},
};

PyModuleDef kModule = {PyModuleDef_HEAD_INIT, "pynq_ee.driver._native_results", nullptr, 0, kMethods, nullptr,
                       nullptr,               nullptr,                          nullptr};

}  // namespace

PyMODINIT_FUNC PyInit__native_results() { return PyModuleDef_Init(&kModule); }
