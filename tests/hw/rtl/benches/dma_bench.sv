// The DMA between signals named as cocotbext-axi wants them, and a memory that answers LATENCY clocks late, in order:
// reads and write responses each wait that long after they were asked for or given, and cost no rate.
`timescale 1ns / 1ps

module delay #(parameter WIDTH = 1, parameter LATENCY = 0) (
    input wire clock, input wire reset,
    input wire [WIDTH-1:0] in_data, input wire in_valid, output wire in_ready,
    output wire [WIDTH-1:0] out_data, output wire out_valid, input wire out_ready);
  reg [WIDTH-1:0] memory [0:255];
  reg [31:0] due [0:255];
  reg [7:0] head, tail;
  reg [31:0] now;
  assign in_ready = tail + 8'd1 != head;
  assign out_valid = head != tail && $signed(now - due[head]) >= 0;
  assign out_data = memory[head];
  always @(posedge clock) begin
    now <= now + 1;
    if (reset) begin
      now <= 0;
      {head, tail} <= 0;
    end else begin
      if (in_valid && in_ready) begin
        memory[tail] <= in_data;
        due[tail] <= now + LATENCY;
        tail <= tail + 8'd1;
      end
      if (out_valid && out_ready) head <= head + 8'd1;
    end
  end
endmodule

module dma_bench #(
    parameter STREAM_BITS = 64, parameter ADDRESS_BITS = 32, parameter LENGTH_BITS = 26, parameter LATENCY = 0) (
    input wire clock, input wire resetn,
    input wire ar_pause,  // of the addresses, in front of the delay, which itself always takes one
    input wire [9:0] lite_awaddr, input wire [2:0] lite_awprot, input wire lite_awvalid, output wire lite_awready,
    input wire [31:0] lite_wdata, input wire [3:0] lite_wstrb, input wire lite_wvalid, output wire lite_wready,
    output wire [1:0] lite_bresp, output wire lite_bvalid, input wire lite_bready,
    input wire [9:0] lite_araddr, input wire [2:0] lite_arprot, input wire lite_arvalid, output wire lite_arready,
    output wire [31:0] lite_rdata, output wire [1:0] lite_rresp, output wire lite_rvalid, input wire lite_rready,
    output wire mem_arid, output wire [ADDRESS_BITS-1:0] mem_araddr, output wire [7:0] mem_arlen,
    output wire [2:0] mem_arsize, output wire [1:0] mem_arburst, output wire mem_arvalid, input wire mem_arready,
    input wire mem_rid, input wire [63:0] mem_rdata, input wire [1:0] mem_rresp, input wire mem_rlast,
    input wire mem_rvalid, output wire mem_rready,
    output wire mem_awid, output wire [ADDRESS_BITS-1:0] mem_awaddr, output wire [7:0] mem_awlen,
    output wire [2:0] mem_awsize, output wire [1:0] mem_awburst, output wire mem_awvalid, input wire mem_awready,
    output wire [63:0] mem_wdata, output wire [7:0] mem_wstrb, output wire mem_wlast, output wire mem_wvalid,
    input wire mem_wready,
    input wire mem_bid, input wire [1:0] mem_bresp, input wire mem_bvalid, output wire mem_bready,
    output wire [STREAM_BITS-1:0] out_tdata, output wire [STREAM_BITS/8-1:0] out_tkeep, output wire out_tlast,
    output wire out_tvalid, input wire out_tready,
    input wire [STREAM_BITS-1:0] in_tdata, input wire [STREAM_BITS/8-1:0] in_tkeep, input wire in_tlast,
    input wire in_tvalid, output wire in_tready,
    output wire kernel_resetn, output wire mm2s_introut, output wire s2mm_introut);

  assign mem_arid = 0;
  assign mem_awid = 0;
  wire [ADDRESS_BITS-1:0] araddr;
  wire [7:0] arlen;
  wire [2:0] arsize;
  wire [1:0] arburst, bresp;
  wire arvalid, ar_room, bvalid, bready;
  wire arready = ar_room && !ar_pause;
  delay #(.WIDTH(ADDRESS_BITS + 13), .LATENCY(LATENCY)) asked (
      .clock(clock), .reset(!resetn),
      .in_data({araddr, arlen, arsize, arburst}), .in_valid(arvalid && !ar_pause), .in_ready(ar_room),
      .out_data({mem_araddr, mem_arlen, mem_arsize, mem_arburst}), .out_valid(mem_arvalid), .out_ready(mem_arready));
  delay #(.WIDTH(2), .LATENCY(LATENCY)) answered (
      .clock(clock), .reset(!resetn),
      .in_data(mem_bresp), .in_valid(mem_bvalid), .in_ready(mem_bready),
      .out_data(bresp), .out_valid(bvalid), .out_ready(bready));

  axi_dma #(.STREAM_BITS(STREAM_BITS), .ADDRESS_BITS(ADDRESS_BITS), .LENGTH_BITS(LENGTH_BITS)) dma (
      .clock(clock), .resetn(resetn),
      .s_axi_lite_awaddr(lite_awaddr), .s_axi_lite_awvalid(lite_awvalid), .s_axi_lite_awready(lite_awready),
      .s_axi_lite_wdata(lite_wdata), .s_axi_lite_wvalid(lite_wvalid), .s_axi_lite_wready(lite_wready),
      .s_axi_lite_bresp(lite_bresp), .s_axi_lite_bvalid(lite_bvalid), .s_axi_lite_bready(lite_bready),
      .s_axi_lite_araddr(lite_araddr), .s_axi_lite_arvalid(lite_arvalid), .s_axi_lite_arready(lite_arready),
      .s_axi_lite_rdata(lite_rdata), .s_axi_lite_rresp(lite_rresp), .s_axi_lite_rvalid(lite_rvalid),
      .s_axi_lite_rready(lite_rready),
      .m_axi_mm2s_araddr(araddr), .m_axi_mm2s_arlen(arlen), .m_axi_mm2s_arsize(arsize),
      .m_axi_mm2s_arburst(arburst), .m_axi_mm2s_arcache(), .m_axi_mm2s_arprot(),
      .m_axi_mm2s_arvalid(arvalid), .m_axi_mm2s_arready(arready),
      .m_axi_mm2s_rdata(mem_rdata), .m_axi_mm2s_rresp(mem_rresp), .m_axi_mm2s_rlast(mem_rlast),
      .m_axi_mm2s_rvalid(mem_rvalid), .m_axi_mm2s_rready(mem_rready),
      .m_axi_s2mm_awaddr(mem_awaddr), .m_axi_s2mm_awlen(mem_awlen), .m_axi_s2mm_awsize(mem_awsize),
      .m_axi_s2mm_awburst(mem_awburst), .m_axi_s2mm_awcache(), .m_axi_s2mm_awprot(),
      .m_axi_s2mm_awvalid(mem_awvalid), .m_axi_s2mm_awready(mem_awready),
      .m_axi_s2mm_wdata(mem_wdata), .m_axi_s2mm_wstrb(mem_wstrb), .m_axi_s2mm_wlast(mem_wlast),
      .m_axi_s2mm_wvalid(mem_wvalid), .m_axi_s2mm_wready(mem_wready),
      .m_axi_s2mm_bresp(bresp), .m_axi_s2mm_bvalid(bvalid), .m_axi_s2mm_bready(bready),
      .m_axis_mm2s_tdata(out_tdata), .m_axis_mm2s_tkeep(out_tkeep), .m_axis_mm2s_tlast(out_tlast),
      .m_axis_mm2s_tvalid(out_tvalid), .m_axis_mm2s_tready(out_tready),
      .s_axis_s2mm_tdata(in_tdata), .s_axis_s2mm_tkeep(in_tkeep), .s_axis_s2mm_tlast(in_tlast),
      .s_axis_s2mm_tvalid(in_tvalid), .s_axis_s2mm_tready(in_tready),
      .mm2s_prmry_reset_out_n(kernel_resetn), .mm2s_introut(mm2s_introut), .s2mm_introut(s2mm_introut));
endmodule
