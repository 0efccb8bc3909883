// The registers of one DMA channel, as PG021 has them for direct register mode, and what they say to its engine.
// `load` hands address and length over, `start` begins: at once, or when what is under way has stopped. A transfer is
// over with one of `complete`, `stopped` and `failed`. Each of these is high for a clock.
module dma_registers #(
    parameter ADDRESS_BITS = 32, parameter LENGTH_BITS = 26,
    parameter BASE = 0,                // word of the channel's first register
    parameter COUNTS_RECEIVED = 0) (   // LENGTH reads what was received, once the transfer is complete
    input wire clock, input wire reset, input wire resetting,  // by hardware or at a soft reset's end; a soft reset
    input wire write, input wire [7:0] write_word, input wire [31:0] write_data,
    input wire read, input wire [7:0] read_word, output reg [31:0] read_data,  // zero where nothing was asked for
    output wire reset_asked,
    output reg load, output reg start, output wire [ADDRESS_BITS-1:0] address, output reg [LENGTH_BITS-1:0] length,
    output reg stopping,
    input wire complete, input wire [LENGTH_BITS-1:0] received, input wire stopped,
    input wire failed, input wire internal_error, input wire slave_error, input wire decode_error,
    output reg interrupt);
  localparam CONTROL = BASE, STATUS = BASE + 1, ADDRESS_LOW = BASE + 6, ADDRESS_HIGH = BASE + 7, LENGTH = BASE + 10;
  // The interrupt threshold is a field of scatter-gather mode; it reads its reset value. Bit 1 of control is always
  // set.
  localparam [31:0] CONTROL_READS = 32'h0001_0002, STATUS_READS = 32'h0001_0000;

  reg run, idle, halted;
  reg transfer;           // one is under way
  reg pending;            // one waits for another to have stopped
  reg [2:0] enables;      // of the interrupts: completion, delay, error
  reg [2:0] errors;       // internal, slave, decode
  reg on_complete, on_error;
  reg [63:0] address_register;
  assign address = address_register[ADDRESS_BITS-1:0];

  wire writes_control = write && !resetting && write_word == CONTROL;
  wire writes_status = write && !resetting && write_word == STATUS;
  wire writes_length = write && !resetting && write_word == LENGTH;
  wire free = !pending && (!transfer || stopping);
  assign reset_asked = writes_control && write_data[2];

  always @(posedge clock) begin
    if (reset) begin
      run <= 0;
      idle <= 0;
      halted <= 1;
      transfer <= 0;
      pending <= 0;
      stopping <= 0;
      load <= 0;
      start <= 0;
      enables <= 0;
      errors <= 0;
      on_complete <= 0;
      on_error <= 0;
      interrupt <= 0;
      address_register <= 0;
      length <= 0;
    end else begin
      load <= 0;
      start <= 0;
      halted <= !run && !stopping;
      interrupt <= (on_complete && enables[0]) || (on_error && enables[2]);

      if (writes_status && write_data[12]) on_complete <= 0;
      if (writes_status && write_data[14]) on_error <= 0;
      if (write && !resetting && write_word == ADDRESS_LOW) address_register[31:0] <= write_data;
      if (write && !resetting && write_word == ADDRESS_HIGH && ADDRESS_BITS > 32)
        address_register[63:32] <= write_data & ((64'd1 << (ADDRESS_BITS - 32)) - 1);

      if (complete) begin
        transfer <= 0;
        idle <= run && !stopping;
        on_complete <= 1;
        if (COUNTS_RECEIVED) length <= received;
      end
      if (stopped && stopping) begin
        stopping <= 0;
        transfer <= 0;
        if (pending) begin
          pending <= 0;
          transfer <= 1;
          start <= 1;
        end
      end
      if (writes_length && free) begin
        length <= write_data[LENGTH_BITS-1:0];
        if (run && write_data[LENGTH_BITS-1:0] != 0) begin
          idle <= 0;
          load <= 1;
          if (stopping && !stopped) pending <= 1;
          else {transfer, start} <= 2'b11;
        end
      end
      if (writes_control) begin
        enables <= write_data[14:12];
        run <= write_data[0] && errors == 0;  // only a reset leaves an error
        if (!write_data[0]) begin
          idle <= 0;
          pending <= 0;
          stopping <= 1;
        end
      end
      if (failed) begin
        run <= 0;
        idle <= 0;
        halted <= !stopping;
        transfer <= 0;
        pending <= 0;
        on_error <= 1;
        errors <= {decode_error, slave_error, internal_error};
      end
    end
  end

  always @(posedge clock) begin
    read_data <= 0;
    if (read) begin
      case (read_word)
        CONTROL: read_data <= CONTROL_READS | {17'd0, enables, 9'd0, resetting, 1'b0, run};
        STATUS: read_data <= STATUS_READS | {17'd0, on_error, 1'b0, on_complete, 5'd0, errors, 2'd0, idle, halted};
        ADDRESS_LOW: read_data <= address_register[31:0];
        ADDRESS_HIGH: read_data <= address_register[63:32];
        LENGTH: read_data <= length;
        default: read_data <= 0;
      endcase
    end
  end

`ifdef PROVE_dma_registers
  `include "formal/dma_registers.svh"
`endif
endmodule
