// What PandA-Bambu makes of first_exit_core, behind the ports that the RTL simulation drives.

module cosim_top #(parameter BEAT_BITS = 64) (
    input wire clock, input wire reset,
    input wire start, output wire done,
    input wire [31:0] num_images, input wire [31:0] mode,
    input wire [BEAT_BITS-1:0] words_data, input wire words_valid, output wire words_ready,
    output wire [BEAT_BITS-1:0] merged_data, output wire merged_valid, input wire merged_ready);

  first_exit_core core (
      .clock(clock), .reset(reset), .start_port(start), .done_port(done),
      .num_images(num_images), .mode(mode),
      .words_TDATA(words_data), .words_TVALID(words_valid), .words_TREADY(words_ready),
      .merged_TDATA(merged_data), .merged_TVALID(merged_valid), .merged_TREADY(merged_ready));
endmodule
