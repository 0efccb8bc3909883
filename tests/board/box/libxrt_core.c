/* The entry points of XRT's core library that pynq 3.0.1 calls on a board, with their published signatures. The memory
 * behind them is the simulated board's: functions that the box gives to box_connect. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef void *Handle;

typedef struct {
  uint32_t (*allocate)(uint64_t bytes, int flags);
  void (*release)(uint32_t buffer);
  uint32_t (*sync)(uint32_t buffer, int direction, uint64_t bytes, uint64_t offset);
  uint64_t (*query)(uint32_t buffer, int what); /* QUERY_POINTER, .. */
} Operations;

enum { QUERY_POINTER, QUERY_ADDRESS, QUERY_BYTES };

typedef struct {
  uint32_t handle, flags;
  uint64_t size, paddr;
  uint32_t domain;
} Properties;

/* The beginning of xclDeviceInfo2. */
typedef struct {
  uint32_t magic;
  char name[256];
} Information;

static Operations operations;
static int the_device;

void box_connect(const Operations *given) { operations = *given; }

unsigned xclProbe(void) { return 1; }

Handle xclOpen(unsigned index, const char *log, int level) {
  (void)log, (void)level;
  return index ? NULL : (Handle)&the_device;
}

void xclClose(Handle device) { (void)device; }

int xclGetDeviceInfo2(Handle device, Information *information) {
  (void)device;
  strcpy(information->name, "edge");
  return 0;
}

int xclLockDevice(Handle device) { return (void)device, 0; }

int xclUnlockDevice(Handle device) { return (void)device, 0; }

int xclLoadXclBin(Handle device, const char *content) {
  (void)device;
  return memcmp(content, "xclbin2", 7) ? -22 : 0;
}

uint32_t xclAllocBO(Handle device, size_t bytes, int domain, unsigned flags) {
  (void)device, (void)domain;
  return operations.allocate(bytes, (int)flags);
}

void xclFreeBO(Handle device, uint32_t buffer) {
  (void)device;
  operations.release(buffer);
}

void *xclMapBO(Handle device, uint32_t buffer, bool write) {
  (void)device, (void)write;
  return (void *)(uintptr_t)operations.query(buffer, QUERY_POINTER);
}

uint32_t xclSyncBO(Handle device, uint32_t buffer, int direction, size_t bytes, size_t offset) {
  (void)device;
  return operations.sync(buffer, direction, bytes, offset);
}

int xclGetBOProperties(Handle device, uint32_t buffer, Properties *properties) {
  (void)device;
  *properties = (Properties){buffer, 0, operations.query(buffer, QUERY_BYTES), operations.query(buffer, QUERY_ADDRESS), 0};
  return properties->size ? 0 : -22;
}
