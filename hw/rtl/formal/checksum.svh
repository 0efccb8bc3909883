// CRC-32, as its definition has it bit by bit (reflected, as in Ethernet and zlib), of the beats since the start that
// were valid, and of no other. The definition is linear, so that it is what it makes of each bit alone.
  localparam [31:0] F_POLYNOMIAL = 32'hedb88320;
  function [31:0] f_defined(input [31:0] behind, input [spec::BEAT_BITS-1:0] next_beat);
    integer f_index;
    begin
      f_defined = behind;
      for (f_index = 0; f_index < spec::BEAT_BITS; f_index = f_index + 1)
        f_defined = (f_defined >> 1) ^ (f_defined[0] ^ next_beat[f_index] ? F_POLYNOMIAL : 32'd0);
    end
  endfunction
  genvar f_bit, f_sum;
  wire [32*spec::BEAT_BITS-1:0] f_of_beat;
  wire [32*32-1:0] f_of_state;
  for (f_bit = 0; f_bit < spec::BEAT_BITS; f_bit = f_bit + 1) begin : f_beat_bits
    localparam [spec::BEAT_BITS-1:0] ALONE = {{spec::BEAT_BITS-1{1'b0}}, 1'b1} << f_bit;
    localparam [31:0] MADE = f_defined(32'd0, ALONE);
    assign f_of_beat[32*f_bit +: 32] = MADE;
  end
  for (f_bit = 0; f_bit < 32; f_bit = f_bit + 1) begin : f_state_bits
    localparam [31:0] MADE = f_defined(32'd1 << f_bit, {spec::BEAT_BITS{1'b0}});
    assign f_of_state[32*f_bit +: 32] = MADE;
  end
  // What the beats that came until two clocks ago make of what was before.
  reg [31:0] f_part, f_next;
  reg f_valid, f_started = 0;
  for (f_sum = 0; f_sum < 32; f_sum = f_sum + 1) begin : f_sums
    wire [spec::BEAT_BITS-1:0] beat_bits;
    wire [31:0] state_bits;
    for (f_bit = 0; f_bit < spec::BEAT_BITS; f_bit = f_bit + 1) begin : from_beat
      assign beat_bits[f_bit] = f_of_beat[32*f_bit+f_sum];
    end
    for (f_bit = 0; f_bit < 32; f_bit = f_bit + 1) begin : from_state
      assign state_bits[f_bit] = f_of_state[32*f_bit+f_sum];
    end
    always @(posedge clock) begin
      f_part[f_sum] <= ^(beat & beat_bits);
      if (start) f_next[f_sum] <= 1'b1;
      else f_next[f_sum] <= f_valid ? f_part[f_sum] ^ ^(state & state_bits) : state[f_sum];
    end
  end
  always @(posedge clock) begin
    f_started <= start || f_started;
    f_valid <= valid && !start;
  end
  always @(posedge clock) if (f_started) assert (crc == ~f_next && part == f_part && part_valid == f_valid);
