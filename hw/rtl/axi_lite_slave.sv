// An AXI4-Lite slave's handshakes: one write and one read at a time, of whole words, each answered with OKAY.
// `write` and `read` are high for a clock. `read_data` is taken the clock after `read`, so that it may be a register.
module axi_lite_slave #(parameter ADDRESS_BITS = 10) (
    input wire clock, input wire reset,
    input wire [ADDRESS_BITS-1:0] awaddr, input wire awvalid, output reg awready,
    input wire [31:0] wdata, input wire [3:0] wstrb, input wire wvalid, output reg wready,
    output wire [1:0] bresp, output reg bvalid, input wire bready,
    input wire [ADDRESS_BITS-1:0] araddr, input wire arvalid, output reg arready,
    output reg [31:0] rdata, output wire [1:0] rresp, output reg rvalid, input wire rready,
    output reg write, output reg [ADDRESS_BITS-3:0] write_word,
    output reg [31:0] write_data, output reg [3:0] write_strobe,
    output reg read, output reg [ADDRESS_BITS-3:0] read_word, input wire [31:0] read_data);

  assign bresp = 2'b00;
  assign rresp = 2'b00;

  // Address and data come in any order; while a write is being taken, a ready that is low tells that its part is here.
  reg begun;
  wire both_taken = begun && !awready && !wready;
  always @(posedge clock) begin
    if (awready) write_word <= awaddr[ADDRESS_BITS-1:2];
    if (wready) write_data <= wdata;
    if (wready) write_strobe <= wstrb;
    if (reset) begin
      awready <= 0;
      wready <= 0;
      bvalid <= 0;
      write <= 0;
      begun <= 0;
    end else begin
      write <= both_taken;
      if (both_taken) begin
        begun <= 0;
        bvalid <= 1;
      end else if (bvalid) begin
        if (bready) bvalid <= 0;
      end else if (!begun) begin
        begun <= 1;
        awready <= 1;
        wready <= 1;
      end else begin
        if (awvalid) awready <= 0;
        if (wvalid) wready <= 0;
      end
    end
  end

  reg answered;  // by the registers
  always @(posedge clock) begin
    if (arready) read_word <= araddr[ADDRESS_BITS-1:2];
    if (answered) rdata <= read_data;
    if (reset) begin
      arready <= 0;
      read <= 0;
      answered <= 0;
      rvalid <= 0;
    end else begin
      read <= arready && arvalid;
      answered <= read;
      rvalid <= answered || (rvalid && !rready);
      arready <= arready ? !arvalid : !(read || answered || (rvalid && !rready));
    end
  end

`ifdef PROVE_axi_lite_slave
  `include "formal/axi_lite_slave.svh"
`endif
endmodule
