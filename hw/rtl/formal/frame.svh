// Every word goes on once and in its turn, with the flag of an image that was cut and no other change; the last of the
// batch's last image is marked, and no other; what is offered stays; and behind it `done` says so.
  reg f_started = 0;
  always @(posedge clock) f_started <= 1;
  always @* if (!f_started) assume(reset);

  // The batch, counted from its start by what was framed: images, words of the one under way, and how long that is.
  reg f_running = 0;
  reg [31:0] f_images = 0, f_batch = 0;
  reg [7:0] f_words = 0;
  reg f_long = 0;                      // features follow the record
  wire f_record_ends = f_words == spec::RESULT_BEATS - 1;
  wire f_follow = (word >> FLAGS & spec::RESULT_FEATURES) != 0;
  wire f_image_ends = f_record_ends ? !f_follow : f_long && f_words == spec::RESULT_BEATS + spec::FEATURE_BEATS - 1;
  always @(posedge clock) begin
    if (reset || start) begin
      f_running <= !reset;
      f_images <= 0;
      f_batch <= reset ? 32'd0 : num_images;
      f_words <= 0;
      f_long <= 0;
    end else if (word_valid && word_ready) begin
      f_words <= f_image_ends ? 8'd0 : f_words + 1'b1;
      f_long <= !f_image_ends && (f_long || f_record_ends);
      f_images <= f_images + f_image_ends;
    end
  end

  // The core, which is owed as many images, and what it is given: some images come whole, f_whole of them in all, and
  // each is known to be two clocks before the last word of its record is offered.
  (* anyseq *) reg [31:0] f_any;
  reg [31:0] f_whole = 0, f_come = 0, f_come_before = 0, f_records = 0;
  wire [31:0] f_counted = f_records < f_whole ? f_records : f_whole;
  always @(posedge clock) begin
    if (reset || start) begin
      f_whole <= reset ? 32'd0 : f_any;
      {f_come, f_come_before, f_records} <= 0;
    end else begin
      f_come <= f_come + whole;
      f_come_before <= f_come;
      f_records <= f_records + (word_valid && word_ready && f_record_ends);
    end
  end
  always @* begin
    if (start) assume(f_any <= num_images && !word_valid && !whole);
    if (word_valid) assume(f_running && f_images != f_batch);
    if (whole) assume(f_running && f_come != f_whole && f_come - f_counted < 200);
    if (word_valid && f_record_ends && f_records < f_whole) assume(f_records < f_come_before);
  end
  always @(posedge clock) if (f_started && !$past(reset) && $past(word_valid && !word_ready))
    assume(word_valid && $stable(word));

  wire [spec::BEAT_BITS-1:0] f_flag = f_record_ends && f_records >= f_whole ? TRUNCATED : {spec::BEAT_BITS{1'b0}};
  always @(posedge clock) if (f_started) begin
    assert (beat_valid == word_valid && word_ready == beat_ready);
    if (beat_valid) assert (beat == (word | f_flag) && beat_last == (f_image_ends && f_images == f_batch - 1));
    if (!$past(reset || start)) begin
      if ($past(beat_valid && !beat_ready)) assert (beat_valid && $stable(beat) && $stable(beat_last));
      assert (done == $past(f_images == f_batch));
    end

    // What the registers hold, in these terms.
    assert (images_left == f_batch - f_images && f_images <= f_batch && f_whole <= f_batch);
    assert (f_words + words_after == (f_long ? spec::RESULT_BEATS + spec::FEATURE_BEATS : spec::RESULT_BEATS) - 1);
    assert (f_long == (f_words >= spec::RESULT_BEATS) && of_record == !f_long && part_ends == (words_after == 0));
    assert (f_come <= f_whole && f_records == f_images + f_long && (f_running || f_batch == 0));
    assert (f_come_before == f_come || f_come_before + 1 == f_come);
    assert (whole_images == f_come - f_counted && f_counted <= f_come && whole_images <= 200);
    if (f_words != 0) assert (last_image == (images_left == 1));
    if (f_words != 0 && !f_long) assert (truncated == (f_come_before == f_counted));
  end
