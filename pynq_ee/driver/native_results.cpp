// One pass over the result stream of a batch: the module pynq_ee.driver._native_results, which results.py calls.
//
// Arrays come through the buffer protocol; a wrong type or size is a ValueError. No number of the interface stands here.

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <cstdint>
#include <cstring>

#include "crc32.h"

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

bool read_crc(PyObject* object, bool* compare, uint32_t* value) {
  *compare = object != Py_None;
  if (!*compare) return true;
  const unsigned long given = PyLong_AsUnsignedLong(object);
  if (PyErr_Occurred()) return false;
  *value = static_cast<uint32_t>(given);
  return true;
}

uint16_t little_endian(const uint8_t* bytes) { return static_cast<uint16_t>(bytes[0] | bytes[1] << 8); }

// parse(stream, crc or None, flag, block_bytes, logits, places) -> whether the stream is that of a whole batch
//
// Each record is a row of logits, the image's number and its flags, 16 bit each; behind it follows a block of features
// if the flag is set. Writes the logits, and where in the stream the features of each image begin, -1 for those without.
// False at the first thing that is wrong: the checksum, a number, another flag, a length. Nothing of the output counts
// then.
PyObject* parse(PyObject*, PyObject* const* arguments, Py_ssize_t count) {
  if (count != 6) return PyErr_Format(PyExc_TypeError, "6 arguments are expected, %zd were given", count);
  bool compare = false;
  uint32_t crc = 0;
  if (!read_crc(arguments[1], &compare, &crc)) return nullptr;
  const Py_ssize_t flag = PyLong_AsSsize_t(arguments[2]), block = PyLong_AsSsize_t(arguments[3]);
  if (PyErr_Occurred()) return nullptr;
  Buffer stream, logits, places;
  if (!stream.open(arguments[0], PyBUF_C_CONTIGUOUS) ||
      !logits.open(arguments[4], PyBUF_C_CONTIGUOUS | PyBUF_WRITABLE) ||
      !places.open(arguments[5], PyBUF_C_CONTIGUOUS | PyBUF_WRITABLE))
    return nullptr;
  const Py_ssize_t images = places.size() / static_cast<Py_ssize_t>(sizeof(Py_ssize_t));
  if (block < 0 || places.item() != static_cast<Py_ssize_t>(sizeof(Py_ssize_t)) || images < 1 || images > 1 << 16 ||
      logits.size() % images != 0) {
    PyErr_SetString(PyExc_ValueError, "logits have a row, and places, intp, an item for each image");
    return nullptr;
  }
  const Py_ssize_t row = logits.size() / images, record = row + 4;
  const uint8_t* bytes = stream.as<uint8_t>();
  if (compare && pynq_ee::crc32(bytes, stream.size()) != crc) Py_RETURN_FALSE;
  Py_ssize_t position = 0;
  for (Py_ssize_t image = 0; image < images; ++image) {
    if (stream.size() - position < record) Py_RETURN_FALSE;
    const uint8_t* tail = bytes + position + row;
    const uint16_t flags = little_endian(tail + 2);
    if (little_endian(tail) != image || (flags != 0 && flags != flag)) Py_RETURN_FALSE;
    std::memcpy(logits.as<uint8_t>() + image * row, bytes + position, row);
    position += record;
    places.as<Py_ssize_t>()[image] = flags ? position : -1;
    if (!flags) continue;
    if (stream.size() - position < block) Py_RETURN_FALSE;
    position += block;
  }
  return PyBool_FromLong(position == stream.size());
}

// crc32(bytes) -> number
PyObject* checksum(PyObject*, PyObject* object) {
  Buffer bytes;
  if (!bytes.open(object, PyBUF_C_CONTIGUOUS)) return nullptr;
  return PyLong_FromUnsignedLong(pynq_ee::crc32(bytes.as<uint8_t>(), bytes.size()));
}

template <typename Function>
PyCFunction method(Function function) {
  return reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(function));
}

PyMethodDef kMethods[] = {
    {"parse", method(parse), METH_FASTCALL, "parse(stream, crc, flag, block_bytes, logits, places) -> bool"},
    {"crc32", checksum, METH_O, "crc32(bytes) -> int"},
    {nullptr, nullptr, 0, nullptr},
};

PyModuleDef kModule = {PyModuleDef_HEAD_INIT, "pynq_ee.driver._native_results", nullptr, 0, kMethods, nullptr, nullptr,
                       nullptr,               nullptr};

}  // namespace

PyMODINIT_FUNC PyInit__native_results() { return PyModuleDef_Init(&kModule); }
