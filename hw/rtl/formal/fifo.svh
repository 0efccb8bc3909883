// Given that no more places are reserved than there are, and no word is written without one: never written while full;
// what is offered stays; each word comes out as it was written, in its turn; and of two clocks in which there are
// words, in one one is offered.
  reg f_started = 0;
  always @(posedge clock) f_started <= 1;
  always @* if (!f_started) assume(reset);
  reg [BITS:0] f_reserved = 0, f_held = 0;
  wire f_reads = read && filled;
  always @(posedge clock) begin
    f_reserved <= reset ? 0 : f_reserved + reserve - f_reads;
    f_held <= reset ? 0 : f_held + write - f_reads;
  end
  always @* begin
    assume(f_reserved < 1 << BITS || !reserve);  // the proof of `places`
    if (!filled) assume(!read);
    if (write) assume(f_held < f_reserved);
  end

  // One word, any: its number is that of its place, and one bit more.
  (* anyconst *) reg [BITS:0] f_number;
  reg [BITS:0] f_written = 0, f_fetched = 0;  // words, so far
  reg f_in = 0, f_first = 0;                  // the word is in the memory, at the output
  reg [WIDTH-1:0] f_word;
  wire [BITS:0] f_ahead = f_number - f_fetched;
  always @(posedge clock) begin
    if (reset) {f_written, f_fetched, f_in, f_first} <= 0;
    else begin
      f_written <= f_written + write;
      f_fetched <= f_fetched + fetch;
      if (write && f_written == f_number) begin
        f_in <= 1;
        f_word <= written;
      end else if (fetch && f_fetched == f_number) f_in <= 0;
      if (fetch) f_first <= f_in && f_fetched == f_number;
      else if (read) f_first <= 0;
    end
  end
  always @(posedge clock) if (f_started) begin
    assert (f_held <= f_reserved && f_reserved <= 1 << BITS && stored <= 1 << BITS);
    assert (f_held == stored + filled);
    assert (stored == f_written - f_fetched && head == f_fetched[BITS-1:0] && tail == f_written[BITS-1:0]);
    assert (some == (stored != 0));
    assert (!(write && stored[BITS]));
    if (f_in) assert (f_ahead < stored && memory[f_number[BITS-1:0]] == f_word);
    if (f_ahead < stored) assert (f_in);
    if (f_first) assert (filled && (f_in || first == f_word));
    if (!$past(reset) && $past(f_held != 0 && !filled)) assert (filled);
    if (!$past(reset) && $past(filled && !read)) assert (filled && $stable(first));
  end
