// From an AXI3 slave to registers behind AXI4-Lite: one write and one read at a time, a burst word by word.
//
// Each of SLAVES slaves has a range of 1 << RANGE_BITS bytes from its base on, and sees the lowest bits of the address.
// Every word is answered: with the slave's answer, or with DECERR where no slave is. Write data is taken once its
// address is here, in the order of the addresses: a master that interleaves the words of two bursts has no place here.
// A slave that is reset while he has a word is asked again when his reset is over, so that no reset loses an answer. A
// reset that lasts PATIENCE clocks may last for ever (that of the kernel waits for memory): then, and until it is over,
// SLVERR answers in the slave's place, since a master without an answer stands still with all that wait behind it.
module axi3_lite_bridge #(
    parameter ID_BITS = 12, parameter SLAVES = 1, parameter RANGE_BITS = 16,
    parameter [32*SLAVES-1:0] BASES = 0,    // that of the first slave in the lowest bits
    parameter PATIENCE_BITS = 11) (         // PATIENCE, as a power of two
    input wire clock, input wire reset,

    input wire [ID_BITS-1:0] s_axi_awid, input wire [31:0] s_axi_awaddr, input wire [3:0] s_axi_awlen,
    input wire [2:0] s_axi_awsize, input wire [1:0] s_axi_awburst, input wire s_axi_awvalid, output reg s_axi_awready,
    input wire [31:0] s_axi_wdata, input wire [3:0] s_axi_wstrb, input wire s_axi_wvalid, output reg s_axi_wready,
    output wire [ID_BITS-1:0] s_axi_bid, output reg [1:0] s_axi_bresp, output reg s_axi_bvalid,
    input wire s_axi_bready,
    input wire [ID_BITS-1:0] s_axi_arid, input wire [31:0] s_axi_araddr, input wire [3:0] s_axi_arlen,
    input wire [2:0] s_axi_arsize, input wire [1:0] s_axi_arburst, input wire s_axi_arvalid, output reg s_axi_arready,
    output wire [ID_BITS-1:0] s_axi_rid, output reg [31:0] s_axi_rdata, output reg [1:0] s_axi_rresp,
    output wire s_axi_rlast, output reg s_axi_rvalid, input wire s_axi_rready,

    // Address and data are for all slaves, and valid for one of them. A slave in reset takes and gives nothing.
    input wire [SLAVES-1:0] lite_resetn,
    output wire [RANGE_BITS-1:0] lite_awaddr, output reg [SLAVES-1:0] lite_awvalid,
    input wire [SLAVES-1:0] lite_awready,
    output reg [31:0] lite_wdata, output reg [3:0] lite_wstrb, output reg [SLAVES-1:0] lite_wvalid,
    input wire [SLAVES-1:0] lite_wready,
    input wire [2*SLAVES-1:0] lite_bresp, input wire [SLAVES-1:0] lite_bvalid, output wire [SLAVES-1:0] lite_bready,
    output wire [RANGE_BITS-1:0] lite_araddr, output reg [SLAVES-1:0] lite_arvalid,
    input wire [SLAVES-1:0] lite_arready,
    input wire [32*SLAVES-1:0] lite_rdata, input wire [2*SLAVES-1:0] lite_rresp, input wire [SLAVES-1:0] lite_rvalid,
    output wire [SLAVES-1:0] lite_rready);
  localparam [1:0] OKAY = 2'b00, SLVERR = 2'b10, DECERR = 2'b11;

  // What is asked of a burst's next word: who has it, and what he answers.
  genvar index;
  wire [SLAVES-1:0] writes_to, reads_from;
  wire [31:0] write_address, read_address;
  generate
    for (index = 0; index < SLAVES; index = index + 1) begin : each
      assign writes_to[index] = write_address[31:RANGE_BITS] == BASES[32*index+RANGE_BITS +: 32-RANGE_BITS];
      assign reads_from[index] = read_address[31:RANGE_BITS] == BASES[32*index+RANGE_BITS +: 32-RANGE_BITS];
    end
  endgenerate

  wire [SLAVES-1:0] gone;        // in a reset that has lasted too long
  generate
    for (index = 0; index < SLAVES; index = index + 1) begin : resets
      reg [PATIENCE_BITS:0] clocks;
      assign gone[index] = clocks[PATIENCE_BITS] && !lite_resetn[index];
      always @(posedge clock) begin
        if (reset || lite_resetn[index]) clocks <= 0;
        else if (!clocks[PATIENCE_BITS]) clocks <= clocks + 1'b1;
      end
    end
  endgenerate

  integer slave;
  reg [1:0] write_answer, read_answer;
  reg [31:0] read_word;
  always @* begin
    write_answer = OKAY;
    read_answer = OKAY;
    read_word = 0;
    for (slave = 0; slave < SLAVES; slave = slave + 1) begin
      write_answer = write_answer | (lite_bvalid[slave] ? lite_bresp[2*slave +: 2] : OKAY);
      read_answer = read_answer | (lite_rvalid[slave] ? lite_rresp[2*slave +: 2] : OKAY);
      read_word = read_word | (lite_rvalid[slave] ? lite_rdata[32*slave +: 32] : 32'd0);
    end
  end

  // Writes: an address, then for each word its data, the slave's turn and his answer; the worst one is the burst's. --

  reg write_asks, write_waits;   // the slave is to be found; he has the word
  wire write_last, write_answered = write_waits && lite_bvalid != 0;
  wire write_missed = write_asks && writes_to == 0;
  wire write_given_up = write_waits && !write_answered && (writes_to & gone) != 0;
  wire word_written = write_answered || write_missed || write_given_up;
  wire [SLAVES-1:0] write_begins =
      write_asks ? writes_to : write_waits && !word_written ? writes_to & ~lite_resetn : {SLAVES{1'b0}};
  assign lite_awaddr = write_address[RANGE_BITS-1:0];
  assign lite_bready = {SLAVES{write_waits}};

  burst_address #(.ID_BITS(ID_BITS)) writes (
      .clock(clock), .load(s_axi_awvalid && s_axi_awready), .next(word_written),
      .id(s_axi_awid), .address(s_axi_awaddr), .length(s_axi_awlen), .size(s_axi_awsize), .burst(s_axi_awburst),
      .word_id(s_axi_bid), .word_address(write_address), .last(write_last));

  always @(posedge clock) begin
    if (s_axi_wready) lite_wdata <= s_axi_wdata;
    if (s_axi_wready) lite_wstrb <= s_axi_wstrb;
    if (s_axi_awready) s_axi_bresp <= OKAY;
    else if (write_missed) s_axi_bresp <= DECERR;
    else if (write_given_up) s_axi_bresp <= s_axi_bresp | SLVERR;
    else if (write_answered) s_axi_bresp <= s_axi_bresp | write_answer;
    if (reset) begin
      s_axi_awready <= 0;
      s_axi_wready <= 0;
      s_axi_bvalid <= 0;
      lite_awvalid <= 0;
      lite_wvalid <= 0;
      write_asks <= 0;
      write_waits <= 0;
    end else begin
      s_axi_awready <= s_axi_awready ? !s_axi_awvalid
                                     : !(s_axi_wready || write_asks || write_waits || (s_axi_bvalid && !s_axi_bready));
      s_axi_wready <= (s_axi_awvalid && s_axi_awready) || (s_axi_wready && !s_axi_wvalid)
                      || (word_written && !write_last);
      write_asks <= s_axi_wvalid && s_axi_wready;
      write_waits <= (write_asks && !write_missed) || (write_waits && !word_written);
      // An answer may come in the clock behind a reset's first, in which the slave was asked again: he is no longer.
      lite_awvalid <= word_written ? {SLAVES{1'b0}} : write_begins | (lite_awvalid & ~lite_awready);
      lite_wvalid <= word_written ? {SLAVES{1'b0}} : write_begins | (lite_wvalid & ~lite_wready);
      s_axi_bvalid <= (word_written && write_last) || (s_axi_bvalid && !s_axi_bready);
    end
  end

  // Reads: an address, then for each word the slave's turn and his answer, which goes on before the next word is asked
  // for. -----------------------------------------------------------------------------------------------------------

  reg read_asks, read_waits;
  wire read_last, read_answered = read_waits && lite_rvalid != 0;
  wire read_missed = read_asks && reads_from == 0;
  wire read_given_up = read_waits && !read_answered && (reads_from & gone) != 0;
  wire word_read = read_answered || read_missed || read_given_up;
  wire word_taken = s_axi_rvalid && s_axi_rready;
  wire [SLAVES-1:0] read_begins =
      read_asks ? reads_from : read_waits && !word_read ? reads_from & ~lite_resetn : {SLAVES{1'b0}};
  assign lite_araddr = read_address[RANGE_BITS-1:0];
  assign lite_rready = {SLAVES{read_waits}};
  assign s_axi_rlast = read_last;

  burst_address #(.ID_BITS(ID_BITS)) reads (
      .clock(clock), .load(s_axi_arvalid && s_axi_arready), .next(word_taken),
      .id(s_axi_arid), .address(s_axi_araddr), .length(s_axi_arlen), .size(s_axi_arsize), .burst(s_axi_arburst),
      .word_id(s_axi_rid), .word_address(read_address), .last(read_last));

  always @(posedge clock) begin
    if (read_missed || read_given_up) s_axi_rdata <= 0;
    else if (read_answered) s_axi_rdata <= read_word;
    if (read_missed) s_axi_rresp <= DECERR;
    else if (read_given_up) s_axi_rresp <= SLVERR;
    else if (read_answered) s_axi_rresp <= read_answer;
    if (reset) begin
      s_axi_arready <= 0;
      s_axi_rvalid <= 0;
      lite_arvalid <= 0;
      read_asks <= 0;
      read_waits <= 0;
    end else begin
      s_axi_arready <= s_axi_arready ? !s_axi_arvalid : !(read_asks || read_waits || (s_axi_rvalid && !word_taken))
                                                        && !(word_taken && !read_last);
      read_asks <= (s_axi_arvalid && s_axi_arready) || (word_taken && !read_last);
      read_waits <= (read_asks && !read_missed) || (read_waits && !word_read);
      lite_arvalid <= word_read ? {SLAVES{1'b0}} : read_begins | (lite_arvalid & ~lite_arready);
      s_axi_rvalid <= word_read || (s_axi_rvalid && !word_taken);
    end
  end
endmodule

// The identity of a burst, and the address of each word of it in turn. A burst lies within 4 KB, so the upper bits
// stay.
module burst_address #(parameter ID_BITS = 12) (
    input wire clock, input wire load, input wire next,
    input wire [ID_BITS-1:0] id, input wire [31:0] address, input wire [3:0] length, input wire [2:0] size,
    input wire [1:0] burst,
    output reg [ID_BITS-1:0] word_id, output reg [31:0] word_address, output reg last);
  localparam [1:0] FIXED = 2'b00, WRAP = 2'b10;

  reg [3:0] words_after;
  reg [11:0] step;     // bytes of a word
  reg [11:0] moves;    // bits of the address that may change

  always @(posedge clock) begin
    if (load) begin
      word_id <= id;
      word_address <= address;
      words_after <= length;
      last <= length == 0;
      step <= 12'd1 << size;
      case (burst)
        FIXED: moves <= 12'd0;
        WRAP: moves <= ({8'd0, length} << size) | ((12'd1 << size) - 1'b1);
        default: moves <= 12'hfff;
      endcase
    end else if (next) begin
      // Only the first word of a burst may begin within one.
      word_address[11:0] <= (word_address[11:0] & ~moves) | (((word_address[11:0] & ~(step - 1'b1)) + step) & moves);
      words_after <= words_after - 1'b1;
      last <= words_after == 1;
    end
  end
endmodule
