# The command line of build.tcl.

namespace eval options {
    # Each the name of its first stage: what the kernel is made of, and its VLNV is of.
    variable kernels {hls rtl}
    variable later_stages {design bitstream}
    variable flags {allow-rate allow-area trust-generated help}
}

proc options::stages {kernel} {
    variable later_stages
    return [concat $kernel $later_stages]
}

proc options::usage {boards default_board} {
    return [join [list \
        "usage: vivado -mode batch -source hw/build.tcl -tclargs \[options\]" \
        "  --board BOARD      [join $boards {, }] (default: $default_board)" \
        "  --kernel KERNEL    hls: C++ by an HLS tool; rtl: SystemVerilog, by Vivado alone (default: hls)" \
        "  --clock MHZ        clock of the fabric (default: the board's)" \
        "  --jobs N           processes that Vivado may use (default: 4)" \
        "  --stage STAGE      last stage: [join [stages hls] {, }] (default: bitstream);" \
        "                     with --kernel rtl: [join [stages rtl] {, }]" \
        "  --out DIR          where the overlay goes (default: overlay/)" \
        "  --model FILE       weights that hw/generated/ was exported from (default: those of pynq_ee)" \
        "  --allow-rate       build although a loop misses the specified rate; the manifest says so" \
        "  --allow-area       go on to Vivado although the kernel alone takes more than the part has" \
        "  --trust-generated  build although hw/generated/ cannot be compared with the weights (no Python here)" \
        "  --help             this text"] \n]
}

# The arguments as a dict: stage, jobs, out, kernel, the flags, and board and clock where they were given.
proc options::parse {arguments out} {
    variable kernels
    variable flags
    set settings [dict create kernel hls stage bitstream jobs 4 out $out]
    foreach flag $flags {
        dict set settings $flag 0
    }
    while {[llength $arguments]} {
        set arguments [lassign $arguments argument]
        set name [string range $argument 2 end]
        if {[string match --* $argument] && $name in $flags} {
            dict set settings $name 1
            continue
        }
        if {$argument ni {--board --kernel --clock --jobs --stage --out --model}} {
            failure::raise "unknown option '$argument'; --help lists them"
        }
        if {![llength $arguments]} {
            failure::raise "$argument needs a value; --help says which"
        }
        set arguments [lassign $arguments value]
        switch -- $name {
            clock { if {![string is double -strict $value] || !($value > 0 && $value <= 1000)} {
                failure::raise "--clock is '$value'; it must be a frequency in MHz, above 0 and at most 1000" } }
            jobs { if {![string is integer -strict $value] || $value < 1} {
                failure::raise "--jobs is '$value'; it must be a whole number, at least 1" } }
            kernel { choice kernel $value $kernels }
            out - model { set value [file normalize $value] }
        }
        dict set settings $name $value
    }
    set kernel [dict get $settings kernel]
    choice stage [dict get $settings stage] [stages $kernel]
    if {$kernel eq "rtl" && [dict get $settings allow-rate]} {
        failure::raise "--allow-rate is for loops that HLS schedules; --kernel rtl has none"
    }
    return $settings
}

proc options::default {settings name value} {
    return [expr {[dict exists $settings $name] ? [dict get $settings $name] : $value}]
}

proc options::choice {name value allowed} {
    if {$value ni $allowed} {
        failure::raise "unknown $name '$value'; known are [join $allowed {, }]"
    }
    return $value
}
