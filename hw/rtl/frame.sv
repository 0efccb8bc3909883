// Words of the core to beats of the result stream, as hls/first_exit.cpp has it: adds what the framing knows to each
// image's flags, and TLAST to the batch's last beat.
module frame (
    input wire clock, input wire reset, input wire start, input wire [31:0] num_images,
    input wire whole,                 // one more image has come with all of its pixels, long before its record comes
    input wire [spec::BEAT_BITS-1:0] word, input wire word_valid, output wire word_ready,
    output wire [spec::BEAT_BITS-1:0] beat, output wire beat_last, output wire beat_valid, input wire beat_ready,
    output reg done);                 // nothing of the batch is left; a clock behind
  localparam FLAGS = spec::BEAT_BITS  // in a record's last word
      - (spec::RESULT_BEATS * spec::BEAT_BITS - spec::CLASSES * spec::LOGIT_BITS - spec::SEQUENCE_BITS);
  localparam [spec::BEAT_BITS-1:0] TRUNCATED = {spec::BEAT_BITS{1'b0}} | spec::RESULT_TRUNCATED << FLAGS;

  reg of_record;                      // the next word; else of the features
  reg [7:0] words_after;              // the next one, in its part
  reg part_ends;                      // with the next word
  reg [31:0] images_left;
  reg last_image;                     // the next word is of it: known by the end of a record, which has words enough

  // Images come whole until one is cut, and none behind it is: so their count tells which record is the first that is
  // not. No FIFO is needed. The core holds some ten images at most.
  reg [7:0] whole_images;             // whose records are still to come
  reg truncated;                      // the next record

  wire record_ends = of_record && part_ends;
  wire follow = (word >> FLAGS & spec::RESULT_FEATURES) != 0;
  wire image_ends = part_ends && !(of_record && follow);
  wire moves = word_valid && word_ready;
  assign word_ready = beat_ready;
  assign beat_valid = word_valid;
  assign beat_last = image_ends && last_image;
  assign beat = word
      | (record_ends && truncated ? TRUNCATED : {spec::BEAT_BITS{1'b0}});

  wire counted = moves && record_ends && !truncated;
  always @(posedge clock) begin
    last_image <= images_left == 1;
    truncated <= whole_images == 0;
    done <= images_left == 0;
    if (reset || start) begin
      of_record <= 1;
      words_after <= spec::RESULT_BEATS - 1;
      part_ends <= 0;
      images_left <= reset ? 0 : num_images;
      whole_images <= 0;
    end else begin
      if (whole != counted) whole_images <= whole ? whole_images + 1'b1 : whole_images - 1'b1;
      if (moves) begin
        if (!part_ends) words_after <= words_after - 1'b1;
        else words_after <= image_ends ? spec::RESULT_BEATS - 1 : spec::FEATURE_BEATS - 1;
        part_ends <= words_after == 1;
        if (part_ends) of_record <= image_ends;
        if (image_ends) images_left <= images_left - 1'b1;
      end
    end
  end
endmodule
