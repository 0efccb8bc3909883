// The classifier: fully connected. A position is kept for PHASES steps, each of which adds it to some of the classes.
module classifier (
    input wire clock, input wire reset, input wire start, input wire [31:0] num_images,
    input wire [spec::POSITION_BITS-1:0] position, input wire position_valid, output wire position_ready,
    input wire room, output wire reserve,
    output reg [spec::CLASSES*spec::LOGIT_BITS-1:0] logits, output reg logits_valid);  // logits stay until the next
  localparam PHASES = spec::CLASSIFIER_INTERVAL, PHASE_CLASSES = spec::CLASSIFIER_PHASE_CLASSES;
  localparam IMAGE_STEPS = spec::BRANCH_TOKENS * PHASES;
  localparam BITS = spec::CLASSIFIER_ACCUMULATOR_BITS;
  localparam COUNT = PHASES * PHASE_CLASSES;  // accumulators
  localparam signed [31:0] LOGIT_MAX = (1 << (spec::LOGIT_BITS - 1)) - 1, LOGIT_MIN = -LOGIT_MAX - 1;

  reg [1:0] phase;
  reg reads;                          // the next step
  wire active, reading_after, ends;   // the next step is an image's last
  wire [7:0] image_step;
  wire may_step = !ends || room;
  wire step = active && may_step && (!reads || position_valid);
  assign position_ready = reads && may_step;
  assign reserve = step && ends;
  steps #(.IMAGE_STEPS(IMAGE_STEPS)) counter (
      .clock(clock), .reset(reset), .start(start), .num_images(num_images), .step(step),
      .active(active), .reading(), .filled(), .image_ends(ends), .image_step(image_step),
      .reading_after(reading_after), .filled_after());

  // The position is held, and goes on to a register for each class; meanwhile the step finds its weights.
  reg some_images, takes;
  reg [7:0] weights_step;
  reg [spec::POSITION_BITS-1:0] taken, held;
  always @(posedge clock) begin
    some_images <= num_images != 0;
    if (start) begin
      phase <= 0;
      reads <= some_images;
    end else if (step) begin
      phase <= phase == PHASES - 1 ? 2'd0 : phase + 1'b1;
      reads <= phase == PHASES - 1 && reading_after;
    end
    weights_step <= image_step;
    takes <= step && reads;
    taken <= position;
    if (takes) held <= taken;
  end
  wire [PHASE_CLASSES*spec::POSITION_BITS-1:0] positions;
  copies #(.WIDTH(spec::POSITION_BITS), .COUNT(PHASE_CLASSES)) copies_of_position (
      .clock(clock), .entering(held), .leaving(positions));
  wire [8*spec::CLASSIFIER_ROM_PARTS-1:0] rom_steps;
  copies #(.WIDTH(8), .COUNT(spec::CLASSIFIER_ROM_PARTS)) copies_of_step (
      .clock(clock), .entering(weights_step), .leaving(rom_steps));
  wire [spec::CLASSIFIER_ROW_BITS-1:0] weights;
  wire [PHASE_CLASSES*BITS-1:0] sums;
  classifier_weights rom (.clock(clock), .steps(rom_steps), .weights(weights));
  classifier_arithmetic arithmetic (.clock(clock), .positions(positions), .weights(weights), .sums(sums));

  wire valid_soon, first_soon, end_soon;  // a clock ahead
  accompany #(.WIDTH(3), .CLOCKS(spec::CLASSIFIER_LATENCY + 2)) accompany_products (
      .clock(clock), .reset(reset), .entering({step, image_step < PHASES, reserve}),
      .leaving({valid_soon, first_soon, end_soon}));
  wire [PHASE_CLASSES-1:0] sums_valid, sums_first;
  copies #(.COUNT(PHASE_CLASSES)) copies_of_valid (.clock(clock), .entering(valid_soon), .leaving(sums_valid));
  copies #(.COUNT(PHASE_CLASSES)) copies_of_first (.clock(clock), .entering(first_soon), .leaving(sums_first));

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
  for (genvar index = 0; index < PHASE_CLASSES; index = index + 1) begin : add
    wire [BITS-1:0] added =
        (sums_first[index] ? biases[index*BITS +: BITS] : accumulators[index*BITS +: BITS]) + sums[index*BITS +: BITS];
    for (genvar turn = 0; turn < PHASES; turn = turn + 1) begin : rotate
      localparam PLACE = (turn * PHASE_CLASSES + index) * BITS, BEHIND = PLACE + PHASE_CLASSES * BITS;
      always @(posedge clock) if (sums_valid[index])
        accumulators[PLACE +: BITS] <= turn == PHASES - 1 ? added : accumulators[BEHIND % (COUNT*BITS) +: BITS];
    end
  end
  reg sums_end;
  always @(posedge clock) begin
    if (start) sums_phase <= 0;
    else if (sums_valid[0]) sums_phase <= sums_phase == PHASES - 1 ? 2'd0 : sums_phase + 1'b1;
    sums_end <= end_soon && !reset;
  end

  // What leaves, stays: what looks at it has time.
  wire [spec::CLASSES-1:0] ends_class;
  copies #(.COUNT(spec::CLASSES)) copies_of_end (.clock(clock), .entering(sums_end), .leaving(ends_class));
  for (genvar index = 0; index < spec::CLASSES; index = index + 1) begin : saturate
    wire signed [BITS-1:0] sum = accumulators[index*BITS +: BITS];
    wire signed [31:0] shifted = sum >>> spec::CLASSIFIER_SHIFT;
    wire signed [31:0] limited = shifted > LOGIT_MAX ? LOGIT_MAX : shifted < LOGIT_MIN ? LOGIT_MIN : shifted;
    always @(posedge clock) if (ends_class[index])
      logits[index*spec::LOGIT_BITS +: spec::LOGIT_BITS] <= limited[spec::LOGIT_BITS-1:0];
  end
  always @(posedge clock) logits_valid <= ends_class[0] && !reset;
endmodule
