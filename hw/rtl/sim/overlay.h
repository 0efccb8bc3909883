// The simulated overlay as a shared library: what pynq_ee/sim/overlay_library.py calls. Functions that take clocks run
// at most so many, whatever the circuit does.
#pragma once

#include <cstdint>

extern "C" {

struct overlay;

// How memory behind HP0 and the processor behind GP0 behave. Shares are of 65,536.
struct overlay_settings {
  uint64_t seed;
  uint32_t latency;         // clocks from an address to the first word, or from the last word to the answer
  uint32_t jitter;          // up to so many clocks more
  uint32_t words;           // that memory moves in 1,000 clocks, reads and writes together; 0: as many as are asked for
  uint32_t stall;           // share of the clocks in which a channel of HP0 holds still, each by itself
  uint32_t register_stall;  // the same of GP0
};

// One fault, from the `after`th event on that it counts: bursts, or words for the flipped bits.
enum overlay_fault_kind {
  OVERLAY_FAULT_NONE = 0,
  OVERLAY_FAULT_READ_ANSWER = 1,     // one burst is answered with `value`: SLVERR 2, DECERR 3
  OVERLAY_FAULT_WRITE_ANSWER = 2,
  OVERLAY_FAULT_READ_FLIP = 3,       // bit `value` of one word is flipped
  OVERLAY_FAULT_WRITE_FLIP = 4,
  OVERLAY_FAULT_READ_WITHHELD = 5,   // this burst and all after it are never answered
  OVERLAY_FAULT_WRITE_WITHHELD = 6,
  OVERLAY_FAULT_READ_PAUSE = 7,      // this burst is answered `value` clocks late, those after it behind it
  OVERLAY_FAULT_WRITE_PAUSE = 8,
  OVERLAY_FAULT_READ_DEAF = 9,       // no address of a read is taken any more
  OVERLAY_FAULT_WRITE_DEAF = 10,     // no word is taken any more
};

// What has been counted since the circuit was made.
struct overlay_counts {
  uint64_t clocks;           // in all
  uint64_t batches;          // receiving transfers that have ended
  uint64_t batch_clocks;     // of the last of them: from the sending channel's LENGTH to the receiving channel idle;
                             // of a netlist, to the last answer of memory
  uint64_t busy_clocks;      // of all of them together
  uint64_t resets;           // of the kernel, that at the beginning not counted
  uint64_t read_bursts, read_words, write_bursts, write_words;
};

enum overlay_status { OVERLAY_DONE = 0, OVERLAY_AT_REST = 1, OVERLAY_OUT_OF_CLOCKS = 2, OVERLAY_VIOLATION = 3 };

// Bytes of a beat of the streams.
uint32_t overlay_beat_bytes(void);

// A circuit that has just been programmed and reset. `vcd` names a file for its waveform; null: none.
overlay *overlay_new(const char *vcd, uint64_t seed);
void overlay_delete(overlay *);

// Memory: `size` bytes that lie at `base`, of which the `count` ranges (first, end) answer.
void overlay_memory(overlay *, uint8_t *bytes, uint64_t base, const uint64_t *ranges, uint32_t count);
void overlay_configure(overlay *, const overlay_settings *);
// Let the processor read one of these addresses at random times, as another program on it would.
void overlay_bystander(overlay *, const uint32_t *addresses, uint32_t count, uint32_t share);
void overlay_fault(overlay *, uint32_t kind, uint32_t after, uint32_t value);

// A burst of 1 to 16 words on GP0, as AXI names its fields (`length` is one less than the words).
int overlay_write(overlay *, uint32_t id, uint32_t address, uint32_t length, uint32_t size, uint32_t burst,
                  const uint32_t *data, const uint8_t *strobes, uint32_t *answer, uint64_t clocks);
int overlay_read(overlay *, uint32_t id, uint32_t address, uint32_t length, uint32_t size, uint32_t burst,
                 uint32_t *data, uint32_t *answers, uint64_t clocks);

// Run; until the circuit is at rest, if `rest`: nothing has moved, and nothing is going to.
int overlay_run(overlay *, uint64_t clocks, int rest);

int overlay_interrupt(overlay *);
void overlay_count(overlay *, overlay_counts *);

// The first rule of AXI that the circuit has broken, in words; empty: none.
const char *overlay_violation(overlay *);
}
