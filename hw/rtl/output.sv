// Features to beats, and the order of the output, as hls/output.cpp has them.

// Tokens to beats without a gap. An image's last, partial beat leaves with the first token of the next image.
module pack_features (
    input wire clock, input wire reset, input wire start, input wire [31:0] num_images,
    input wire [spec::TOKEN_BITS-1:0] token, input wire token_valid, output wire token_ready,
    input wire room, output wire reserve, output reg [spec::BEAT_BITS-1:0] beat, output reg beat_valid);
  localparam PHASES = spec::BRANCH_INTERVAL;
  localparam UNIT = 16;  // divides a token and a beat
  localparam TOKEN_UNITS = spec::TOKEN_BITS / UNIT, BEAT_UNITS = spec::BEAT_BITS / UNIT, UNITS = TOKEN_UNITS + BEAT_UNITS;
  localparam PARTIAL = spec::FEATURE_BEATS != spec::TRUNK_TOKENS * spec::TOKEN_BITS / spec::BEAT_BITS;

  // Of the next step: it reads a token; it gives what is left of an image, or a whole beat.
  reg reads, partial, whole;
  reg [2:0] units;  // pending
  reg phase;

  wire active, reading_after, filled_after, image_ends;
  wire gives = partial || whole;
  wire may_step = !gives || room;
  wire step = active && may_step && (!reads || token_valid);
  assign token_ready = reads && may_step;
  assign reserve = step && gives;
  steps #(.IMAGE_STEPS(spec::TRUNK_TOKENS * PHASES), .LAG(PARTIAL ? 1 : 0)) counter (
      .clock(clock), .reset(reset), .start(start), .num_images(num_images), .step(step),
      .active(active), .reading(), .filled(), .image_ends(image_ends), .image_step(),
      .reading_after(reading_after), .filled_after(filled_after));

  wire [2:0] units_left = partial ? 3'd0 : units;
  wire [2:0] units_now = reads ? units_left + TOKEN_UNITS : units_left;
  wire [2:0] units_after = whole ? units_now - BEAT_UNITS : units_now;
  wire reads_after = phase == PHASES - 1 && reading_after;
  wire partial_after = PARTIAL && image_ends && filled_after;
  wire [2:0] units_behind = partial_after ? 3'd0 : units_after;
  reg some_images;
  always @(posedge clock) begin
    some_images <= num_images != 0;
    if (start) begin
      reads <= some_images;
      partial <= 0;
      whole <= TOKEN_UNITS >= BEAT_UNITS;
      units <= 0;
      phase <= 0;
    end else if (step) begin
      reads <= reads_after;
      partial <= partial_after;
      whole <= (reads_after ? units_behind + TOKEN_UNITS : units_behind) >= BEAT_UNITS;
      units <= units_after;
      phase <= phase == PHASES - 1 ? 1'b0 : phase + 1'b1;
    end
  end

  // The data follow two clocks behind: the token is shifted to its place, then joins what is pending.
  reg [spec::TOKEN_BITS-1:0] arriving;
  reg [2:0] arriving_units;
  reg [UNITS*UNIT-1:0] added;
  reg stepped, stepped_partial, stepped_whole, given, joins;
  wire [3*UNITS-1:0] control;  // for each unit
  copies #(.WIDTH(3), .COUNT(UNITS)) copies_of_control (
      .clock(clock), .entering({stepped, stepped_partial, stepped_whole}), .leaving(control));
  always @(posedge clock) begin
    arriving <= reads ? token : {spec::TOKEN_BITS{1'b0}};
    arriving_units <= units_left;
    added <= arriving << (arriving_units * UNIT);
    stepped <= step;
    stepped_partial <= partial;
    stepped_whole <= whole;
    given <= reserve && !reset;
    joins <= given && !reset;
    beat_valid <= joins && !reset;
  end

  reg [UNITS*UNIT-1:0] pending;
  wire [(UNITS+BEAT_UNITS)*UNIT-1:0] now;
  assign now[UNITS*UNIT +: BEAT_UNITS*UNIT] = 0;
  for (genvar unit = 0; unit < UNITS; unit = unit + 1) begin : each
    wire moves, ends, gives_beat;
    assign {moves, ends, gives_beat} = control[3*unit +: 3];
    assign now[unit*UNIT +: UNIT] = (ends ? {UNIT{1'b0}} : pending[unit*UNIT +: UNIT]) | added[unit*UNIT +: UNIT];
    always @(posedge clock) begin
      if (start) pending[unit*UNIT +: UNIT] <= 0;
      else if (moves) pending[unit*UNIT +: UNIT] <= gives_beat ? now[(unit+BEAT_UNITS)*UNIT +: UNIT] : now[unit*UNIT +: UNIT];
    end
    if (unit < BEAT_UNITS) begin : of_beat
      always @(posedge clock)
        beat[unit*UNIT +: UNIT] <= ends ? pending[unit*UNIT +: UNIT] : now[unit*UNIT +: UNIT];
    end
  end
endmodule

// Whether an image's two largest logits differ by less than the margin, some clocks after they came. They stay until
// the next image's come.
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

  // As the logits stay, so does all that follows from them.
  reg [BITS-1:0] difference;
  reg less, always_near;
  always @(posedge clock) begin
    difference <= levels[LEVELS].pairs[BITS-1:0] - levels[LEVELS].pairs[2*BITS-1:BITS];
    always_near <= feature_margin == spec::FEATURES_ALWAYS;
    less <= difference < feature_margin;
    near <= less || always_near;
  end
  accompany #(.CLOCKS(2 * LEVELS + 3)) accompany_logits (
      .clock(clock), .reset(reset), .entering(logits_valid), .leaving(near_valid));
endmodule

// The two largest of two pairs, each the larger one in the lowest bits, two clocks after them, as long as they stay.
module two_largest (
    input wire clock, input wire [2*spec::LOGIT_BITS-1:0] a, input wire [2*spec::LOGIT_BITS-1:0] b,
    output reg [2*spec::LOGIT_BITS-1:0] both);
  localparam BITS = spec::LOGIT_BITS;
  wire signed [BITS-1:0] a_first = a[BITS-1:0], a_second = a[2*BITS-1:BITS];
  wire signed [BITS-1:0] b_first = b[BITS-1:0], b_second = b[2*BITS-1:BITS];
  reg a_leads, a_follows, b_follows;
  always @(posedge clock) begin
    a_leads <= a_first > b_first;
    a_follows <= a_second > b_first;
    b_follows <= b_second > a_first;
    both <= a_leads ? {a_follows ? a_second : b_first, a_first} : {b_follows ? b_second : a_first, b_first};
  end
endmodule

// For each image its result record, and its features behind it if they may be needed; else they are dropped, a beat a
// clock.
module merge (
    input wire clock, input wire reset, input wire start, input wire [31:0] num_images, input wire with_features,
    input wire [spec::BEAT_BITS-1:0] feature, input wire feature_valid, output wire feature_ready,
    input wire [spec::CLASSES*spec::LOGIT_BITS-1:0] logits, input wire near, input wire record_valid,
    output wire record_ready,
    output wire [spec::BEAT_BITS-1:0] merged, output wire merged_valid, input wire merged_ready, output reg done);
  localparam FLAGS_BITS = spec::RESULT_BEATS * spec::BEAT_BITS - spec::CLASSES * spec::LOGIT_BITS - spec::SEQUENCE_BITS;

  reg [31:0] images_left;
  reg [7:0] features_left;
  reg [2:0] place;     // of the next beat, in the record; behind it are the features
  reg takes_feature, last_feature, record_ends;  // with the next beat
  reg follow;  // the features of the record that has left
  reg image_over, record_over;
  reg some_images;
  reg [spec::SEQUENCE_BITS-1:0] sequence_number;

  // What the framing knows, it adds to the flags outside of the core.
  wire [FLAGS_BITS-1:0] flags = with_features && near ? spec::RESULT_FEATURES : 0;
  wire [(spec::RESULT_BEATS+1)*spec::BEAT_BITS-1:0] sources = {feature, flags, sequence_number, logits};
  assign merged_valid = takes_feature ? follow && feature_valid : record_valid;
  assign merged = sources[place*spec::BEAT_BITS +: spec::BEAT_BITS];
  assign feature_ready = takes_feature && (merged_ready || !follow);
  assign record_ready = !takes_feature && merged_ready && record_ends;
  wire moves = takes_feature ? feature_valid && (merged_ready || !follow) : record_valid && merged_ready;
  wire image_ends = takes_feature ? last_feature : record_ends && !with_features;
  always @(posedge clock) begin
    some_images <= num_images != 0;
    image_over <= moves && image_ends;
    record_over <= moves && record_ends;
    if (image_over) images_left <= images_left - 1'b1;
    if (record_over) sequence_number <= sequence_number + 1'b1;
    done <= images_left == 0;
    if (reset) begin
      images_left <= 0;
      record_ends <= 0;  // else an empty FIFO of records would be read, and count places that it has not
    end else if (start) begin
      images_left <= num_images;
      done <= !some_images;
      place <= 0;
      takes_feature <= 0;
      last_feature <= 0;
      record_ends <= spec::RESULT_BEATS == 1;
      sequence_number <= 0;
    end else if (moves) begin
      if (takes_feature) begin
        features_left <= features_left - 1'b1;
        last_feature <= features_left == 2;
        if (last_feature) begin
          takes_feature <= 0;
          last_feature <= 0;
          place <= 0;
        end
      end else begin
        place <= record_ends && !with_features ? 3'd0 : place + 1'b1;
        record_ends <= place == spec::RESULT_BEATS - 2;
        if (record_ends) begin
          follow <= near;
          takes_feature <= with_features;
          features_left <= spec::FEATURE_BEATS;
          last_feature <= spec::FEATURE_BEATS == 1;
        end
      end
    end
  end
endmodule
