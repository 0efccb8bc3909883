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

# The process that a module belongs to: a loop is in the module of its function, or in one of its own behind that. What
# is in an anonymous namespace has that in its name; of a namespace with a name nothing is left, or the name before it.
proc hls_reports::process_of {module processes} {
    foreach process $processes {
        if {[regexp "^(?:p_anonymous_namespace_|fabric_)?${process}(?:_\\d+)?(?:_s)?(?:_Pipeline_\\w+)?\$" $module]} {
            return $process
        }
    }
    return ""
}

# Name of the C++ file that defines a process, empty where none does.
proc hls_reports::source_of {process sources} {
    foreach source $sources {
        if {[regexp -line "^void ${process}\\(" [contents $source]]} {
            return [file tail $source]
        }
    }
    return ""
}

# A beat a clock needs that every loop which runs while images come starts an iteration in every clock. All that do not
# are named in one error, or in a warning each when `allowed`; one behind the images is a warning always. Returns the
# sentences that name them.
proc hls_reports::check_rate {solution depths sources allowed} {
    variable behind_the_images
    set missed {}
    set loops 0
    foreach report [lsort [glob -nocomplain [file join $solution syn report *_csynth.xml]]] {
        set process [report_process $report [dict keys $depths]]
        foreach {loop interval depth} [loops [contents $report]] {
            incr loops
            if {$interval eq "1"} continue
            set runs [expr {[string is integer -strict $interval] ? "runs every $interval clocks" : "runs unpipelined"}]
            if {$loop in $behind_the_images} {
                puts stderr "warning: loop $loop $runs; it runs only behind a batch that is too long, and does\
                    not change the rate ([file tail $report])"
                continue
            }
            set where [expr {$process eq "" ? "" : " of $process ([source_of $process $sources])"}]
            lappend missed "loop $loop$where $runs ([file tail $report])"
        }
    }
    if {!$loops} {
        failure::raise "no loop in the reports of [file join $solution syn report]: its rate cannot be checked"
    }
    if {[llength $missed] && !$allowed} {
        failure::raise "the specified rate needs an iteration in every clock, and [llength $missed] of $loops loops miss\
            it: [join $missed {; }]. --allow-rate builds all the same"
    }
    foreach sentence $missed {
        puts stderr "warning: $sentence: the circuit is slower than specified (--allow-rate)"
    }
    return $missed
}

proc hls_reports::report_process {report processes} {
    return [process_of [string range [file tail $report] 0 end-[string length _csynth.xml]] $processes]
}

# A pipeline deeper than `depths` has it by process is a warning: the FIFOs were sized for those, and the clocks of a
# batch were told with them. Returns the deepest pipeline that was found of each process.
proc hls_reports::check_depths {solution depths} {
    variable behind_the_images
    set found {}
    foreach report [lsort [glob -nocomplain [file join $solution syn report *_csynth.xml]]] {
        set process [report_process $report [dict keys $depths]]
        foreach {loop interval depth} [loops [contents $report]] {
            if {$process eq "" || $loop in $behind_the_images || ![string is integer -strict $depth]} continue
            set deepest [expr {[dict exists $found $process] ? [dict get $found $process] : 0}]
            dict set found $process [expr {max($deepest, $depth)}]
        }
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

# Text of the first element of a name in an XML text, empty where there is none.
proc hls_reports::element {xml name} {
    if {[regexp "<$name>(.*?)</$name>" $xml -> text]} {
        return [string trim $text]
    }
    return ""
}

# What C synthesis estimates of the fabric, by resource: used and available. Releases name the DSPs differently.
proc hls_reports::area {xml} {
    set estimates [element $xml AreaEstimates]
    set used [element $estimates Resources]
    set available [element $estimates AvailableResources]
    set found {}
    foreach {resource tag} {LUT LUT FF FF DSP DSP DSP DSP48E BRAM_18K BRAM_18K} {
        set counts [list [element $used $tag] [element $available $tag]]
        if {[string is integer -strict [lindex $counts 0]] && [string is integer -strict [lindex $counts 1]]} {
            dict set found $resource $counts
        }
    }
    return $found
}

# Judge area and clock by the estimates of C synthesis, which takes minutes where an implementation takes an hour. Its
# count of look-up tables is rather too high than too low, so what exceeds the part is an error that `allowed` lifts.
# `hint` names the number to turn.
proc hls_reports::check_area {solution kernel hint allowed} {
    set report [file join $solution syn report ${kernel}_csynth.xml]
    set xml [contents $report]
    set area [area $xml]
    if {![dict exists $area LUT]} {
        puts stderr "warning: the reports tell no area: whether the circuit fits the part will show in Vivado ($report)"
        return
    }
    area::check "HLS estimates" $area $hint $allowed
    if {[dict exists $area DSP] && [lindex [dict get $area DSP] 0] > 0} {
        puts stderr "warning: HLS makes [lindex [dict get $area DSP] 0] DSPs of products that are bound to look-up tables\
            (bind_op in hw/hls/arithmetic.h): this release does not heed it"
    }
    set target [element $xml TargetClockPeriod]
    set estimated [element $xml EstimatedClockPeriod]
    if {[string is double -strict $target] && [string is double -strict $estimated] && $estimated > $target} {
        puts stderr "warning: HLS estimates a clock of $estimated ns, $target ns are asked for: timing will hardly be met;\
            ask for a slower --clock"
    }
}
