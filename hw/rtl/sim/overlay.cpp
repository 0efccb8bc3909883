// The library's functions, and the clock.
#include "overlay.h"

#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "Voverlay.h"
#include "memory_port.h"
#include "random_bits.h"
#include "register_port.h"
#include "verilated.h"
#if VM_TRACE
#include "verilated_vcd_c.h"
#endif

namespace {

// Clocks without a movement after which a circuit has come to rest. With a transfer under way they are more than the
// longest that a beat may stay within the kernel (spec::FILL_CLOCKS); without one, more than an empty run takes. A
// reset waits for memory, and memory may never answer. Of a netlist only the buses can be seen to move, and not the
// streams.
#ifdef OVERLAY_NETLIST
constexpr bool NETLIST = true;
#else
constexpr bool NETLIST = false;
#endif
constexpr uint64_t STALLED = 1024, QUIET = NETLIST ? STALLED : 48;

// Clocks of the reset at the beginning, and until whatever hangs on it has left its own.
constexpr int RESET = 8, SETTLES = 32;

#ifndef OVERLAY_BEAT_BYTES
#error "OVERLAY_BEAT_BYTES is the width of the streams"
#endif

}  // namespace

struct overlay {
  VerilatedContext context;
  std::unique_ptr<Voverlay> top;
#if VM_TRACE
  std::unique_ptr<VerilatedVcdC> waveform;
#endif
  MemoryPort memory;
  RegisterPort registers;
  RandomBits random;
  overlay_counts counts{};
  uint64_t quiet = 0;      // clocks without a movement
  uint64_t began = 0;      // the batch under way
  bool sending = false, receiving = false, resetting = true;
  std::vector<uint32_t> addresses;  // that a bystander reads
  uint32_t share = 0;
  bool foreign = false;    // the read under way is the bystander's
  std::string violation;

  overlay(const char *vcd, uint64_t seed) {
    context.randReset(2);  // what no reset reaches begins with anything
    context.randSeed(int(seed % 0x7FFFFFFF) + 1);
    top.reset(new Voverlay(&context, "overlay"));
#if VM_TRACE
    if (vcd) {
      context.traceEverOn(true);
      waveform.reset(new VerilatedVcdC);
      top->trace(waveform.get(), 99);
      waveform->open(vcd);
    }
#else
    (void)vcd;
#endif
    top->clock = 0;
    top->resetn = 0;
    for (auto *valid : {&top->s_axi_gp0_awvalid, &top->s_axi_gp0_wvalid, &top->s_axi_gp0_arvalid,
                        &top->m_axi_hp0_rvalid, &top->m_axi_hp0_bvalid})
      *valid = 0;
    for (int clock = 0; clock < RESET; ++clock) cycle();
    memory = MemoryPort();  // what was offered before the reset reached everything means nothing
    registers = RegisterPort();
    top->resetn = 1;
    for (int clock = 0; clock < SETTLES; ++clock) cycle();
    resetting = false;
    counts = {};
  }

  ~overlay() {
#if VM_TRACE
    if (waveform) waveform->close();
#endif
    top->final();
  }

  void cycle() {
    memory.drive(*top, counts.clocks);
    registers.drive(*top);
    top->eval();
    dump();
    const bool moved = memory.take(*top, counts.clocks) || top->moving;
    registers.take(*top);
    observe();
    quiet = moved ? 0 : quiet + 1;
    ++counts.clocks;
    top->clock = 1;
    context.timeInc(5);
    top->eval();
    dump();
    top->clock = 0;
    context.timeInc(5);
  }

  void dump() {
#if VM_TRACE
    if (waveform) waveform->dump(context.time());
#endif
  }

  void observe() {
    if (top->sending && !sending) began = counts.clocks;
    if (!top->receiving && receiving) {
      ++counts.batches;
      counts.batch_clocks = (NETLIST ? memory.answered : counts.clocks) - began;  // that of a netlist, when it is read
      counts.busy_clocks += counts.batch_clocks;
    }
    counts.resets += top->resetting && !resetting;
    sending = top->sending;
    receiving = top->receiving;
    resetting = top->resetting;
  }

