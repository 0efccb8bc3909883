# Timing of the routed design: a bitstream that does not meet it is not written.

namespace eval check_timing {}

# Worst slacks in ns of the open design, as a dict: setup, hold, and the pulse widths' total (0 when all are met).
proc check_timing::slacks {run} {
    set slacks {}
    foreach {name delay} {setup max hold min} {
        set path [get_timing_paths -delay_type $delay -max_paths 1 -nworst 1]
        dict set slacks $name [expr {[llength $path] ? [get_property SLACK $path] : ""}]
    }
    dict set slacks pulse_width [get_property STATS.TPWS $run]
    return $slacks
}

# Fail on the first slack that is negative, or that nobody knows: a clock without a constraint meets everything.
proc check_timing::require {slacks report} {
    dict for {name slack} $slacks {
        set what [string map {_ " "} $name]
        if {![string is double -strict $slack]} {
            failure::raise "timing is not known: no $what slack was reported; is the clock constrained? ($report)"
        }
        if {$slack < 0} {
            failure::raise "timing is not met: the $what slack is $slack ns; a slower --clock, or see $report"
        }
    }
}
