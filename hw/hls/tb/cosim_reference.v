// The reference circuit, behind the ports that the RTL simulation drives.

module cosim_top #(parameter BEAT_BITS = 64) (
    input wire clock, input wire reset,
    input wire start, output wire done,
    input wire [31:0] num_images, input wire [31:0] mode, input wire [15:0] feature_margin,
    input wire [BEAT_BITS-1:0] words_data, input wire words_valid, output wire words_ready,
    output wire [BEAT_BITS-1:0] merged_data, output wire merged_valid, input wire merged_ready);

  first_exit_core core (
      .clock(clock), .reset(reset), .start(start), .done(done),
      .num_images(num_images), .mode(mode), .feature_margin(feature_margin),
      .words_data(words_data), .words_valid(words_valid), .words_ready(words_ready),
      .merged_data(merged_data), .merged_valid(merged_valid), .merged_ready(merged_ready));
endmodule
