// Given that it is not written while it holds 2^DEPTH_BITS words: never written while full; what is offered stays; each
// word goes on to the small FIFO, which has room for it, as it was written, in its turn; and while it holds any, one is
// offered within six clocks.
  reg f_started = 0;
  always @(posedge clock) f_started <= 1;
  always @* if (!f_started) assume(clear);
  reg [DEPTH_BITS+4:0] f_held = 0, f_behind = 0;  // words written and not read; of these, those in the small FIFO
  wire f_reads = read && first_valid;
  always @(posedge clock) begin
    f_held <= clear ? 0 : f_held + write - f_reads;
    f_behind <= clear ? 0 : f_behind + arriving - f_reads;
  end
  wire [DEPTH_BITS+4:0] f_under_way = fetched + arriving + f_behind;
  always @* begin
    if (write) assume(f_held < 1 << DEPTH_BITS);  // who writes has reserved a place
    if (first_valid) assume(f_behind != 0);       // the small FIFO, whose own proof this rests on
    if (room) assume(f_under_way < 16);
    if (!room) assume(f_under_way >= 16 - 5);
    if (f_offers_next) assume(first_valid);
  end
  reg f_offers_next = 0;
  always @(posedge clock) f_offers_next <= !clear && f_behind != 0 && !first_valid;

  reg [2:0] f_waits = 0;          // clocks in which it holds words and offers none
  always @(posedge clock) f_waits <= clear || f_held == 0 || first_valid ? 3'd0 : f_waits + 1'b1;

  // One word, any: its number is that of its place, and one bit more.
  (* anyconst *) reg [DEPTH_BITS:0] f_number;
  reg [DEPTH_BITS:0] f_written = 0, f_read = 0;  // words, so far, to and from the memory
  reg f_in = 0, f_fetched = 0, f_arriving = 0;
  reg [WIDTH-1:0] f_word;
  wire [DEPTH_BITS:0] f_ahead = f_number - f_read;
  always @(posedge clock) begin
    if (clear) {f_written, f_read, f_in, f_fetched, f_arriving} <= 0;
    else begin
      f_written <= f_written + entering;
      f_read <= f_read + fetch;
      if (entering && f_written == f_number) begin
        f_in <= 1;
        f_word <= entering_word;
      end else if (fetch && f_read == f_number) f_in <= 0;
      f_fetched <= fetch && f_in && f_read == f_number;
      f_arriving <= f_fetched;
    end
  end
  always @(posedge clock) if (f_started) begin
    assert (f_held == entering + stored + fetched + arriving + f_behind);
    assert (f_held <= 1 << DEPTH_BITS && stored <= 1 << DEPTH_BITS && f_behind <= 16 && f_under_way <= 16);
    assert (stored == f_written - f_read && head == f_read[DEPTH_BITS-1:0] && tail == f_written[DEPTH_BITS-1:0]);
    assert (some == (stored != 0));
    assert (!(entering && stored[DEPTH_BITS]));
    if (f_in) assert (f_ahead < stored && memory[f_number[DEPTH_BITS-1:0]] == f_word);
    if (f_ahead < stored) assert (f_in);
    if (f_fetched) assert (fetched && (f_in || fetched_word == f_word));
    if (f_arriving) assert (arriving && (f_in || f_fetched || arriving_word == f_word));
    if (f_held != 0 && !first_valid) assert (f_waits <= (f_behind != 0 ? 4 : arriving ? 3 : fetched ? 2 : stored != 0 ? 1 : 0));
    if (f_behind != 0 && !first_valid) assert (!f_offers_next);
    if (!$past(clear) && $past(write)) assert (entering && entering_word == $past(written));
    if (!$past(clear) && $past(first_valid && !read)) assert (first_valid && $stable(first));
  end
