// Any FIFO that keeps offering what it has offered: in place of ../stream_fifo.sv where that would only slow a proof.
module stream_fifo #(parameter WIDTH = 65, parameter DEPTH_BITS = 7) (
    input wire clock, input wire clear,
    input wire write, input wire [WIDTH-1:0] written,
    output wire first_valid, output wire [WIDTH-1:0] first, input wire read);
  (* anyseq *) wire f_valid;
  (* anyseq *) wire [WIDTH-1:0] f_first;
  assign first_valid = f_valid;
  assign first = f_first;
  reg f_offered = 0;
  reg [WIDTH-1:0] f_before;
  always @(posedge clock) begin
    f_offered <= f_valid && !read && !clear;
    f_before <= f_first;
  end
  always @* if (f_offered) assume(f_valid && f_first == f_before);
endmodule
