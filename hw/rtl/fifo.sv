// A FIFO in distributed memory, whose output is a register: no path through the memory begins or ends in logic, if what
// is written comes from registers. A word is at the output two clocks after it was written, and one a clock goes
// through. Who writes has reserved a place.
module fifo #(parameter WIDTH = 1, parameter DEPTH = 16) (
    input wire clock, input wire reset,
    input wire reserve, output wire room,
    input wire write, input wire [WIDTH-1:0] written,
    input wire read, output reg [WIDTH-1:0] first, output reg filled);
  localparam BITS = $clog2(DEPTH);  // DEPTH is a power of two: the indices wrap by themselves

  (* ram_style = "distributed" *) reg [WIDTH-1:0] memory [0:DEPTH-1];
  reg [BITS-1:0] head, tail;
  reg [BITS:0] stored;               // in the memory alone
  reg some;                          // stored is not zero

  wire fetch = some && (!filled || read);
  always @(posedge clock) begin
    if (write) memory[tail] <= written;
    if (fetch) first <= memory[head];
    if (reset) begin
      {head, tail, stored, some} <= 0;
      filled <= 1'b0;
    end else begin
      if (write) tail <= tail + 1'b1;
      if (fetch) head <= head + 1'b1;
      if (write != fetch) stored <= write ? stored + 1'b1 : stored - 1'b1;
      some <= write || (some && !(fetch && stored == 1));
      filled <= fetch || (filled && !read);
    end
  end

  places #(.COUNT(DEPTH)) places (.clock(clock), .reset(reset), .reserve(reserve), .free(read), .room(room));

`ifdef PROVE_fifo
  `include "formal/fifo.svh"
`endif
endmodule

// Places of a FIFO, reserved by a writer before he starts to compute: what he writes, clocks later, finds room. So no
// pipeline ever has to stand still, and no clock enable fans out to one. `room` is a register, and three clocks late:
// so it says no when two places are left.
module places #(parameter COUNT = 16) (
    input wire clock, input wire reset, input wire reserve, input wire free, output reg room);
  localparam BITS = $clog2(COUNT);  // COUNT is a power of two
  reg [BITS:0] reserved;
  reg reserves, frees;
  always @(posedge clock) begin
    reserves <= reserve;
    frees <= free;
    room <= reset || !(reserved[BITS] || &reserved[BITS-1:1]);  // less than COUNT - 2
    if (reset) {reserves, frees, reserved} <= 0;
    else if (reserves != frees) reserved <= reserves ? reserved + 1'b1 : reserved - 1'b1;
  end

`ifdef PROVE_places
  `include "formal/places.svh"
`endif
endmodule
