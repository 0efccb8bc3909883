// The trunk, as hls/trunk.cpp has it: convolution 5x5, max-pool 2, ReLU. A step is a beat of the stream.
module trunk (
    input wire clock, input wire reset, input wire start, input wire [31:0] num_images, input wire with_features,
    input wire [spec::BEAT_BITS-1:0] word, input wire word_valid, output wire word_ready,
    input wire room, output wire reserve,
    output reg [spec::TOKEN_BITS-1:0] token, output reg token_valid, output reg feature_token_valid);
  localparam SIDE = spec::TRUNK_SIDE, KERNEL = spec::TRUNK_KERNEL, PADDING = spec::TRUNK_PADDING;
  localparam GROUP = spec::GROUP_PIXELS, GROUP_BITS = GROUP * spec::PIXEL_BITS;
  localparam GROUPS = spec::BEAT_BITS / GROUP_BITS;                   // a beat
  localparam ROW_GROUPS = SIDE / GROUP;                               // a row
  localparam PAIR_BEATS = spec::POOL * ROW_GROUPS / GROUPS;           // a pair of rows
  localparam FIRST_BEAT = ROW_GROUPS / GROUPS;                        // of a pair, that completes a token
  localparam REACH = PADDING * ROW_GROUPS + 1;                        // groups to the farthest neighbour
  localparam LAG_BEATS = (REACH + GROUPS - 1) / GROUPS;               // from the newest beat to the convolved one
  localparam LAG = LAG_BEATS + (GROUPS == 1 ? 0 : FIRST_BEAT);        // from the newest beat to the token
  localparam WINDOW = LAG_BEATS * GROUPS + GROUPS + REACH;            // groups held
  localparam ROWS = ROW_GROUPS + GROUPS;                              // groups held, pooled horizontally
  localparam POOLED = GROUPS == 1 ? 1 : ROW_GROUPS;                   // groups held, pooled in both directions
  localparam COLUMNS = GROUP + KERNEL - 1;                            // pixels of a row of a patch
  localparam PATCH_BITS = KERNEL * COLUMNS * spec::PIXEL_BITS;
  localparam PIECE = 2 * GROUP_BITS;                                  // of the window, that moves by one register
  localparam PIECES = (WINDOW * GROUP_BITS + PIECE - 1) / PIECE;
  localparam START = SIDE * ROW_GROUPS - LAG_BEATS * GROUPS;          // as if another image had gone before

  // Steps ------------------------------------------------------------------------------------------------------------

  reg [4:0] row;     // of the first group that the next step convolves
  reg [2:0] column;
  reg [3:0] pair_beat;
  reg emits;         // the next step

  wire active, reading, filled_after;
  wire may_step = !emits || room;
  wire step = active && may_step && (!reading || word_valid);
  assign word_ready = reading && may_step;
  assign reserve = step && emits;
  steps #(.IMAGE_STEPS(spec::IMAGE_BEATS), .LAG(LAG)) counter (
      .clock(clock), .reset(reset), .start(start), .num_images(num_images), .step(step),
      .active(active), .reading(reading), .filled(), .image_ends(), .image_step(), .reading_after(),
      .filled_after(filled_after));

  // Row and column of each group of the step, and behind them those of the next step's first.
  wire [5*(GROUPS+1)-1:0] rows_of;
  wire [3*(GROUPS+1)-1:0] columns_of;
  assign rows_of[4:0] = row;
  assign columns_of[2:0] = column;
  for (genvar group = 0; group < GROUPS; group = group + 1) begin : position
    wire wraps = columns_of[3*group +: 3] == ROW_GROUPS - 1;
    assign columns_of[3*(group+1) +: 3] = wraps ? 3'd0 : columns_of[3*group +: 3] + 1'b1;
    assign rows_of[5*(group+1) +: 5] = !wraps ? rows_of[5*group +: 5]
        : rows_of[5*group +: 5] == SIDE - 1 ? 5'd0 : rows_of[5*group +: 5] + 1'b1;
  end
  always @(posedge clock) begin
    if (start) begin
      row <= START / ROW_GROUPS;
      column <= START % ROW_GROUPS;
      pair_beat <= START / GROUPS % PAIR_BEATS;
      emits <= 0;
    end else if (step) begin
      row <= rows_of[5*GROUPS +: 5];
      column <= columns_of[3*GROUPS +: 3];
      pair_beat <= pair_beat == PAIR_BEATS - 1 ? 4'd0 : pair_beat + 1'b1;
      emits <= filled_after && (GROUPS == 2 || (pair_beat >= FIRST_BEAT - 1 && pair_beat != PAIR_BEATS - 1));
    end
  end

  // Window, and the masked patch around each group -------------------------------------------------------------------

  // The window moves two clocks behind the step, each piece of it by a register of its own. What accompanies the step
  // flows on in each clock: a patch is looked at only in the clock behind its step's.
  reg moves;
  wire [PIECES-1:0] moves_piece;
  copies #(.COUNT(PIECES)) copies_of_moves (.clock(clock), .entering(moves), .leaving(moves_piece));

  wire [spec::BEAT_BITS-1:0] newest_first;
  for (genvar group = 0; group < GROUPS; group = group + 1) begin : turn
    assign newest_first[(GROUPS-1-group)*GROUP_BITS +: GROUP_BITS] = word[group*GROUP_BITS +: GROUP_BITS];
  end
  reg [spec::BEAT_BITS-1:0] arriving, arrived;
  reg [5*GROUPS-1:0] convolved_rows;
  reg [3*GROUPS-1:0] convolved_columns;
  always @(posedge clock) begin
    moves <= step;
    arriving <= reading ? newest_first : {spec::BEAT_BITS{1'b0}};
    arrived <= arriving;
    convolved_rows <= rows_of[5*GROUPS-1:0];
    convolved_columns <= columns_of[3*GROUPS-1:0];
  end

  reg [WINDOW*GROUP_BITS-1:0] window;  // the newest group in the lowest bits
  wire [WINDOW*GROUP_BITS-1:0] moved = {window, arrived};
  for (genvar piece = 0; piece < PIECES; piece = piece + 1) begin : move
    localparam FIRST = piece * PIECE, BITS = FIRST + PIECE > WINDOW * GROUP_BITS ? WINDOW * GROUP_BITS - FIRST : PIECE;
    always @(posedge clock) if (moves_piece[piece]) window[FIRST +: BITS] <= moved[FIRST +: BITS];
  end

  wire [GROUPS*spec::TOKEN_BITS-1:0] convolved;  // pooled horizontally, the newest group in the lowest bits
  for (genvar group = 0; group < GROUPS; group = group + 1) begin : convolution
    localparam NEWEST = GROUPS - 1 - group;
    reg [KERNEL-1:0] row_outside;
    reg left_outside, right_outside;
    reg [PATCH_BITS-1:0] patch;
    always @(posedge clock) begin
      left_outside <= convolved_columns[3*group +: 3] == 0;
      right_outside <= convolved_columns[3*group +: 3] == ROW_GROUPS - 1;
    end
    for (genvar y = 0; y < KERNEL; y = y + 1) begin : patch_row
      localparam PLACE = LAG_BEATS * GROUPS + NEWEST - (y - PADDING) * ROW_GROUPS;
      reg beyond;  // of the image, is the row
      always @* begin
        beyond = 0;
        for (int at = 0; at < SIDE; at = at + 1)
          if (at + y < PADDING || at + y >= SIDE + PADDING) beyond = beyond || convolved_rows[5*group +: 5] == at;
      end
      // One register for each part of the row, that resets the pixels.
      reg left_masked, masked, right_masked;
      always @(posedge clock) begin
        row_outside[y] <= beyond;
        left_masked <= row_outside[y] || left_outside;
        masked <= row_outside[y];
        right_masked <= row_outside[y] || right_outside;
      end
      for (genvar x = 0; x < COLUMNS; x = x + 1) begin : patch_column
        localparam SHIFT = x < PADDING ? 1 : x < PADDING + GROUP ? 0 : -1;  // the group to the left, its own, the right
        localparam PIXEL = (PLACE + SHIFT) * GROUP + x - PADDING + SHIFT * GROUP;
        wire none = SHIFT == 1 ? left_masked : SHIFT == -1 ? right_masked : masked;
        always @(posedge clock) patch[(y*COLUMNS+x)*spec::PIXEL_BITS +: spec::PIXEL_BITS] <=
            none ? {spec::PIXEL_BITS{1'b0}} : window[PIXEL*spec::PIXEL_BITS +: spec::PIXEL_BITS];
      end
    end
    trunk_arithmetic arithmetic (
        .clock(clock), .patch(patch), .token(convolved[NEWEST*spec::TOKEN_BITS +: spec::TOKEN_BITS]));
  end

  // Vertical pooling, and the order of tokens ------------------------------------------------------------------------

  wire convolved_soon, emits_soon;  // a clock ahead
  accompany #(.WIDTH(2), .CLOCKS(spec::TRUNK_LATENCY + 3)) accompany_convolution (
      .clock(clock), .reset(reset), .entering({step, reserve}), .leaving({convolved_soon, emits_soon}));
  wire [ROWS-1:0] convolved_valid;  // for each group held
  copies #(.COUNT(ROWS)) copies_of_convolved (.clock(clock), .entering(convolved_soon), .leaving(convolved_valid));
  wire [POOLED-1:0] rows_valid;
  copies #(.COUNT(POOLED)) copies_of_rows (.clock(clock), .entering(convolved_valid[0]), .leaving(rows_valid));

  reg [ROWS*spec::TOKEN_BITS-1:0] rows;      // groups pooled horizontally, the newest in the lowest bits
  reg [POOLED*spec::TOKEN_BITS-1:0] pooled;  // groups pooled in both directions, likewise
  wire [GROUPS*spec::TOKEN_BITS-1:0] greater;
  maximum_each #(.COUNT(GROUPS * spec::TOKEN_BITS / spec::ACTIVATION_BITS)) vertical (
      .a(rows[0 +: GROUPS*spec::TOKEN_BITS]), .b(rows[ROW_GROUPS*spec::TOKEN_BITS +: GROUPS*spec::TOKEN_BITS]),
      .greater(greater));
  wire [ROWS*spec::TOKEN_BITS-1:0] moved_rows = {rows, convolved};
  wire [POOLED*spec::TOKEN_BITS-1:0] moved_pooled = {pooled, greater};
  for (genvar place = 0; place < ROWS; place = place + 1) begin : row_place
    always @(posedge clock) if (convolved_valid[place])
      rows[place*spec::TOKEN_BITS +: spec::TOKEN_BITS] <= moved_rows[place*spec::TOKEN_BITS +: spec::TOKEN_BITS];
  end
  for (genvar place = 0; place < POOLED; place = place + 1) begin : pooled_place
    always @(posedge clock) if (rows_valid[place])
      pooled[place*spec::TOKEN_BITS +: spec::TOKEN_BITS] <= moved_pooled[place*spec::TOKEN_BITS +: spec::TOKEN_BITS];
  end

  // The next token lies `index` groups behind the newest.
  localparam PARTS = POOLED == 1 ? 1 : 4, PART = spec::TOKEN_BITS / PARTS;
  reg convolved_emits, rows_emit, pooled_emits;
  reg [2:0] index_after;
  wire [3*PARTS-1:0] index;
  always @* begin
    index_after = index[2:0];
    if (pooled_emits) index_after = index[2:0] == ROW_GROUPS - 1 ? 3'd0 : index[2:0] + 1'b1;
    if (start) index_after = 3'd0;
  end
  copies #(.WIDTH(3), .COUNT(PARTS)) copies_of_index (.clock(clock), .entering(index_after), .leaving(index));
  for (genvar part = 0; part < PARTS; part = part + 1) begin : part_of_token
    always @(posedge clock) for (int place = 0; place < POOLED; place = place + 1) begin
      if (POOLED == 1 || index[3*part +: 3] == place)
        token[part*PART +: PART] <= pooled[place*spec::TOKEN_BITS+part*PART +: PART];
    end
  end
  always @(posedge clock) begin
    convolved_emits <= emits_soon && !reset;
    rows_emit <= convolved_emits && !reset;
    pooled_emits <= rows_emit && !reset;
    token_valid <= pooled_emits && !reset;
    feature_token_valid <= pooled_emits && with_features && !reset;
  end
endmodule
