// Any FIFO that keeps offering what it has offered: in place of ../fifo.sv where that would only slow a proof.
module fifo #(parameter WIDTH = 1, parameter DEPTH = 16) (
    input wire clock, input wire reset,
    input wire reserve, output wire room,
    input wire write, input wire [WIDTH-1:0] written,
    input wire read, output wire [WIDTH-1:0] first, output wire filled);
  (* anyseq *) wire f_room, f_filled;
  (* anyseq *) wire [WIDTH-1:0] f_first;
  assign room = f_room;
  assign filled = f_filled;
  assign first = f_first;
  reg f_started = 0, f_offered = 0;
  reg [WIDTH-1:0] f_before;
  always @(posedge clock) begin
    f_started <= 1;
    f_offered <= f_filled && !read && !reset;
    f_before <= f_first;
  end
  always @* if (f_offered) assume(f_filled && f_first == f_before);
  // What ../fifo.sv rests on.
  always @(posedge clock) if (f_started) begin
    assert (!(reserve && !f_room));
    assert (!(read && !f_filled));
  end
endmodule
