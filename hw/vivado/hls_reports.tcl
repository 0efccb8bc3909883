# What the HLS tool says of the circuit it made, held against the specification.

namespace eval hls_reports {
    # Names of the control registers in the generated driver header.
    variable control_names {CTRL AP_CTRL GIER GIE IP_IER IER IP_ISR ISR}

    # Loops by label that run at most once a batch, behind its last image: neither their interval nor their depth
    # changes the rate or fills a FIFO.
    variable behind_the_images {drain}
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

# Loops in the text of a *_csynth.xml, as a flat list: label, initiation interval and depth of the pipeline; these two are
# empty when it is not pipelined. Unrolled loops do not appear there. A loop is an element with a TripCount; its label is
# its tag or, in some releases, a Name inside.
proc hls_reports::loops {xml} {
    set path {}
    set loops {}
    set elements 0
    foreach {match closing tag text} [regexp -all -inline {<(/?)([\w.-]+)[^<>]*>([^<]*)} $xml] {
        if {$closing ne ""} {
            set path [lrange $path 0 end-2]
            continue
        }
        if {[string match {*/>*} $match]} continue
        if {"SummaryOfLoopLatency" in $path && $tag in {TripCount Name PipelineII PipelineDepth}} {
            lassign [lrange $path end-1 end] parent number
            if {![dict exists $loops $number]} {
                dict set loops $number [dict create label $parent PipelineII "" PipelineDepth ""]
            }
            switch -- $tag {
                Name { dict set loops $number label [string trim $text "- \n"] }
                PipelineII - PipelineDepth { dict set loops $number $tag [string trim $text] }
            }
        }
        lappend path $tag [incr elements]
    }
    set listed {}
    foreach loop [dict values $loops] {
        lappend listed {*}[dict values $loop]
    }
    return $listed
}

# The process that a module belongs to: a loop is in the module of its function, or in one of its own behind that.
proc hls_reports::process_of {module processes} {
    foreach process $processes {
        if {[regexp "^(?:fabric_)?${process}(?:_\\d+)?(?:_s)?(?:_Pipeline_\\w+)?\$" $module]} {
            return $process
        }
    }
    return ""
}

# A beat a clock needs that every loop which runs while images come starts an iteration in every clock: one that does
# not is an error, and a warning behind the images. A pipeline deeper than `depths` has it by process is a warning: the
# FIFOs were sized for those, and the clocks of a batch were told with them. Returns the deepest pipeline that was found
# of each process.
proc hls_reports::check_rate {solution depths} {
    variable behind_the_images
    set found {}
    set loops 0
    foreach report [lsort [glob -nocomplain [file join $solution syn report *_csynth.xml]]] {
        set process [process_of [string range [file tail $report] 0 end-[string length _csynth.xml]] [dict keys $depths]]
        foreach {loop interval depth} [loops [contents $report]] {
            incr loops
            if {$interval ne "1"} {
                set reached [expr {[string is integer -strict $interval] ? "every $interval clocks" : "unpipelined"}]
                if {$loop ni $behind_the_images} {
                    failure::raise "loop $loop runs $reached;\
                        the specified rate needs an iteration in every clock ($report)"
                }
                puts stderr "warning: loop $loop runs $reached; it runs only behind a batch that is too long, and does\
                    not change the rate ($report)"
            }
            if {$loop in $behind_the_images} continue
            if {$process ne "" && [string is integer -strict $depth]} {
                set deepest [expr {[dict exists $found $process] ? [dict get $found $process] : 0}]
                dict set found $process [expr {max($deepest, $depth)}]
            }
        }
    }
    if {!$loops} {
        failure::raise "no loop in the reports of [file join $solution syn report]: its rate cannot be checked"
    }
    dict for {process modelled} $depths {
        if {![dict exists $found $process]} {
            puts stderr "warning: the reports tell no depth of the pipeline of $process; the cycle model has $modelled"
        } elseif {[dict get $found $process] > $modelled} {
            puts stderr "warning: the pipeline of $process is [dict get $found $process] clocks deep, the cycle model has\
                $modelled: FIFOs are sized and clocks are told for that. Set PIPELINE_DEPTHS in pynq_ee/network/spec.py, let\
                tests/hw/hls/test_dataflow.py check the FIFOs, export and build again"
        }
    }
    return $found
}
