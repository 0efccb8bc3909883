// The kernel: framing around the core, and the registers. Its ports are those that Vitis HLS gives hls/first_exit.cpp.
module first_exit (
    input wire ap_clk, input wire ap_rst_n, output wire interrupt,
    input wire [spec::REGISTER_ADDRESS_BITS-1:0] s_axi_control_AWADDR, input wire s_axi_control_AWVALID,
    output wire s_axi_control_AWREADY,
    input wire [31:0] s_axi_control_WDATA, input wire [3:0] s_axi_control_WSTRB, input wire s_axi_control_WVALID,
    output wire s_axi_control_WREADY,
    output wire [1:0] s_axi_control_BRESP, output wire s_axi_control_BVALID, input wire s_axi_control_BREADY,
    input wire [spec::REGISTER_ADDRESS_BITS-1:0] s_axi_control_ARADDR, input wire s_axi_control_ARVALID,
    output wire s_axi_control_ARREADY,
    output wire [31:0] s_axi_control_RDATA, output wire [1:0] s_axi_control_RRESP, output wire s_axi_control_RVALID,
    input wire s_axi_control_RREADY,
    input wire [spec::BEAT_BITS-1:0] images_TDATA, input wire [spec::BEAT_BYTES-1:0] images_TKEEP,
    input wire [spec::BEAT_BYTES-1:0] images_TSTRB, input wire images_TLAST, input wire images_TVALID,
    output wire images_TREADY,
    output wire [spec::BEAT_BITS-1:0] results_TDATA, output wire [spec::BEAT_BYTES-1:0] results_TKEEP,
    output wire [spec::BEAT_BYTES-1:0] results_TSTRB, output wire results_TLAST, output wire results_TVALID,
    input wire results_TREADY);
  // From the last process done to its values, and from `start` to the first one not done.
  localparam SETTLE_CLOCKS = 7;

  reg reset;
  always @(posedge ap_clk) reset <= !ap_rst_n;

  wire start;
  reg finish;
  wire [31:0] num_images, mode, images_done, error_flags, images_crc, results_crc;
  wire [spec::LOGIT_BITS-1:0] feature_margin;
  kernel_registers registers (
      .clock(ap_clk), .reset(reset),
      .awaddr(s_axi_control_AWADDR), .awvalid(s_axi_control_AWVALID), .awready(s_axi_control_AWREADY),
      .wdata(s_axi_control_WDATA), .wstrb(s_axi_control_WSTRB), .wvalid(s_axi_control_WVALID),
      .wready(s_axi_control_WREADY),
      .bresp(s_axi_control_BRESP), .bvalid(s_axi_control_BVALID), .bready(s_axi_control_BREADY),
      .araddr(s_axi_control_ARADDR), .arvalid(s_axi_control_ARVALID), .arready(s_axi_control_ARREADY),
      .rdata(s_axi_control_RDATA), .rresp(s_axi_control_RRESP), .rvalid(s_axi_control_RVALID),
      .rready(s_axi_control_RREADY),
      .interrupt(interrupt), .start(start), .finish(finish),
      .num_images(num_images), .mode(mode), .feature_margin(feature_margin),
      .images_done(images_done), .error_flags(error_flags), .images_crc(images_crc), .results_crc(results_crc));

  wire takes, whole, unframe_done;
  wire [spec::BEAT_BITS-1:0] unframed, word;
  wire unframed_valid, unframed_ready, word_valid, word_ready;
  unframe unframe (
      .clock(ap_clk), .reset(reset), .start(start), .num_images(num_images),
      .beat(images_TDATA), .beat_last(images_TLAST), .beat_valid(images_TVALID), .beat_ready(images_TREADY),
      .word(unframed), .word_valid(unframed_valid), .word_ready(unframed_ready),
      .takes(takes), .whole(whole), .done(unframe_done), .images_done(images_done), .error_flags(error_flags));
  checksum checksum_of_images (
      .clock(ap_clk), .start(start), .beat(images_TDATA), .valid(takes), .crc(images_crc));
  skid_buffer #(.WIDTH(spec::BEAT_BITS)) words (
      .clock(ap_clk), .clear(reset),
      .in_data(unframed), .in_valid(unframed_valid), .in_ready(unframed_ready),
      .out_data(word), .out_valid(word_valid), .out_ready(word_ready));

  wire core_done;
  wire [spec::BEAT_BITS-1:0] core_merged, merged;
  wire core_merged_valid, core_merged_ready, merged_valid, merged_ready;
  first_exit_core core (
      .clock(ap_clk), .reset(reset), .start(start), .done(core_done),
      .num_images(num_images), .mode(mode), .feature_margin(feature_margin),
      .words_data(word), .words_valid(word_valid), .words_ready(word_ready),
      .merged_data(core_merged), .merged_valid(core_merged_valid), .merged_ready(core_merged_ready));
  skid_buffer #(.WIDTH(spec::BEAT_BITS)) merged_words (
      .clock(ap_clk), .clear(reset),
      .in_data(core_merged), .in_valid(core_merged_valid), .in_ready(core_merged_ready),
      .out_data(merged), .out_valid(merged_valid), .out_ready(merged_ready));

  wire frame_done, framed_last, framed_valid, framed_ready;
  wire [spec::BEAT_BITS-1:0] framed;
  frame frame (
      .clock(ap_clk), .reset(reset), .start(start), .num_images(num_images), .whole(whole),
      .word(merged), .word_valid(merged_valid), .word_ready(merged_ready),
      .beat(framed), .beat_last(framed_last), .beat_valid(framed_valid), .beat_ready(framed_ready), .done(frame_done));
  checksum checksum_of_results (
      .clock(ap_clk), .start(start), .beat(framed), .valid(framed_valid && framed_ready), .crc(results_crc));
  skid_buffer #(.WIDTH(spec::BEAT_BITS + 1)) results (
      .clock(ap_clk), .clear(reset),
      .in_data({framed_last, framed}), .in_valid(framed_valid), .in_ready(framed_ready),
      .out_data({results_TLAST, results_TDATA}), .out_valid(results_TVALID), .out_ready(results_TREADY));
  assign results_TKEEP = {spec::BEAT_BYTES{1'b1}};
  assign results_TSTRB = {spec::BEAT_BYTES{1'b1}};

  // The run ends when every process is done, and the last beat is taken, for as many clocks as anything lags behind.
  reg running, quiet;
  reg [2:0] settled;
  always @(posedge ap_clk) begin
    quiet <= unframe_done && core_done && frame_done && !results_TVALID;
    finish <= running && settled == SETTLE_CLOCKS && !finish && !reset;
    if (reset || finish) running <= 0;
    else if (start) running <= 1;
    if (reset || start || !quiet) settled <= 0;
    else if (settled != SETTLE_CLOCKS) settled <= settled + 1'b1;
  end
endmodule
