// A register in each direction of a stream: what was offered stays until it is taken, whenever `ready` falls.
// One beat a clock goes through; the second place is for the beat that was on its way when the reader stopped.
module skid_buffer #(parameter WIDTH = 73) (
    input wire clock, input wire clear,
    input wire [WIDTH-1:0] in_data, input wire in_valid, output reg in_ready,
    output reg [WIDTH-1:0] out_data, output reg out_valid, input wire out_ready);

  reg [WIDTH-1:0] kept;  // held while in_ready is low

  always @(posedge clock) begin
    if (in_ready) kept <= in_data;
    if (!out_valid || out_ready) out_data <= in_ready ? in_data : kept;
    if (clear) begin
      out_valid <= 0;
      in_ready <= 1;
    end else begin
      if (!out_valid || out_ready) out_valid <= in_valid || !in_ready;
      in_ready <= !out_valid || out_ready || (in_ready && !in_valid);
    end
  end

`ifdef PROVE_skid_buffer
  `include "formal/skid_buffer.svh"
`endif
endmodule
