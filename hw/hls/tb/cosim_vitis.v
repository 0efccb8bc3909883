// What Vitis HLS makes of first_exit_core, behind the ports that the RTL simulation drives.

module cosim_top #(parameter BEAT_BITS = 64) (
    input wire clock, input wire reset,
    input wire start, output wire done,
    input wire [31:0] num_images, input wire [31:0] mode,
    input wire [BEAT_BITS-1:0] words_data, input wire words_valid, output wire words_ready,
    output wire [BEAT_BITS-1:0] merged_data, output wire merged_valid, input wire merged_ready);

  wire ready;
  reg started = 0;  // ap_start must stay until ap_ready
  always @(posedge clock) started <= !reset && (start || started) && !ready;

  first_exit_core core (
      .ap_clk(clock), .ap_rst_n(!reset), .ap_start(start || started), .ap_done(done), .ap_idle(), .ap_ready(ready),
      .num_images(num_images), .mode(mode),
      .words_TDATA(words_data), .words_TVALID(words_valid), .words_TREADY(words_ready),
      .merged_TDATA(merged_data), .merged_TVALID(merged_valid), .merged_TREADY(merged_ready));
endmodule
