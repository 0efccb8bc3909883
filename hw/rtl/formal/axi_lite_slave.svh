// Answers stay until they are taken, are as many as the requests, and come within a few clocks; so does the next ready.
  reg f_started = 0;
  always @(posedge clock) f_started <= 1;
  always @* if (!f_started) assume(reset);

  reg f_address = 0, f_data = 0, f_reads = 0;  // taken, and not yet answered
  reg [2:0] f_write_wait = 0, f_read_wait = 0;   // clocks in which the slave had to do something
  reg f_wrote = 0;
  always @(posedge clock) begin
    if (reset) begin
      {f_address, f_data, f_reads, f_wrote} <= 0;
      f_write_wait <= 0;
      f_read_wait <= 0;
    end else begin
      if (awvalid && awready) f_address <= 1;
      else if (bvalid && bready) f_address <= 0;
      if (wvalid && wready) f_data <= 1;
      else if (bvalid && bready) f_data <= 0;
      if (arvalid && arready) f_reads <= 1;
      else if (rvalid && rready) f_reads <= 0;
      if (write) f_wrote <= !(bvalid && bready);
      else if (bvalid && bready) f_wrote <= 0;
      // Somebody else's turn: the master's, who has half of a write to give, or an answer to take.
      f_write_wait <= bvalid || (awready && !f_address) || (wready && !f_data) ? 3'd0 : f_write_wait + 1'b1;
      f_read_wait <= rvalid || arready ? 3'd0 : f_read_wait + 1'b1;
    end
  end

  always @(posedge clock) if (f_started) begin
    assert (f_write_wait <= 2 && f_read_wait <= 2);
    assert (!(awready && f_address) && !(wready && f_data) && !(arready && f_reads));
    assert (!(rvalid && read) && !(rvalid && answered) && !(read && answered));
    assert (!(arready && (read || answered || rvalid)));
    assert (f_reads == (read || answered || rvalid));
    assert (begun || (!awready && !wready));
    assert (begun ? f_address == !awready && f_data == !wready && !bvalid : f_address == bvalid && f_data == bvalid);
    if (bvalid) assert (f_address && f_data && (f_wrote || write));
    assert (!(write && f_wrote));   // each write is done once,
    if (f_wrote || write) assert (bvalid);
    if (rvalid) assert (f_reads);
    if (!$past(reset) && $past(bvalid && !bready)) assert (bvalid);
    if (!$past(reset) && $past(rvalid && !rready)) assert (rvalid && $stable(rdata));
  end
