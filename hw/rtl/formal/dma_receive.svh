// Bursts stay, are within a block of 16 words, and their words are in the FIFO when they are announced; each has its
// last word marked; no more are under way than may be; a stop announces no more, and what is under way then only falls:
// by each word that memory takes, one of which is offered within eight clocks, and by each answer.
  reg f_started = 0;
  always @(posedge clock) f_started <= 1;
  always @* if (!f_started) assume(reset);

  // The registers: one transfer at a time, and a stop lasts until nothing is under way.
  reg f_active = 0;
  always @(posedge clock) f_active <= !reset && (start || (f_active && !complete && !stopped && !failed));
  reg f_loaded = 0;
  always @(posedge clock) f_loaded <= !reset && !start && (load || f_loaded);
  always @(posedge clock) begin
    if (start) assume(!f_active && !stop && !failing);
    if (start) assume(load || f_loaded);
    if (load) assume(length != 0 && (stop || start));
    if (load && !start) assume($past(stop));
    if (f_started && reset) assume(drained);
    if (f_started && !$past(reset) && $past(stop && !drained)) assume(stop);
  end

  // The memory: answers a burst once its address and its last word have come.
  reg [3:0] f_addresses = 0, f_lasts = 0;  // taken, and not answered
  always @(posedge clock) begin
    f_addresses <= reset ? 4'd0 : f_addresses + (awvalid && awready) - bvalid;
    f_lasts <= reset ? 4'd0 : f_lasts + (wvalid && wready && wlast) - bvalid;
  end
  reg [2:0] f_fifo_waits = 0;  // the FIFO, whose own proof this rests on
  always @(posedge clock) f_fifo_waits <= clears || stored == 0 || first_valid ? 3'd0 : f_fifo_waits + 1'b1;
  always @* begin
    if (first_valid) assume(stored != 0);
    if (stored != 0 && !first_valid) assume(f_fifo_waits <= 4);
  end

  // Words that are in the FIFO and announced; and all that memory has not taken yet.
  wire [DEPTH_BITS+1:0] f_owed = (writing ? words_after + 6'd1 : 6'd0) + (next_valid ? next_after + 6'd1 : 6'd0);
  wire [DEPTH_BITS+1:0] f_left = f_owed + wvalid;
  reg [3:0] f_idle = 0;        // clocks in which there are some, and none is offered
  always @(posedge clock) f_idle <= reset || f_left == 0 || wvalid ? 4'd0 : f_idle + 1'b1;
  reg f_transfer = 0;          // words come, or blocks of them are to be announced
  always @(posedge clock) f_transfer <= !reset && !stop && (start || (f_transfer && !finished));
  wire [DEPTH_BITS+1:0] f_unannounced = stored - f_owed;
  always @* if (bvalid) assume(f_addresses != 0 && f_lasts != 0);

  always @(posedge clock) if (f_started) begin
    assert (bursts == f_addresses + awvalid && bursts <= 8);
    assert (f_addresses + awvalid == f_lasts + next_valid + writing + (wvalid && wlast));
    assert (!(next_valid && !awvalid && f_addresses == 0) && f_addresses <= 8 && f_lasts <= 8);
    if (!$past(reset) && $past(awvalid && !awready)) assert (awvalid && $stable(awaddr) && $stable(awlen));
    if (!$past(reset) && $past(wvalid && !wready)) assert (wvalid && $stable({wdata, wstrb, wlast}));
    if (!$past(reset) && $past(stop)) assert (bursts + $past(bvalid) == $past(bursts));
    if (failing) assert (internal_error);
    if (failed) assert (drained && internal_error);
    if (stopped) assert (drained);
    if ($past(tready && tvalid && tlast)) assert (!tready);
    if (tready) assert (open);
    assert (stored >= f_owed && stored <= ROOM + 3);
    if (room) assert (stored <= ROOM);
    if (tready) assert (stored <= ROOM + 1);
    if (word_valid) assert (stored <= ROOM + 2);
    if (f_transfer) begin
      if (!closed) assert (f_unannounced == 16 * blocks + write_position - position);
      if (closed && blocks != 0) assert (f_unannounced == 16 * blocks - 15 + last_position - position);
      if (closed && blocks == 0) assert (f_unannounced == 0);
      if (closed && blocks == 1) assert (last_position >= position);
      if (closed) assert (!open && !word_valid);
      if (planned) assert (blocks != 0 && plan_ends == (closed && blocks == 1));
      if (planned) assert (plan_after == (plan_ends ? last_position - position : ~position));
      if (!stop && !failing) assert (f_active);
    end else if (!stop && !failing) assert (drained && stored == 0 && blocks == 0 && !(open || closed || planned));
    if (!f_transfer && !stop && !failing) assert (!word_valid && !tready);
    if (complete) assert (!f_transfer);
    if (f_loaded) assert (!f_transfer && write_position == position && !word_valid);
    if (!$past(reset) && $past(stop)) assert (f_left + $past(wvalid && wready) == $past(f_left));
    assert (f_idle <= 7);
    if (next_valid && !writing && !wvalid) assert (f_idle == 0);
    if (writing && !first_valid && !wvalid) assert (f_idle <= f_fifo_waits + 1);
    if ($past(reset)) assert (!awvalid && !wvalid && !tready && drained);
    if ($past(reset)) assert (!failing && !complete && !failed && !stopped);
  end

`ifndef INDUCTION
  // From the reset on: bursts within their block, and words as announced: a queue of the lengths of the bursts whose
  // last word has not been taken.
  reg [3:0] f_after [0:3];
  reg [1:0] f_head = 0, f_tail = 0;
  reg [3:0] f_word = 0;
  reg [7:0] f_stored = 0;
  always @(posedge clock) begin
    if (announces) f_after[f_tail] <= plan_after;
    if (reset) {f_head, f_tail, f_word} <= 0;
    else begin
      if (announces) f_tail <= f_tail + 1'b1;
      if (wvalid && wready && wlast) f_head <= f_head + 1'b1;
      if (wvalid && wready) f_word <= wlast ? 4'd0 : f_word + 1'b1;
    end
  end
  always @(posedge clock) if (f_started) begin
    if (awvalid) assert ({1'b0, awaddr[6:3]} + awlen <= 15 && awaddr[2:0] == 0);
    if (wvalid) assert (f_head != f_tail && wlast == (f_word == f_after[f_head]));
    assert (stored <= 1 << DEPTH_BITS);
    if (writing) assert (stored > words_after);
  end
`endif
