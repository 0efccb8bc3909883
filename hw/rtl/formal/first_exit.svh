// The kernel's streams, whatever comes out of its core, its registers and its checksums (prove.sh), but for what is
// assumed here: what is offered stays until it is taken, to the core, to the framing and out of the kernel; no image is
// taken but in a run; a run ends once, when nothing of it is left, and then it does end.
  reg f_started = 0;
  always @(posedge ap_clk) f_started <= f_started || reset;
  always @* if (!f_started) assume(!ap_rst_n);

  // The registers: from a start to its end there is no other (kernel_registers.svh).
  reg f_under_way = 0;
  always @(posedge ap_clk) f_under_way <= !reset && !finish && (start || f_under_way);
  always @* if (f_under_way) assume(!start);

  // The master: what it offers stays. The core: it gives words of the batch alone (output.sv).
  always @(posedge ap_clk) if (f_started && !$past(reset) && $past(images_TVALID && !images_TREADY))
    assume(images_TVALID && $stable(images_TDATA) && $stable(images_TLAST));
  always @* if (merged_valid) assume(f_under_way && !frame_done);

  // When the core tells of being done, and that is not still of the batch before, it stays so until the next.
  localparam LAG = 4;  // clocks
  reg [2:0] f_since = 0;
  reg f_stays = 0;
  always @(posedge ap_clk) begin
    f_since <= reset || start ? 3'd0 : f_since >= LAG ? LAG : f_since + 1'b1;
    f_stays <= f_since == LAG && core_done && !reset && !start;
  end
  always @* if (f_stays) assume(core_done);

  reg [4:0] f_over = 0;                // clocks of a run of which nothing is left
  wire f_nothing_left = unframe_done && core_done && frame_done && !results_TVALID;
  always @(posedge ap_clk) f_over <= running && !finish && !reset && f_nothing_left ? f_over + 1'b1 : 5'd0;

  always @(posedge ap_clk) if (f_started) begin
    assert (&results_TKEEP && &results_TSTRB);
    if (!$past(reset)) begin
      if ($past(results_TVALID && !results_TREADY))
        assert (results_TVALID && $stable(results_TDATA) && $stable(results_TLAST));
      if ($past(word_valid && !word_ready)) assert (word_valid && $stable(word));
      if ($past(merged_valid && !merged_ready)) assert (merged_valid && $stable(merged));
    end
    assert (running == f_under_way);
    if (!reset) begin
      if (!running) assert (unframe_done && !images_TREADY && !framed_valid && !results_TVALID);
      if (finish) assert (running && f_nothing_left && !$past(finish));
      assert (f_over <= settled + 1 + finish && settled <= SETTLE_CLOCKS);
    end
  end
