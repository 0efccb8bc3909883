// The engine of the receiving channel (S2MM): takes a packet from a stream, and writes it to memory in bursts.
//
// A burst ends where a block of 16 words ends, and blocks are aligned: so none is longer, and none crosses 4 KB.
// A burst is announced when all its words are in the FIFO, so memory never waits for the stream, and a burst that was
// announced ends whatever becomes of the stream.
module dma_receive #(
    parameter ADDRESS_BITS = 32, parameter LENGTH_BITS = 26,
    parameter STREAM_BITS = 64,        // 64 or 32
    parameter DEPTH_BITS = 7) (
    input wire clock, input wire reset,
    input wire load, input wire start, input wire [ADDRESS_BITS-1:0] address, input wire [LENGTH_BITS-1:0] length,
    input wire stop,                   // announce no more, and say `stopped` when nothing is under way
    output wire drained,               // no write is under way
    output reg complete, output reg [LENGTH_BITS-1:0] received, output reg stopped,
    output reg failed, output reg internal_error, output reg slave_error, output reg decode_error,
    output reg [ADDRESS_BITS-1:0] awaddr, output reg [3:0] awlen, output reg awvalid, input wire awready,
    output reg [63:0] wdata, output reg [7:0] wstrb, output reg wlast, output reg wvalid, input wire wready,
    input wire [1:0] bresp, input wire bvalid, output wire bready,
    input wire [STREAM_BITS-1:0] tdata, input wire [STREAM_BITS/8-1:0] tkeep, input wire tlast,
    input wire tvalid, output reg tready);
  localparam STREAM_BYTES = STREAM_BITS / 8, STREAM_SHIFT = STREAM_BITS == 64 ? 3 : 2;
  localparam BLOCK_BITS = ADDRESS_BITS - 7, BEAT_BITS = LENGTH_BITS - STREAM_SHIFT;
  // Beats and words that may still come once there is no room, rounded up.
  localparam [DEPTH_BITS:0] ROOM = (1 << DEPTH_BITS) - 8;

  reg failing;                         // memory has refused a burst; until the next reset
  reg overflow;                        // the packet is longer than the transfer
  wire announces, finished;            // a burst; all of a packet is in memory

  // The packet --------------------------------------------------------------------------------------------------------

  reg open;                            // beats are taken
  reg [BEAT_BITS-1:0] beats_after;     // the next beat, in the transfer
  reg final_beat;                      // the next beat is the transfer's last
  reg [STREAM_BYTES-1:0] final_room;   // bytes of it that belong to the transfer
  reg [BEAT_BITS-1:0] beats_before;    // the next beat
  reg room;                            // in the FIFO
  reg [STREAM_BYTES-1:0] last_kept;    // bytes of the last beat

  wire takes = tvalid && tready;
  wire ends = takes && (tlast || final_beat);
  wire [STREAM_BYTES-1:0] kept = tlast ? tkeep : {STREAM_BYTES{1'b1}};
  wire [STREAM_BYTES-1:0] allowed = final_beat ? final_room : {STREAM_BYTES{1'b1}};

  always @(posedge clock) begin
    if (load) begin
      beats_after <= (length - 1'b1) >> STREAM_SHIFT;
      final_beat <= length <= STREAM_BYTES;
      final_room <= {STREAM_BYTES{1'b1}} >> ~(length[STREAM_SHIFT-1:0] - 1'b1);
      beats_before <= 0;
    end else if (takes) begin
      beats_after <= beats_after - 1'b1;
      final_beat <= beats_after == 1;
      beats_before <= beats_before + 1'b1;
    end
    if (ends) last_kept <= kept & allowed;
    if (reset || load) overflow <= 0;
    else if (ends) overflow <= !tlast || (kept & ~allowed) != 0;
    if (reset || stop || failing) open <= 0;
    else if (start) open <= 1;
    else if (ends) open <= 0;
    tready <= !reset && !stop && !failing && open && !ends && room;
  end

  // Beats to words ----------------------------------------------------------------------------------------------------

  reg word_valid, word_ends;
  reg [63:0] word;
  reg [7:0] word_strobe;
  generate
    if (STREAM_BITS == 64) begin : whole
      always @(posedge clock) begin
        word_valid <= !reset && !stop && takes;
        word <= tdata;
        word_strobe <= kept & allowed;
      end
    end else begin : halves
      reg upper;
      always @(posedge clock) begin
        if (reset || stop) upper <= 0;
        else if (takes) upper <= !upper && !ends;
        word_valid <= !reset && !stop && takes && (upper || ends);
        if (takes && !upper) word[31:0] <= tdata;
        if (takes && !upper) word_strobe <= {4'd0, kept & allowed};
        if (takes && upper) word[63:32] <= tdata;
        if (takes && upper) word_strobe[7:4] <= kept & allowed;
      end
    end
  endgenerate
  always @(posedge clock) word_ends <= ends;

  // Words to blocks ---------------------------------------------------------------------------------------------------

  wire first_valid, moves;
  wire [63:0] first;
  wire clears = reset || (stop && drained);
  stream_fifo #(.WIDTH(64), .DEPTH_BITS(DEPTH_BITS)) words (
      .clock(clock), .clear(clears),
      .write(word_valid), .written(word),
      .first_valid(first_valid), .first(first), .read(moves));

  reg [DEPTH_BITS:0] stored;           // words written and not yet on their way
  reg [3:0] write_position;            // in its block, of the next word written
  reg [DEPTH_BITS-3:0] blocks;         // all of whose words are in the FIFO, and which are not announced
  reg closed;                          // the last of them ends the packet
  reg [3:0] last_position;             // of the packet's last word
  reg [7:0] last_strobe;
  wire block_ends = word_valid && (word_ends || &write_position);

  always @(posedge clock) begin
    if (load) write_position <= address[6:3];
    else if (word_valid) write_position <= write_position + 1'b1;
    if (word_valid && word_ends) begin
      last_position <= write_position;
      last_strobe <= word_strobe;
    end
    if (clears) stored <= 0;
    else if (word_valid != moves) stored <= word_valid ? stored + 1'b1 : stored - 1'b1;
    room <= stored < ROOM;
    if (reset || stop) blocks <= 0;
    else if (block_ends != announces) blocks <= block_ends ? blocks + 1'b1 : blocks - 1'b1;
    if (reset || stop || finished) closed <= 0;
    else if (word_valid && word_ends) closed <= 1;
  end

  // Bursts ------------------------------------------------------------------------------------------------------------

  reg [BLOCK_BITS-1:0] block;
  reg [3:0] position;                  // in its block, of the next burst's first word
  reg planned, plan_ends;
  reg [3:0] plan_after;                // words after the first one of the next burst
  reg next_valid, next_ends;           // a burst waits for the data channel
  reg [3:0] next_after;
  reg [3:0] bursts;                    // announced, and not yet answered
  assign announces = planned && !awvalid && !next_valid && !bursts[3] && !stop && !failing;
  wire answered = bvalid;
  wire last_block = closed && blocks == 1;

  assign bready = 1'b1;
  assign drained = bursts == 0;

  always @(posedge clock) begin
    if (load) begin
      block <= address[ADDRESS_BITS-1:7];
      position <= address[6:3];
    end else if (announces) begin
      block <= block + 1'b1;
      position <= 0;
    end
    plan_ends <= last_block;
    plan_after <= last_block ? last_position - position : ~position;
    if (announces) begin
      awaddr <= {block, position, 3'b000};
      awlen <= plan_after;
      next_after <= plan_after;
      next_ends <= plan_ends;
    end
    if (reset) begin
      planned <= 0;
      awvalid <= 0;
      next_valid <= 0;
      bursts <= 0;
    end else begin
      planned <= blocks != 0 && !announces && !stop && !failing;
      awvalid <= announces || (awvalid && !awready);
      next_valid <= announces || (next_valid && !begins);
      if (announces != answered) bursts <= announces ? bursts + 1'b1 : bursts - 1'b1;
    end
  end

  reg writing, writing_ends;           // a burst; the packet with it
  reg [3:0] words_after;               // the next word, in the burst
  wire begins = next_valid && (!writing || (moves && words_after == 0));
  assign moves = writing && first_valid && (!wvalid || wready);
  always @(posedge clock) begin
    if (moves) begin
      wdata <= first;
      wstrb <= writing_ends && words_after == 0 ? last_strobe : 8'hff;
      wlast <= words_after == 0;
    end
    if (begins) begin
      words_after <= next_after;
      writing_ends <= next_ends;
    end else if (moves) words_after <= words_after - 1'b1;
    if (reset) begin
      writing <= 0;
      wvalid <= 0;
    end else begin
      writing <= begins || (writing && !(moves && words_after == 0));
      wvalid <= moves || (wvalid && !wready);
    end
  end

  // Ends --------------------------------------------------------------------------------------------------------------

  integer index;
  reg [3:0] last_bytes;
  always @* begin
    last_bytes = 0;
    for (index = 0; index < STREAM_BYTES; index = index + 1) last_bytes = last_bytes + last_kept[index];
  end

  assign finished = closed && blocks == 0 && drained && !stop && !failing;
  reg [3:0] last_count;
  reg [BEAT_BITS-1:0] whole_beats;     // all but the last
  reg told;                            // of the failure
  always @(posedge clock) begin
    last_count <= last_bytes;
    // The last beat is among those before by now, and counts only what is kept of it.
    whole_beats <= beats_before - 1'b1;
    received <= (whole_beats << STREAM_SHIFT) + last_count;
    if (reset) begin
      complete <= 0;
      stopped <= 0;
      failed <= 0;
      failing <= 0;
      told <= 0;
      internal_error <= 0;
      slave_error <= 0;
      decode_error <= 0;
    end else begin
      complete <= finished && !overflow;
      stopped <= stop && drained && (!failing || told) && !stopped;
      failed <= (failing && drained && !told) || (finished && overflow);
      if (failing && drained) told <= 1;
      if (finished && overflow) internal_error <= 1;
      if (answered && bresp[1]) begin
        failing <= 1;
        internal_error <= 1;               // any error of a write is, in direct register mode (S2MM_DMASR, bit 4)
        if (!failing) slave_error <= !bresp[0];
        if (!failing) decode_error <= bresp[0];
      end
    end
  end

`ifdef PROVE_dma_receive
  `include "formal/dma_receive.svh"
`endif
endmodule
