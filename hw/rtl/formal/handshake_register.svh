// What is offered stays until it is taken; each word comes out once, as it went in.
  reg f_started = 0;
  always @(posedge clock) f_started <= 1;
  always @* if (!f_started) assume(clear);
  reg f_held = 0;
  reg [WIDTH-1:0] f_word;
  always @(posedge clock) begin
    if (clear) f_held <= 0;
    else if (in_valid && in_ready) f_held <= 1;
    else if (out_valid && out_ready) f_held <= 0;
    if (in_valid && in_ready) f_word <= in_data;
  end
  always @(posedge clock) if (f_started) begin
    assert (out_valid == f_held && !(in_ready && out_valid));
    if (out_valid) assert (out_data == f_word);
    if (!$past(clear) && $past(out_valid && !out_ready)) assert (out_valid && $stable(out_data));
    if (!$past(clear) && $past(!out_valid && !in_ready)) assert (in_ready);  // it never waits for nothing
  end
