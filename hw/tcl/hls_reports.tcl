# What the HLS tool says of the circuit it made, held against the specification.

namespace eval hls_reports {
    # Names of the control registers in the generated driver header.
    variable control_names {CTRL AP_CTRL GIER GIE IP_IER IER IP_ISR ISR}
}

proc hls_reports::contents {path} {
    set channel [open $path]
    set text [read $channel]
    close $channel
    return $text
}

proc hls_reports::tool_version {solution kernel} {
    set report [file join $solution syn report ${kernel}_csynth.xml]
    if {![file readable $report]} {
        failure::raise "HLS left no report $report"
    }
    if {![regexp {<ReportVersion>\s*<Version>\s*([^<\s]+)} [contents $report] -> version]} {
        return unknown
    }
    return $version
}

# Offsets by macro name (AP_CTRL, NUM_IMAGES_DATA, ..) in the text of a driver header x<kernel>_hw.h.
proc hls_reports::header_offsets {text kernel} {
    set offsets {}
    set pattern "#define\\s+X[string toupper $kernel]_CONTROL_ADDR_(\\w+)\\s+0x(\[0-9a-fA-F\]+)"
    foreach {match name offset} [regexp -all -inline $pattern $text] {
        dict set offsets $name [scan $offset %x]
    }
    return $offsets
}

# The software writes to the offsets of the specification; fail with the first register that is elsewhere.
proc hls_reports::check_registers {solution kernel registers} {
    variable control_names
    set headers [glob -nocomplain [file join $solution impl * drivers * src x${kernel}_hw.h]]
    if {![llength $headers]} {
        failure::raise "HLS left no driver header x${kernel}_hw.h below [file join $solution impl]"
    }
    set header [lindex $headers 0]
    set offsets [header_offsets [contents $header] $kernel]
    dict for {name register} $registers {
        set offset [dict get $register offset]
        set macro [string toupper $name]_DATA
        if {[dict exists $control_names $name]} {
            set macro [dict get $control_names $name]
        }
        set wanted [format 0x%02x $offset]
        if {![dict exists $offsets $macro]} {
            failure::raise "register $name: the specification has it at $wanted, HLS made none ($macro in $header)"
        }
        if {[dict get $offsets $macro] != $offset} {
            failure::raise "register $name: the specification has it at $wanted,\
                HLS put it at [format 0x%02x [dict get $offsets $macro]] ($header)"
        }
    }
}

# Loops in the text of a *_csynth.xml, as a flat list: label and initiation interval, empty when it is not pipelined.
# Unrolled loops do not appear there. A loop is an element with a TripCount; its label is its tag or, in some releases,
# a Name inside.
proc hls_reports::loop_intervals {xml} {
    set path {}
    set loops {}
    set elements 0
    foreach {match closing tag text} [regexp -all -inline {<(/?)([\w.-]+)[^<>]*>([^<]*)} $xml] {
        if {$closing ne ""} {
            set path [lrange $path 0 end-2]
            continue
        }
        if {[string match {*/>*} $match]} continue
        if {"SummaryOfLoopLatency" in $path && $tag in {TripCount Name PipelineII}} {
            lassign [lrange $path end-1 end] parent number
            if {![dict exists $loops $number]} {
                dict set loops $number [dict create label $parent interval ""]
            }
            switch -- $tag {
                Name { dict set loops $number label [string trim $text "- \n"] }
                PipelineII { dict set loops $number interval [string trim $text] }
            }
        }
        lappend path $tag [incr elements]
    }
    set listed {}
    foreach loop [dict values $loops] {
        lappend listed [dict get $loop label] [dict get $loop interval]
    }
    return $listed
}

# A beat a clock needs that every loop which is left in the circuit starts an iteration in every clock.
proc hls_reports::check_rate {solution} {
    set loops 0
    foreach report [lsort [glob -nocomplain [file join $solution syn report *_csynth.xml]]] {
        foreach {loop interval} [loop_intervals [contents $report]] {
            incr loops
            if {$interval ne "1"} {
                set reached [expr {[string is integer -strict $interval] ? "every $interval clocks" : "unpipelined"}]
                failure::raise "loop $loop runs $reached;\
                    the specified rate needs an iteration in every clock ($report)"
            }
        }
    }
    if {!$loops} {
        failure::raise "no loop in the reports of [file join $solution syn report]: its rate cannot be checked"
    }
}
