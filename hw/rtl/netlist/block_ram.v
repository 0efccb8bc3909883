// Block RAMs of the 7 series as a netlist of `synth_xilinx` uses them, as UG473 describes them: to simulate the netlist
// with. Yosys' own cells_sim.v has the ports and delays of these two, but no behaviour. A use that has no model here
// stops the simulation. Both ports have one clock, and no register behind the memory.

// The memory of either: 1,024 words of HALF bits and a bit of parity for each eight. Widths as Yosys and Vivado give them:
// 1, 2 and 4 without parity, 9, 18 and 36 with it; 0 is a port that is not used. SIMPLE: port A reads, port B writes, and
// twice HALF bits wide both are used for one word.
module block_ram #(
    parameter HALF = 32, parameter SIMPLE = 0, parameter READ_A = 0, parameter READ_B = 0, parameter WRITE_A = 0,
    parameter WRITE_B = 0, parameter MODE_A = "", parameter MODE_B = "",
    parameter [HALF+HALF/8-1:0] SRVAL_A = 0, parameter [HALF+HALF/8-1:0] SRVAL_B = 0,
    parameter [1024*HALF-1:0] DATA = 0, parameter [128*HALF-1:0] PARITY = 0,
    parameter WIDTH = HALF + HALF / 8, parameter ADDRESS_BITS = $clog2(1024 * HALF)
) (
    input wire clock_a, input wire enable_a, input wire reset_a, input wire [HALF/8-1:0] write_a,
    input wire [ADDRESS_BITS-1:0] address_a, input wire [WIDTH-1:0] in_a, output reg [WIDTH-1:0] out_a,
    input wire clock_b, input wire enable_b, input wire reset_b, input wire [HALF/4-1:0] write_b,
    input wire [ADDRESS_BITS-1:0] address_b, input wire [WIDTH-1:0] in_b, output reg [WIDTH-1:0] out_b);
  localparam BYTES = HALF / 8;
  reg [1024*HALF-1:0] data;
  reg [128*HALF-1:0] parity;
  initial begin
    data = DATA;
    parity = PARITY;
    if (SIMPLE && MODE_B != "READ_FIRST") begin
      $display("%m: no model of a read beside a write of the same word in mode %s", MODE_B);
      $fatal;
    end
  end

  // Data bits of a port of a width that may have parity.
  function integer bits_of(input integer width);
    bits_of = width >= 9 ? width / 9 * 8 : width;
  endfunction

  // The word at an address, its parity above its data, each in the lowest bits of its part.
  function [2*WIDTH-1:0] word(input integer width, input [ADDRESS_BITS-1:0] address);
    integer at;
    word = 0;
    at = address / bits_of(width) * bits_of(width);
    for (int bit_of = 0; bit_of < bits_of(width); bit_of = bit_of + 1) word[bit_of] = data[at+bit_of];
    if (width >= 9) for (int byte_of = 0; byte_of < width / 9; byte_of = byte_of + 1) word[2*HALF+byte_of] = parity[at/8+byte_of];
  endfunction

  task store(input integer width, input [ADDRESS_BITS-1:0] address, input [2*HALF-1:0] written, input [2*BYTES-1:0] written_parity,
      input [2*BYTES-1:0] enable);
    integer at;
    at = address / bits_of(width) * bits_of(width);
    for (int bit_of = 0; bit_of < bits_of(width); bit_of = bit_of + 1) if (enable[bit_of/8]) data[at+bit_of] = written[bit_of];
    if (width >= 9) for (int byte_of = 0; byte_of < width / 9; byte_of = byte_of + 1)
      if (enable[byte_of]) parity[at/8+byte_of] = written_parity[byte_of];
  endtask

  // One process, so that a port reads what stood there before the other one's write of the same clock.
  reg [2*WIDTH-1:0] old_a, old_b;
  wire writes_a = !SIMPLE && WRITE_A != 0 && enable_a && write_a != 0;
  wire writes_b = WRITE_B != 0 && enable_b && write_b != 0;
  localparam WIDE_READ = bits_of(READ_A) > HALF, WIDE_WRITE = bits_of(WRITE_B) > HALF;
  always @(posedge clock_a) begin
    if (READ_A != 0) old_a = word(READ_A, address_a);
    if (READ_B != 0) old_b = word(READ_B, address_b);
    if (writes_a) store(WRITE_A, address_a, in_a[HALF-1:0], in_a[WIDTH-1:HALF], write_a);
    if (writes_b) store(WRITE_B, address_b, WIDE_WRITE ? {in_b[HALF-1:0], in_a[HALF-1:0]} : in_b[HALF-1:0],
        WIDE_WRITE ? {in_b[WIDTH-1:HALF], in_a[WIDTH-1:HALF]} : in_b[WIDTH-1:HALF], write_b);
    if (!SIMPLE && MODE_A == "WRITE_FIRST" && READ_A != 0 && writes_a) old_a = word(READ_A, address_a);
    if (!SIMPLE && MODE_B == "WRITE_FIRST" && READ_B != 0 && writes_b) old_b = word(READ_B, address_b);
    if (READ_A != 0 && enable_a && !(!SIMPLE && MODE_A == "NO_CHANGE" && writes_a)) begin
      out_a <= reset_a ? SRVAL_A : {old_a[2*HALF +: BYTES], old_a[HALF-1:0]};
      if (WIDE_READ) out_b <= reset_a ? SRVAL_B : {old_a[2*HALF+BYTES +: BYTES], old_a[HALF +: HALF]};
    end
    if (READ_B != 0 && enable_b && !(MODE_B == "NO_CHANGE" && writes_b))
      out_b <= reset_b ? SRVAL_B : {old_b[2*HALF +: BYTES], old_b[HALF-1:0]};
  end