  bool at_rest() const {
    return !memory.active() && !registers.reading() && !registers.writing() &&
           quiet >= (sending || receiving || resetting ? STALLED : QUIET);
  }

  bool broken() {
    if (violation.empty() && top->unclocked) violation = "a port of the processor does not have the clock FCLK 0";
    if (violation.empty()) violation = memory.violation.empty() ? registers.violation : memory.violation;
    return !violation.empty();
  }

  void stand_by() {
    if (addresses.empty() || registers.reading() || !random.chance(share)) return;
    foreign = true;
    registers.read({random.below(4096), addresses[random.below(uint32_t(addresses.size()))], 0, 2, 1, {}, {}, {}});
  }

  template <typename Pending>
  int run_while(Pending pending, uint64_t clocks) {
    for (; pending() && clocks; --clocks) {
      stand_by();
      cycle();
      if (foreign && !registers.reading()) foreign = false;
    }
    return broken() ? OVERLAY_VIOLATION : pending() ? OVERLAY_OUT_OF_CLOCKS : OVERLAY_DONE;
  }
};

extern "C" {

uint32_t overlay_beat_bytes(void) { return OVERLAY_BEAT_BYTES; }

overlay *overlay_new(const char *vcd, uint64_t seed) { return new overlay(vcd, seed); }

void overlay_delete(overlay *self) { delete self; }

void overlay_memory(overlay *self, uint8_t *bytes, uint64_t base, const uint64_t *ranges, uint32_t count) {
  self->memory.attach(bytes, base, ranges, count);
}

void overlay_configure(overlay *self, const overlay_settings *settings) {
  self->random.restart(settings->seed + 2);
  self->memory.configure(*settings);
  self->registers.configure(*settings);
}

void overlay_bystander(overlay *self, const uint32_t *addresses, uint32_t count, uint32_t share) {
  self->addresses.assign(addresses, addresses + count);
  self->share = share;
}

void overlay_fault(overlay *self, uint32_t kind, uint32_t after, uint32_t value) {
  self->memory.fault(kind, after, value);
}

int overlay_write(overlay *self, uint32_t id, uint32_t address, uint32_t length, uint32_t size, uint32_t burst,
                  const uint32_t *data, const uint8_t *strobes, uint32_t *answer, uint64_t clocks) {
  RegisterBurst asked{id, address, length, size, burst, {}, {}, {}};
  std::memcpy(asked.data, data, sizeof(uint32_t) * (length + 1));
  std::memcpy(asked.strobes, strobes, length + 1);
  self->registers.write(asked);
  const int status = self->run_while([self] { return self->registers.writing(); }, clocks);
  *answer = self->registers.written().answers[0];
  self->quiet = 0;
  return status;
}

int overlay_read(overlay *self, uint32_t id, uint32_t address, uint32_t length, uint32_t size, uint32_t burst,
                 uint32_t *data, uint32_t *answers, uint64_t clocks) {
  const int ready = self->run_while([self] { return self->foreign; }, clocks);
  if (ready != OVERLAY_DONE) return ready;
  self->registers.read({id, address, length, size, burst, {}, {}, {}});
  const int status = self->run_while([self] { return self->registers.reading(); }, clocks);
  std::memcpy(data, self->registers.was_read().data, sizeof(uint32_t) * (length + 1));
  std::memcpy(answers, self->registers.was_read().answers, sizeof(uint32_t) * (length + 1));
  return status;
}

int overlay_run(overlay *self, uint64_t clocks, int rest) {
  const int status = self->run_while([self, rest] { return !(rest && self->at_rest()); }, clocks);
  return status == OVERLAY_DONE ? OVERLAY_AT_REST : status;
}

int overlay_interrupt(overlay *self) { return self->top->irq; }

void overlay_count(overlay *self, overlay_counts *counts) {
  *counts = self->counts;
  counts->read_bursts = self->memory.read_bursts;
  counts->read_words = self->memory.read_words;
  counts->write_bursts = self->memory.write_bursts;
  counts->write_words = self->memory.write_words;
}

const char *overlay_violation(overlay *self) { return self->violation.c_str(); }
}
