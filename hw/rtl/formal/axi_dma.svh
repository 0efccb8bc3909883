// A soft reset of either channel, asked for in any state, begins at once, ends within 17 clocks from when nothing is
// under way in either engine, and never before; then all is as after power-up (dma_registers.svh). As long as it lasts
// both engines are stopped, and are drained within a bounded time (dma_engines.sv): together that bounds it. The reset
// of what the streams lead to lasts 16 clocks at least.
  reg f_started = 0;
  always @(posedge clock) f_started <= 1;
  always @* if (!f_started) assume(!resetn);
  reg f_hard = 1;              // the reset is the hardware's
  always @(posedge clock) f_hard <= !resetn;

  reg [4:0] f_ready = 0;       // clocks of a soft reset since everything was drained
  always @(posedge clock)
    f_ready <= resetting && !reset && send_drained && receive_drained ? f_ready + 1'b1 : 5'd0;
  reg f_up = 0;                // since the hardware's reset, which may be short
  always @(posedge clock) f_up <= resetn && (mm2s_prmry_reset_out_n || f_up);
  reg [4:0] f_low = 0;         // clocks of the kernel's reset, 16 for more
  always @(posedge clock) f_low <= mm2s_prmry_reset_out_n ? 5'd0 : f_low >= 16 ? 5'd16 : f_low + 1'b1;

  wire f_asks = write && (write_word == 0 || write_word == 12) && write_data[2];

  always @(posedge clock) if (f_started && resetn && $past(resetn)) begin
    if ($past(f_asks && !reset)) assert (resetting);
    if (reset && !f_hard) assert (send_drained && receive_drained);
    if (!$past(reset) && $past(resetting)) assert (resetting || reset);
    if (resetting && !reset) assert (f_ready <= reset_clocks);
    if (reset && !f_hard) assert (resetting && reset_clocks == 15 && f_ready <= 16);
    if (f_up && mm2s_prmry_reset_out_n && resetting) assert (reset_clocks == 0 && !reset);
    if (f_up && !mm2s_prmry_reset_out_n) assert (resetting ? f_low + 1 >= reset_clocks + reset : f_low >= 16);
    if (f_up && !$past(mm2s_prmry_reset_out_n)) assert (!mm2s_prmry_reset_out_n || $past(f_low) >= 16);
    if ($past(reset)) assert (!mm2s_introut && !s2mm_introut);
  end
