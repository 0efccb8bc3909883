// The engine of the sending channel (MM2S): reads memory in bursts, and makes a stream of it.
//
// A burst ends where a block of 16 words ends, and blocks are aligned: so none is longer, and none crosses 4 KB.
// A burst is asked for when the FIFO has room for all of it, so what comes from memory is always taken. DEPTH words
// are under way at most: as many clocks of latency cost no beat.
module dma_send #(
    parameter ADDRESS_BITS = 32, parameter LENGTH_BITS = 26,
    parameter STREAM_BITS = 64,        // 64 or 32
    parameter DEPTH_BITS = 7) (
    input wire clock, input wire reset,
    input wire load, input wire start, input wire [ADDRESS_BITS-1:0] address, input wire [LENGTH_BITS-1:0] length,
    input wire stop,                   // ask for no more, and say `stopped` when nothing is under way
    input wire flush,                  // drop what the stream offers: its reader is being reset
    output wire drained,               // no read is under way
    output reg complete, output reg stopped, output reg failed, output reg slave_error, output reg decode_error,
    output reg [ADDRESS_BITS-1:0] araddr, output reg [3:0] arlen, output reg arvalid, input wire arready,
    input wire [63:0] rdata, input wire [1:0] rresp, input wire rlast, input wire rvalid, output wire rready,
    output wire [STREAM_BITS-1:0] tdata, output wire [STREAM_BITS/8-1:0] tkeep, output wire tlast,
    output wire tvalid, input wire tready);
  localparam BLOCK_BITS = ADDRESS_BITS - 7, WORD_BITS = LENGTH_BITS - 3, STREAM_BYTES = STREAM_BITS / 8;
  localparam [DEPTH_BITS:0] DEPTH = 1 << DEPTH_BITS;

  reg failing;                         // memory has refused a word; until the next reset

  // Bursts ------------------------------------------------------------------------------------------------------------

  reg [BLOCK_BITS-1:0] block;
  reg [3:0] position;                  // in the block, of the next word
  reg [WORD_BITS-1:0] words_after;     // the next word, in the transfer
  reg asking, planned;                 // bursts are left; the next one is known
  reg [3:0] plan_after;                // words after the first one in it
  reg plan_ends;                       // the transfer
  reg [DEPTH_BITS:0] places;           // of the FIFO that are free, and not for a burst under way
  reg [DEPTH_BITS-4:0] bursts;         // under way

  wire within_block = words_after[WORD_BITS-1:4] == 0 && words_after[3:0] <= ~position;
  wire enough_places = places[DEPTH_BITS:4] != 0;
  wire few_bursts = !bursts[DEPTH_BITS-4];
  wire ask = planned && !arvalid && enough_places && few_bursts && !stop && !failing;
  wire burst_over = rvalid && rlast;
  wire place_freed;

  assign rready = 1'b1;
  assign drained = bursts == 0;

  always @(posedge clock) begin
    if (load) begin
      block <= address[ADDRESS_BITS-1:7];
      position <= address[6:3];
      words_after <= (length - 1'b1) >> 3;
    end else if (ask) begin
      block <= block + 1'b1;
      position <= 0;
      words_after <= words_after + ~{{WORD_BITS-4{1'b0}}, plan_after};
    end
    plan_after <= within_block ? words_after[3:0] : ~position;
    plan_ends <= within_block;
    if (ask) begin
      araddr <= {block, position, 3'b000};
      arlen <= plan_after;
    end
    if (reset) begin
      asking <= 0;
      planned <= 0;
      arvalid <= 0;
      bursts <= 0;
      places <= DEPTH;
    end else begin
      if (stop || failing) asking <= 0;
      else if (start) asking <= 1;
      else if (ask && plan_ends) asking <= 0;
      planned <= asking && !ask && !stop && !failing;
      arvalid <= ask || (arvalid && !arready);
      if (ask != burst_over) bursts <= ask ? bursts + 1'b1 : bursts - 1'b1;
      // With a place freed in the same clock, -(after + 1) + 1; one addition in each case.
      if (stop) places <= DEPTH;
      else if (ask) places <= places + ~{{DEPTH_BITS-3{1'b0}}, plan_after} + place_freed;
      else places <= places + place_freed;
    end
  end

  // Words from memory -------------------------------------------------------------------------------------------------

  wire refused = rvalid && rresp[1] && !stop && !failing;
  wire arrives = rvalid && !rresp[1] && !stop && !failing;
  wire ends = rlast && !asking && bursts == 1;
  wire word_valid, word_taken, word_ends;
  wire [63:0] word;
  assign place_freed = word_valid && word_taken;
  stream_fifo #(.WIDTH(65), .DEPTH_BITS(DEPTH_BITS)) words (
      .clock(clock), .clear(reset || stop),
      .write(arrives), .written({ends, rdata}),
      .first_valid(word_valid), .first({word_ends, word}), .read(word_taken));

  // The stream --------------------------------------------------------------------------------------------------------

  // What was offered before a stop stays offered until it is taken, as a stream demands, and is nobody's any more.
  reg stale;
  reg [7:0] last_keep;                 // bytes of the transfer's last word
  wire [7:0] keep = word_ends ? last_keep : 8'hff;
  wire offers = word_valid && !stale && !stop;
  wire [STREAM_BITS-1:0] offered;
  wire [STREAM_BYTES-1:0] offered_keep;
  wire offered_last, takes;

  genvar index;
  generate
    wire [63:0] kept;                  // bytes behind the transfer's end read zero
    for (index = 0; index < 8; index = index + 1) begin : each
      assign kept[8*index +: 8] = keep[index] ? word[8*index +: 8] : 8'd0;
    end
    if (STREAM_BITS == 64) begin : whole
      assign offered = kept;
      assign offered_keep = keep;
      assign offered_last = word_ends;
      assign word_taken = takes && offers;
    end else begin : halves
      reg upper;
      always @(posedge clock) begin
        if (reset || stop) upper <= 0;
        else if (offers && takes) upper <= !upper && !offered_last;
      end
      assign offered = upper ? kept[63:32] : kept[31:0];
      assign offered_keep = upper ? keep[7:4] : keep[3:0];
      assign offered_last = word_ends && (upper || !last_keep[4]);
      assign word_taken = takes && offers && (upper || offered_last);
    end
  endgenerate

  skid_buffer #(.WIDTH(STREAM_BITS + STREAM_BYTES + 1)) output_register (
      .clock(clock), .clear(reset || flush),
      .in_data({offered_last, offered_keep, offered}), .in_valid(offers), .in_ready(takes),
      .out_data({tlast, tkeep, tdata}), .out_valid(tvalid), .out_ready(tready));

  always @(posedge clock) begin
    if (load) last_keep <= 8'hff >> (3'd7 - (length[2:0] - 3'd1));
    stale <= !reset && !flush && (stop || stale) && (tvalid && !(tready && takes));
  end

  // Ends --------------------------------------------------------------------------------------------------------------

  reg told;                            // of the failure
  always @(posedge clock) begin
    if (reset) begin
      complete <= 0;
      stopped <= 0;
      failed <= 0;
      failing <= 0;
      told <= 0;
      slave_error <= 0;
      decode_error <= 0;
    end else begin
      complete <= tvalid && tready && tlast && !stale && !stop;
      stopped <= stop && drained && (!failing || told) && !stopped;
      failed <= failing && drained && !told;
      if (failing && drained) told <= 1;
      if (refused) begin
        failing <= 1;
        slave_error <= !rresp[0];
        decode_error <= rresp[0];
      end
    end
  end

`ifdef PROVE_dma_send
  `include "formal/dma_send.svh"
`endif
endmodule
