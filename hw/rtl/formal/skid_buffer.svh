// What is offered stays until it is taken; each beat comes out once, in its turn, as it went in.
  reg f_started = 0;
  always @(posedge clock) f_started <= 1;
  always @* if (!f_started) assume(clear);

  (* anyconst *) reg [2:0] f_number;
  reg [2:0] f_in = 0, f_out = 0;
  reg [WIDTH-1:0] f_beat;
  reg f_seen = 0;
  always @(posedge clock) begin
    if (clear) begin
      f_in <= 0;
      f_out <= 0;
      f_seen <= 0;
    end else begin
      if (in_valid && in_ready) f_in <= f_in + 1'b1;
      if (out_valid && out_ready) f_out <= f_out + 1'b1;
      if (in_valid && in_ready && f_in == f_number) begin
        f_beat <= in_data;
        f_seen <= 1;
      end else if (out_valid && out_ready && f_out == f_number) f_seen <= 0;
    end
  end
  wire [2:0] f_held = f_in - f_out;
  always @(posedge clock) if (f_started) begin
    assert (f_held == out_valid + !in_ready);
    assert (in_ready || out_valid);
    if (f_seen) assert (f_number - f_out < f_held);
    if (out_valid && f_out == f_number) assert (f_seen && out_data == f_beat);
    if (!in_ready && f_out + 3'd1 == f_number) assert (f_seen && kept == f_beat);
    if (!$past(clear) && $past(out_valid && !out_ready)) assert (out_valid && $stable(out_data));
  end
