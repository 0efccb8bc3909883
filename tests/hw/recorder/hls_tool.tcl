# The HLS tool, recorded: runs a script with the commands of Vitis HLS and leaves what the flow reads of its output.
#
#     tclsh hls_tool.tcl -f SCRIPT                    as vitis_hls is called
#     tclsh hls_tool.tcl --mode hls --tcl SCRIPT      as vitis-run is called
#
# The circuit's interface is read from the C++ source: its streams, its registers and their offsets, its pipelined
# loops. A pragma that is not on the list is refused, where the tool would only warn. The environment variable RECORDED_HLS
# holds a dict of overrides: version, fail, interval.<label>, interval.<function>.<label>, depth.<function>,
# offset.<register>, area.<resource>, clock.

set overrides [expr {[info exists env(RECORDED_HLS)] ? $env(RECORDED_HLS) : {}}]
set arguments [lrange $argv 0 end-1]
if {$arguments ne "-f" && $arguments ne "--mode hls --tcl"} {
    puts "ERROR: \[Recorder\] unknown arguments: $argv"
    exit 2
}

proc setting {name value} {
    return [expr {[dict exists $::overrides $name] ? [dict get $::overrides $name] : $value}]
}

proc refuse {message} {
    return -code error "\[Recorder\] $message"
}

namespace eval hls {
    variable commands {open_project set_top add_files open_solution set_part create_clock csynth_design export_design}
    variable state {files {} flags {}}

    # Pragmas that the kernel may use, from UG1399.
    variable pragmas {
        {inline} {inline off} {dataflow} {unroll} {pipeline II=\d+ style=(?:stp|flp|frp)}
        {interface axis port=\w+} {interface s_axilite port=\w+(?: offset=\w+)?}
        {array_partition variable=\w+ complete(?: dim=\d)?} {stream variable=\w+ depth=\w+}
        {bind_storage variable=\w+ type=fifo impl=(?:srl|lutram|bram)}
        {bind_op variable=\w+ op=(?:mul|add|sub) impl=(?:fabric|dsp|auto)}
    }

    # What C synthesis estimates, of what the smallest of the parts has.
    variable area {BRAM_18K {5 280} DSP {0 220} FF {30210 106400} LUT {21345 53200} URAM {0 0}}
}

proc hls::check_pragmas {path source} {
    variable pragmas
    foreach {match pragma} [regexp -line -all -inline {^ +VITIS\(HLS (.*)\)$} $source] {
        set known 0
        foreach pattern $pragmas {
            if {[regexp "^$pattern\$" $pragma]} { set known 1 }
        }
        if {!$known} {
            refuse "unknown pragma '$pragma' in [file tail $path]"
        }
    }
}

