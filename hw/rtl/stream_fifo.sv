// A FIFO in block memory with registers beside it on every side, for what a block takes for an answer hides in no other
// time: it is read in each clock, and what it gives goes through a register to a small FIFO, where it waits for the
// reader. Who writes has reserved a place: there is no way to say no. A word is at the output six clocks after it was
// written, and one a clock goes through.
module stream_fifo #(parameter WIDTH = 65, parameter DEPTH_BITS = 7) (
    input wire clock, input wire clear,
    input wire write, input wire [WIDTH-1:0] written,
    output wire first_valid, output wire [WIDTH-1:0] first, input wire read);

  (* ram_style = "block" *) reg [WIDTH-1:0] memory [0:(1<<DEPTH_BITS)-1];
  reg [DEPTH_BITS-1:0] tail, head;
  reg [DEPTH_BITS:0] stored;         // in the memory alone
  reg some;                          // stored is not zero
  reg entering, fetched, arriving;   // a word is to be written, was read, goes on to the small FIFO
  reg [WIDTH-1:0] entering_word, fetched_word, arriving_word;

  wire room;
  wire fetch = some && room;
  always @(posedge clock) begin
    entering_word <= written;
    if (entering) memory[tail] <= entering_word;
    fetched_word <= memory[head];
    arriving_word <= fetched_word;
    if (clear) begin
      {tail, head, stored, some, entering, fetched, arriving} <= 0;
    end else begin
      entering <= write;
      fetched <= fetch;
      arriving <= fetched;
      if (entering) tail <= tail + 1'b1;
      if (fetch) head <= head + 1'b1;
      if (entering != fetch) stored <= entering ? stored + 1'b1 : stored - 1'b1;
      some <= entering || (some && !(fetch && stored == 1));
    end
  end

  fifo #(.WIDTH(WIDTH), .DEPTH(16)) behind (
      .clock(clock), .reset(clear), .reserve(fetch), .room(room), .write(arriving), .written(arriving_word),
      .read(first_valid && read), .first(first), .filled(first_valid));

`ifdef PROVE_stream_fifo
  `include "formal/stream_fifo.svh"
`endif
endmodule
