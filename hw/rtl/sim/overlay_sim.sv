// The overlay, and what its simulation looks at within: whether a transfer is under way, and whether anything moves.
//
// With NETLIST it is a netlist of `zynq7_top`, whose PS7 (processor.svh) is joined to the ports here. Within it nothing
// has a name, so that the same is told by what the processor writes and reads, as late as that.
module overlay_sim (
    input wire clock, input wire resetn, output wire irq,
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
    input wire m_axi_hp0_rlast, input wire m_axi_hp0_rvalid, output wire m_axi_hp0_rready,
    output wire sending, output wire receiving, output wire resetting, output wire moving,
    output wire unclocked);

`ifdef NETLIST
  zynq7_top top ();

  localparam [31:0] SEND = spec::DMA_ADDRESS, RECEIVE = SEND + 32'h30, CONTROL = 32'h0, STATUS = 32'h4, LENGTH = 32'h28;
  reg [31:0] write_address, written, read_address;
  reg sends = 0, receives = 0, resets = 0;
  always @(posedge clock) begin
    if (s_axi_gp0_awvalid && s_axi_gp0_awready) write_address <= s_axi_gp0_awaddr;
    if (s_axi_gp0_wvalid && s_axi_gp0_wready) written <= s_axi_gp0_wdata;
    if (s_axi_gp0_arvalid && s_axi_gp0_arready) read_address <= s_axi_gp0_araddr;
    if (s_axi_gp0_rvalid && s_axi_gp0_rready) case (read_address)
      SEND + STATUS: if (s_axi_gp0_rdata[1:0] != 0) sends <= 0;  // idle or halted
      RECEIVE + STATUS: if (s_axi_gp0_rdata[1:0] != 0) receives <= 0;
      SEND + CONTROL, RECEIVE + CONTROL: if (!s_axi_gp0_rdata[2]) resets <= 0;
      default: ;
    endcase
    if (s_axi_gp0_bvalid && s_axi_gp0_bready) case (write_address)
      SEND + LENGTH: sends <= 1;
      RECEIVE + LENGTH: receives <= 1;
      SEND + CONTROL, RECEIVE + CONTROL: if (written[2]) resets <= 1;
      default: ;
    endcase
  end
  assign {sending, receiving, resetting} = {sends, receives, resets};
  assign moving = 0;
`else
  overlay overlay (.*, .interrupt(irq));

  assign sending = overlay.dma.send_registers.transfer || overlay.dma.send_registers.stopping;
  assign receiving = overlay.dma.receive_registers.transfer || overlay.dma.receive_registers.stopping;
  assign resetting = !overlay.kernel_resetn;
  assign moving = (overlay.images_valid && overlay.images_ready) || (overlay.results_valid && overlay.results_ready);
  assign unclocked = 0;
`endif
endmodule
