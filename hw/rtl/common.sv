// Parts that the processes of the core share.

// Registers that hold the same, so that each drives only a part of what the value goes to, and may lie beside it. The
// attributes keep synthesis from making one register of them again: Yosys reads that of the process, Vivado the others.
module copies #(parameter WIDTH = 1, parameter COUNT = 1) (
    input wire clock, input wire [WIDTH-1:0] entering, output wire [COUNT*WIDTH-1:0] leaving);
  for (genvar index = 0; index < COUNT; index = index + 1) begin : each
    (* keep = "true", dont_touch = "true" *) reg [WIDTH-1:0] copy;
    (* keep *) always @(posedge clock) copy <= entering;
    assign leaving[index*WIDTH +: WIDTH] = copy;
  end
endmodule

// The greater of each pair of activations, whose bits are few: look-up tables alone, without a carry chain.
module maximum_each #(parameter COUNT = 1) (
    input wire [COUNT*spec::ACTIVATION_BITS-1:0] a, input wire [COUNT*spec::ACTIVATION_BITS-1:0] b,
    output wire [COUNT*spec::ACTIVATION_BITS-1:0] greater);
  localparam BITS = spec::ACTIVATION_BITS;
  for (genvar index = 0; index < COUNT; index = index + 1) begin : each
    for (genvar place = 0; place < BITS; place = place + 1) begin : bits
      wire one = a[index*BITS+place], other = b[index*BITS+place];
      wire leads;  // a, in this bit and those below
      if (place == 0) assign leads = one && !other;
      else assign leads = (one && !other) || (one == other && bits[place-1].leads);
    end
    assign greater[index*BITS +: BITS] = bits[BITS-1].leads ? a[index*BITS +: BITS] : b[index*BITS +: BITS];
  end
endmodule

// A sum, or a difference, of so few bits that a carry chain would not be quicker: look-up tables alone.
module narrow_sum #(parameter BITS = 1, parameter MINUS = 0) (
    input wire [BITS-1:0] first, input wire [BITS-1:0] second, output wire [BITS-1:0] sum);
  for (genvar place = 0; place < BITS; place = place + 1) begin : bits
    wire one = first[place], other = second[place] ^ (MINUS != 0);
    wire carry_in;
    wire carry_out = (one && other) || (carry_in && (one ^ other));
    if (place == 0) assign carry_in = MINUS != 0;
    else assign carry_in = bits[place-1].carry_out;
    assign sum[place] = one ^ other ^ carry_in;
  end
endmodule

// Bits that accompany a step through CLOCKS clocks of a pipeline; none is set after a reset.
module accompany #(parameter WIDTH = 1, parameter CLOCKS = 1) (
    input wire clock, input wire reset, input wire [WIDTH-1:0] entering, output wire [WIDTH-1:0] leaving);
  reg [WIDTH*CLOCKS-1:0] stages;
  assign leaving = stages[WIDTH*(CLOCKS-1) +: WIDTH];
  always @(posedge clock) stages <= reset ? 0 : {stages, entering};
endmodule
