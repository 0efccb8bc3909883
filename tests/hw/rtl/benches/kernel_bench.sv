// The kernel between signals named as cocotbext-axi wants them.
`timescale 1ns / 1ps

module kernel_bench (
    input wire clock, input wire resetn, output wire interrupt,
    input wire [spec::REGISTER_ADDRESS_BITS-1:0] lite_awaddr, input wire [2:0] lite_awprot, input wire lite_awvalid,
    output wire lite_awready,
    input wire [31:0] lite_wdata, input wire [3:0] lite_wstrb, input wire lite_wvalid, output wire lite_wready,
    output wire [1:0] lite_bresp, output wire lite_bvalid, input wire lite_bready,
    input wire [spec::REGISTER_ADDRESS_BITS-1:0] lite_araddr, input wire [2:0] lite_arprot, input wire lite_arvalid,
    output wire lite_arready,
    output wire [31:0] lite_rdata, output wire [1:0] lite_rresp, output wire lite_rvalid, input wire lite_rready,
    input wire [spec::BEAT_BITS-1:0] images_tdata, input wire [spec::BEAT_BYTES-1:0] images_tkeep,
    input wire images_tlast, input wire images_tvalid, output wire images_tready,
    output wire [spec::BEAT_BITS-1:0] results_tdata, output wire [spec::BEAT_BYTES-1:0] results_tkeep,
    output wire results_tlast, output wire results_tvalid, input wire results_tready);

  first_exit kernel (
      .ap_clk(clock), .ap_rst_n(resetn), .interrupt(interrupt),
      .s_axi_control_AWADDR(lite_awaddr), .s_axi_control_AWVALID(lite_awvalid), .s_axi_control_AWREADY(lite_awready),
      .s_axi_control_WDATA(lite_wdata), .s_axi_control_WSTRB(lite_wstrb), .s_axi_control_WVALID(lite_wvalid),
      .s_axi_control_WREADY(lite_wready),
      .s_axi_control_BRESP(lite_bresp), .s_axi_control_BVALID(lite_bvalid), .s_axi_control_BREADY(lite_bready),
      .s_axi_control_ARADDR(lite_araddr), .s_axi_control_ARVALID(lite_arvalid), .s_axi_control_ARREADY(lite_arready),
      .s_axi_control_RDATA(lite_rdata), .s_axi_control_RRESP(lite_rresp), .s_axi_control_RVALID(lite_rvalid),
      .s_axi_control_RREADY(lite_rready),
      .images_TDATA(images_tdata), .images_TKEEP(images_tkeep), .images_TSTRB(images_tkeep), .images_TLAST(images_tlast),
      .images_TVALID(images_tvalid), .images_TREADY(images_tready),
      .results_TDATA(results_tdata), .results_TKEEP(results_tkeep), .results_TSTRB(), .results_TLAST(results_tlast),
      .results_TVALID(results_tvalid), .results_TREADY(results_tready));
endmodule
