// A register in each direction of a stream that need not go on in every clock: its data come from one register and go
// to another, and only the handshake meets logic. Beside what is not timed, as a processor's port is, nothing else is.
module handshake_register #(parameter WIDTH = 1) (
    input wire clock, input wire clear,
    input wire [WIDTH-1:0] in_data, input wire in_valid, output reg in_ready,
    output reg [WIDTH-1:0] out_data, output reg out_valid, input wire out_ready);
  always @(posedge clock) begin
    if (in_ready) out_data <= in_data;
    if (clear) begin
      in_ready <= 0;
      out_valid <= 0;
    end else begin
      in_ready <= in_ready ? !in_valid : !out_valid || out_ready;
      out_valid <= in_ready ? in_valid : out_valid && !out_ready;
    end
  end

`ifdef PROVE_handshake_register
  `include "formal/handshake_register.svh"
`endif
endmodule
