// In place of a kernel's core, registers and checksums, where its streams are proved: any that keep what is written
// here, which is all that the streams rest upon. What nothing drives is anything.

// It takes and offers what it likes and when, and need not keep what it offers. When it tells of being done, and that
// is not still of the batch before, it stays so until the next.
module first_exit_core (
    input wire clock, input wire reset, input wire start, output wire done,
    input wire [31:0] num_images, input wire [31:0] mode, input wire [spec::LOGIT_BITS-1:0] feature_margin,
    input wire [spec::BEAT_BITS-1:0] words_data, input wire words_valid, output wire words_ready,
    output wire [spec::BEAT_BITS-1:0] merged_data, output wire merged_valid, input wire merged_ready);
  localparam LAG = 4;  // clocks
  reg [2:0] f_since = 0;
  reg f_stays = 0;
  always @(posedge clock) begin
    f_since <= reset || start ? 3'd0 : f_since >= LAG ? LAG : f_since + 1'b1;
    f_stays <= f_since == LAG && done && !reset && !start;
  end
  always @* if (f_stays) assume(done);
endmodule

// They start no run while one is under way, whatever is written; what that is, first_exit.svh tells.
module kernel_registers (
    input wire clock, input wire reset,
    input wire [spec::REGISTER_ADDRESS_BITS-1:0] awaddr, input wire awvalid, output wire awready,
    input wire [31:0] wdata, input wire [3:0] wstrb, input wire wvalid, output wire wready,
    output wire [1:0] bresp, output wire bvalid, input wire bready,
    input wire [spec::REGISTER_ADDRESS_BITS-1:0] araddr, input wire arvalid, output wire arready,
    output wire [31:0] rdata, output wire [1:0] rresp, output wire rvalid, input wire rready,
    output wire interrupt,
    output wire start, input wire finish,
    output wire [31:0] num_images, output wire [31:0] mode, output wire [spec::LOGIT_BITS-1:0] feature_margin,
    input wire [31:0] images_done, input wire [31:0] error_flags,
    input wire [31:0] images_crc, input wire [31:0] results_crc);
  (* anyseq *) wire f_start;
  assign start = f_start;
endmodule

module checksum (
    input wire clock, input wire start, input wire [spec::BEAT_BITS-1:0] beat, input wire valid,
    output wire [31:0] crc);
  (* anyseq *) wire [31:0] f_crc;
  assign crc = f_crc;
endmodule
