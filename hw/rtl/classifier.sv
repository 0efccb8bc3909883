// The classifier: fully connected. A position is kept for PHASES steps, each of which adds it to some of the classes.
module classifier (
    input wire clock, input wire reset, input wire start, input wire [31:0] num_images,
    input wire [spec::POSITION_BITS-1:0] position, input wire position_valid, output wire position_ready,
    input wire room, output wire reserve,
    output wire [spec::CLASSES*spec::LOGIT_BITS-1:0] logits, output reg logits_valid);
  localparam PHASES = spec::CLASSIFIER_INTERVAL, PHASE_CLASSES = spec::CLASSIFIER_PHASE_CLASSES;
  localparam IMAGE_STEPS = spec::BRANCH_TOKENS * PHASES;
  localparam BITS = spec::CLASSIFIER_ACCUMULATOR_BITS;
  localparam COUNT = PHASES * PHASE_CLASSES;  // accumulators
  localparam signed [31:0] LOGIT_MAX = (1 << (spec::LOGIT_BITS - 1)) - 1, LOGIT_MIN = -LOGIT_MAX - 1;

  reg [1:0] phase;
  wire active, reading, filled;
  wire [7:0] image_step;
  wire reads = reading && phase == 0;
  wire ends = image_step == IMAGE_STEPS - 1;
  wire may_step = !ends || room;
  wire step = active && may_step && (!reads || position_valid);
  assign position_ready = reads && may_step;
  assign reserve = step && ends;
  steps #(.IMAGE_STEPS(IMAGE_STEPS)) counter (
      .clock(clock), .reset(reset), .start(start), .num_images(num_images), .step(step),
      .active(active), .reading(reading), .filled(filled), .image_step(image_step));

  reg [spec::POSITION_BITS-1:0] held;
  wire [spec::CLASSIFIER_ROW_BITS-1:0] weights;
  wire [PHASE_CLASSES*BITS-1:0] sums;
  always @(posedge clock) begin
    if (start) phase <= 0;
    else if (step) phase <= phase == PHASES - 1 ? 2'd0 : phase + 1'b1;
    if (step && phase == 0) held <= position;
  end
  classifier_weights rom (.clock(clock), .step(image_step), .weights(weights));
  classifier_arithmetic arithmetic (.clock(clock), .position(held), .weights(weights), .sums(sums));

  wire sums_valid, sums_first, sums_end;
  accompany #(.WIDTH(3), .CLOCKS(spec::CLASSIFIER_LATENCY + 1)) accompany_products (
      .clock(clock), .reset(reset), .entering({step, image_step < PHASES, reserve}),
      .leaving({sums_valid, sums_first, sums_end}));

  // The accumulators rotate by PHASE_CLASSES a step: behind an image's last step they lie in the order of the classes.
  reg [COUNT*BITS-1:0] accumulators;
  reg [1:0] sums_phase;
  reg [PHASE_CLASSES*BITS-1:0] biases;
  always @* begin
    biases = 0;
    for (int turn = 0; turn < PHASES; turn = turn + 1) begin
      if (sums_phase == turn) biases = spec::CLASSIFIER_BIAS[turn*PHASE_CLASSES*BITS +: PHASE_CLASSES*BITS];
    end
  end
  wire [PHASE_CLASSES*BITS-1:0] added;
  for (genvar index = 0; index < PHASE_CLASSES; index = index + 1) begin : add
    assign added[index*BITS +: BITS] =
        (sums_first ? biases[index*BITS +: BITS] : accumulators[index*BITS +: BITS]) + sums[index*BITS +: BITS];
  end
  always @(posedge clock) begin
    if (sums_valid) accumulators <= {added, accumulators} >> (PHASE_CLASSES * BITS);
    if (start) sums_phase <= 0;
    else if (sums_valid) sums_phase <= sums_phase == PHASES - 1 ? 2'd0 : sums_phase + 1'b1;
    logits_valid <= sums_end && !reset;
  end
  for (genvar index = 0; index < spec::CLASSES; index = index + 1) begin : saturate
    wire signed [BITS-1:0] sum = accumulators[index*BITS +: BITS];
    wire signed [31:0] shifted = sum >>> spec::CLASSIFIER_SHIFT;
    wire signed [31:0] limited = shifted > LOGIT_MAX ? LOGIT_MAX : shifted < LOGIT_MIN ? LOGIT_MIN : shifted;
    assign logits[index*spec::LOGIT_BITS +: spec::LOGIT_BITS] = limited[spec::LOGIT_BITS-1:0];
  end
endmodule