# The name of the module that a function becomes: one in an anonymous namespace has that before its name, of a namespace
# with a name nothing is left.
proc hls::module_of {function source} {
    set before [string range $source 0 [lindex [regexp -line -inline -indices "^void $function\\(" $source] 0 0]]
    set opened [regexp -line -all {^namespace \{$} $before]
    set closed [regexp -line -all {^\}  // namespace$} $before]
    return [expr {$opened > $closed ? "p_anonymous_namespace_$function" : $function}]
}

# Options with a value in `valued`, without one in `plain`; anything else is the value of `positional`.
proc hls::take {command words valued plain positional} {
    variable state
    while {[llength $words]} {
        set words [lassign $words word]
        if {$word in $plain} continue
        if {$word in $valued} {
            set words [lassign $words value]
            dict set state $command$word $value
        } elseif {![string match -* $word]} {
            dict set state $positional $word
        } else {
            refuse "$command has no option $word"
        }
    }
}

proc hls::open_project {args} { take open_project $args {} {-reset} project }
proc hls::set_top {args} { take set_top $args {} {} top }
proc hls::open_solution {args} { take open_solution $args {-flow_target} {-reset} solution }
proc hls::set_part {args} { take set_part $args {} {} part }
proc hls::create_clock {args} { take create_clock $args {-period -name} {} - }

proc hls::add_files {args} {
    variable state
    take add_files $args {-cflags} {} file
    if {![file exists [dict get $state file]]} {
        refuse "no file [dict get $state file]"
    }
    dict lappend state files [dict get $state file]
    foreach flag [dict get $state add_files-cflags] {
        if {[string match -I* $flag] && ![file isdirectory [string range $flag 2 end]]} {
            refuse "no folder $flag"
        }
    }
}

proc hls::text {path} {
    set channel [open $path]
    set text [read $channel]
    close $channel
    return $text
}

proc hls::write {path text} {
    file mkdir [file dirname $path]
    set channel [open $path w]
    puts $channel $text
    close $channel
}

proc hls::solution {} {
    variable state
    return [file join [dict get $state project] [dict get $state solution]]
}

# Constants that stand in pragmas, from the headers on the include path.
proc hls::constants {} {
    variable state
    set found {}
    foreach flag [dict get $state add_files-cflags] {
        if {![string match -I* $flag]} continue
        foreach header [glob -nocomplain [file join [string range $flag 2 end] *.h]] {
            foreach {match name value} [regexp -all -inline {#define\s+(\w+)\s+(0x[0-9a-fA-F]+|\d+)\M} [text $header]] {
                dict set found $name $value
            }
            foreach {match name value} [regexp -all -inline {constexpr \w+ (\w+) = (\d+);} [text $header]] {
                dict set found $name $value
            }
        }
    }
    return $found
}

proc hls::csynth_design {} {
    variable state
    foreach needed {top part create_clock-period files} {
        if {![dict exists $state $needed]} {
            refuse "csynth_design without $needed"
        }
    }
    if {[setting fail 0]} {
        refuse "the recorded failure"
    }
    set top [dict get $state top]
    set report [file join [solution] syn report]
    set version [setting version 2022.1]
    variable area
    set used ""
    set available ""
    dict for {resource counts} $area {
        append used "<$resource>[setting area.$resource [lindex $counts 0]]</$resource>\n"
        append available "<$resource>[lindex $counts 1]</$resource>\n"
    }
    set period [dict get $state create_clock-period]
    write [file join $report ${top}_csynth.xml] "<profile>
<ReportVersion><Version>$version</Version></ReportVersion>
<UserAssignments><unit>ns</unit><TargetClockPeriod>$period</TargetClockPeriod></UserAssignments>
<PerformanceEstimates><PipelineType>no</PipelineType><SummaryOfTimingAnalysis><unit>ns</unit>
<EstimatedClockPeriod>[setting clock [expr {0.73 * $period}]]</EstimatedClockPeriod></SummaryOfTimingAnalysis>
</PerformanceEstimates>
<AreaEstimates><Resources>$used</Resources><AvailableResources>$available</AvailableResources></AreaEstimates>
</profile>"
    foreach header [glob -nocomplain [file join [file dirname [lindex [dict get $state files] 0]] *.h]] {
        check_pragmas $header [text $header]
    }
    # A loop that is not unrolled is left in the circuit; each is in a module behind that of its function, and that has a
    # report of its own.
    set loop {^\s*(\w+):\n(?:[^\n;]*\n)?\s*(?:for|while) [^\n]*\{\n(?:[^\n]*\m(pipeline|unroll)\M(?: II=(\d+))?)?}
    foreach file [dict get $state files] {
        set source [text $file]
        check_pragmas $file $source
        set start 0
        while {[regexp -line -indices -start $start $loop $source found]} {
            lassign $found begin end
            set start [expr {$end + 1}]
            regexp -line $loop [string range $source $begin $end] -> label kind interval
            if {$kind eq "unroll"} continue
            set function [lindex [regexp -line -all -inline {^void (\w+)\(} [string range $source 0 $begin]] end]
            set interval [setting interval.$label [expr {$kind eq "pipeline" ? $interval : "none"}]]
            set interval [setting interval.$function.$label $interval]
            set depth [setting depth.$function 3]
            set pipelined "<PipelineII>$interval</PipelineII><PipelineDepth>$depth</PipelineDepth>"
            if {$interval eq "none"} { set pipelined "" }
            set module [module_of $function $source]_Pipeline_$label
            write [file join $report ${module}_csynth.xml] "<profile>
<UserAssignments><TopModelName>$module</TopModelName></UserAssignments>
<PerformanceEstimates><SummaryOfLoopLatency><$label><Name>$label</Name>
<TripCount><range><min>98</min><max>98000</max></range></TripCount><Latency>100 ~ 98002</Latency>$pipelined
</$label></SummaryOfLoopLatency></PerformanceEstimates></profile>"
        }
    }
}

proc hls::export_design {args} {
    variable state
    take export_design $args {-format -rtl -vendor -library -ipname -version -description} {} -
    set top [dict get $state top]
    set constants [constants]
    set streams {}
    set offsets {AP_CTRL 0 GIE 4 IER 8 ISR 12}
    foreach file [dict get $state files] {
        set source [text $file]
        foreach {match port} [regexp -all -inline {\minterface axis port=(\w+)} $source] {
            lappend streams $port
        }
        foreach {match port offset} [regexp -all -inline {\minterface s_axilite port=(\w+) offset=(\w+)} $source] {
            set offset [setting offset.$port [dict get $constants $offset]]
            if {$offset ne "none"} {
                dict set offsets [string toupper $port]_DATA $offset
            }
        }
        # The direction of a stream is that of the reads and writes of the argument in the source.
        foreach port $streams {
            if {[regexp "\\m$port\\.read\\(" $source]} { dict set modes $port Slave }
            if {[regexp "\\m$port\\.write\\(" $source]} { dict set modes $port Master }
        }
    }
    set header [file join [solution] impl ip drivers ${top}_v1_0 src x${top}_hw.h]
    set lines {}
    dict for {name offset} $offsets {
        lappend lines [format "#define X%s_CONTROL_ADDR_%s 0x%02x" [string toupper $top] $name $offset]
    }
    write $header [join $lines \n]
    set interfaces [list {s_axi_control Slave aximm 32 ap_clk 1}]
    foreach port $streams {
        lappend interfaces [list $port [dict get $modes $port] axis [dict get $constants BEAT_BITS] ap_clk 1]
    }
    set vln [dict get $state export_design-vendor]:[dict get $state export_design-library]:[dict get $state export_design-ipname]
    write [file join [solution] impl ip recorded_ip.tcl] [dict create $vln [dict create \
        versions [dict get $state export_design-version] parameters {} interfaces $interfaces \
        pins {{ap_clk in clk 1 1} {ap_rst_n in rst 1 1} {interrupt out intr 1 1}} spaces {} \
        segments {s_axi_control {{s_axi_control/Reg 0x0 0x10000}}}]]
}

interp create script
foreach command $hls::commands {
    interp alias script $command {} hls::$command
}
script eval {foreach command {coroutine lmap tailcall throw try yield yieldto zlib} { rename $command {} }}
interp alias script exit {} exit
if {[catch {script eval [list source [lindex $argv end]]} message]} {
    puts "ERROR: $message"
    exit 1
}
# A script that does not end the tool leaves it at its prompt, which reads the standard input to its end.
read stdin
