// Parts that the processes of the reference circuit share.

// A FIFO whose writer reserves a place before it starts to compute: what it writes, clocks later, finds room. So no
// pipeline ever has to stand still, and no clock enable fans out to one.
module fifo #(parameter WIDTH = 1, parameter DEPTH = 16) (
    input wire clock, input wire reset,
    input wire reserve, output wire room,
    input wire write, input wire [WIDTH-1:0] written,
    input wire read, output wire [WIDTH-1:0] first, output wire filled);
  localparam BITS = $clog2(DEPTH);  // DEPTH is a power of two: the indices wrap by themselves

  (* ram_style = "distributed" *) reg [WIDTH-1:0] memory [0:DEPTH-1];
  reg [BITS-1:0] head, tail;
  reg [BITS:0] held, reserved;

  assign room = !reserved[BITS];
  assign filled = held != 0;
  assign first = memory[head];

  always @(posedge clock) begin
    if (write) memory[tail] <= written;
    if (reset) begin
      {head, tail, held, reserved} <= 0;
    end else begin
      if (write) tail <= tail + 1'b1;
      if (read) head <= head + 1'b1;
      if (write != read) held <= write ? held + 1'b1 : held - 1'b1;
      if (reserve != read) reserved <= reserve ? reserved + 1'b1 : reserved - 1'b1;
    end
  end
endmodule

// The same in a block RAM, whose words come a clock later: the first one waits in a register of its own.
module block_fifo #(parameter WIDTH = 1, parameter DEPTH = 512) (
    input wire clock, input wire reset,
    input wire reserve, output wire room,
    input wire write, input wire [WIDTH-1:0] written,
    input wire read, output reg [WIDTH-1:0] first, output reg filled);
  localparam BITS = $clog2(DEPTH);

  (* ram_style = "block" *) reg [WIDTH-1:0] memory [0:DEPTH-1];
  reg [BITS-1:0] head, tail;
  reg [BITS:0] stored, reserved;  // stored: in the memory alone

  wire fetch = stored != 0 && (!filled || read);
  assign room = !reserved[BITS];

  always @(posedge clock) begin
    if (write) memory[tail] <= written;
    if (fetch) first <= memory[head];
    if (reset) begin
      {head, tail, stored, reserved} <= 0;
      filled <= 1'b0;
    end else begin
      if (write) tail <= tail + 1'b1;
      if (fetch) head <= head + 1'b1;
      if (write != fetch) stored <= write ? stored + 1'b1 : stored - 1'b1;
      if (reserve != read) reserved <= reserve ? reserved + 1'b1 : reserved - 1'b1;
      filled <= fetch || (filled && !read);
    end
  end
endmodule

// Counts the steps of a batch: IMAGE_STEPS for each image, then LAG that bring out what the process still holds.
module steps #(parameter IMAGE_STEPS = 1, parameter LAG = 0) (
    input wire clock, input wire reset, input wire start, input wire [31:0] num_images, input wire step,
    output wire active,             // a step is left
    output wire reading,            // it is an image's
    output wire filled,             // LAG steps have gone before it
    output reg [7:0] image_step);   // its number in its image
  reg [31:0] images_left;
  reg [7:0] leading, trailing;

  assign reading = images_left != 0;
  assign active = reading || trailing != 0;
  assign filled = leading == 0;

  always @(posedge clock) begin
    if (reset) begin
      images_left <= 0;
      trailing <= 0;
    end else if (start) begin
      images_left <= num_images;
      image_step <= 0;
      leading <= LAG;
      trailing <= num_images == 0 ? 0 : LAG;
    end else if (step) begin
      if (!filled) leading <= leading - 1'b1;
      if (!reading) trailing <= trailing - 1'b1;
      if (reading && image_step == IMAGE_STEPS - 1) images_left <= images_left - 1'b1;
      image_step <= image_step == IMAGE_STEPS - 1 ? 8'd0 : image_step + 1'b1;
    end
  end
endmodule

// The greater of each pair of activations.
module maximum_each #(parameter COUNT = 1) (
    input wire [COUNT*spec::ACTIVATION_BITS-1:0] a, input wire [COUNT*spec::ACTIVATION_BITS-1:0] b,
    output wire [COUNT*spec::ACTIVATION_BITS-1:0] greater);
  localparam BITS = spec::ACTIVATION_BITS;
  for (genvar index = 0; index < COUNT; index = index + 1) begin : each
    assign greater[index*BITS +: BITS] =
        a[index*BITS +: BITS] > b[index*BITS +: BITS] ? a[index*BITS +: BITS] : b[index*BITS +: BITS];
  end
endmodule

// Bits that accompany a step through CLOCKS clocks of a pipeline; none is set after a reset.
module accompany #(parameter WIDTH = 1, parameter CLOCKS = 1) (
    input wire clock, input wire reset, input wire [WIDTH-1:0] entering, output wire [WIDTH-1:0] leaving);
  reg [WIDTH*CLOCKS-1:0] stages;
  assign leaving = stages[WIDTH*(CLOCKS-1) +: WIDTH];
  always @(posedge clock) stages <= reset ? 0 : {stages, entering};
endmodule
