// Features to beats, and the order of the output, as hls/output.cpp has them.

// Tokens to beats without a gap. An image's last, partial beat leaves with the first token of the next image.
module pack_features (
    input wire clock, input wire reset, input wire start, input wire [31:0] num_images,
    input wire [spec::TOKEN_BITS-1:0] token, input wire token_valid, output wire token_ready,
    input wire room, output wire writes, output wire [spec::BEAT_BITS-1:0] beat);
  localparam PHASES = spec::BRANCH_INTERVAL;
  localparam UNIT = 16;  // divides a token and a beat
  localparam TOKEN_UNITS = spec::TOKEN_BITS / UNIT, BEAT_UNITS = spec::BEAT_BITS / UNIT;
  localparam PARTIAL = spec::FEATURE_BEATS != spec::TRUNK_TOKENS * spec::TOKEN_BITS / spec::BEAT_BITS;

  reg [spec::TOKEN_BITS+spec::BEAT_BITS-1:0] pending;
  reg [2:0] units;  // pending
  reg phase;

  wire active, reading, filled;
  wire [7:0] image_step;
  wire reads = reading && phase == 0;
  wire partial = PARTIAL && image_step == 0 && filled;
  wire [2:0] units_left = partial ? 3'd0 : units;
  wire [2:0] units_now = reads ? units_left + TOKEN_UNITS : units_left;
  wire whole = units_now >= BEAT_UNITS;
  wire may_step = !(partial || whole) || room;
  wire step = active && may_step && (!reads || token_valid);
  assign token_ready = reads && may_step;
  assign writes = step && (partial || whole);
  steps #(.IMAGE_STEPS(spec::TRUNK_TOKENS * PHASES), .LAG(PARTIAL ? 1 : 0)) counter (
      .clock(clock), .reset(reset), .start(start), .num_images(num_images), .step(step),
      .active(active), .reading(reading), .filled(filled), .image_step(image_step));

  wire [spec::TOKEN_BITS+spec::BEAT_BITS-1:0] added = reads ? token : {spec::TOKEN_BITS{1'b0}};
  wire [spec::TOKEN_BITS+spec::BEAT_BITS-1:0] now =
      (partial ? {spec::TOKEN_BITS + spec::BEAT_BITS{1'b0}} : pending) | added << (units_left * UNIT);
  assign beat = partial ? pending[spec::BEAT_BITS-1:0] : now[spec::BEAT_BITS-1:0];
  always @(posedge clock) begin
    if (start) begin
      pending <= 0;
      units <= 0;
      phase <= 0;
    end else if (step) begin
      pending <= whole ? now >> spec::BEAT_BITS : now;
      units <= whole ? units_now - BEAT_UNITS : units_now;
      phase <= phase == PHASES - 1 ? 1'b0 : phase + 1'b1;
    end
  end
endmodule

// For each image [features,] result record.
module merge (
    input wire clock, input wire reset, input wire start, input wire [31:0] num_images, input wire with_features,
    input wire [spec::BEAT_BITS-1:0] feature, input wire feature_valid, output wire feature_ready,
    input wire [spec::CLASSES*spec::LOGIT_BITS-1:0] logits, input wire logits_valid, output wire logits_ready,
    output wire [spec::BEAT_BITS-1:0] merged, output wire merged_valid, input wire merged_ready, output wire done);
  reg [31:0] images_left;
  reg [7:0] features_left;
  reg [2:0] record_beat;
  reg [spec::SEQUENCE_BITS-1:0] sequence_number;

  // The flags, behind the sequence number, are added with the framing, outside of the core.
  wire [spec::RESULT_BEATS*spec::BEAT_BITS-1:0] record = {sequence_number, logits};
  wire takes_feature = features_left != 0;
  wire record_ends = record_beat == spec::RESULT_BEATS - 1;
  wire moves = merged_valid && merged_ready;
  wire [7:0] feature_beats = with_features ? spec::FEATURE_BEATS : 0;
  assign merged_valid = !done && (takes_feature ? feature_valid : logits_valid);
  assign merged = takes_feature ? feature : record[record_beat*spec::BEAT_BITS +: spec::BEAT_BITS];
  assign feature_ready = !done && takes_feature && merged_ready;
  assign logits_ready = !done && !takes_feature && merged_ready && record_ends;
  assign done = images_left == 0;
  always @(posedge clock) begin
    if (reset) begin
      images_left <= 0;
    end else if (start) begin
      images_left <= num_images;
      features_left <= feature_beats;
      record_beat <= 0;
      sequence_number <= 0;
    end else if (moves && takes_feature) begin
      features_left <= features_left - 1'b1;
    end else if (moves && !record_ends) begin
      record_beat <= record_beat + 1'b1;
    end else if (moves) begin
      record_beat <= 0;
      features_left <= feature_beats;
      sequence_number <= sequence_number + 1'b1;
      images_left <= images_left - 1'b1;
    end
  end
endmodule
