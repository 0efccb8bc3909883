// What the engine may rely on, and what software reads.
  reg f_started = 0;
  always @(posedge clock) f_started <= 1;
  always @* if (!f_started) assume(reset);
  always @(posedge clock) if (f_started && $past(write)) assume(!write);  // the bus is not that fast
  reg f_active = 0;  // a transfer that the engine knows
  always @(posedge clock) f_active <= !reset && (start || (f_active && !complete && !stopped && !failed));
  // The engine ends what has begun, once, and says that it has stopped when it was asked to.
  always @* begin
    if (complete || failed) assume(f_active && !start);
    assume(!(complete && stopped) && !(complete && failed) && !(stopped && failed));
    if (stopped) assume(stopping && !start);
    if (failed) assume(internal_error || slave_error || decode_error);
  end
  always @(posedge clock) if (f_started) begin
    if (f_active) assert (transfer && !start);
    if (transfer) assert (f_active || start || pending || stopping);
  end

  always @(posedge clock) if (f_started) begin
    if (start) assert (transfer && length != 0 && (run || stopping) && errors == 0 && !pending);
    if (load) assert (length != 0 && (run || stopping || errors != 0));
    if (load && !start) assert (stopping || errors != 0);
    if (pending) assert (stopping && run && length != 0);
    if (errors != 0) assert (!run && !idle && !pending);
    assert (!(idle && halted) && (run || !idle));
    if (idle) assert (!transfer && !stopping && !pending);
    if (halted) assert (!transfer);
    if (!$past(reset) && $past(stopping && !stopped)) assert (stopping);
    if (!$past(reset) && $past(stopping && pending && stopped && !failed && !(writes_control && !write_data[0])))
      assert (start);
    if (!$past(reset) && $past(on_complete) && !$past(writes_status && write_data[12])) assert (on_complete);
    if (!$past(reset) && $past(on_error) && !$past(writes_status && write_data[14])) assert (on_error);
    if (!$past(reset) && $past(errors != 0)) assert (errors != 0);
    if ($past(reset)) assert (halted && !(run || idle || transfer || pending || stopping));
    if ($past(reset)) assert (!(load || start || interrupt));
    if ($past(reset)) assert ({enables, errors, on_complete, on_error, address_register, length} == 0);
  end
