// The overlay on a Zynq-7000: the processor's primitive, a global clock buffer and `overlay`, and nothing but wires.
//
// The processor keeps what the boot image has set: DDR, MIO, PLLs. Its pads are dedicated and are left open here. FCLK
// 0 clocks everything, its reset starts everything, and the interrupt is line 0 of IRQ_F2P (number 61 of the GIC). On
// GP0, lock, cache, protection and quality of service have no meaning for registers; sizes have two bits on both ports.
module zynq7_top ();
  wire [3:0] fclk, fclk_resetn;
  wire clock, interrupt;
  wire gp0_awvalid, hp0_awvalid, gp0_awready, hp0_awready, gp0_wlast, hp0_wlast, gp0_wvalid, hp0_wvalid, gp0_wready,
      hp0_wready, gp0_bvalid, hp0_bvalid, gp0_bready, hp0_bready, gp0_arvalid, hp0_arvalid, gp0_arready, hp0_arready,
      gp0_rlast, hp0_rlast, gp0_rvalid, hp0_rvalid, gp0_rready, hp0_rready;
  wire [1:0] gp0_awburst, hp0_awburst, gp0_bresp, hp0_bresp, gp0_arburst, hp0_arburst, gp0_rresp, hp0_rresp;
  wire [2:0] gp0_awsize, hp0_awsize, gp0_arsize, hp0_arsize, hp0_arprot, hp0_awprot;
  wire [3:0] gp0_awlen, hp0_awlen, gp0_wstrb, gp0_arlen, hp0_arlen, hp0_arcache, hp0_awcache;
  wire [5:0] hp0_awid, hp0_wid, hp0_bid, hp0_arid, hp0_rid;
  wire [7:0] hp0_wstrb;
  wire [11:0] gp0_awid, gp0_wid, gp0_bid, gp0_arid, gp0_rid;
  wire [31:0] gp0_awaddr, hp0_awaddr, gp0_wdata, gp0_araddr, hp0_araddr, gp0_rdata;
  wire [63:0] hp0_wdata, hp0_rdata;
  assign gp0_awsize[2] = 1'b0;
  assign gp0_arsize[2] = 1'b0;

  BUFG clock_buffer (.I(fclk[0]), .O(clock));

  overlay overlay (.clock(clock), .resetn(fclk_resetn[0]), .interrupt(interrupt), .s_axi_gp0_awid(gp0_awid),
      .m_axi_hp0_awid(hp0_awid), .s_axi_gp0_awaddr(gp0_awaddr), .m_axi_hp0_awaddr(hp0_awaddr),
      .s_axi_gp0_awlen(gp0_awlen), .m_axi_hp0_awlen(hp0_awlen), .s_axi_gp0_awsize(gp0_awsize),
      .m_axi_hp0_awsize(hp0_awsize), .s_axi_gp0_awburst(gp0_awburst), .m_axi_hp0_awburst(hp0_awburst),
      .s_axi_gp0_awvalid(gp0_awvalid), .m_axi_hp0_awvalid(hp0_awvalid), .s_axi_gp0_awready(gp0_awready),
      .m_axi_hp0_awready(hp0_awready), .s_axi_gp0_wid(gp0_wid), .m_axi_hp0_wid(hp0_wid), .s_axi_gp0_wdata(gp0_wdata),
      .m_axi_hp0_wdata(hp0_wdata), .s_axi_gp0_wstrb(gp0_wstrb), .m_axi_hp0_wstrb(hp0_wstrb),
      .s_axi_gp0_wlast(gp0_wlast), .m_axi_hp0_wlast(hp0_wlast), .s_axi_gp0_wvalid(gp0_wvalid),
      .m_axi_hp0_wvalid(hp0_wvalid), .s_axi_gp0_wready(gp0_wready), .m_axi_hp0_wready(hp0_wready),
      .s_axi_gp0_bid(gp0_bid), .m_axi_hp0_bid(hp0_bid), .s_axi_gp0_bresp(gp0_bresp), .m_axi_hp0_bresp(hp0_bresp),
      .s_axi_gp0_bvalid(gp0_bvalid), .m_axi_hp0_bvalid(hp0_bvalid), .s_axi_gp0_bready(gp0_bready),
      .m_axi_hp0_bready(hp0_bready), .s_axi_gp0_arid(gp0_arid), .m_axi_hp0_arid(hp0_arid),
      .s_axi_gp0_araddr(gp0_araddr), .m_axi_hp0_araddr(hp0_araddr), .s_axi_gp0_arlen(gp0_arlen),
      .m_axi_hp0_arlen(hp0_arlen), .s_axi_gp0_arsize(gp0_arsize), .m_axi_hp0_arsize(hp0_arsize),
      .s_axi_gp0_arburst(gp0_arburst), .m_axi_hp0_arburst(hp0_arburst), .s_axi_gp0_arvalid(gp0_arvalid),
      .m_axi_hp0_arvalid(hp0_arvalid), .s_axi_gp0_arready(gp0_arready), .m_axi_hp0_arready(hp0_arready),
      .s_axi_gp0_rid(gp0_rid), .m_axi_hp0_rid(hp0_rid), .s_axi_gp0_rdata(gp0_rdata), .m_axi_hp0_rdata(hp0_rdata),
      .s_axi_gp0_rresp(gp0_rresp), .m_axi_hp0_rresp(hp0_rresp), .s_axi_gp0_rlast(gp0_rlast),
      .m_axi_hp0_rlast(hp0_rlast), .s_axi_gp0_rvalid(gp0_rvalid), .m_axi_hp0_rvalid(hp0_rvalid),
      .s_axi_gp0_rready(gp0_rready), .m_axi_hp0_rready(hp0_rready), .m_axi_hp0_arcache(hp0_arcache),
      .m_axi_hp0_awcache(hp0_awcache), .m_axi_hp0_arprot(hp0_arprot), .m_axi_hp0_awprot(hp0_awprot));

  (* keep *) PS7 processor (
      .MAXIGP0AWID(gp0_awid), .SAXIHP0AWID(hp0_awid), .MAXIGP0AWADDR(gp0_awaddr), .SAXIHP0AWADDR(hp0_awaddr),
      .MAXIGP0AWLEN(gp0_awlen), .SAXIHP0AWLEN(hp0_awlen), .MAXIGP0AWSIZE(gp0_awsize[1:0]),
      .SAXIHP0AWSIZE(hp0_awsize[1:0]), .MAXIGP0AWBURST(gp0_awburst), .SAXIHP0AWBURST(hp0_awburst),
      .MAXIGP0AWVALID(gp0_awvalid), .SAXIHP0AWVALID(hp0_awvalid), .MAXIGP0AWREADY(gp0_awready),
      .SAXIHP0AWREADY(hp0_awready), .MAXIGP0WID(gp0_wid), .SAXIHP0WID(hp0_wid), .MAXIGP0WDATA(gp0_wdata),
      .SAXIHP0WDATA(hp0_wdata), .MAXIGP0WSTRB(gp0_wstrb), .SAXIHP0WSTRB(hp0_wstrb), .MAXIGP0WLAST(gp0_wlast),
      .SAXIHP0WLAST(hp0_wlast), .MAXIGP0WVALID(gp0_wvalid), .SAXIHP0WVALID(hp0_wvalid), .MAXIGP0WREADY(gp0_wready),
      .SAXIHP0WREADY(hp0_wready), .MAXIGP0BID(gp0_bid), .SAXIHP0BID(hp0_bid), .MAXIGP0BRESP(gp0_bresp),
      .SAXIHP0BRESP(hp0_bresp), .MAXIGP0BVALID(gp0_bvalid), .SAXIHP0BVALID(hp0_bvalid), .MAXIGP0BREADY(gp0_bready),
      .SAXIHP0BREADY(hp0_bready), .MAXIGP0ARID(gp0_arid), .SAXIHP0ARID(hp0_arid), .MAXIGP0ARADDR(gp0_araddr),
      .SAXIHP0ARADDR(hp0_araddr), .MAXIGP0ARLEN(gp0_arlen), .SAXIHP0ARLEN(hp0_arlen),
      .MAXIGP0ARSIZE(gp0_arsize[1:0]), .SAXIHP0ARSIZE(hp0_arsize[1:0]), .MAXIGP0ARBURST(gp0_arburst),
      .SAXIHP0ARBURST(hp0_arburst), .MAXIGP0ARVALID(gp0_arvalid), .SAXIHP0ARVALID(hp0_arvalid),
      .MAXIGP0ARREADY(gp0_arready), .SAXIHP0ARREADY(hp0_arready), .MAXIGP0RID(gp0_rid), .SAXIHP0RID(hp0_rid),
      .MAXIGP0RDATA(gp0_rdata), .SAXIHP0RDATA(hp0_rdata), .MAXIGP0RRESP(gp0_rresp), .SAXIHP0RRESP(hp0_rresp),
      .MAXIGP0RLAST(gp0_rlast), .SAXIHP0RLAST(hp0_rlast), .MAXIGP0RVALID(gp0_rvalid), .SAXIHP0RVALID(hp0_rvalid),
      .MAXIGP0RREADY(gp0_rready), .SAXIHP0RREADY(hp0_rready), .SAXIHP0ARCACHE(hp0_arcache),
      .SAXIHP0AWCACHE(hp0_awcache), .SAXIHP0ARPROT(hp0_arprot), .SAXIHP0AWPROT(hp0_awprot), .MAXIGP0ACLK(clock),
      .SAXIHP0ACLK(clock), .IRQF2P({19'd0, interrupt}), .FCLKCLK(fclk), .FCLKRESETN(fclk_resetn),

      // Not used, and therefore low: what an input that is left open reads as is up to the tool. A clock that is low
      // stands still, and what it would clock with it. HP0 is neither limited to one access under way nor prioritized.
      .DDRARB(4'd0), .DMA0ACLK(1'd0), .DMA0DAREADY(1'd0), .DMA0DRLAST(1'd0), .DMA0DRTYPE(2'd0), .DMA0DRVALID(1'd0),
      .DMA1ACLK(1'd0), .DMA1DAREADY(1'd0), .DMA1DRLAST(1'd0), .DMA1DRTYPE(2'd0), .DMA1DRVALID(1'd0), .DMA2ACLK(1'd0),
      .DMA2DAREADY(1'd0), .DMA2DRLAST(1'd0), .DMA2DRTYPE(2'd0), .DMA2DRVALID(1'd0), .DMA3ACLK(1'd0),
      .DMA3DAREADY(1'd0), .DMA3DRLAST(1'd0), .DMA3DRTYPE(2'd0), .DMA3DRVALID(1'd0), .EMIOCAN0PHYRX(1'd0),
      .EMIOCAN1PHYRX(1'd0), .EMIOENET0EXTINTIN(1'd0), .EMIOENET0GMIICOL(1'd0), .EMIOENET0GMIICRS(1'd0),
      .EMIOENET0GMIIRXCLK(1'd0), .EMIOENET0GMIIRXD(8'd0), .EMIOENET0GMIIRXDV(1'd0), .EMIOENET0GMIIRXER(1'd0),
      .EMIOENET0GMIITXCLK(1'd0), .EMIOENET0MDIOI(1'd0), .EMIOENET1EXTINTIN(1'd0), .EMIOENET1GMIICOL(1'd0),
      .EMIOENET1GMIICRS(1'd0), .EMIOENET1GMIIRXCLK(1'd0), .EMIOENET1GMIIRXD(8'd0), .EMIOENET1GMIIRXDV(1'd0),
      .EMIOENET1GMIIRXER(1'd0), .EMIOENET1GMIITXCLK(1'd0), .EMIOENET1MDIOI(1'd0), .EMIOGPIOI(64'd0),
      .EMIOI2C0SCLI(1'd0), .EMIOI2C0SDAI(1'd0), .EMIOI2C1SCLI(1'd0), .EMIOI2C1SDAI(1'd0), .EMIOPJTAGTCK(1'd0),
      .EMIOPJTAGTDI(1'd0), .EMIOPJTAGTMS(1'd0), .EMIOSDIO0CDN(1'd0), .EMIOSDIO0CLKFB(1'd0), .EMIOSDIO0CMDI(1'd0),
      .EMIOSDIO0DATAI(4'd0), .EMIOSDIO0WP(1'd0), .EMIOSDIO1CDN(1'd0), .EMIOSDIO1CLKFB(1'd0), .EMIOSDIO1CMDI(1'd0),
      .EMIOSDIO1DATAI(4'd0), .EMIOSDIO1WP(1'd0), .EMIOSPI0MI(1'd0), .EMIOSPI0SCLKI(1'd0), .EMIOSPI0SI(1'd0),
      .EMIOSPI0SSIN(1'd0), .EMIOSPI1MI(1'd0), .EMIOSPI1SCLKI(1'd0), .EMIOSPI1SI(1'd0), .EMIOSPI1SSIN(1'd0),
      .EMIOSRAMINTIN(1'd0), .EMIOTRACECLK(1'd0), .EMIOTTC0CLKI(3'd0), .EMIOTTC1CLKI(3'd0), .EMIOUART0CTSN(1'd0),
      .EMIOUART0DCDN(1'd0), .EMIOUART0DSRN(1'd0), .EMIOUART0RIN(1'd0), .EMIOUART0RX(1'd0), .EMIOUART1CTSN(1'd0),
      .EMIOUART1DCDN(1'd0), .EMIOUART1DSRN(1'd0), .EMIOUART1RIN(1'd0), .EMIOUART1RX(1'd0),
      .EMIOUSB0VBUSPWRFAULT(1'd0), .EMIOUSB1VBUSPWRFAULT(1'd0), .EMIOWDTCLKI(1'd0), .EVENTEVENTI(1'd0),
      .FCLKCLKTRIGN(4'd0), .FPGAIDLEN(1'd0), .FTMDTRACEINATID(4'd0), .FTMDTRACEINCLOCK(1'd0),
      .FTMDTRACEINDATA(32'd0), .FTMDTRACEINVALID(1'd0), .FTMTF2PDEBUG(32'd0), .FTMTF2PTRIG(4'd0),
      .FTMTP2FTRIGACK(4'd0), .MAXIGP1ACLK(1'd0), .MAXIGP1ARREADY(1'd0), .MAXIGP1AWREADY(1'd0), .MAXIGP1BID(12'd0),
      .MAXIGP1BRESP(2'd0), .MAXIGP1BVALID(1'd0), .MAXIGP1RDATA(32'd0), .MAXIGP1RID(12'd0), .MAXIGP1RLAST(1'd0),
      .MAXIGP1RRESP(2'd0), .MAXIGP1RVALID(1'd0), .MAXIGP1WREADY(1'd0), .SAXIACPACLK(1'd0), .SAXIACPARADDR(32'd0),
      .SAXIACPARBURST(2'd0), .SAXIACPARCACHE(4'd0), .SAXIACPARID(3'd0), .SAXIACPARLEN(4'd0), .SAXIACPARLOCK(2'd0),
      .SAXIACPARPROT(3'd0), .SAXIACPARQOS(4'd0), .SAXIACPARSIZE(2'd0), .SAXIACPARUSER(5'd0), .SAXIACPARVALID(1'd0),
      .SAXIACPAWADDR(32'd0), .SAXIACPAWBURST(2'd0), .SAXIACPAWCACHE(4'd0), .SAXIACPAWID(3'd0), .SAXIACPAWLEN(4'd0),
      .SAXIACPAWLOCK(2'd0), .SAXIACPAWPROT(3'd0), .SAXIACPAWQOS(4'd0), .SAXIACPAWSIZE(2'd0), .SAXIACPAWUSER(5'd0),
      .SAXIACPAWVALID(1'd0), .SAXIACPBREADY(1'd0), .SAXIACPRREADY(1'd0), .SAXIACPWDATA(64'd0), .SAXIACPWID(3'd0),
      .SAXIACPWLAST(1'd0), .SAXIACPWSTRB(8'd0), .SAXIACPWVALID(1'd0), .SAXIGP0ACLK(1'd0), .SAXIGP0ARADDR(32'd0),
      .SAXIGP0ARBURST(2'd0), .SAXIGP0ARCACHE(4'd0), .SAXIGP0ARID(6'd0), .SAXIGP0ARLEN(4'd0), .SAXIGP0ARLOCK(2'd0),
      .SAXIGP0ARPROT(3'd0), .SAXIGP0ARQOS(4'd0), .SAXIGP0ARSIZE(2'd0), .SAXIGP0ARVALID(1'd0), .SAXIGP0AWADDR(32'd0),
      .SAXIGP0AWBURST(2'd0), .SAXIGP0AWCACHE(4'd0), .SAXIGP0AWID(6'd0), .SAXIGP0AWLEN(4'd0), .SAXIGP0AWLOCK(2'd0),
      .SAXIGP0AWPROT(3'd0), .SAXIGP0AWQOS(4'd0), .SAXIGP0AWSIZE(2'd0), .SAXIGP0AWVALID(1'd0), .SAXIGP0BREADY(1'd0),
      .SAXIGP0RREADY(1'd0), .SAXIGP0WDATA(32'd0), .SAXIGP0WID(6'd0), .SAXIGP0WLAST(1'd0), .SAXIGP0WSTRB(4'd0),
      .SAXIGP0WVALID(1'd0), .SAXIGP1ACLK(1'd0), .SAXIGP1ARADDR(32'd0), .SAXIGP1ARBURST(2'd0), .SAXIGP1ARCACHE(4'd0),
      .SAXIGP1ARID(6'd0), .SAXIGP1ARLEN(4'd0), .SAXIGP1ARLOCK(2'd0), .SAXIGP1ARPROT(3'd0), .SAXIGP1ARQOS(4'd0),
      .SAXIGP1ARSIZE(2'd0), .SAXIGP1ARVALID(1'd0), .SAXIGP1AWADDR(32'd0), .SAXIGP1AWBURST(2'd0),
      .SAXIGP1AWCACHE(4'd0), .SAXIGP1AWID(6'd0), .SAXIGP1AWLEN(4'd0), .SAXIGP1AWLOCK(2'd0), .SAXIGP1AWPROT(3'd0),
      .SAXIGP1AWQOS(4'd0), .SAXIGP1AWSIZE(2'd0), .SAXIGP1AWVALID(1'd0), .SAXIGP1BREADY(1'd0), .SAXIGP1RREADY(1'd0),
      .SAXIGP1WDATA(32'd0), .SAXIGP1WID(6'd0), .SAXIGP1WLAST(1'd0), .SAXIGP1WSTRB(4'd0), .SAXIGP1WVALID(1'd0),
      .SAXIHP0ARLOCK(2'd0), .SAXIHP0ARQOS(4'd0), .SAXIHP0AWLOCK(2'd0), .SAXIHP0AWQOS(4'd0),
      .SAXIHP0RDISSUECAP1EN(1'd0), .SAXIHP0WRISSUECAP1EN(1'd0), .SAXIHP1ACLK(1'd0), .SAXIHP1ARADDR(32'd0),
      .SAXIHP1ARBURST(2'd0), .SAXIHP1ARCACHE(4'd0), .SAXIHP1ARID(6'd0), .SAXIHP1ARLEN(4'd0), .SAXIHP1ARLOCK(2'd0),
      .SAXIHP1ARPROT(3'd0), .SAXIHP1ARQOS(4'd0), .SAXIHP1ARSIZE(2'd0), .SAXIHP1ARVALID(1'd0), .SAXIHP1AWADDR(32'd0),
      .SAXIHP1AWBURST(2'd0), .SAXIHP1AWCACHE(4'd0), .SAXIHP1AWID(6'd0), .SAXIHP1AWLEN(4'd0), .SAXIHP1AWLOCK(2'd0),
      .SAXIHP1AWPROT(3'd0), .SAXIHP1AWQOS(4'd0), .SAXIHP1AWSIZE(2'd0), .SAXIHP1AWVALID(1'd0), .SAXIHP1BREADY(1'd0),
      .SAXIHP1RDISSUECAP1EN(1'd0), .SAXIHP1RREADY(1'd0), .SAXIHP1WDATA(64'd0), .SAXIHP1WID(6'd0),
      .SAXIHP1WLAST(1'd0), .SAXIHP1WRISSUECAP1EN(1'd0), .SAXIHP1WSTRB(8'd0), .SAXIHP1WVALID(1'd0),
      .SAXIHP2ACLK(1'd0), .SAXIHP2ARADDR(32'd0), .SAXIHP2ARBURST(2'd0), .SAXIHP2ARCACHE(4'd0), .SAXIHP2ARID(6'd0),
      .SAXIHP2ARLEN(4'd0), .SAXIHP2ARLOCK(2'd0), .SAXIHP2ARPROT(3'd0), .SAXIHP2ARQOS(4'd0), .SAXIHP2ARSIZE(2'd0),
      .SAXIHP2ARVALID(1'd0), .SAXIHP2AWADDR(32'd0), .SAXIHP2AWBURST(2'd0), .SAXIHP2AWCACHE(4'd0), .SAXIHP2AWID(6'd0),
      .SAXIHP2AWLEN(4'd0), .SAXIHP2AWLOCK(2'd0), .SAXIHP2AWPROT(3'd0), .SAXIHP2AWQOS(4'd0), .SAXIHP2AWSIZE(2'd0),
      .SAXIHP2AWVALID(1'd0), .SAXIHP2BREADY(1'd0), .SAXIHP2RDISSUECAP1EN(1'd0), .SAXIHP2RREADY(1'd0),
      .SAXIHP2WDATA(64'd0), .SAXIHP2WID(6'd0), .SAXIHP2WLAST(1'd0), .SAXIHP2WRISSUECAP1EN(1'd0), .SAXIHP2WSTRB(8'd0),
      .SAXIHP2WVALID(1'd0), .SAXIHP3ACLK(1'd0), .SAXIHP3ARADDR(32'd0), .SAXIHP3ARBURST(2'd0), .SAXIHP3ARCACHE(4'd0),
      .SAXIHP3ARID(6'd0), .SAXIHP3ARLEN(4'd0), .SAXIHP3ARLOCK(2'd0), .SAXIHP3ARPROT(3'd0), .SAXIHP3ARQOS(4'd0),
      .SAXIHP3ARSIZE(2'd0), .SAXIHP3ARVALID(1'd0), .SAXIHP3AWADDR(32'd0), .SAXIHP3AWBURST(2'd0),
      .SAXIHP3AWCACHE(4'd0), .SAXIHP3AWID(6'd0), .SAXIHP3AWLEN(4'd0), .SAXIHP3AWLOCK(2'd0), .SAXIHP3AWPROT(3'd0),
      .SAXIHP3AWQOS(4'd0), .SAXIHP3AWSIZE(2'd0), .SAXIHP3AWVALID(1'd0), .SAXIHP3BREADY(1'd0),
      .SAXIHP3RDISSUECAP1EN(1'd0), .SAXIHP3RREADY(1'd0), .SAXIHP3WDATA(64'd0), .SAXIHP3WID(6'd0),
      .SAXIHP3WLAST(1'd0), .SAXIHP3WRISSUECAP1EN(1'd0), .SAXIHP3WSTRB(8'd0), .SAXIHP3WVALID(1'd0));
endmodule
