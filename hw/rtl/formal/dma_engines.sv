// Any engines of a DMA that keep what dma_send.svh and dma_receive.svh prove of them, and any memory behind them: in
// place of ../dma_send.sv and ../dma_receive.sv where the whole DMA's soft reset is proved.
//
// While a stop is asked for, nothing begins, and what is under way falls by each word and each answer; with nothing
// under way an engine is drained. A memory is any that lets at most MEMORY_CLOCKS pass without a move while it owes
// one.
module dma_send #(
    parameter ADDRESS_BITS = 32, parameter LENGTH_BITS = 26, parameter STREAM_BITS = 64, parameter DEPTH_BITS = 7) (
    input wire clock, input wire reset,
    input wire load, input wire start, input wire [ADDRESS_BITS-1:0] address, input wire [LENGTH_BITS-1:0] length,
    input wire stop, input wire flush, output wire drained,
    output wire complete, output wire stopped, output wire failed, output wire slave_error, output wire decode_error,
    output wire [ADDRESS_BITS-1:0] araddr, output wire [3:0] arlen, output wire arvalid, input wire arready,
    input wire [63:0] rdata, input wire [1:0] rresp, input wire rlast, input wire rvalid, output wire rready,
    output wire [STREAM_BITS-1:0] tdata, output wire [STREAM_BITS/8-1:0] tkeep, output wire tlast,
    output wire tvalid, input wire tready);
  dma_engine #(.MOVES(1 << DEPTH_BITS)) engine (
      .clock(clock), .reset(reset), .start(start), .stop(stop), .drained(drained),
      .complete(complete), .stopped(stopped), .failed(failed));
endmodule

module dma_receive #(
    parameter ADDRESS_BITS = 32, parameter LENGTH_BITS = 26, parameter STREAM_BITS = 64, parameter DEPTH_BITS = 7) (
    input wire clock, input wire reset,
    input wire load, input wire start, input wire [ADDRESS_BITS-1:0] address, input wire [LENGTH_BITS-1:0] length,
    input wire stop, output wire drained,
    output wire complete, output wire [LENGTH_BITS-1:0] received, output wire stopped,
    output wire failed, output wire internal_error, output wire slave_error, output wire decode_error,
    output wire [ADDRESS_BITS-1:0] awaddr, output wire [3:0] awlen, output wire awvalid, input wire awready,
    output wire [63:0] wdata, output wire [7:0] wstrb, output wire wlast, output wire wvalid, input wire wready,
    input wire [1:0] bresp, input wire bvalid, output wire bready,
    input wire [STREAM_BITS-1:0] tdata, input wire [STREAM_BITS/8-1:0] tkeep, input wire tlast,
    input wire tvalid, output wire tready);
  // Words of two bursts and the one that is offered; answers of eight.
  dma_engine #(.MOVES(2 * 16 + 1 + 8)) engine (
      .clock(clock), .reset(reset), .start(start), .stop(stop), .drained(drained),
      .complete(complete), .stopped(stopped), .failed(failed));
endmodule

module dma_engine #(parameter MOVES = 128, parameter MEMORY_CLOCKS = 64) (
    input wire clock, input wire reset, input wire start, input wire stop, output wire drained,
    output wire complete, output wire stopped, output wire failed);
  (* anyseq *) wire f_moves, f_begins;
  reg [7:0] f_left;            // moves of memory until nothing is under way; any at the beginning
  reg [15:0] f_waits;          // clocks since the last one
  reg [15:0] f_clocks;         // of the stop
  assign drained = f_left == 0;
  always @* begin
    assume(f_left <= MOVES);
    if (f_moves) assume(!drained);
    if (f_begins) assume(!stop && f_left < MOVES);
    if (!drained && f_waits == MEMORY_CLOCKS) assume(f_moves);
    if (stopped || failed) assume(drained);
    if (complete || failed || stopped) assume(!start);
    if (stopped) assume(stop);
  end
  always @(posedge clock) begin
    f_left <= reset ? 8'd0 : f_left + f_begins - f_moves;
    f_waits <= reset || drained || f_moves || !stop ? 16'd0 : f_waits + 1'b1;
    f_clocks <= reset || !stop ? 16'd0 : f_clocks + 1'b1;
  end

  // As long as a stop lasts and something is under way, its clocks are those of the moves that were.
  localparam LIMIT = (MEMORY_CLOCKS + 1) * MOVES + 1;
  reg f_started = 0;
  always @(posedge clock) f_started <= 1;
  always @* if (!f_started) assume(f_waits == 0 && f_clocks == 0);
  always @(posedge clock) if (f_started) begin
    assert (f_waits <= MEMORY_CLOCKS);
    if (!drained) assert (f_clocks + (MEMORY_CLOCKS + 1) * f_left <= LIMIT - 1 + f_waits);
  end
endmodule
