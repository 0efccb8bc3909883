// The core is owed as many words as the batch has, and gets each once: what is offered stays; nothing is taken before a
// start nor behind a TLAST; a run that ends has given all.
  reg f_started = 0;
  always @(posedge clock) f_started <= 1;
  always @* if (!f_started) assume(reset);
  always @* if (start) assume(done);
  always @(posedge clock) if (f_started && !$past(reset) && $past(beat_valid && !beat_ready))
    assume(beat_valid && $stable(beat) && $stable(beat_last));

  reg f_running = 0;                   // since the first start: the counts hold something
  always @(posedge clock) f_running <= !reset && (start || f_running);
  reg [7:0] f_words = 0;               // of the image, given
  always @(posedge clock) begin
    if (reset || start) f_words <= 0;
    else if (moves) f_words <= f_words == spec::IMAGE_BEATS - 1 ? 8'd0 : f_words + 1'b1;
  end
  always @(posedge clock) if (f_started) begin
    if (f_running) begin
      assert (f_words + words_after == spec::IMAGE_BEATS - 1);
      assert (image_ends == (words_after == 0));
      assert (owes == (images_left != 0));
      if (f_words != 0) assert (last_image == (images_left == 1));
    end else assert (done);
    if (!$past(reset || start)) begin
      if ($past(ended)) assert (ended && !beat_ready);
      if ($past(takes && beat_last)) assert (ended);
      if ($past(word_valid && !word_ready)) assert (word_valid && $stable(word));
      if ($past(moves && image_ends)) assert (images_left == $past(images_left) - 1 && f_words == 0);
      if ($past(f_running) && !$past(moves)) assert ($stable(images_left) && $stable(owes));
    end
  end
