// The branch, as hls/branch.cpp has it: convolution 3x3, max-pool 2, ReLU. A token takes one step or two.
module branch (
    input wire clock, input wire reset, input wire start, input wire [31:0] num_images,
    input wire [spec::TOKEN_BITS-1:0] token, input wire token_valid, output wire token_ready,
    input wire room, output wire reserve,
    output reg [spec::POSITION_BITS-1:0] pooled, output reg pooled_valid);
  localparam SIDE = spec::BRANCH_SIDE, KERNEL = spec::BRANCH_KERNEL, PADDING = spec::BRANCH_PADDING;
  localparam POSITIONS = spec::TOKEN_POSITIONS, PHASES = spec::BRANCH_INTERVAL;
  localparam BITS = spec::TOKEN_BITS / POSITIONS;              // of a position
  localparam ROW_TOKENS = SIDE / POSITIONS;
  localparam LAG = ROW_TOKENS + 1;                             // tokens from the newest to the convolved one
  localparam WINDOW = 2 * LAG + 1;                             // tokens held
  localparam COLUMNS = POSITIONS / PHASES + KERNEL - 1;        // positions of a row of a patch
  localparam START = SIDE * ROW_TOKENS - LAG;                  // as if another image had gone before

  // Steps ------------------------------------------------------------------------------------------------------------

  reg [3:0] row;  // of the token that the next step convolves
  reg [2:0] column;
  reg phase;

  wire active, reading, filled;
  wire last_phase = phase == PHASES - 1;
  wire reads = reading && phase == 0;
  wire emits = filled && last_phase && row[0];
  wire may_step = !emits || room;
  wire step = active && may_step && (!reads || token_valid);
  assign token_ready = reads && may_step;
  assign reserve = step && emits;
  steps #(.IMAGE_STEPS(spec::TRUNK_TOKENS * PHASES), .LAG(LAG * PHASES)) counter (
      .clock(clock), .reset(reset), .start(start), .num_images(num_images), .step(step),
      .active(active), .reading(reading), .filled(filled), .image_step());
  always @(posedge clock) begin
    if (start) begin
      row <= START / ROW_TOKENS;
      column <= START % ROW_TOKENS;
      phase <= 0;
    end else if (step) begin
      phase <= last_phase ? 1'b0 : phase + 1'b1;
      if (last_phase) column <= column == ROW_TOKENS - 1 ? 3'd0 : column + 1'b1;
      if (last_phase && column == ROW_TOKENS - 1) row <= row == SIDE - 1 ? 4'd0 : row + 1'b1;
    end
  end

  // Window, and the masked patch around the step's positions ---------------------------------------------------------

  reg [WINDOW*spec::TOKEN_BITS-1:0] window;  // the newest token in the lowest bits
  reg [KERNEL-1:0] row_inside;
  reg left_inside, right_inside, second;
  always @(posedge clock) if (step) begin
    if (phase == 0) window <= {window, reading ? token : {spec::TOKEN_BITS{1'b0}}};
    row_inside <= {row != SIDE - 1, 1'b1, row != 0};
    left_inside <= column != 0;
    right_inside <= column != ROW_TOKENS - 1;
    second <= phase != 0;
  end

  wire [KERNEL*(POSITIONS+KERNEL-1)*BITS-1:0] around;  // of the whole token
  reg [KERNEL*COLUMNS*BITS-1:0] patch;
  for (genvar y = 0; y < KERNEL; y = y + 1) begin : patch_row
    localparam PLACE = LAG - (y - PADDING) * ROW_TOKENS;
    for (genvar x = 0; x < POSITIONS + KERNEL - 1; x = x + 1) begin : around_column
      localparam SHIFT = x < PADDING ? 1 : x < PADDING + POSITIONS ? 0 : -1;  // the token to the left, its own, the right
      localparam POSITION = (PLACE + SHIFT) * POSITIONS + x - PADDING + SHIFT * POSITIONS;
      wire masked = row_inside[y] && (SHIFT != 1 || left_inside) && (SHIFT != -1 || right_inside);
      assign around[(y*(POSITIONS+KERNEL-1)+x)*BITS +: BITS] = masked ? window[POSITION*BITS +: BITS] : {BITS{1'b0}};
    end
    wire [(POSITIONS+KERNEL-1)*BITS-1:0] whole = around[y*(POSITIONS+KERNEL-1)*BITS +: (POSITIONS+KERNEL-1)*BITS];
    always @(posedge clock) patch[y*COLUMNS*BITS +: COLUMNS*BITS] <= second ? whole >> BITS : whole;
  end

  // Pooling ----------------------------------------------------------------------------------------------------------

  wire [spec::POSITION_BITS-1:0] convolved, horizontal, vertical;
  branch_arithmetic arithmetic (.clock(clock), .patch(patch), .position(convolved));
  wire convolved_valid, convolved_last, convolved_emits;
  accompany #(.WIDTH(3), .CLOCKS(spec::BRANCH_LATENCY + 2)) accompany_convolution (
      .clock(clock), .reset(reset), .entering({step, step && last_phase, reserve}),
      .leaving({convolved_valid, convolved_last, convolved_emits}));

  if (PHASES == 1) begin : one_phase
    assign horizontal = convolved;
  end else begin : two_phases
    reg [spec::POSITION_BITS-1:0] first;
    always @(posedge clock) if (convolved_valid) first <= convolved;
    maximum_each #(.COUNT(spec::BRANCH_OUT_CHANNELS)) pool (.a(first), .b(convolved), .greater(horizontal));
  end

  reg [(ROW_TOKENS+1)*spec::POSITION_BITS-1:0] rows;  // tokens pooled horizontally, the newest in the lowest bits
  reg rows_emit;
  maximum_each #(.COUNT(spec::BRANCH_OUT_CHANNELS)) pool (
      .a(rows[0 +: spec::POSITION_BITS]), .b(rows[ROW_TOKENS*spec::POSITION_BITS +: spec::POSITION_BITS]),
      .greater(vertical));
  always @(posedge clock) begin
    if (convolved_last) rows <= {rows, horizontal};
    pooled <= vertical;
    rows_emit <= convolved_emits && !reset;
    pooled_valid <= rows_emit && !reset;
  end
endmodule
