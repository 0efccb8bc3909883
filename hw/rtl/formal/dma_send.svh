// Bursts stay, are within a block of 16 words, and never more than there is room for; what the stream offers stays; a
// stop asks for no more, so that what is under way only falls, by each word that memory gives.
  reg f_started = 0;
  always @(posedge clock) f_started <= 1;
  always @* if (!f_started) assume(reset);

  // The registers: one transfer at a time, and a stop lasts until nothing is under way.
  reg f_active = 0;
  always @(posedge clock) f_active <= !reset && (start || (f_active && !complete && !stopped && !failed));
  reg f_loaded = 0;
  always @(posedge clock) f_loaded <= !reset && !start && (load || f_loaded);
  always @(posedge clock) begin
    if (start) assume(!f_active && !stop && !failing && !asking && !planned);
    if (start) assume(load || f_loaded);
    if (load) assume(length != 0 && (stop || start));
    if (flush) assume(stop);
    if (f_started && reset) assume(drained);
    if (f_started && !$past(reset) && $past(stop && !drained)) assume(stop);
  end

  // The memory: words of at most two bursts under way, in their order, never more than were asked for.
  reg [4:0] f_first = 0, f_second = 0;  // words left of each
  wire f_first_ends = rvalid && f_first == 1;
  wire [4:0] f_first_after = rvalid ? (f_first_ends ? f_second : f_first - 1'b1) : f_first;
  wire [4:0] f_second_after = f_first_ends ? 5'd0 : f_second;
  wire f_accepted = arvalid && arready;
  always @(posedge clock) begin
    f_first <= reset ? 5'd0 : f_accepted && f_first_after == 0 ? arlen + 1'b1 : f_first_after;
    f_second <= reset ? 5'd0 : f_accepted && f_first_after != 0 ? arlen + 1'b1 : f_second_after;
  end
  always @* begin
    if (rvalid) assume(f_first != 0 && rlast == (f_first == 1));
  end
  wire [6:0] f_under_way = f_first + f_second + (arvalid ? arlen + 7'd1 : 7'd0);

  // The FIFO, whose own proof this rests on: it offers a word only while it holds one.
  reg [DEPTH_BITS:0] f_held = 0;
  always @(posedge clock) f_held <= reset || stop ? 0 : f_held + arrives - place_freed;
  always @* if (word_valid) assume(f_held != 0);

  always @(posedge clock) if (f_started) begin
    assert (!(f_accepted && f_first_after != 0 && f_second_after != 0));
    assert (bursts == arvalid + (f_first != 0) + (f_second != 0) && bursts <= DEPTH >> 4);
    assert (f_first <= 16 && f_second <= 16 && (f_first != 0 || f_second == 0));
    assert (f_held <= DEPTH && !(arrives && f_held == DEPTH));
    if (!failing && !$past(stop)) assert (places + f_held + f_under_way == DEPTH);
    if (failing && !$past(stop)) assert (places + f_held + f_under_way <= DEPTH);
    if ($past(stop)) assert (places == DEPTH && f_held == 0);
    if (planned) assert (asking && (stop || !load) && plan_after <= ~position);
    if (arvalid) assert ({1'b0, araddr[6:3]} + arlen <= 15 && araddr[2:0] == 0);
    if (!$past(reset) && $past(arvalid && !arready)) assert (arvalid && $stable(araddr) && $stable(arlen));
    if (!$past(reset || flush) && $past(tvalid && !tready)) assert (tvalid && $stable({tdata, tkeep, tlast}));
    if (!$past(reset) && $past(stop)) assert (f_under_way + $past(rvalid) == $past(f_under_way));
    assert (drained == (f_under_way == 0));
    if (failed || stopped) assert (drained || $past(reset));
    if ($past(reset)) assert (!arvalid && !tvalid && !failing && !complete && !failed && !stopped);
  end