endmodule

module RAMB18E1 #(
    parameter RAM_MODE = "TDP", parameter READ_WIDTH_A = 0, parameter READ_WIDTH_B = 0,
    parameter WRITE_WIDTH_A = 0, parameter WRITE_WIDTH_B = 0,
    parameter WRITE_MODE_A = "WRITE_FIRST", parameter WRITE_MODE_B = "WRITE_FIRST",
    parameter DOA_REG = 0, parameter DOB_REG = 0,
    parameter [17:0] INIT_A = 0, parameter [17:0] INIT_B = 0,
    parameter [17:0] SRVAL_A = 0, parameter [17:0] SRVAL_B = 0,
    parameter RDADDR_COLLISION_HWCONFIG = "DELAYED_WRITE", parameter RSTREG_PRIORITY_A = "RSTREG",
    parameter RSTREG_PRIORITY_B = "RSTREG", parameter SIM_COLLISION_CHECK = "ALL", parameter SIM_DEVICE = "VIRTEX6",
    parameter IS_CLKARDCLK_INVERTED = 0, parameter IS_CLKBWRCLK_INVERTED = 0, parameter IS_ENARDEN_INVERTED = 0,
    parameter IS_ENBWREN_INVERTED = 0, parameter IS_RSTRAMARSTRAM_INVERTED = 0, parameter IS_RSTRAMB_INVERTED = 0,
    parameter IS_RSTREGARSTREG_INVERTED = 0, parameter IS_RSTREGB_INVERTED = 0,
    parameter [255:0]
    INITP_00 = 0, INITP_01 = 0, INITP_02 = 0, INITP_03 = 0, INITP_04 = 0, INITP_05 = 0, INITP_06 = 0, INITP_07 = 0,
    INIT_00 = 0, INIT_01 = 0, INIT_02 = 0, INIT_03 = 0, INIT_04 = 0, INIT_05 = 0, INIT_06 = 0, INIT_07 = 0,
    INIT_08 = 0, INIT_09 = 0, INIT_0A = 0, INIT_0B = 0, INIT_0C = 0, INIT_0D = 0, INIT_0E = 0, INIT_0F = 0,
    INIT_10 = 0, INIT_11 = 0, INIT_12 = 0, INIT_13 = 0, INIT_14 = 0, INIT_15 = 0, INIT_16 = 0, INIT_17 = 0,
    INIT_18 = 0, INIT_19 = 0, INIT_1A = 0, INIT_1B = 0, INIT_1C = 0, INIT_1D = 0, INIT_1E = 0, INIT_1F = 0,
    INIT_20 = 0, INIT_21 = 0, INIT_22 = 0, INIT_23 = 0, INIT_24 = 0, INIT_25 = 0, INIT_26 = 0, INIT_27 = 0,
    INIT_28 = 0, INIT_29 = 0, INIT_2A = 0, INIT_2B = 0, INIT_2C = 0, INIT_2D = 0, INIT_2E = 0, INIT_2F = 0,
    INIT_30 = 0, INIT_31 = 0, INIT_32 = 0, INIT_33 = 0, INIT_34 = 0, INIT_35 = 0, INIT_36 = 0, INIT_37 = 0,
    INIT_38 = 0, INIT_39 = 0, INIT_3A = 0, INIT_3B = 0, INIT_3C = 0, INIT_3D = 0, INIT_3E = 0, INIT_3F = 0
) (
    input wire CLKARDCLK, input wire CLKBWRCLK, input wire ENARDEN, input wire ENBWREN,
    input wire RSTRAMARSTRAM, input wire RSTRAMB, input wire RSTREGARSTREG, input wire RSTREGB,
    input wire REGCEAREGCE, input wire REGCEB,
    input wire [13:0] ADDRARDADDR, input wire [13:0] ADDRBWRADDR,
    input wire [15:0] DIADI, input wire [15:0] DIBDI, input wire [1:0] DIPADIP, input wire [1:0] DIPBDIP,
    input wire [1:0] WEA, input wire [3:0] WEBWE,
    output wire [15:0] DOADO, output wire [15:0] DOBDO, output wire [1:0] DOPADOP, output wire [1:0] DOPBDOP);
  initial begin
    if (DOA_REG || DOB_REG || IS_CLKARDCLK_INVERTED || IS_CLKBWRCLK_INVERTED || IS_RSTRAMARSTRAM_INVERTED || IS_RSTRAMB_INVERTED) begin
      $display("%m: no model of this use of a RAMB18E1");
      $fatal;
    end
  end
  block_ram #(
      .HALF(16), .SIMPLE(RAM_MODE == "SDP"), .READ_A(READ_WIDTH_A), .READ_B(READ_WIDTH_B),
      .WRITE_A(WRITE_WIDTH_A), .WRITE_B(WRITE_WIDTH_B), .MODE_A(WRITE_MODE_A), .MODE_B(WRITE_MODE_B),
      .SRVAL_A(SRVAL_A), .SRVAL_B(SRVAL_B),
      .DATA({
          INIT_3F, INIT_3E, INIT_3D, INIT_3C, INIT_3B, INIT_3A, INIT_39, INIT_38, INIT_37, INIT_36, INIT_35, INIT_34,
          INIT_33, INIT_32, INIT_31, INIT_30, INIT_2F, INIT_2E, INIT_2D, INIT_2C, INIT_2B, INIT_2A, INIT_29, INIT_28,
          INIT_27, INIT_26, INIT_25, INIT_24, INIT_23, INIT_22, INIT_21, INIT_20, INIT_1F, INIT_1E, INIT_1D, INIT_1C,
          INIT_1B, INIT_1A, INIT_19, INIT_18, INIT_17, INIT_16, INIT_15, INIT_14, INIT_13, INIT_12, INIT_11, INIT_10,
          INIT_0F, INIT_0E, INIT_0D, INIT_0C, INIT_0B, INIT_0A, INIT_09, INIT_08, INIT_07, INIT_06, INIT_05, INIT_04,
          INIT_03, INIT_02, INIT_01, INIT_00}),
      .PARITY({
          INITP_07, INITP_06, INITP_05, INITP_04, INITP_03, INITP_02, INITP_01, INITP_00})) memory (
      .clock_a(CLKARDCLK), .enable_a(ENARDEN ^ IS_ENARDEN_INVERTED[0]), .reset_a(RSTRAMARSTRAM), .write_a(WEA),
      .address_a(ADDRARDADDR[13:0]), .in_a({DIPADIP, DIADI}), .out_a({DOPADOP, DOADO}),
      .clock_b(CLKBWRCLK), .enable_b(ENBWREN ^ IS_ENBWREN_INVERTED[0]), .reset_b(RSTRAMB), .write_b(WEBWE),
      .address_b(ADDRBWRADDR[13:0]), .in_b({DIPBDIP, DIBDI}), .out_b({DOPBDOP, DOBDO}));
