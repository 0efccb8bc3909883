// No more are reserved than there are, if none is while there is no room; and while there is none, all but five are
// reserved.
  reg f_started = 0;
  always @(posedge clock) f_started <= 1;
  always @* if (!f_started) assume(reset);
  reg [BITS+1:0] f_reserved = 0;
  always @(posedge clock) f_reserved <= reset ? 0 : f_reserved + reserve - free;
  always @* begin
    if (!room) assume(!reserve);
    if (f_reserved == 0) assume(!free);
  end
  always @(posedge clock) if (f_started) begin
    assert (f_reserved <= COUNT);
    assert (f_reserved == reserved + reserves - frees);
    if (!room) assert (f_reserved >= COUNT - 5);
  end
