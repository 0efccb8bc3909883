// An AXI DMA with the registers of PG021's direct register mode, as far as pynq and this project's driver use them.
//
// Memory side: a read and a write master of 64 bit, incrementing bursts of at most 16 words within 4 KB, without IDs,
// so AXI4 and AXI3 alike. Addresses lose their low three bits, as there is no realignment. A soft reset ends what is
// under way on the memory side, and meanwhile holds `mm2s_prmry_reset_out_n` low for what the streams lead to.
module axi_dma #(
    parameter ADDRESS_BITS = 32, parameter LENGTH_BITS = 26,
    parameter STREAM_BITS = 64,    // 64 or 32
    parameter DEPTH_BITS = 7) (    // words under way in each direction, as a power of two; 5 or more
    input wire clock, input wire resetn,

    input wire [9:0] s_axi_lite_awaddr, input wire s_axi_lite_awvalid, output wire s_axi_lite_awready,
    input wire [31:0] s_axi_lite_wdata, input wire s_axi_lite_wvalid, output wire s_axi_lite_wready,
    output wire [1:0] s_axi_lite_bresp, output wire s_axi_lite_bvalid, input wire s_axi_lite_bready,
    input wire [9:0] s_axi_lite_araddr, input wire s_axi_lite_arvalid, output wire s_axi_lite_arready,
    output wire [31:0] s_axi_lite_rdata, output wire [1:0] s_axi_lite_rresp, output wire s_axi_lite_rvalid,
    input wire s_axi_lite_rready,

    output wire [ADDRESS_BITS-1:0] m_axi_mm2s_araddr, output wire [7:0] m_axi_mm2s_arlen,
    output wire [2:0] m_axi_mm2s_arsize, output wire [1:0] m_axi_mm2s_arburst,
    output wire [3:0] m_axi_mm2s_arcache, output wire [2:0] m_axi_mm2s_arprot,
    output wire m_axi_mm2s_arvalid, input wire m_axi_mm2s_arready,
    input wire [63:0] m_axi_mm2s_rdata, input wire [1:0] m_axi_mm2s_rresp, input wire m_axi_mm2s_rlast,
    input wire m_axi_mm2s_rvalid, output wire m_axi_mm2s_rready,

    output wire [ADDRESS_BITS-1:0] m_axi_s2mm_awaddr, output wire [7:0] m_axi_s2mm_awlen,
    output wire [2:0] m_axi_s2mm_awsize, output wire [1:0] m_axi_s2mm_awburst,
    output wire [3:0] m_axi_s2mm_awcache, output wire [2:0] m_axi_s2mm_awprot,
    output wire m_axi_s2mm_awvalid, input wire m_axi_s2mm_awready,
    output wire [63:0] m_axi_s2mm_wdata, output wire [7:0] m_axi_s2mm_wstrb, output wire m_axi_s2mm_wlast,
    output wire m_axi_s2mm_wvalid, input wire m_axi_s2mm_wready,
    input wire [1:0] m_axi_s2mm_bresp, input wire m_axi_s2mm_bvalid, output wire m_axi_s2mm_bready,

    output wire [STREAM_BITS-1:0] m_axis_mm2s_tdata, output wire [STREAM_BITS/8-1:0] m_axis_mm2s_tkeep,
    output wire m_axis_mm2s_tlast, output wire m_axis_mm2s_tvalid, input wire m_axis_mm2s_tready,
    input wire [STREAM_BITS-1:0] s_axis_s2mm_tdata, input wire [STREAM_BITS/8-1:0] s_axis_s2mm_tkeep,
    input wire s_axis_s2mm_tlast, input wire s_axis_s2mm_tvalid, output wire s_axis_s2mm_tready,

    output reg mm2s_prmry_reset_out_n, output wire mm2s_introut, output wire s2mm_introut);

  localparam [3:0] CACHE = 4'b0011;  // normal memory, not cacheable, bufferable
  assign m_axi_mm2s_arlen[7:4] = 0;
  assign m_axi_mm2s_arsize = 3'd3;
  assign m_axi_mm2s_arburst = 2'b01;
  assign m_axi_mm2s_arcache = CACHE;
  assign m_axi_mm2s_arprot = 0;
  assign m_axi_s2mm_awlen[7:4] = 0;
  assign m_axi_s2mm_awsize = 3'd3;
  assign m_axi_s2mm_awburst = 2'b01;
  assign m_axi_s2mm_awcache = CACHE;
  assign m_axi_s2mm_awprot = 0;

  // A soft reset: both engines stop; once nothing is under way, and the reset of what the streams lead to was long
  // enough for anything, all is reset. `reset` is a register, a clock behind the input or the end of a soft reset.
  reg reset, resetting;
  reg lite_reset;  // the registers' bus is not reset by them: a soft reset is asked for through it
  reg [3:0] reset_clocks;
  wire send_reset_asked, receive_reset_asked, send_drained, receive_drained;
  always @(posedge clock) begin
    reset <= !resetn || (resetting && !reset && &reset_clocks && send_drained && receive_drained);
    lite_reset <= !resetn;
    resetting <= !reset && (resetting || send_reset_asked || receive_reset_asked);
    reset_clocks <= resetting ? reset_clocks + !(&reset_clocks) : 4'd0;
    mm2s_prmry_reset_out_n <= resetn && !reset && !resetting;
  end

  wire write, read;
  wire [7:0] write_word, read_word;
  wire [31:0] write_data, send_read_data, receive_read_data;
  wire [3:0] unused_strobe;
  axi_lite_slave #(.ADDRESS_BITS(10)) lite (
      .clock(clock), .reset(lite_reset),
      .awaddr(s_axi_lite_awaddr), .awvalid(s_axi_lite_awvalid), .awready(s_axi_lite_awready),
      .wdata(s_axi_lite_wdata), .wstrb(4'b1111), .wvalid(s_axi_lite_wvalid), .wready(s_axi_lite_wready),
      .bresp(s_axi_lite_bresp), .bvalid(s_axi_lite_bvalid), .bready(s_axi_lite_bready),
      .araddr(s_axi_lite_araddr), .arvalid(s_axi_lite_arvalid), .arready(s_axi_lite_arready),
      .rdata(s_axi_lite_rdata), .rresp(s_axi_lite_rresp), .rvalid(s_axi_lite_rvalid), .rready(s_axi_lite_rready),
      .write(write), .write_word(write_word), .write_data(write_data), .write_strobe(unused_strobe),
      .read(read), .read_word(read_word), .read_data(send_read_data | receive_read_data));

  wire send_load, send_start, send_stopping, send_complete, send_stopped, send_failed, send_slave, send_decode;
  wire [ADDRESS_BITS-1:0] send_address;
  wire [LENGTH_BITS-1:0] send_length;
  dma_registers #(
      .ADDRESS_BITS(ADDRESS_BITS), .LENGTH_BITS(LENGTH_BITS), .BASE(0), .COUNTS_RECEIVED(0)) send_registers (
      .clock(clock), .reset(reset), .resetting(resetting),
      .write(write), .write_word(write_word), .write_data(write_data),
      .read(read), .read_word(read_word), .read_data(send_read_data), .reset_asked(send_reset_asked),
      .load(send_load), .start(send_start), .address(send_address), .length(send_length), .stopping(send_stopping),
      .complete(send_complete), .received({LENGTH_BITS{1'b0}}), .stopped(send_stopped),
      .failed(send_failed), .internal_error(1'b0), .slave_error(send_slave), .decode_error(send_decode),
      .interrupt(mm2s_introut));
  dma_send #(
      .ADDRESS_BITS(ADDRESS_BITS), .LENGTH_BITS(LENGTH_BITS), .STREAM_BITS(STREAM_BITS), .DEPTH_BITS(DEPTH_BITS)) send (
      .clock(clock), .reset(reset),
      .load(send_load), .start(send_start), .address(send_address), .length(send_length),
      .stop(send_stopping || resetting), .flush(resetting), .drained(send_drained),
      .complete(send_complete), .stopped(send_stopped),
      .failed(send_failed), .slave_error(send_slave), .decode_error(send_decode),
      .araddr(m_axi_mm2s_araddr), .arlen(m_axi_mm2s_arlen[3:0]), .arvalid(m_axi_mm2s_arvalid),
      .arready(m_axi_mm2s_arready), .rdata(m_axi_mm2s_rdata), .rresp(m_axi_mm2s_rresp), .rlast(m_axi_mm2s_rlast),
      .rvalid(m_axi_mm2s_rvalid), .rready(m_axi_mm2s_rready),
      .tdata(m_axis_mm2s_tdata), .tkeep(m_axis_mm2s_tkeep), .tlast(m_axis_mm2s_tlast),
      .tvalid(m_axis_mm2s_tvalid), .tready(m_axis_mm2s_tready));

  wire receive_load, receive_start, receive_stopping, receive_complete, receive_stopped, receive_failed;
  wire receive_internal, receive_slave, receive_decode;
  wire [ADDRESS_BITS-1:0] receive_address;
  wire [LENGTH_BITS-1:0] receive_length, received;
  dma_registers #(
      .ADDRESS_BITS(ADDRESS_BITS), .LENGTH_BITS(LENGTH_BITS), .BASE(12), .COUNTS_RECEIVED(1)) receive_registers (
      .clock(clock), .reset(reset), .resetting(resetting),
      .write(write), .write_word(write_word), .write_data(write_data),
      .read(read), .read_word(read_word), .read_data(receive_read_data), .reset_asked(receive_reset_asked),
      .load(receive_load), .start(receive_start), .address(receive_address), .length(receive_length),
      .stopping(receive_stopping), .complete(receive_complete), .received(received), .stopped(receive_stopped),
      .failed(receive_failed), .internal_error(receive_internal), .slave_error(receive_slave),
      .decode_error(receive_decode), .interrupt(s2mm_introut));
  dma_receive #(
      .ADDRESS_BITS(ADDRESS_BITS), .LENGTH_BITS(LENGTH_BITS), .STREAM_BITS(STREAM_BITS),
      .DEPTH_BITS(DEPTH_BITS)) receive (
      .clock(clock), .reset(reset),
      .load(receive_load), .start(receive_start), .address(receive_address), .length(receive_length),
      .stop(receive_stopping || resetting), .drained(receive_drained),
      .complete(receive_complete), .received(received), .stopped(receive_stopped),
      .failed(receive_failed), .internal_error(receive_internal), .slave_error(receive_slave),
      .decode_error(receive_decode),
      .awaddr(m_axi_s2mm_awaddr), .awlen(m_axi_s2mm_awlen[3:0]), .awvalid(m_axi_s2mm_awvalid),
      .awready(m_axi_s2mm_awready), .wdata(m_axi_s2mm_wdata), .wstrb(m_axi_s2mm_wstrb), .wlast(m_axi_s2mm_wlast),
      .wvalid(m_axi_s2mm_wvalid), .wready(m_axi_s2mm_wready),
      .bresp(m_axi_s2mm_bresp), .bvalid(m_axi_s2mm_bvalid), .bready(m_axi_s2mm_bready),
      .tdata(s_axis_s2mm_tdata), .tkeep(s_axis_s2mm_tkeep), .tlast(s_axis_s2mm_tlast),
      .tvalid(s_axis_s2mm_tvalid), .tready(s_axis_s2mm_tready));

`ifdef PROVE_axi_dma
  `include "formal/axi_dma.svh"
`endif
endmodule
