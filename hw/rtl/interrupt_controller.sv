// An interrupt controller with the registers of PG099 (axi_intc) that pynq uses, for inputs that are levels.
// An input that was high stays latched in ISR until it is acknowledged, and is latched again if it is high still.
module interrupt_controller #(parameter INPUTS = 3) (
    input wire clock, input wire resetn,
    input wire [8:0] s_axi_awaddr, input wire s_axi_awvalid, output wire s_axi_awready,
    input wire [31:0] s_axi_wdata, input wire [3:0] s_axi_wstrb, input wire s_axi_wvalid, output wire s_axi_wready,
    output wire [1:0] s_axi_bresp, output wire s_axi_bvalid, input wire s_axi_bready,
    input wire [8:0] s_axi_araddr, input wire s_axi_arvalid, output wire s_axi_arready,
    output wire [31:0] s_axi_rdata, output wire [1:0] s_axi_rresp, output wire s_axi_rvalid, input wire s_axi_rready,
    input wire [INPUTS-1:0] intr, output reg irq);
  localparam ISR = 0, IPR = 1, IER = 2, IAR = 3, SIE = 4, CIE = 5, IVR = 6, MER = 7;

  wire write, read;
  wire [6:0] write_word, read_word;
  wire [31:0] write_data;
  wire [3:0] write_strobe;
  reg [31:0] read_data;
  reg reset;
  always @(posedge clock) reset <= !resetn;
  axi_lite_slave #(.ADDRESS_BITS(9)) lite (
      .clock(clock), .reset(reset),
      .awaddr(s_axi_awaddr), .awvalid(s_axi_awvalid), .awready(s_axi_awready),
      .wdata(s_axi_wdata), .wstrb(s_axi_wstrb), .wvalid(s_axi_wvalid), .wready(s_axi_wready),
      .bresp(s_axi_bresp), .bvalid(s_axi_bvalid), .bready(s_axi_bready),
      .araddr(s_axi_araddr), .arvalid(s_axi_arvalid), .arready(s_axi_arready),
      .rdata(s_axi_rdata), .rresp(s_axi_rresp), .rvalid(s_axi_rvalid), .rready(s_axi_rready),
      .write(write), .write_word(write_word), .write_data(write_data), .write_strobe(write_strobe),
      .read(read), .read_word(read_word), .read_data(read_data));

  reg [INPUTS-1:0] levels;     // the inputs, a clock later
  reg [INPUTS-1:0] latched, enabled;
  reg master, hardware;        // enables; that of the inputs stays once it is set
  wire [INPUTS-1:0] pending = latched & enabled;
  wire writes = write && &write_strobe;

  integer index;
  reg [31:0] vector;           // the lowest number that is pending
  always @* begin
    vector = 32'hffff_ffff;
    for (index = INPUTS - 1; index >= 0; index = index - 1) if (pending[index]) vector = index;
  end

  always @(posedge clock) begin
    levels <= intr;
    if (reset) begin
      latched <= 0;
      enabled <= 0;
      master <= 0;
      hardware <= 0;
      irq <= 0;
    end else begin
      irq <= master && pending != 0;
      // Software raises interrupts until the inputs are enabled; from then on they alone do.
      if (writes && write_word == ISR && !hardware) latched <= write_data[INPUTS-1:0];
      else latched <= (latched & ~(writes && write_word == IAR ? write_data[INPUTS-1:0] : {INPUTS{1'b0}}))
                      | (hardware ? levels : {INPUTS{1'b0}});
      if (writes) begin
        case (write_word)
          IER: enabled <= write_data[INPUTS-1:0];
          SIE: enabled <= enabled | write_data[INPUTS-1:0];
          CIE: enabled <= enabled & ~write_data[INPUTS-1:0];
          MER: begin
            master <= write_data[0];
            hardware <= hardware || write_data[1];
          end
          default: ;
        endcase
      end
    end
    if (read) begin
      case (read_word)
        ISR: read_data <= latched;
        IPR: read_data <= pending;
        IER: read_data <= enabled;
        IVR: read_data <= vector;
        MER: read_data <= {30'd0, hardware, master};
        default: read_data <= 0;
      endcase
    end
  end
endmodule
