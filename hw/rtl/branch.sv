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
  localparam PIECE = 64;                                       // bits of the window that move by one register
  localparam PIECES = (WINDOW * spec::TOKEN_BITS + PIECE - 1) / PIECE;
  localparam START = SIDE * ROW_TOKENS - LAG;                  // as if another image had gone before

  // Steps ------------------------------------------------------------------------------------------------------------

  reg [3:0] row;  // of the token that the next step convolves
  reg [2:0] column;
  reg phase;
  reg reads, emits;  // the next step

  wire active, reading_after, filled_after;
  wire last_phase = phase == PHASES - 1;
  wire row_ends = last_phase && column == ROW_TOKENS - 1;
  wire may_step = !emits || room;
  wire step = active && may_step && (!reads || token_valid);
  assign token_ready = reads && may_step;
  assign reserve = step && emits;
  steps #(.IMAGE_STEPS(spec::TRUNK_TOKENS * PHASES), .LAG(LAG * PHASES)) counter (
      .clock(clock), .reset(reset), .start(start), .num_images(num_images), .step(step),
      .active(active), .reading(), .filled(), .image_ends(), .image_step(), .reading_after(reading_after),
      .filled_after(filled_after));
  reg some_images;
  always @(posedge clock) begin
    some_images <= num_images != 0;
    if (start) begin
      row <= START / ROW_TOKENS;
      column <= START % ROW_TOKENS;
      phase <= 0;
      reads <= some_images;
      emits <= 0;
    end else if (step) begin
      phase <= last_phase ? 1'b0 : phase + 1'b1;
      if (last_phase) column <= column == ROW_TOKENS - 1 ? 3'd0 : column + 1'b1;
      if (row_ends) row <= row == SIDE - 1 ? 4'd0 : row + 1'b1;
      reads <= last_phase && reading_after;
      // In the odd rows; the last row is odd, too.
      emits <= filled_after && (PHASES == 1 || !last_phase) && row[0] != row_ends;
    end
  end

  // Window, and the masked patch around the step's positions ---------------------------------------------------------

  // The window moves two clocks behind the step, each piece of it by a register of its own. What accompanies the step
  // flows on in each clock: a patch is looked at only in the clock behind its step's.
  reg moves;
  wire [PIECES-1:0] moves_piece;
  copies #(.COUNT(PIECES)) copies_of_moves (.clock(clock), .entering(moves), .leaving(moves_piece));
  reg [spec::TOKEN_BITS-1:0] arriving, arrived;
  reg [3:0] convolved_row;
  reg [2:0] convolved_column;
  reg convolved_second, second;
  reg [KERNEL-1:0] row_outside;
  reg left_outside, right_outside;
  always @(posedge clock) begin
    moves <= step && phase == 0;
    arriving <= reads ? token : {spec::TOKEN_BITS{1'b0}};
    arrived <= arriving;
    convolved_row <= row;
    convolved_column <= column;
    convolved_second <= phase != 0;
    row_outside <= {convolved_row == SIDE - 1, 1'b0, convolved_row == 0};
    left_outside <= convolved_column == 0;
    right_outside <= convolved_column == ROW_TOKENS - 1;
    second <= convolved_second;
  end

  reg [WINDOW*spec::TOKEN_BITS-1:0] window;  // the newest token in the lowest bits
  wire [WINDOW*spec::TOKEN_BITS-1:0] moved = {window, arrived};
  for (genvar piece = 0; piece < PIECES; piece = piece + 1) begin : move
    localparam FIRST = piece * PIECE;
    localparam MOVED = FIRST + PIECE > WINDOW * spec::TOKEN_BITS ? WINDOW * spec::TOKEN_BITS - FIRST : PIECE;
    always @(posedge clock) if (moves_piece[piece]) window[FIRST +: MOVED] <= moved[FIRST +: MOVED];
  end

  reg [KERNEL*COLUMNS*BITS-1:0] patch;
  for (genvar y = 0; y < KERNEL; y = y + 1) begin : patch_row
    localparam PLACE = LAG - (y - PADDING) * ROW_TOKENS;
    wire [(POSITIONS+KERNEL-1)*BITS-1:0] around;  // of the whole token
    wire [POSITIONS+KERNEL-2:0] outside;
    for (genvar x = 0; x < POSITIONS + KERNEL - 1; x = x + 1) begin : around_column
      localparam SHIFT = x < PADDING ? 1 : x < PADDING + POSITIONS ? 0 : -1;  // left, its own, right
      localparam POSITION = (PLACE + SHIFT) * POSITIONS + x - PADDING + SHIFT * POSITIONS;
      assign around[x*BITS +: BITS] = window[POSITION*BITS +: BITS];
      assign outside[x] = row_outside[y] || (SHIFT == 1 && left_outside) || (SHIFT == -1 && right_outside);
    end
    // A register for each position that resets it, and one that tells which it is.
    wire [COLUMNS-1:0] shifted;
    copies #(.COUNT(COLUMNS)) copies_of_second (.clock(clock), .entering(second), .leaving(shifted));
    for (genvar x = 0; x < COLUMNS; x = x + 1) begin : patch_column
      localparam BEHIND = PHASES == 1 ? x : x + 1;  // where the second step of a token looks
      reg masked;
      always @(posedge clock) masked <= second ? outside[BEHIND] : outside[x];
      always @(posedge clock) patch[(y*COLUMNS+x)*BITS +: BITS] <= masked ? {BITS{1'b0}}
          : shifted[x] ? around[BEHIND*BITS +: BITS] : around[x*BITS +: BITS];
    end
  end

  // Pooling ----------------------------------------------------------------------------------------------------------

  wire [spec::POSITION_BITS-1:0] convolved, horizontal, vertical;
  branch_arithmetic arithmetic (.clock(clock), .patch(patch), .position(convolved));
  wire convolved_soon, last_soon, emits_soon;  // a clock ahead
  accompany #(.WIDTH(3), .CLOCKS(spec::BRANCH_LATENCY + 3)) accompany_convolution (
      .clock(clock), .reset(reset), .entering({step, step && last_phase, reserve}),
      .leaving({convolved_soon, last_soon, emits_soon}));

  if (PHASES == 1) begin : one_phase
    assign horizontal = convolved;
  end else begin : two_phases
    reg [spec::POSITION_BITS-1:0] first;
    reg convolved_valid;
    always @(posedge clock) begin
      convolved_valid <= convolved_soon;
      if (convolved_valid) first <= convolved;
    end
    maximum_each #(.COUNT(spec::BRANCH_OUT_CHANNELS)) pool (.a(first), .b(convolved), .greater(horizontal));
  end

  wire [ROW_TOKENS:0] convolved_last;
  copies #(.COUNT(ROW_TOKENS + 1)) copies_of_last (.clock(clock), .entering(last_soon), .leaving(convolved_last));
  reg [(ROW_TOKENS+1)*spec::POSITION_BITS-1:0] rows;  // tokens pooled horizontally, the newest in the lowest bits
  wire [(ROW_TOKENS+1)*spec::POSITION_BITS-1:0] moved_rows = {rows, horizontal};
  for (genvar place = 0; place <= ROW_TOKENS; place = place + 1) begin : row_place
    always @(posedge clock) if (convolved_last[place]) rows[place*spec::POSITION_BITS +: spec::POSITION_BITS] <=
        moved_rows[place*spec::POSITION_BITS +: spec::POSITION_BITS];
  end
  reg convolved_emits, rows_emit;
  maximum_each #(.COUNT(spec::BRANCH_OUT_CHANNELS)) pool (
      .a(rows[0 +: spec::POSITION_BITS]), .b(rows[ROW_TOKENS*spec::POSITION_BITS +: spec::POSITION_BITS]),
      .greater(vertical));
  always @(posedge clock) begin
    pooled <= vertical;
    convolved_emits <= emits_soon && !reset;
    rows_emit <= convolved_emits && !reset;
    pooled_valid <= rows_emit && !reset;
  end
endmodule
