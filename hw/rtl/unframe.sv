// Beats of the image stream to words for the core, as hls/first_exit.cpp has it: the core always gets every word of
// num_images images. After an early TLAST these are zeros; after a missing one, surplus beats are dropped up to the
// next.
module unframe (
    input wire clock, input wire reset, input wire start, input wire [31:0] num_images,
    input wire [spec::BEAT_BITS-1:0] beat, input wire beat_last, input wire beat_valid, output wire beat_ready,
    output wire [spec::BEAT_BITS-1:0] word, output wire word_valid, input wire word_ready,
    output wire takes,                // a beat
    output reg whole,                 // an image has come with all of its pixels, a clock ago
    output wire done,
    output reg [31:0] images_done, output wire [31:0] error_flags);

  reg ended;                          // TLAST has come
  reg owes;                           // words of the batch to the core
  reg [7:0] words_after;              // the next one, in its image
  reg image_ends;                     // with the next word
  reg [31:0] images_left;
  reg last_image;                     // the next word is of it; known long before the image ends
  reg short_batch, long_batch;

  assign beat_ready = !ended && (!owes || word_ready);
  assign takes = beat_valid && beat_ready;
  assign word_valid = owes && (ended || beat_valid);
  assign word = ended ? {spec::BEAT_BITS{1'b0}} : beat;
  assign done = ended && !owes;
  assign error_flags = (short_batch ? spec::ERROR_SHORT_BATCH : 0) | (long_batch ? spec::ERROR_LONG_BATCH : 0);

  wire moves = word_valid && word_ready;
  wire batch_ends = image_ends && last_image;
  always @(posedge clock) begin
    whole <= moves && image_ends && !ended && !start && !reset;
    last_image <= images_left == 1;
    if (reset) begin
      ended <= 1;
      owes <= 0;
    end else if (start) begin
      ended <= num_images == 0;
      owes <= num_images != 0;
      words_after <= spec::IMAGE_BEATS - 1;
      image_ends <= 0;
      images_left <= num_images;
      images_done <= 0;
      short_batch <= 0;
      long_batch <= 0;
    end else begin
      if (takes && beat_last) ended <= 1;
      if (whole) images_done <= images_done + 1'b1;
      if (moves) begin
        words_after <= image_ends ? spec::IMAGE_BEATS - 1 : words_after - 1'b1;
        image_ends <= words_after == 1;
        if (image_ends) images_left <= images_left - 1'b1;
        if (ended) short_batch <= 1;
        if (batch_ends) owes <= 0;
        if (batch_ends) long_batch <= !ended && !beat_last;
      end
    end
  end

`ifdef PROVE_unframe
  `include "formal/unframe.svh"
`endif
endmodule
