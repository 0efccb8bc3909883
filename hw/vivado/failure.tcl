# Failures that a user can act on: one line each, told apart from defects of these scripts by their error code.

namespace eval failure {}

# Stop with one line that says what is wrong and what to do.
proc failure::raise {message} {
    return -code error -errorcode BUILD [regsub -all {\s*\n\s*} [string trim $message] " "]
}

# Run one stage of the build in the caller's scope. Whatever fails in it comes out as one line that names the stage;
# the trace of an error that no check foresaw goes to a file in `work`. `cleanup` runs after a failure.
proc failure::in_stage {stage work script {cleanup {}}} {
    if {![catch {uplevel 1 $script} result options]} {
        return $result
    }
    uplevel 1 $cleanup
    if {[dict get $options -errorcode] eq "BUILD"} {
        return -code error -errorcode BUILD $result
    }
    set trace [file join $work error.log]
    set channel [open $trace w]
    puts $channel [dict get $options -errorinfo]
    close $channel
    raise "$stage failed: [lindex [split $result \n] 0] (trace: $trace)"
}
