// Bursts stay, are within a block of 16 words, and their words are in the FIFO when they are announced; each has its
// last word marked; no more are under way than may be; a stop announces no more.
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
    if (f_started && reset) assume(drained);
    if (f_started && !$past(reset) && $past(stop && !drained)) assume(stop);
  end

  // The memory: answers a burst once its address and its last word have come.
  reg [3:0] f_addresses = 0, f_lasts = 0;  // taken, and not answered
  always @(posedge clock) begin
    f_addresses <= reset ? 4'd0 : f_addresses + (awvalid && awready) - bvalid;
    f_lasts <= reset ? 4'd0 : f_lasts + (wvalid && wready && wlast) - bvalid;
  end
  always @* if (first_valid) assume(stored != 0);  // the FIFO, whose own proof this rests on
  always @* if (bvalid) assume(f_addresses != 0 && f_lasts != 0);

  always @(posedge clock) if (f_started) begin
    assert (bursts == f_addresses + awvalid && bursts <= 8);
    assert (f_addresses + awvalid == f_lasts + next_valid + writing + (wvalid && wlast));
    assert (!(next_valid && !awvalid && f_addresses == 0) && f_addresses <= 8 && f_lasts <= 8);
    if (!$past(reset) && $past(awvalid && !awready)) assert (awvalid && $stable(awaddr) && $stable(awlen));
    if (!$past(reset) && $past(wvalid && !wready)) assert (wvalid && $stable({wdata, wstrb, wlast}));
    if (!$past(reset) && $past(stop)) assert (bursts + $past(bvalid) == $past(bursts));
    if (failed && !internal_error) assert (drained);
    if (stopped) assert (drained);
    if ($past(tready && tvalid && tlast)) assert (!tready);
    if (tready) assert (open);
  end

`ifndef INDUCTION
  // From the reset on: bursts within their block, and words as announced: a queue of the lengths of the bursts whose last word has not been taken.
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
