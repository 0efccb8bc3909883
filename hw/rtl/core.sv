// The processes of the first exit, wired as in hls/core.cpp. `start` begins a batch; `done` is high between batches.
module first_exit_core (
    input wire clock, input wire reset, input wire start, output wire done,
    input wire [31:0] num_images, input wire [31:0] mode, input wire [spec::LOGIT_BITS-1:0] feature_margin,
    input wire [spec::BEAT_BITS-1:0] words_data, input wire words_valid, output wire words_ready,
    output wire [spec::BEAT_BITS-1:0] merged_data, output wire merged_valid, input wire merged_ready);
  // What the specification asks for, behind what may be on its way in the pipeline that writes.
  localparam TRUNK_FIFO = 1 << $clog2(spec::DEPTH_TOKENS + spec::TRUNK_LATENCY + 5);
  localparam BRANCH_FIFO = 1 << $clog2(spec::DEPTH_POOLED + spec::BRANCH_LATENCY + 4);
  localparam FEATURE_FIFO = 1 << $clog2(spec::DEPTH_FEATURES);
  localparam RECORD_FIFO = 1 << $clog2(spec::DEPTH_RECORDS / spec::RESULT_BEATS);  // of whole records

  reg mode_of_batch;
  wire with_features = start ? mode[spec::MODE_FEATURES_BIT] : mode_of_batch;
  wire [31:0] num_feature_images = with_features ? num_images : 0;
  always @(posedge clock) mode_of_batch <= with_features;

  wire trunk_reserves, trunk_writes, tokens_room, feature_tokens_room;
  wire [spec::TOKEN_BITS-1:0] trunk_token;
  trunk trunk (
      .clock(clock), .reset(reset), .start(start), .num_images(num_images),
      .word(words_data), .word_valid(words_valid), .word_ready(words_ready),
      .room(tokens_room && (!with_features || feature_tokens_room)), .reserve(trunk_reserves),
      .token(trunk_token), .token_valid(trunk_writes));

  wire [spec::TOKEN_BITS-1:0] token, feature_token;
  wire token_valid, token_ready, feature_token_valid, feature_token_ready;
  fifo #(.WIDTH(spec::TOKEN_BITS), .DEPTH(TRUNK_FIFO)) tokens (
      .clock(clock), .reset(reset), .reserve(trunk_reserves), .room(tokens_room),
      .write(trunk_writes), .written(trunk_token),
      .read(token_valid && token_ready), .first(token), .filled(token_valid));
  fifo #(.WIDTH(spec::TOKEN_BITS), .DEPTH(TRUNK_FIFO)) feature_tokens (
      .clock(clock), .reset(reset), .reserve(trunk_reserves && with_features), .room(feature_tokens_room),
      .write(trunk_writes && with_features), .written(trunk_token),
      .read(feature_token_valid && feature_token_ready), .first(feature_token), .filled(feature_token_valid));

  wire branch_reserves, branch_writes, pooled_room, position_valid, position_ready;
  wire [spec::POSITION_BITS-1:0] branch_position, position;
  branch branch (
      .clock(clock), .reset(reset), .start(start), .num_images(num_images),
      .token(token), .token_valid(token_valid), .token_ready(token_ready),
      .room(pooled_room), .reserve(branch_reserves), .pooled(branch_position), .pooled_valid(branch_writes));
  fifo #(.WIDTH(spec::POSITION_BITS), .DEPTH(BRANCH_FIFO)) pooled (
      .clock(clock), .reset(reset), .reserve(branch_reserves), .room(pooled_room),
      .write(branch_writes), .written(branch_position),
      .read(position_valid && position_ready), .first(position), .filled(position_valid));

  wire classifier_reserves, classifier_writes, records_room, logits_valid, record_ready;
  wire [spec::CLASSES*spec::LOGIT_BITS-1:0] classifier_logits, logits;
  classifier classifier (
      .clock(clock), .reset(reset), .start(start), .num_images(num_images),
      .position(position), .position_valid(position_valid), .position_ready(position_ready),
      .room(records_room), .reserve(classifier_reserves),
      .logits(classifier_logits), .logits_valid(classifier_writes));
  fifo #(.WIDTH(spec::CLASSES * spec::LOGIT_BITS), .DEPTH(RECORD_FIFO)) records (
      .clock(clock), .reset(reset), .reserve(classifier_reserves), .room(records_room),
      .write(classifier_writes), .written(classifier_logits),
      .read(record_ready), .first(logits), .filled(logits_valid));

  // Some clocks behind the logits of the same image, and with room whenever these have.
  wire near_writes, written_near, near, near_valid;
  reg [spec::LOGIT_BITS-1:0] margin_of_batch;
  always @(posedge clock) if (start) margin_of_batch <= feature_margin;
  may_stay may_stay (
      .clock(clock), .reset(reset), .feature_margin(margin_of_batch),
      .logits(classifier_logits), .logits_valid(classifier_writes), .near(written_near), .near_valid(near_writes));
  fifo #(.WIDTH(1), .DEPTH(RECORD_FIFO)) nearness (
      .clock(clock), .reset(reset), .reserve(classifier_reserves), .room(),
      .write(near_writes), .written(written_near),
      .read(record_ready), .first(near), .filled(near_valid));

  wire pack_writes, features_room, feature_valid, feature_ready;
  wire [spec::BEAT_BITS-1:0] packed_beat, feature;
  pack_features pack_features (
      .clock(clock), .reset(reset), .start(start), .num_images(num_feature_images),
      .token(feature_token), .token_valid(feature_token_valid), .token_ready(feature_token_ready),
      .room(features_room), .writes(pack_writes), .beat(packed_beat));
  block_fifo #(.WIDTH(spec::BEAT_BITS), .DEPTH(FEATURE_FIFO)) features (
      .clock(clock), .reset(reset), .reserve(pack_writes), .room(features_room),
      .write(pack_writes), .written(packed_beat),
      .read(feature_valid && feature_ready), .first(feature), .filled(feature_valid));

  merge merge (
      .clock(clock), .reset(reset), .start(start), .num_images(num_images), .with_features(with_features),
      .feature(feature), .feature_valid(feature_valid), .feature_ready(feature_ready),
      .logits(logits), .near(near), .record_valid(logits_valid && near_valid), .record_ready(record_ready),
      .merged(merged_data), .merged_valid(merged_valid), .merged_ready(merged_ready), .done(done));
endmodule
