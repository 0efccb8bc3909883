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

// Whether an image's two largest logits differ by less than the margin, some clocks after they came.
module may_stay (
    input wire clock, input wire reset, input wire [spec::LOGIT_BITS-1:0] feature_margin,
    input wire [spec::CLASSES*spec::LOGIT_BITS-1:0] logits, input wire logits_valid,
    output reg near, output wire near_valid);
  localparam BITS = spec::LOGIT_BITS;
  localparam [BITS-1:0] LEAST = 1 << (BITS - 1);

  // Pairs of the largest and the second largest, of one logit at first, then of twice as many in each clock.
  localparam COUNT = 1 << $clog2(spec::CLASSES), LEVELS = $clog2(spec::CLASSES);
  for (genvar level = 0; level <= LEVELS; level = level + 1) begin : levels
    wire [2*BITS*(COUNT>>level)-1:0] pairs;
    for (genvar index = 0; index < COUNT >> level; index = index + 1) begin : each
      if (level == 0) begin : first
        if (index < spec::CLASSES) assign pairs[2*BITS*index +: 2*BITS] = {LEAST, logits[index*BITS +: BITS]};
        else assign pairs[2*BITS*index +: 2*BITS] = {LEAST, LEAST};
      end else begin : joined
        two_largest join_pairs (
            .clock(clock), .a(levels[level-1].pairs[4*BITS*index +: 2*BITS]),
            .b(levels[level-1].pairs[4*BITS*index+2*BITS +: 2*BITS]), .both(pairs[2*BITS*index +: 2*BITS]));
      end
    end
  end

  reg [BITS-1:0] difference;
  always @(posedge clock) begin
    difference <= levels[LEVELS].pairs[BITS-1:0] - levels[LEVELS].pairs[2*BITS-1:BITS];
    near <= difference < feature_margin || feature_margin == spec::FEATURES_ALWAYS;
  end
  accompany #(.CLOCKS(LEVELS + 2)) accompany_logits (
      .clock(clock), .reset(reset), .entering(logits_valid), .leaving(near_valid));
endmodule

// The two largest of two pairs, each the larger one in the lowest bits.
module two_largest (
    input wire clock, input wire [2*spec::LOGIT_BITS-1:0] a, input wire [2*spec::LOGIT_BITS-1:0] b,
    output reg [2*spec::LOGIT_BITS-1:0] both);
  localparam BITS = spec::LOGIT_BITS;
  wire signed [BITS-1:0] a_first = a[BITS-1:0], a_second = a[2*BITS-1:BITS];
  wire signed [BITS-1:0] b_first = b[BITS-1:0], b_second = b[2*BITS-1:BITS];
  wire a_leads = a_first > b_first;
  wire [BITS-1:0] behind_a = a_second > b_first ? a_second : b_first;
  wire [BITS-1:0] behind_b = b_second > a_first ? b_second : a_first;
  always @(posedge clock) both <= a_leads ? {behind_a, a_first} : {behind_b, b_first};
endmodule

// For each image its result record, and its features behind it if they may be needed; else they are dropped, a beat a
// clock.
module merge (
    input wire clock, input wire reset, input wire start, input wire [31:0] num_images, input wire with_features,
    input wire [spec::BEAT_BITS-1:0] feature, input wire feature_valid, output wire feature_ready,
    input wire [spec::CLASSES*spec::LOGIT_BITS-1:0] logits, input wire near, input wire record_valid,
    output wire record_ready,
    output wire [spec::BEAT_BITS-1:0] merged, output wire merged_valid, input wire merged_ready, output wire done);
  localparam FLAGS_BITS = spec::RESULT_BEATS * spec::BEAT_BITS - spec::CLASSES * spec::LOGIT_BITS - spec::SEQUENCE_BITS;

  reg [31:0] images_left;
  reg [7:0] features_left;
  reg [2:0] record_beat;
  reg follow;  // the features of the record that has left
  reg [spec::SEQUENCE_BITS-1:0] sequence_number;

  // What the framing knows, it adds to the flags outside of the core.
  wire [FLAGS_BITS-1:0] flags = with_features && near ? spec::RESULT_FEATURES : 0;
  wire [spec::RESULT_BEATS*spec::BEAT_BITS-1:0] record = {flags, sequence_number, logits};
  wire takes_feature = features_left != 0;
  wire record_ends = record_beat == spec::RESULT_BEATS - 1;
  wire image_ends = takes_feature ? features_left == 1 : record_ends && !with_features;
  assign merged_valid = !done && (takes_feature ? follow && feature_valid : record_valid);
  assign merged = takes_feature ? feature : record[record_beat*spec::BEAT_BITS +: spec::BEAT_BITS];
  assign feature_ready = !done && takes_feature && (merged_ready || !follow);
  assign record_ready = !done && !takes_feature && merged_ready && record_ends;
  wire moves = takes_feature ? feature_valid && feature_ready : merged_valid && merged_ready;
  assign done = images_left == 0;
  always @(posedge clock) begin
    if (reset) begin
      images_left <= 0;
    end else if (start) begin
      images_left <= num_images;
      features_left <= 0;
      record_beat <= 0;
      sequence_number <= 0;
    end else if (moves) begin
      if (takes_feature) begin
        features_left <= features_left - 1'b1;
      end else begin
        record_beat <= record_ends ? 3'd0 : record_beat + 1'b1;
        if (record_ends) begin
          follow <= near;
          features_left <= with_features ? spec::FEATURE_BEATS : 0;
          sequence_number <= sequence_number + 1'b1;
        end
      end
      if (image_ends) images_left <= images_left - 1'b1;
    end
  end
endmodule
