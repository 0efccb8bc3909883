// CRC-32 of a stream's beats, as zlib computes it: `crc` is that of all beats since `start`, two clocks behind the
// last. To take in a beat is linear (crc_columns in pynq_ee/network/spec.py), so the beat's part is summed a clock
// ahead.
module checksum (
    input wire clock, input wire start,
    input wire [spec::BEAT_BITS-1:0] beat, input wire valid,
    output wire [31:0] crc);
  reg [31:0] state, part;
  reg part_valid;
  assign crc = ~state;

  for (genvar index = 0; index < 32; index = index + 1) begin : each
    localparam [spec::BEAT_BITS-1:0] ROW = spec::CRC_ROW[index*spec::BEAT_BITS +: spec::BEAT_BITS];
    always @(posedge clock) begin
      part[index] <= ^(beat & ROW);
      if (start) state[index] <= 1'b1;
      else if (part_valid) state[index] <= part[index] ^ ^(state & ROW[31:0]);
    end
  end
  always @(posedge clock) part_valid <= valid && !start;
endmodule
