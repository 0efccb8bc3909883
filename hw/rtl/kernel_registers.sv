// The kernel's registers, as Vitis HLS lays them out and as pynq_ee/sim/accelerator.py has them: AXI4-Lite, ap_ctrl_hs.
// `start` is high for a clock, when the arguments are there, which then stay until the next; `finish`, for a clock,
// ends the run and takes its values. ap_ready comes with ap_done. A bit of auto-restart is neither kept nor obeyed.
module kernel_registers (
    input wire clock, input wire reset,
    input wire [spec::REGISTER_ADDRESS_BITS-1:0] awaddr, input wire awvalid, output wire awready,
    input wire [31:0] wdata, input wire [3:0] wstrb, input wire wvalid, output wire wready,
    output wire [1:0] bresp, output wire bvalid, input wire bready,
    input wire [spec::REGISTER_ADDRESS_BITS-1:0] araddr, input wire arvalid, output wire arready,
    output wire [31:0] rdata, output wire [1:0] rresp, output wire rvalid, input wire rready,
    output reg interrupt,
    output reg start, input wire finish,
    output reg [31:0] num_images, output reg [31:0] mode, output reg [spec::LOGIT_BITS-1:0] feature_margin,
    input wire [31:0] images_done, input wire [31:0] error_flags,
    input wire [31:0] images_crc, input wire [31:0] results_crc);

  wire write, read;
  wire [spec::REGISTER_ADDRESS_BITS-3:0] write_word, read_word;
  wire [31:0] write_data;
  wire [3:0] write_strobe;
  reg [31:0] read_data;
  axi_lite_slave #(.ADDRESS_BITS(spec::REGISTER_ADDRESS_BITS)) lite (
      .clock(clock), .reset(reset),
      .awaddr(awaddr), .awvalid(awvalid), .awready(awready),
      .wdata(wdata), .wstrb(wstrb), .wvalid(wvalid), .wready(wready),
      .bresp(bresp), .bvalid(bvalid), .bready(bready),
      .araddr(araddr), .arvalid(arvalid), .arready(arready),
      .rdata(rdata), .rresp(rresp), .rvalid(rvalid), .rready(rready),
      .write(write), .write_word(write_word), .write_data(write_data), .write_strobe(write_strobe),
      .read(read), .read_word(read_word), .read_data(read_data));

  // Offsets are of words from here on. A value's ap_vld bit is in the word behind it.
  localparam CTRL = spec::OFFSET_CTRL / 4, GIER = spec::OFFSET_GIER / 4;
  localparam IER = spec::OFFSET_IP_IER / 4, ISR = spec::OFFSET_IP_ISR / 4;
  localparam NUM_IMAGES = spec::OFFSET_NUM_IMAGES / 4, MODE = spec::OFFSET_MODE / 4;
  localparam FEATURE_MARGIN = spec::OFFSET_FEATURE_MARGIN / 4;
  localparam MAGIC = spec::OFFSET_MAGIC / 4, VERSION = spec::OFFSET_VERSION / 4, BUILD_ID = spec::OFFSET_BUILD_ID / 4;
  localparam IMAGES_DONE = spec::OFFSET_IMAGES_DONE / 4, ERROR_FLAGS = spec::OFFSET_ERROR_FLAGS / 4;
  localparam IMAGES_CRC = spec::OFFSET_IMAGES_CRC / 4, RESULTS_CRC = spec::OFFSET_RESULTS_CRC / 4;

  reg started;
  reg done, ready;                     // since CTRL was read last
  reg enabled;                         // all interrupts
  reg [1:0] enables, raised;           // of ap_done and ap_ready
  reg [31:0] num_images_kept, mode_kept, feature_margin_kept;  // what was written last
  reg published;                       // a run has ended: there are values
  reg [31:0] images_done_kept, error_flags_kept, images_crc_kept, results_crc_kept;
  reg [6:0] fresh;                     // values that were not read since: their ap_vld bits

  wire [31:0] mask = {{8{write_strobe[3]}}, {8{write_strobe[2]}}, {8{write_strobe[1]}}, {8{write_strobe[0]}}};
  wire writes_low = write && write_strobe[0];
  wire starts = writes_low && write_word == CTRL && write_data[spec::CTRL_START_BIT] && !started;

  always @(posedge clock) begin
    start <= starts && !reset;
    if (starts) begin
      num_images <= num_images_kept;
      mode <= mode_kept;
      feature_margin <= feature_margin_kept[spec::LOGIT_BITS-1:0];
    end
    if (reset) begin
      started <= 0;
      done <= 0;
      ready <= 0;
      enabled <= 0;
      enables <= 0;
      raised <= 0;
      interrupt <= 0;
      num_images_kept <= 0;
      mode_kept <= 0;
      feature_margin_kept <= 0;
    end else begin
      if (starts) started <= 1;
      else if (finish) started <= 0;
      if (finish) {done, ready} <= 2'b11;
      else if (read && read_word == CTRL) {done, ready} <= 2'b00;
      interrupt <= enabled && raised != 0;
      if (writes_low && write_word == GIER) enabled <= write_data[0];
      if (writes_low && write_word == IER) enables <= write_data[1:0];
      raised <= (raised ^ (writes_low && write_word == ISR ? write_data[1:0] : 2'b00)) | (finish ? enables : 2'b00);
      if (write && write_word == NUM_IMAGES) num_images_kept <= (num_images_kept & ~mask) | (write_data & mask);
      if (write && write_word == MODE) mode_kept <= (mode_kept & ~mask) | (write_data & mask);
      if (write && write_word == FEATURE_MARGIN)
        feature_margin_kept <= (feature_margin_kept & ~mask) | (write_data & mask & ((1 << spec::LOGIT_BITS) - 1));
    end
  end

  wire [6:0] reads_fresh = {read_word == RESULTS_CRC + 1, read_word == IMAGES_CRC + 1, read_word == ERROR_FLAGS + 1,
      read_word == IMAGES_DONE + 1, read_word == BUILD_ID + 1, read_word == VERSION + 1, read_word == MAGIC + 1};
  always @(posedge clock) begin
    if (reset) begin
      published <= 0;
      fresh <= 0;
      images_done_kept <= 0;
      error_flags_kept <= 0;
      images_crc_kept <= 0;
      results_crc_kept <= 0;
    end else if (finish) begin
      published <= 1;
      fresh <= 7'h7f;
      images_done_kept <= images_done;
      error_flags_kept <= error_flags;
      images_crc_kept <= images_crc;
      results_crc_kept <= results_crc;
    end else if (read) fresh <= fresh & ~reads_fresh;
  end

  always @(posedge clock) if (read) begin
    case (read_word)
      CTRL: read_data <= started << spec::CTRL_START_BIT | done << spec::CTRL_DONE_BIT
                         | !started << spec::CTRL_IDLE_BIT | ready << spec::CTRL_READY_BIT;
      GIER: read_data <= enabled;
      IER: read_data <= enables;
      ISR: read_data <= raised;
      NUM_IMAGES: read_data <= num_images_kept;
      MODE: read_data <= mode_kept;
      FEATURE_MARGIN: read_data <= feature_margin_kept;
      MAGIC: read_data <= published ? spec::MAGIC : 0;
      VERSION: read_data <= published ? spec::INTERFACE_VERSION : 0;
      BUILD_ID: read_data <= published ? spec::BUILD_ID : 0;
      IMAGES_DONE: read_data <= images_done_kept;
      ERROR_FLAGS: read_data <= error_flags_kept;
      IMAGES_CRC: read_data <= images_crc_kept;
      RESULTS_CRC: read_data <= results_crc_kept;
      default: read_data <= (fresh & reads_fresh) != 0;
    endcase
  end

`ifdef PROVE_kernel_registers
  `include "formal/kernel_registers.svh"
`endif
endmodule
