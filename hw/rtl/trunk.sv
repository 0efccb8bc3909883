// The trunk, as hls/trunk.cpp has it: convolution 5x5, max-pool 2, ReLU. A step is a beat of the stream.
module trunk (
    input wire clock, input wire reset, input wire start, input wire [31:0] num_images,
    input wire [spec::BEAT_BITS-1:0] word, input wire word_valid, output wire word_ready,
    input wire room, output wire reserve,
    output reg [spec::TOKEN_BITS-1:0] token, output reg token_valid);
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
  localparam START = SIDE * ROW_GROUPS - LAG_BEATS * GROUPS;          // as if another image had gone before

  // Steps ------------------------------------------------------------------------------------------------------------

  reg [4:0] row;     // of the first group that the next step convolves
  reg [2:0] column;
  reg [3:0] pair_beat;

  wire active, reading, filled;
  wire emits = filled && (GROUPS == 2 || pair_beat >= FIRST_BEAT);
  wire may_step = !emits || room;
  wire step = active && may_step && (!reading || word_valid);
  assign word_ready = reading && may_step;
  assign reserve = step && emits;
  steps #(.IMAGE_STEPS(spec::IMAGE_BEATS), .LAG(LAG)) counter (
      .clock(clock), .reset(reset), .start(start), .num_images(num_images), .step(step),
      .active(active), .reading(reading), .filled(filled), .image_step());

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
    end else if (step) begin
      row <= rows_of[5*GROUPS +: 5];
      column <= columns_of[3*GROUPS +: 3];
      pair_beat <= pair_beat == PAIR_BEATS - 1 ? 4'd0 : pair_beat + 1'b1;
    end
  end

  // Window, and the masked patch around each group -------------------------------------------------------------------

  reg [WINDOW*GROUP_BITS-1:0] window;  // the newest group in the lowest bits
  wire [spec::BEAT_BITS-1:0] newest_first;
  for (genvar group = 0; group < GROUPS; group = group + 1) begin : turn
    assign newest_first[(GROUPS-1-group)*GROUP_BITS +: GROUP_BITS] = word[group*GROUP_BITS +: GROUP_BITS];
  end
  always @(posedge clock) if (step) window <= {window, reading ? newest_first : {spec::BEAT_BITS{1'b0}}};

  wire [GROUPS*spec::TOKEN_BITS-1:0] convolved;  // pooled horizontally, the newest group in the lowest bits
  for (genvar group = 0; group < GROUPS; group = group + 1) begin : convolution
    localparam NEWEST = GROUPS - 1 - group;
    reg [KERNEL-1:0] row_inside;
    reg left_inside, right_inside;
    reg [PATCH_BITS-1:0] patch;
    always @(posedge clock) if (step) begin
      left_inside <= columns_of[3*group +: 3] != 0;
      right_inside <= columns_of[3*group +: 3] != ROW_GROUPS - 1;
    end
    for (genvar y = 0; y < KERNEL; y = y + 1) begin : patch_row
      localparam PLACE = LAG_BEATS * GROUPS + NEWEST - (y - PADDING) * ROW_GROUPS;
      always @(posedge clock) if (step) row_inside[y] <=
          rows_of[5*group +: 5] + y >= PADDING && rows_of[5*group +: 5] + y < SIDE + PADDING;
      for (genvar x = 0; x < COLUMNS; x = x + 1) begin : patch_column
        localparam SHIFT = x < PADDING ? 1 : x < PADDING + GROUP ? 0 : -1;  // the group to the left, its own, the right
        localparam PIXEL = (PLACE + SHIFT) * GROUP + x - PADDING + SHIFT * GROUP;
        wire masked = row_inside[y] && (SHIFT != 1 || left_inside) && (SHIFT != -1 || right_inside);
        always @(posedge clock) patch[(y*COLUMNS+x)*spec::PIXEL_BITS +: spec::PIXEL_BITS] <=
            masked ? window[PIXEL*spec::PIXEL_BITS +: spec::PIXEL_BITS] : {spec::PIXEL_BITS{1'b0}};
      end
    end
    trunk_arithmetic arithmetic (
        .clock(clock), .patch(patch), .token(convolved[NEWEST*spec::TOKEN_BITS +: spec::TOKEN_BITS]));
  end

  // Vertical pooling, and the order of tokens ------------------------------------------------------------------------

  wire convolved_valid, convolved_emits;
  accompany #(.WIDTH(2), .CLOCKS(spec::TRUNK_LATENCY + 2)) accompany_convolution (
      .clock(clock), .reset(reset), .entering({step, reserve}), .leaving({convolved_valid, convolved_emits}));

  reg [ROWS*spec::TOKEN_BITS-1:0] rows;      // groups pooled horizontally, the newest in the lowest bits
  reg [POOLED*spec::TOKEN_BITS-1:0] pooled;  // groups pooled in both directions, likewise
  reg rows_valid, rows_emit, pooled_emits;
  reg [2:0] index;  // of the next token: it lies that many groups behind the newest
  wire [GROUPS*spec::TOKEN_BITS-1:0] greater;
  maximum_each #(.COUNT(GROUPS * spec::TOKEN_BITS / spec::ACTIVATION_BITS)) vertical (
      .a(rows[0 +: GROUPS*spec::TOKEN_BITS]), .b(rows[ROW_GROUPS*spec::TOKEN_BITS +: GROUPS*spec::TOKEN_BITS]),
      .greater(greater));
  always @(posedge clock) begin
    if (convolved_valid) rows <= {rows, convolved};
    if (rows_valid) pooled <= {pooled, greater};
    for (int place = 0; place < POOLED; place = place + 1) begin
      if (POOLED == 1 || index == place) token <= pooled[place*spec::TOKEN_BITS +: spec::TOKEN_BITS];
    end
    if (start) index <= 0;
    else if (pooled_emits) index <= index == ROW_GROUPS - 1 ? 3'd0 : index + 1'b1;
    rows_valid <= convolved_valid && !reset;
    rows_emit <= convolved_emits && !reset;
    pooled_emits <= rows_emit && !reset;
    token_valid <= pooled_emits && !reset;
  end
endmodule
