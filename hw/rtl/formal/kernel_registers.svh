// A start lasts until the run ends, is told once and with its arguments; what a run gave stays until the next has
// ended.
  reg f_started = 0;
  always @(posedge clock) f_started <= 1;
  always @* if (!f_started) assume(reset);
  always @* if (finish) assume(started && !start);  // the run ends what has begun

  wire f_reads_control = read && read_word == CTRL;
  always @(posedge clock) if (f_started) begin
    if (start) assert (started && !$past(started) && !$past(start));
    assert (started || !start);
    if (!$past(reset)) begin
      if ($past(started && !finish)) assert (started);
      if (started && !$past(started)) assert (start);
      if ($past(finish)) assert (!started && done && ready && published && fresh == 7'h7f);
      if ($past(started) && started) assert ($stable(num_images) && $stable(mode) && $stable(feature_margin));
      if ($past(done && !f_reads_control)) assert (done);
      if ($past(ready && !f_reads_control)) assert (ready);
      if ($past(f_reads_control && !finish)) assert (!done && !ready);
      if (!$past(finish)) begin
        assert ($stable({images_done_kept, error_flags_kept, images_crc_kept, results_crc_kept, published}));
        assert ((fresh & ~$past(fresh)) == 0);
        if (!$past(read)) assert ($stable(fresh));
      end
      if ($past(finish)) assert ((raised & $past(enables)) == $past(enables));
      assert (interrupt == $past(enabled && raised != 0));
    end else assert (!started && !done && !ready && !interrupt && raised == 0 && !published && fresh == 0);
  end
