// The processes of the first exit, wired as in hls/core.cpp. `start` begins a batch; `done` is high between batches.
// The arguments come with `start` at the latest, and stay until `done`.
module first_exit_core (
    input wire clock, input wire reset, input wire start, output wire done,
    input wire [31:0] num_images, input wire [31:0] mode, input wire [spec::LOGIT_BITS-1:0] feature_margin,
    input wire [spec::BEAT_BITS-1:0] words_data, input wire words_valid, output wire words_ready,
    output wire [spec::BEAT_BITS-1:0] merged_data, output wire merged_valid, input wire merged_ready);
  // What the rate asks for, behind what may be on its way in the pipeline that writes, and three clocks in which a
  // place that was reserved or freed is not known yet.
  localparam TRUNK_FIFO = 1 << $clog2(spec::NEEDED_TOKENS + spec::TRUNK_LATENCY + 7 + 3);
  localparam BRANCH_FIFO = 1 << $clog2(spec::NEEDED_POOLED + spec::BRANCH_LATENCY + 6 + 3);
  localparam FEATURE_FIFO_BITS = $clog2(spec::DEPTH_FEATURES);
  localparam RECORD_FIFO = 1 << $clog2(spec::DEPTH_RECORDS / spec::RESULT_BEATS + 1 + 3);  // of whole records

  // Each process has a register of its own for what all of them see, a clock later; the mode is latched before the
  // start.
  localparam PROCESSES = 5, TRUNK = 0, BRANCH = 1, CLASSIFIER = 2, PACK = 3, MERGE = 4;
  wire [PROCESSES-1:0] starts, resets;
  copies #(.COUNT(PROCESSES)) copies_of_start (.clock(clock), .entering(start), .leaving(starts));
  copies #(.COUNT(PROCESSES)) copies_of_reset (.clock(clock), .entering(reset), .leaving(resets));
  reg with_features;
  reg [spec::LOGIT_BITS-1:0] margin;
  always @(posedge clock) begin
    with_features <= mode[spec::MODE_FEATURES_BIT];
    margin <= feature_margin;
  end

  wire trunk_reserves, trunk_writes, feature_token_writes, tokens_room, feature_tokens_room;
  wire [spec::TOKEN_BITS-1:0] trunk_token;
  trunk trunk (
      .clock(clock), .reset(resets[TRUNK]), .start(starts[TRUNK]), .num_images(num_images),
      .with_features(with_features),
      .word(words_data), .word_valid(words_valid), .word_ready(words_ready),
      // Without features nothing is reserved there, and there is always room.
      .room(tokens_room && feature_tokens_room), .reserve(trunk_reserves),
      .token(trunk_token), .token_valid(trunk_writes), .feature_token_valid(feature_token_writes));

  wire [spec::TOKEN_BITS-1:0] token, feature_token;
  wire token_valid, token_ready, feature_token_valid, feature_token_ready;
  fifo #(.WIDTH(spec::TOKEN_BITS), .DEPTH(TRUNK_FIFO)) tokens (
      .clock(clock), .reset(resets[TRUNK]), .reserve(trunk_reserves), .room(tokens_room),
      .write(trunk_writes), .written(trunk_token),
      .read(token_valid && token_ready), .first(token), .filled(token_valid));
  fifo #(.WIDTH(spec::TOKEN_BITS), .DEPTH(TRUNK_FIFO)) feature_tokens (
      .clock(clock), .reset(resets[TRUNK]), .reserve(trunk_reserves && with_features), .room(feature_tokens_room),
      .write(feature_token_writes), .written(trunk_token),
      .read(feature_token_valid && feature_token_ready), .first(feature_token), .filled(feature_token_valid));

  wire branch_reserves, branch_writes, pooled_room, position_valid, position_ready;
  wire [spec::POSITION_BITS-1:0] branch_position, position;
  branch branch (
      .clock(clock), .reset(resets[BRANCH]), .start(starts[BRANCH]), .num_images(num_images),
      .token(token), .token_valid(token_valid), .token_ready(token_ready),
      .room(pooled_room), .reserve(branch_reserves), .pooled(branch_position), .pooled_valid(branch_writes));
  fifo #(.WIDTH(spec::POSITION_BITS), .DEPTH(BRANCH_FIFO)) pooled (
      .clock(clock), .reset(resets[BRANCH]), .reserve(branch_reserves), .room(pooled_room),
      .write(branch_writes), .written(branch_position),
      .read(position_valid && position_ready), .first(position), .filled(position_valid));

  wire classifier_reserves, classifier_writes, records_room, logits_valid, record_ready;
  wire [spec::CLASSES*spec::LOGIT_BITS-1:0] classifier_logits, logits;
  classifier classifier (
      .clock(clock), .reset(resets[CLASSIFIER]), .start(starts[CLASSIFIER]), .num_images(num_images),
      .position(position), .position_valid(position_valid), .position_ready(position_ready),
      .room(records_room), .reserve(classifier_reserves),
      .logits(classifier_logits), .logits_valid(classifier_writes));
  fifo #(.WIDTH(spec::CLASSES * spec::LOGIT_BITS), .DEPTH(RECORD_FIFO)) records (
      .clock(clock), .reset(resets[CLASSIFIER]), .reserve(classifier_reserves), .room(records_room),
      .write(classifier_writes), .written(classifier_logits),
      .read(record_ready), .first(logits), .filled(logits_valid));

  // Some clocks behind the logits of the same image, and with room whenever these have.
  wire near_writes, written_near, near, near_valid;
  may_stay may_stay (
      .clock(clock), .reset(resets[CLASSIFIER]), .feature_margin(margin),
      .logits(classifier_logits), .logits_valid(classifier_writes), .near(written_near), .near_valid(near_writes));
  fifo #(.WIDTH(1), .DEPTH(RECORD_FIFO)) nearness (
      .clock(clock), .reset(resets[CLASSIFIER]), .reserve(classifier_reserves), .room(),
      .write(near_writes), .written(written_near),
      .read(record_ready), .first(near), .filled(near_valid));

  wire pack_reserves, pack_writes, features_room, feature_valid, feature_ready;
  wire [spec::BEAT_BITS-1:0] packed_beat, feature;
  pack_features pack_features (
      .clock(clock), .reset(resets[PACK]), .start(starts[PACK] && with_features), .num_images(num_images),
      .token(feature_token), .token_valid(feature_token_valid), .token_ready(feature_token_ready),
      .room(features_room), .reserve(pack_reserves), .beat(packed_beat), .beat_valid(pack_writes));
  places #(.COUNT(1 << FEATURE_FIFO_BITS)) places_of_features (
      .clock(clock), .reset(resets[PACK]), .reserve(pack_reserves), .free(feature_valid && feature_ready),
      .room(features_room));
  stream_fifo #(.WIDTH(spec::BEAT_BITS), .DEPTH_BITS(FEATURE_FIFO_BITS)) features (
      .clock(clock), .clear(resets[PACK]), .write(pack_writes), .written(packed_beat),
      .first_valid(feature_valid), .first(feature), .read(feature_ready));

  merge merge (
      .clock(clock), .reset(resets[MERGE]), .start(starts[MERGE]), .num_images(num_images),
      .with_features(with_features),
      .feature(feature), .feature_valid(feature_valid), .feature_ready(feature_ready),
      .logits(logits), .near(near), .record_valid(logits_valid && near_valid), .record_ready(record_ready),
      .merged(merged_data), .merged_valid(merged_valid), .merged_ready(merged_ready), .done(done));
endmodule