endmodule

module RAMB36E1 #(
    parameter RAM_MODE = "TDP", parameter READ_WIDTH_A = 0, parameter READ_WIDTH_B = 0,
    parameter WRITE_WIDTH_A = 0, parameter WRITE_WIDTH_B = 0,
    parameter WRITE_MODE_A = "WRITE_FIRST", parameter WRITE_MODE_B = "WRITE_FIRST",
    parameter DOA_REG = 0, parameter DOB_REG = 0,
    parameter [35:0] INIT_A = 0, parameter [35:0] INIT_B = 0,
    parameter [35:0] SRVAL_A = 0, parameter [35:0] SRVAL_B = 0,
    parameter RDADDR_COLLISION_HWCONFIG = "DELAYED_WRITE", parameter RSTREG_PRIORITY_A = "RSTREG",
    parameter RSTREG_PRIORITY_B = "RSTREG", parameter SIM_COLLISION_CHECK = "ALL", parameter SIM_DEVICE = "VIRTEX6",
    parameter IS_CLKARDCLK_INVERTED = 0, parameter IS_CLKBWRCLK_INVERTED = 0, parameter IS_ENARDEN_INVERTED = 0,
    parameter IS_ENBWREN_INVERTED = 0, parameter IS_RSTRAMARSTRAM_INVERTED = 0, parameter IS_RSTRAMB_INVERTED = 0,
    parameter IS_RSTREGARSTREG_INVERTED = 0, parameter IS_RSTREGB_INVERTED = 0,
    parameter RAM_EXTENSION_A = "NONE", parameter RAM_EXTENSION_B = "NONE",
    parameter EN_ECC_READ = "FALSE", parameter EN_ECC_WRITE = "FALSE",
    parameter [255:0]
    INITP_00 = 0, INITP_01 = 0, INITP_02 = 0, INITP_03 = 0, INITP_04 = 0, INITP_05 = 0, INITP_06 = 0, INITP_07 = 0,
    INITP_08 = 0, INITP_09 = 0, INITP_0A = 0, INITP_0B = 0, INITP_0C = 0, INITP_0D = 0, INITP_0E = 0, INITP_0F = 0,
    INIT_00 = 0, INIT_01 = 0, INIT_02 = 0, INIT_03 = 0, INIT_04 = 0, INIT_05 = 0, INIT_06 = 0, INIT_07 = 0,
    INIT_08 = 0, INIT_09 = 0, INIT_0A = 0, INIT_0B = 0, INIT_0C = 0, INIT_0D = 0, INIT_0E = 0, INIT_0F = 0,
    INIT_10 = 0, INIT_11 = 0, INIT_12 = 0, INIT_13 = 0, INIT_14 = 0, INIT_15 = 0, INIT_16 = 0, INIT_17 = 0,
    INIT_18 = 0, INIT_19 = 0, INIT_1A = 0, INIT_1B = 0, INIT_1C = 0, INIT_1D = 0, INIT_1E = 0, INIT_1F = 0,
    INIT_20 = 0, INIT_21 = 0, INIT_22 = 0, INIT_23 = 0, INIT_24 = 0, INIT_25 = 0, INIT_26 = 0, INIT_27 = 0,
    INIT_28 = 0, INIT_29 = 0, INIT_2A = 0, INIT_2B = 0, INIT_2C = 0, INIT_2D = 0, INIT_2E = 0, INIT_2F = 0,
    INIT_30 = 0, INIT_31 = 0, INIT_32 = 0, INIT_33 = 0, INIT_34 = 0, INIT_35 = 0, INIT_36 = 0, INIT_37 = 0,
    INIT_38 = 0, INIT_39 = 0, INIT_3A = 0, INIT_3B = 0, INIT_3C = 0, INIT_3D = 0, INIT_3E = 0, INIT_3F = 0,
    INIT_40 = 0, INIT_41 = 0, INIT_42 = 0, INIT_43 = 0, INIT_44 = 0, INIT_45 = 0, INIT_46 = 0, INIT_47 = 0,
    INIT_48 = 0, INIT_49 = 0, INIT_4A = 0, INIT_4B = 0, INIT_4C = 0, INIT_4D = 0, INIT_4E = 0, INIT_4F = 0,
    INIT_50 = 0, INIT_51 = 0, INIT_52 = 0, INIT_53 = 0, INIT_54 = 0, INIT_55 = 0, INIT_56 = 0, INIT_57 = 0,
    INIT_58 = 0, INIT_59 = 0, INIT_5A = 0, INIT_5B = 0, INIT_5C = 0, INIT_5D = 0, INIT_5E = 0, INIT_5F = 0,
    INIT_60 = 0, INIT_61 = 0, INIT_62 = 0, INIT_63 = 0, INIT_64 = 0, INIT_65 = 0, INIT_66 = 0, INIT_67 = 0,
    INIT_68 = 0, INIT_69 = 0, INIT_6A = 0, INIT_6B = 0, INIT_6C = 0, INIT_6D = 0, INIT_6E = 0, INIT_6F = 0,
    INIT_70 = 0, INIT_71 = 0, INIT_72 = 0, INIT_73 = 0, INIT_74 = 0, INIT_75 = 0, INIT_76 = 0, INIT_77 = 0,
    INIT_78 = 0, INIT_79 = 0, INIT_7A = 0, INIT_7B = 0, INIT_7C = 0, INIT_7D = 0, INIT_7E = 0, INIT_7F = 0
) (
    input wire CLKARDCLK, input wire CLKBWRCLK, input wire ENARDEN, input wire ENBWREN,
    input wire RSTRAMARSTRAM, input wire RSTRAMB, input wire RSTREGARSTREG, input wire RSTREGB,
    input wire REGCEAREGCE, input wire REGCEB,
    input wire CASCADEINA, input wire CASCADEINB, output wire CASCADEOUTA, output wire CASCADEOUTB,
    input wire INJECTDBITERR, input wire INJECTSBITERR, output wire DBITERR, output wire SBITERR,
    output wire [7:0] ECCPARITY, output wire [8:0] RDADDRECC,
    input wire [15:0] ADDRARDADDR, input wire [15:0] ADDRBWRADDR,
    input wire [31:0] DIADI, input wire [31:0] DIBDI, input wire [3:0] DIPADIP, input wire [3:0] DIPBDIP,
    input wire [3:0] WEA, input wire [7:0] WEBWE,
    output wire [31:0] DOADO, output wire [31:0] DOBDO, output wire [3:0] DOPADOP, output wire [3:0] DOPBDOP);
  initial begin
    if (DOA_REG || DOB_REG || IS_CLKARDCLK_INVERTED || IS_CLKBWRCLK_INVERTED || IS_RSTRAMARSTRAM_INVERTED || IS_RSTRAMB_INVERTED
        || RAM_EXTENSION_A != "NONE" || RAM_EXTENSION_B != "NONE" || EN_ECC_READ != "FALSE" || EN_ECC_WRITE != "FALSE") begin
      $display("%m: no model of this use of a RAMB36E1");
      $fatal;
    end
  end
  block_ram #(
      .HALF(32), .SIMPLE(RAM_MODE == "SDP"), .READ_A(READ_WIDTH_A), .READ_B(READ_WIDTH_B),
      .WRITE_A(WRITE_WIDTH_A), .WRITE_B(WRITE_WIDTH_B), .MODE_A(WRITE_MODE_A), .MODE_B(WRITE_MODE_B),
      .SRVAL_A(SRVAL_A), .SRVAL_B(SRVAL_B),
      .DATA({
          INIT_7F, INIT_7E, INIT_7D, INIT_7C, INIT_7B, INIT_7A, INIT_79, INIT_78, INIT_77, INIT_76, INIT_75, INIT_74,
          INIT_73, INIT_72, INIT_71, INIT_70, INIT_6F, INIT_6E, INIT_6D, INIT_6C, INIT_6B, INIT_6A, INIT_69, INIT_68,
          INIT_67, INIT_66, INIT_65, INIT_64, INIT_63, INIT_62, INIT_61, INIT_60, INIT_5F, INIT_5E, INIT_5D, INIT_5C,
          INIT_5B, INIT_5A, INIT_59, INIT_58, INIT_57, INIT_56, INIT_55, INIT_54, INIT_53, INIT_52, INIT_51, INIT_50,
          INIT_4F, INIT_4E, INIT_4D, INIT_4C, INIT_4B, INIT_4A, INIT_49, INIT_48, INIT_47, INIT_46, INIT_45, INIT_44,
          INIT_43, INIT_42, INIT_41, INIT_40, INIT_3F, INIT_3E, INIT_3D, INIT_3C, INIT_3B, INIT_3A, INIT_39, INIT_38,
          INIT_37, INIT_36, INIT_35, INIT_34, INIT_33, INIT_32, INIT_31, INIT_30, INIT_2F, INIT_2E, INIT_2D, INIT_2C,
          INIT_2B, INIT_2A, INIT_29, INIT_28, INIT_27, INIT_26, INIT_25, INIT_24, INIT_23, INIT_22, INIT_21, INIT_20,
          INIT_1F, INIT_1E, INIT_1D, INIT_1C, INIT_1B, INIT_1A, INIT_19, INIT_18, INIT_17, INIT_16, INIT_15, INIT_14,
          INIT_13, INIT_12, INIT_11, INIT_10, INIT_0F, INIT_0E, INIT_0D, INIT_0C, INIT_0B, INIT_0A, INIT_09, INIT_08,
          INIT_07, INIT_06, INIT_05, INIT_04, INIT_03, INIT_02, INIT_01, INIT_00}),
      .PARITY({
          INITP_0F, INITP_0E, INITP_0D, INITP_0C, INITP_0B, INITP_0A, INITP_09, INITP_08, INITP_07, INITP_06,
          INITP_05, INITP_04, INITP_03, INITP_02, INITP_01, INITP_00})) memory (
      .clock_a(CLKARDCLK), .enable_a(ENARDEN ^ IS_ENARDEN_INVERTED[0]), .reset_a(RSTRAMARSTRAM), .write_a(WEA),
      .address_a(ADDRARDADDR[14:0]), .in_a({DIPADIP, DIADI}), .out_a({DOPADOP, DOADO}),
      .clock_b(CLKBWRCLK), .enable_b(ENBWREN ^ IS_ENBWREN_INVERTED[0]), .reset_b(RSTRAMB), .write_b(WEBWE),
      .address_b(ADDRBWRADDR[14:0]), .in_b({DIPBDIP, DIBDI}), .out_b({DOPBDOP, DOBDO}));
endmodule
