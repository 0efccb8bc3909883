// Each burst is answered once, with its identity, and each word of it by the slave whose it is: by DECERR where there is
// none, and by SLVERR in his stead when his reset has lasted for PATIENCE, and not before. What is offered stays. With
// the answer nothing of the word is left, in the bridge or in a slave, whatever resets there were.
  reg f_started = 0;
  always @(posedge clock) f_started <= 1;
  always @* if (!f_started) assume(reset);

  // Slaves that do what axi_lite_slave.svh proves. A reset comes through a register to them, lasts longer than that
  // (axi_dma.svh), and what they say is zero a clock behind it.
  reg [SLAVES-1:0] f_off = 0, f_quiet = 0, f_address = 0, f_data = 0, f_reads = 0;
  reg [PATIENCE_BITS+1:0] f_low [0:SLAVES-1];        // clocks that a reset has lasted, twice PATIENCE for more
  reg [1:0] f_write_turn [0:SLAVES-1], f_read_turn [0:SLAVES-1];  // clocks in which a slave had to go on and did not
  genvar f_index;
  for (f_index = 0; f_index < SLAVES; f_index = f_index + 1) begin : f_slaves
    wire takes_address = lite_awvalid[f_index] && lite_awready[f_index];
    wire takes_data = lite_wvalid[f_index] && lite_wready[f_index];
    wire takes_read = lite_arvalid[f_index] && lite_arready[f_index];
    wire writes = lite_bvalid[f_index] && lite_bready[f_index];
    wire reads = lite_rvalid[f_index] && lite_rready[f_index];
    wire works = !reset && lite_resetn[f_index] && !f_off[f_index] && !f_quiet[f_index];
    wire write_due = (lite_awvalid[f_index] && !f_address[f_index]) || (lite_wvalid[f_index] && !f_data[f_index])
                     || (f_address[f_index] && f_data[f_index]);
    wire read_due = (lite_arvalid[f_index] && !f_reads[f_index]) || f_reads[f_index];
    always @(posedge clock) begin
      f_off[f_index] <= reset || !lite_resetn[f_index];
      f_quiet[f_index] <= f_off[f_index];
      if (f_off[f_index]) {f_address[f_index], f_data[f_index], f_reads[f_index]} <= 3'b000;
      else begin
        f_address[f_index] <= (takes_address || f_address[f_index]) && !writes;
        f_data[f_index] <= (takes_data || f_data[f_index]) && !writes;
        f_reads[f_index] <= (takes_read || f_reads[f_index]) && !reads;
      end
      if (reset || lite_resetn[f_index]) f_low[f_index] <= 0;
      else if (!f_low[f_index][PATIENCE_BITS+1]) f_low[f_index] <= f_low[f_index] + 1'b1;
      f_write_turn[f_index] <=
          !works || !write_due || takes_address || takes_data || writes ? 2'd0 : f_write_turn[f_index] + 1'b1;
      f_read_turn[f_index] <= !works || !read_due || takes_read || reads ? 2'd0 : f_read_turn[f_index] + 1'b1;
    end
    always @* begin
      if (f_quiet[f_index]) assume({lite_awready[f_index], lite_wready[f_index], lite_bvalid[f_index],
                                    lite_arready[f_index], lite_rvalid[f_index]} == 0);
      if (lite_awready[f_index]) assume(!f_address[f_index]);
      if (lite_wready[f_index]) assume(!f_data[f_index]);
      if (lite_arready[f_index]) assume(!f_reads[f_index]);
      if (lite_bvalid[f_index]) assume(f_address[f_index] && f_data[f_index]);
      if (lite_rvalid[f_index]) assume(f_reads[f_index]);
      if (f_started && lite_resetn[f_index]) assume(f_low[f_index] == 0 || f_low[f_index] >= 3);
      if (f_started && works) assume(f_write_turn[f_index] < 3 && f_read_turn[f_index] < 3);
    end
    always @(posedge clock) if (f_started) begin
      // Asked for what is his, once, also behind a reset, and for no more than he owes an answer to.
      if (lite_awvalid[f_index] || lite_wvalid[f_index])
        assert (write_waits && writes_to[f_index]);
      if (lite_arvalid[f_index]) assert (read_waits && reads_from[f_index]);
      if (f_address[f_index] || f_data[f_index]) assert (write_waits || reset || f_off[f_index]);
      if (f_reads[f_index]) assert (read_waits || reset || f_off[f_index]);
      if (works && !$past(f_quiet[f_index])) begin
        assert (!(lite_awvalid[f_index] && f_address[f_index]) && !(lite_wvalid[f_index] && f_data[f_index]));
        assert (!(lite_arvalid[f_index] && f_reads[f_index]));
        if (write_waits && writes_to[f_index])
          assert ((lite_awvalid[f_index] || f_address[f_index]) && (lite_wvalid[f_index] || f_data[f_index]));
        if (read_waits && reads_from[f_index]) assert (lite_arvalid[f_index] || f_reads[f_index]);
      end
      if (lite_bvalid[f_index]) assert (lite_bready[f_index] || reset || f_off[f_index]);
      if (lite_rvalid[f_index]) assert (lite_rready[f_index] || reset || f_off[f_index]);
      assert (gone[f_index] == (!lite_resetn[f_index] && f_low[f_index] >= 1 << PATIENCE_BITS));
    end
  end

  // What the master has asked for, and is owed.
  reg f_write = 0, f_read = 0, f_first_write = 0, f_first_read = 0;
  reg [ID_BITS-1:0] f_write_id, f_read_id;
  reg [31:0] f_write_address, f_read_address, f_word, f_read_word;
  reg [3:0] f_strobe;
  reg [4:0] f_writes_left = 0, f_reads_left = 0;      // words without an answer
  reg [1:0] f_write_response, f_read_response;
  wire [1:0] f_write_answer = writes_to == 0 ? DECERR : lite_bvalid != 0 ? write_answer : SLVERR;
  wire f_writes_end = s_axi_bvalid && s_axi_bready;
  wire f_takes_read = s_axi_arvalid && s_axi_arready;
  always @(posedge clock) begin
    if (reset) {f_write, f_read, f_writes_left, f_reads_left} <= 0;
    else begin
      if (s_axi_awvalid && s_axi_awready) begin
        f_write <= 1;
        f_first_write <= 1;
        f_write_id <= s_axi_awid;
        f_write_address <= s_axi_awaddr;
        f_writes_left <= s_axi_awlen + 1'b1;
        f_write_response <= OKAY;
      end else if (f_writes_end) f_write <= 0;
      if (s_axi_wvalid && s_axi_wready) {f_word, f_strobe} <= {s_axi_wdata, s_axi_wstrb};
      if (word_written) begin
        f_first_write <= 0;
        f_writes_left <= f_writes_left - 1'b1;
        f_write_response <= f_write_response | f_write_answer;
      end
      if (f_takes_read) begin
        f_read <= 1;
        f_first_read <= 1;
        f_read_id <= s_axi_arid;
        f_read_address <= s_axi_araddr;
        f_reads_left <= s_axi_arlen + 1'b1;
      end
      if (word_read) begin
        f_read_response <= reads_from == 0 ? DECERR : lite_rvalid != 0 ? read_answer : SLVERR;
        f_read_word <= lite_rvalid != 0 && reads_from != 0 ? read_word : 0;
      end
      if (word_taken) begin
        f_first_read <= 0;
        f_reads_left <= f_reads_left - 1'b1;
        if (f_reads_left == 1) f_read <= 0;
      end
    end
  end
  always @* assume(s_axi_awsize <= 2 && s_axi_arsize <= 2 && s_axi_awburst != 3 && s_axi_arburst != 3);

  always @(posedge clock) if (f_started && !$past(reset)) begin
    assert (f_write == (s_axi_wready || write_asks || write_waits || s_axi_bvalid) && !(f_write && s_axi_awready));
    assert (s_axi_wready + write_asks + write_waits + s_axi_bvalid <= 1);
    if (f_write) assert (s_axi_bvalid == (f_writes_left == 0) && s_axi_bid == f_write_id);
    if (s_axi_bvalid) assert (s_axi_bresp == f_write_response);
    if ($past(s_axi_bvalid && !s_axi_bready)) assert (s_axi_bvalid && $stable({s_axi_bid, s_axi_bresp}));
    if (write_waits) assert (lite_wdata == f_word && lite_wstrb == f_strobe);
    if (write_waits && f_first_write) assert (lite_awaddr == f_write_address[RANGE_BITS-1:0]);
    if (write_given_up) assert ((writes_to & gone) != 0 && lite_bvalid == 0);
    if ($past(write_waits && (writes_to & gone) != 0)) assert (!write_waits);

    assert (f_read == (read_asks || read_waits || s_axi_rvalid) && !(f_read && s_axi_arready));
    assert (read_asks + read_waits + s_axi_rvalid <= 1);
    if (f_read) assert (f_reads_left != 0 && s_axi_rid == f_read_id && s_axi_rlast == (f_reads_left == 1));
    if (s_axi_rvalid) assert (s_axi_rdata == f_read_word && s_axi_rresp == f_read_response);
    if ($past(s_axi_rvalid && !s_axi_rready))
      assert (s_axi_rvalid && $stable({s_axi_rid, s_axi_rdata, s_axi_rresp, s_axi_rlast}));
    if (read_waits && f_first_read) assert (lite_araddr == f_read_address[RANGE_BITS-1:0]);
    if (read_given_up) assert ((reads_from & gone) != 0 && lite_rvalid == 0);
    if ($past(read_waits && (reads_from & gone) != 0)) assert (!read_waits);
  end
