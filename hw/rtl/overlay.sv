// All of the overlay below the processor: registers behind GP0, memory behind HP0, an interrupt, one clock. No vendor's
// IP.
//
// Who is where is in the package `spec`, as the block design of the HLS kernel has it; an address with nobody answers
// DECERR. A soft reset of the DMA resets the kernel. Signals of GP0 and HP0 that are not here have no meaning here:
// lock, quality of service, cache and protection of GP0; tie those of HP0 to zero.
module overlay (
    input wire clock, input wire resetn,   // the reset is synchronized here
    output wire interrupt,

    input wire [11:0] s_axi_gp0_awid, input wire [31:0] s_axi_gp0_awaddr, input wire [3:0] s_axi_gp0_awlen,
    input wire [2:0] s_axi_gp0_awsize, input wire [1:0] s_axi_gp0_awburst,
    input wire s_axi_gp0_awvalid, output wire s_axi_gp0_awready,
    input wire [11:0] s_axi_gp0_wid, input wire [31:0] s_axi_gp0_wdata, input wire [3:0] s_axi_gp0_wstrb,
    input wire s_axi_gp0_wlast, input wire s_axi_gp0_wvalid, output wire s_axi_gp0_wready,
    output wire [11:0] s_axi_gp0_bid, output wire [1:0] s_axi_gp0_bresp,
    output wire s_axi_gp0_bvalid, input wire s_axi_gp0_bready,
    input wire [11:0] s_axi_gp0_arid, input wire [31:0] s_axi_gp0_araddr, input wire [3:0] s_axi_gp0_arlen,
    input wire [2:0] s_axi_gp0_arsize, input wire [1:0] s_axi_gp0_arburst,
    input wire s_axi_gp0_arvalid, output wire s_axi_gp0_arready,
    output wire [11:0] s_axi_gp0_rid, output wire [31:0] s_axi_gp0_rdata, output wire [1:0] s_axi_gp0_rresp,
    output wire s_axi_gp0_rlast, output wire s_axi_gp0_rvalid, input wire s_axi_gp0_rready,

    output wire [5:0] m_axi_hp0_awid, output wire [31:0] m_axi_hp0_awaddr, output wire [3:0] m_axi_hp0_awlen,
    output wire [2:0] m_axi_hp0_awsize, output wire [1:0] m_axi_hp0_awburst,
    output wire [3:0] m_axi_hp0_awcache, output wire [2:0] m_axi_hp0_awprot,
    output wire m_axi_hp0_awvalid, input wire m_axi_hp0_awready,
    output wire [5:0] m_axi_hp0_wid, output wire [63:0] m_axi_hp0_wdata, output wire [7:0] m_axi_hp0_wstrb,
    output wire m_axi_hp0_wlast, output wire m_axi_hp0_wvalid, input wire m_axi_hp0_wready,
    input wire [5:0] m_axi_hp0_bid, input wire [1:0] m_axi_hp0_bresp,
    input wire m_axi_hp0_bvalid, output wire m_axi_hp0_bready,
    output wire [5:0] m_axi_hp0_arid, output wire [31:0] m_axi_hp0_araddr, output wire [3:0] m_axi_hp0_arlen,
    output wire [2:0] m_axi_hp0_arsize, output wire [1:0] m_axi_hp0_arburst,
    output wire [3:0] m_axi_hp0_arcache, output wire [2:0] m_axi_hp0_arprot,
    output wire m_axi_hp0_arvalid, input wire m_axi_hp0_arready,
    input wire [5:0] m_axi_hp0_rid, input wire [63:0] m_axi_hp0_rdata, input wire [1:0] m_axi_hp0_rresp,
    input wire m_axi_hp0_rlast, input wire m_axi_hp0_rvalid, output wire m_axi_hp0_rready);
  localparam DMA = 0, KERNEL = 1, INTERRUPTS = 2, SLAVES = 3;

  // The reset comes at any time, and is taken with the clock, which runs whenever there is one.
  (* ASYNC_REG = "TRUE" *) reg [2:0] released = 0;
  wire running = released[2];
  reg reset = 1;
  always @(posedge clock) begin
    released <= {released[1:0], resetn};
    reset <= !released[1];
  end

  // The processor's ports ---------------------------------------------------------------------------------------------

  // A tool may not know when a port takes and gives its signals. So its data go straight from and to registers, and of
  // the handshakes only what another register holds is behind a gate. Registers may take their time, memory may not:
  // from there words are always taken, and there a word goes in each clock.
  wire [11:0] gp0_awid, gp0_arid, gp0_bid, gp0_rid;
  wire [31:0] gp0_awaddr, gp0_araddr, gp0_wdata, gp0_rdata;
  wire [3:0] gp0_awlen, gp0_arlen, gp0_wstrb;
  wire [2:0] gp0_awsize, gp0_arsize;
  wire [1:0] gp0_awburst, gp0_arburst, gp0_bresp, gp0_rresp;
  wire gp0_awvalid, gp0_awready, gp0_wvalid, gp0_wready, gp0_bvalid, gp0_bready, gp0_arvalid, gp0_arready, gp0_rvalid,
      gp0_rready, gp0_rlast;
  handshake_register #(.WIDTH(53)) write_addresses (
      .clock(clock), .clear(reset),
      .in_data({s_axi_gp0_awid, s_axi_gp0_awaddr, s_axi_gp0_awlen, s_axi_gp0_awsize, s_axi_gp0_awburst}),
      .in_valid(s_axi_gp0_awvalid), .in_ready(s_axi_gp0_awready),
      .out_data({gp0_awid, gp0_awaddr, gp0_awlen, gp0_awsize, gp0_awburst}),
      .out_valid(gp0_awvalid), .out_ready(gp0_awready));
  handshake_register #(.WIDTH(36)) write_words (
      .clock(clock), .clear(reset),
      .in_data({s_axi_gp0_wdata, s_axi_gp0_wstrb}), .in_valid(s_axi_gp0_wvalid), .in_ready(s_axi_gp0_wready),
      .out_data({gp0_wdata, gp0_wstrb}), .out_valid(gp0_wvalid), .out_ready(gp0_wready));
  handshake_register #(.WIDTH(14)) write_answers (
      .clock(clock), .clear(reset),
      .in_data({gp0_bid, gp0_bresp}), .in_valid(gp0_bvalid), .in_ready(gp0_bready),
      .out_data({s_axi_gp0_bid, s_axi_gp0_bresp}), .out_valid(s_axi_gp0_bvalid), .out_ready(s_axi_gp0_bready));
  handshake_register #(.WIDTH(53)) read_addresses (
      .clock(clock), .clear(reset),
      .in_data({s_axi_gp0_arid, s_axi_gp0_araddr, s_axi_gp0_arlen, s_axi_gp0_arsize, s_axi_gp0_arburst}),
      .in_valid(s_axi_gp0_arvalid), .in_ready(s_axi_gp0_arready),
      .out_data({gp0_arid, gp0_araddr, gp0_arlen, gp0_arsize, gp0_arburst}),
      .out_valid(gp0_arvalid), .out_ready(gp0_arready));
  handshake_register #(.WIDTH(47)) read_words (
      .clock(clock), .clear(reset),
      .in_data({gp0_rid, gp0_rdata, gp0_rresp, gp0_rlast}), .in_valid(gp0_rvalid), .in_ready(gp0_rready),
      .out_data({s_axi_gp0_rid, s_axi_gp0_rdata, s_axi_gp0_rresp, s_axi_gp0_rlast}),
      .out_valid(s_axi_gp0_rvalid), .out_ready(s_axi_gp0_rready));

  wire [63:0] hp0_wdata;
  wire [7:0] hp0_wstrb;
  wire hp0_wlast, hp0_wvalid, hp0_wready;
  skid_buffer #(.WIDTH(73)) memory_words (
      .clock(clock), .clear(reset),
      .in_data({hp0_wdata, hp0_wstrb, hp0_wlast}), .in_valid(hp0_wvalid), .in_ready(hp0_wready),
      .out_data({m_axi_hp0_wdata, m_axi_hp0_wstrb, m_axi_hp0_wlast}),
      .out_valid(m_axi_hp0_wvalid), .out_ready(m_axi_hp0_wready));
  reg [63:0] hp0_rdata;
  reg [1:0] hp0_rresp, hp0_bresp;
  reg hp0_rlast, hp0_rvalid, hp0_bvalid;
  always @(posedge clock) begin
    {hp0_rdata, hp0_rresp, hp0_rlast, hp0_bresp} <= {m_axi_hp0_rdata, m_axi_hp0_rresp, m_axi_hp0_rlast, m_axi_hp0_bresp};
    {hp0_rvalid, hp0_bvalid} <= reset ? 2'b00 : {m_axi_hp0_rvalid, m_axi_hp0_bvalid};
  end
  assign m_axi_hp0_rready = 1'b1;
  assign m_axi_hp0_bready = 1'b1;

  // Registers ---------------------------------------------------------------------------------------------------------

  wire [spec::RANGE_BITS-1:0] awaddr, araddr;
  wire [31:0] wdata;
  wire [3:0] wstrb;
  wire [SLAVES-1:0] awvalid, awready, wvalid, wready, bvalid, bready, arvalid, arready, rvalid, rready;
  wire [2*SLAVES-1:0] bresp, rresp;
  wire [32*SLAVES-1:0] rdata;
  wire kernel_resetn;
  axi3_lite_bridge #(
      .ID_BITS(12), .SLAVES(SLAVES), .RANGE_BITS(spec::RANGE_BITS),
      .BASES({spec::INTERRUPT_ADDRESS, spec::KERNEL_ADDRESS, spec::DMA_ADDRESS})) bridge (
      .clock(clock), .reset(reset),
      .s_axi_awid(gp0_awid), .s_axi_awaddr(gp0_awaddr), .s_axi_awlen(gp0_awlen),
      .s_axi_awsize(gp0_awsize), .s_axi_awburst(gp0_awburst), .s_axi_awvalid(gp0_awvalid),
      .s_axi_awready(gp0_awready), .s_axi_wdata(gp0_wdata), .s_axi_wstrb(gp0_wstrb),
      .s_axi_wvalid(gp0_wvalid), .s_axi_wready(gp0_wready), .s_axi_bid(gp0_bid),
      .s_axi_bresp(gp0_bresp), .s_axi_bvalid(gp0_bvalid), .s_axi_bready(gp0_bready),
      .s_axi_arid(gp0_arid), .s_axi_araddr(gp0_araddr), .s_axi_arlen(gp0_arlen),
      .s_axi_arsize(gp0_arsize), .s_axi_arburst(gp0_arburst), .s_axi_arvalid(gp0_arvalid),
      .s_axi_arready(gp0_arready), .s_axi_rid(gp0_rid), .s_axi_rdata(gp0_rdata),
      .s_axi_rresp(gp0_rresp), .s_axi_rlast(gp0_rlast), .s_axi_rvalid(gp0_rvalid),
      .s_axi_rready(gp0_rready), .lite_resetn({1'b1, kernel_resetn, 1'b1}),
      .lite_awaddr(awaddr), .lite_awvalid(awvalid), .lite_awready(awready), .lite_wdata(wdata), .lite_wstrb(wstrb),
      .lite_wvalid(wvalid), .lite_wready(wready), .lite_bresp(bresp), .lite_bvalid(bvalid), .lite_bready(bready),
      .lite_araddr(araddr), .lite_arvalid(arvalid), .lite_arready(arready), .lite_rdata(rdata), .lite_rresp(rresp),
      .lite_rvalid(rvalid), .lite_rready(rready));

  // Memory, the DMA and its streams -----------------------------------------------------------------------------------

  wire [spec::BEAT_BITS-1:0] images_data, results_data;
  wire [spec::BEAT_BITS/8-1:0] images_keep, results_keep, results_strobe;
  wire images_last, images_valid, images_ready, results_last, results_valid, results_ready;
  wire sent, received, kernel_interrupt;
  wire [3:0] unused_arlen, unused_awlen;  // a burst has at most 16 words

  // One channel only reads and the other only writes, so that their two ports are one.
  assign m_axi_hp0_arid = 0;
  assign m_axi_hp0_awid = 0;
  assign m_axi_hp0_wid = 0;
  axi_dma #(.ADDRESS_BITS(32), .LENGTH_BITS(spec::DMA_LENGTH_BITS), .STREAM_BITS(spec::BEAT_BITS)) dma (
      .clock(clock), .resetn(running),
      .s_axi_lite_awaddr(awaddr[9:0]), .s_axi_lite_awvalid(awvalid[DMA]), .s_axi_lite_awready(awready[DMA]),
      .s_axi_lite_wdata(wdata), .s_axi_lite_wvalid(wvalid[DMA]), .s_axi_lite_wready(wready[DMA]),
      .s_axi_lite_bresp(bresp[2*DMA +: 2]), .s_axi_lite_bvalid(bvalid[DMA]), .s_axi_lite_bready(bready[DMA]),
      .s_axi_lite_araddr(araddr[9:0]), .s_axi_lite_arvalid(arvalid[DMA]), .s_axi_lite_arready(arready[DMA]),
      .s_axi_lite_rdata(rdata[32*DMA +: 32]), .s_axi_lite_rresp(rresp[2*DMA +: 2]),
      .s_axi_lite_rvalid(rvalid[DMA]), .s_axi_lite_rready(rready[DMA]),
      .m_axi_mm2s_araddr(m_axi_hp0_araddr), .m_axi_mm2s_arlen({unused_arlen, m_axi_hp0_arlen}),
      .m_axi_mm2s_arsize(m_axi_hp0_arsize), .m_axi_mm2s_arburst(m_axi_hp0_arburst),
      .m_axi_mm2s_arcache(m_axi_hp0_arcache), .m_axi_mm2s_arprot(m_axi_hp0_arprot),
      .m_axi_mm2s_arvalid(m_axi_hp0_arvalid), .m_axi_mm2s_arready(m_axi_hp0_arready),
      .m_axi_mm2s_rdata(hp0_rdata), .m_axi_mm2s_rresp(hp0_rresp), .m_axi_mm2s_rlast(hp0_rlast),
      .m_axi_mm2s_rvalid(hp0_rvalid), .m_axi_mm2s_rready(),
      .m_axi_s2mm_awaddr(m_axi_hp0_awaddr), .m_axi_s2mm_awlen({unused_awlen, m_axi_hp0_awlen}),
      .m_axi_s2mm_awsize(m_axi_hp0_awsize), .m_axi_s2mm_awburst(m_axi_hp0_awburst),
      .m_axi_s2mm_awcache(m_axi_hp0_awcache), .m_axi_s2mm_awprot(m_axi_hp0_awprot),
      .m_axi_s2mm_awvalid(m_axi_hp0_awvalid), .m_axi_s2mm_awready(m_axi_hp0_awready),
      .m_axi_s2mm_wdata(hp0_wdata), .m_axi_s2mm_wstrb(hp0_wstrb), .m_axi_s2mm_wlast(hp0_wlast),
      .m_axi_s2mm_wvalid(hp0_wvalid), .m_axi_s2mm_wready(hp0_wready),
      .m_axi_s2mm_bresp(hp0_bresp), .m_axi_s2mm_bvalid(hp0_bvalid), .m_axi_s2mm_bready(),
      .m_axis_mm2s_tdata(images_data), .m_axis_mm2s_tkeep(images_keep), .m_axis_mm2s_tlast(images_last),
      .m_axis_mm2s_tvalid(images_valid), .m_axis_mm2s_tready(images_ready),
      .s_axis_s2mm_tdata(results_data), .s_axis_s2mm_tkeep(results_keep), .s_axis_s2mm_tlast(results_last),
      .s_axis_s2mm_tvalid(results_valid), .s_axis_s2mm_tready(results_ready),
      .mm2s_prmry_reset_out_n(kernel_resetn), .mm2s_introut(sent), .s2mm_introut(received));

  // The kernel --------------------------------------------------------------------------------------------------------

  first_exit kernel (
      .ap_clk(clock), .ap_rst_n(kernel_resetn), .interrupt(kernel_interrupt),
      .s_axi_control_AWADDR(awaddr[spec::REGISTER_ADDRESS_BITS-1:0]), .s_axi_control_AWVALID(awvalid[KERNEL]),
      .s_axi_control_AWREADY(awready[KERNEL]),
      .s_axi_control_WDATA(wdata), .s_axi_control_WSTRB(wstrb), .s_axi_control_WVALID(wvalid[KERNEL]),
      .s_axi_control_WREADY(wready[KERNEL]),
      .s_axi_control_BRESP(bresp[2*KERNEL +: 2]), .s_axi_control_BVALID(bvalid[KERNEL]),
      .s_axi_control_BREADY(bready[KERNEL]),
      .s_axi_control_ARADDR(araddr[spec::REGISTER_ADDRESS_BITS-1:0]), .s_axi_control_ARVALID(arvalid[KERNEL]),
      .s_axi_control_ARREADY(arready[KERNEL]),
      .s_axi_control_RDATA(rdata[32*KERNEL +: 32]), .s_axi_control_RRESP(rresp[2*KERNEL +: 2]),
      .s_axi_control_RVALID(rvalid[KERNEL]), .s_axi_control_RREADY(rready[KERNEL]),
      .images_TDATA(images_data), .images_TKEEP(images_keep), .images_TSTRB(images_keep), .images_TLAST(images_last),
      .images_TVALID(images_valid), .images_TREADY(images_ready),
      .results_TDATA(results_data), .results_TKEEP(results_keep), .results_TSTRB(results_strobe),
      .results_TLAST(results_last), .results_TVALID(results_valid), .results_TREADY(results_ready));

  interrupt_controller #(.INPUTS(3)) interrupts (
      .clock(clock), .resetn(running),
      .s_axi_awaddr(awaddr[8:0]), .s_axi_awvalid(awvalid[INTERRUPTS]), .s_axi_awready(awready[INTERRUPTS]),
      .s_axi_wdata(wdata), .s_axi_wstrb(wstrb), .s_axi_wvalid(wvalid[INTERRUPTS]),
      .s_axi_wready(wready[INTERRUPTS]),
      .s_axi_bresp(bresp[2*INTERRUPTS +: 2]), .s_axi_bvalid(bvalid[INTERRUPTS]), .s_axi_bready(bready[INTERRUPTS]),
      .s_axi_araddr(araddr[8:0]), .s_axi_arvalid(arvalid[INTERRUPTS]), .s_axi_arready(arready[INTERRUPTS]),
      .s_axi_rdata(rdata[32*INTERRUPTS +: 32]), .s_axi_rresp(rresp[2*INTERRUPTS +: 2]),
      .s_axi_rvalid(rvalid[INTERRUPTS]), .s_axi_rready(rready[INTERRUPTS]),
      .intr({kernel_interrupt, received, sent}), .irq(interrupt));
endmodule
