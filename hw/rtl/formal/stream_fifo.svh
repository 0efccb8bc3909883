// Given that it is not written while it holds 2^DEPTH_BITS words: never written while full; what is offered stays; each
// word comes out as it was written, in its turn; and while it holds any, one is offered within three clocks.
  wire [DEPTH_BITS:0] f_in_memory = writes - reads;
  wire f_full = f_in_memory[DEPTH_BITS];
  reg f_started = 0;
  always @(posedge clock) f_started <= 1;
  always @* if (!f_started) assume(clear);
  reg [DEPTH_BITS:0] f_held = 0;  // words written and not read
  always @(posedge clock) f_held <= clear ? 0 : f_held + write - (read && first_valid);
  always @* if (write) assume(!f_held[DEPTH_BITS]);  // who writes has reserved a place

  reg [1:0] f_waits = 0;          // clocks in which it holds words and offers none
  always @(posedge clock) f_waits <= clear || f_held == 0 || first_valid ? 2'd0 : f_waits + 1'b1;

  // One word, any: its number is that of its place, and one bit more.
  (* anyconst *) reg [DEPTH_BITS:0] f_number;
  reg f_written = 0, f_fetched = 0, f_first = 0;
  reg [WIDTH-1:0] f_word;
  wire [DEPTH_BITS:0] f_ahead = f_number - reads;
  always @(posedge clock) begin
    if (clear) {f_written, f_fetched, f_first} <= 0;
    else begin
      if (write && writes == f_number) begin
        f_written <= 1;
        f_word <= written;
      end else if (fetches && reads == f_number) f_written <= 0;
      if (fetches) f_fetched <= f_written && reads == f_number;
      else if (advances) f_fetched <= 0;
      if (advances) f_first <= f_fetched;
      else if (read) f_first <= 0;
    end
  end

  reg f_clocked = 0;
  always @(posedge clock) f_clocked <= 1;
  always @(posedge clock) if (f_clocked) begin
    assert (f_in_memory <= 1 << DEPTH_BITS);
    assert (f_held == f_in_memory + fetched_valid + first_valid);
    assert (!(write && f_full));
    if (f_held != 0 && !first_valid) assert (f_waits <= 1 && (f_waits == 0 || fetched_valid));
    if (f_written) assert (f_ahead < f_in_memory && memory[f_number[DEPTH_BITS-1:0]] == f_word);
    if (f_ahead < f_in_memory && !f_written) assert (0);
    if (f_fetched) assert (fetched_valid && (f_written || fetched == f_word));
    if (f_first) assert (first_valid && (f_written || f_fetched || first == f_word));
    if (!$past(clear) && $past(first_valid && !read)) assert (first_valid && $stable(first));
  end
