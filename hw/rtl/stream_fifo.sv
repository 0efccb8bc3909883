// A FIFO in block memory whose output is a register. Who writes has reserved a place: there is no way to say no.
// A word is at the output three clocks after it was written, and one a clock goes through.
module stream_fifo #(parameter WIDTH = 65, parameter DEPTH_BITS = 7) (
    input wire clock, input wire clear,
    input wire write, input wire [WIDTH-1:0] written,
    output reg first_valid, output reg [WIDTH-1:0] first, input wire read);

  (* ram_style = "block" *) reg [WIDTH-1:0] memory [0:(1<<DEPTH_BITS)-1];
  reg [DEPTH_BITS:0] writes, reads;  // one bit more than an index: equal means empty
  reg [WIDTH-1:0] fetched;           // what the memory gave; a register of the block itself
  reg fetched_valid;

  wire advances = fetched_valid && (!first_valid || read);
  wire fetches = writes != reads && (!fetched_valid || advances);

  always @(posedge clock) begin
    if (write) memory[writes[DEPTH_BITS-1:0]] <= written;
    if (fetches) fetched <= memory[reads[DEPTH_BITS-1:0]];
    if (advances) first <= fetched;
    if (clear) begin
      writes <= 0;
      reads <= 0;
      fetched_valid <= 0;
      first_valid <= 0;
    end else begin
      if (write) writes <= writes + 1'b1;
      if (fetches) reads <= reads + 1'b1;
      fetched_valid <= fetches || (fetched_valid && !advances);
      first_valid <= advances || (first_valid && !read);
    end
  end

`ifdef PROVE_stream_fifo
  `include "formal/stream_fifo.svh"
`endif
endmodule
