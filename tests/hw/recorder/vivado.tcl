# Vivado's commands, recorded. Each refuses an option, an object, a property or a pin that Vivado does not have, and the
# design that they build is held as plain data.

namespace eval vivado {
    variable ips $::catalogue::ips
    variable part ""
    variable cells {}
    variable configs {}
    variable ports {}
    variable interface_nets {}
    variable nets {}
    variable addresses {}
    variable excluded {}
    variable properties {}
    variable design ""
    variable state {}
    variable project_folder ""
    variable project_open 0

    # Commands of Vivado that the flow may use; any other does not exist.
    variable commands {
        add_files assign_bd_address close_design close_project connect_bd_intf_net connect_bd_net create_bd_cell create_bd_design
        create_bd_intf_port create_project current_design current_fileset current_project exclude_bd_addr_seg
        generate_target get_bd_addr_segs get_bd_addr_spaces get_bd_cells get_bd_intf_pins get_bd_pins get_files
        get_ipdefs get_property get_runs get_timing_paths launch_runs make_wrapper open_run report_timing_summary
        report_utilization save_bd_design set_property synth_design update_compile_order update_ip_catalog validate_bd_design
        version wait_on_run write_bd_tcl write_bitstream
    }
}

proc vivado::refuse {message} {
    return -code error "ERROR: \[Recorder\] $message"
}

# Split arguments into a dict of options and the rest: a list, or the one word that is wanted. `known` says of each option whether it has a value.
proc vivado::arguments {command words known positional} {
    set options {}
    set rest {}
    while {[llength $words]} {
        set words [lassign $words word]
        if {[string match {-[a-z]*} $word]} {
            if {![dict exists $known $word]} {
                refuse "$command has no option $word"
            }
            if {[dict get $known $word]} {
                if {![llength $words]} {
                    refuse "$command: $word needs a value"
                }
                set words [lassign $words value]
                dict set options $word $value
            } else {
                dict set options $word 1
            }
        } else {
            lappend rest $word
        }
    }
    if {[llength $rest] != $positional} {
        refuse "$command takes $positional arguments, not [llength $rest]: $rest"
    }
    return [list $options [expr {$positional == 1 ? [lindex $rest 0] : $rest}]]
}

proc vivado::require {condition message} {
    if {![uplevel 1 [list expr $condition]]} {
        refuse $message
    }
}

# A value that a test has overridden, or the usual one.
proc vivado::setting {name value} {
    return [expr {[dict exists $::overrides $name] ? [dict get $::overrides $name] : $value}]
}

# An object is the word kind:name, so that a name is never taken for an object, and a list of one object is the object.

proc vivado::object {object kind} {
    if {[llength $object] != 1 || ![regexp "^$kind:(.+)$" $object -> name]} {
        refuse "'$object' is no $kind"
    }
    return $name
}

proc vivado::kind {object} {
    return [lindex [split $object :] 0]
}

proc vivado::name {object} {
    return [string range $object [string first : $object]+1 end]
}

# Project -------------------------------------------------------------------------------------------------------------

proc vivado::version {args} {
    arguments version $args {-short 0} 0
    return [setting version 2022.1]
}

proc vivado::create_project {args} {
    variable part
    variable project_folder
    lassign [arguments create_project $args {-part 1 -force 0}  2] options rest
    lassign $rest name project_folder
    variable project_open
    require {!$project_open} "a project is open already"
    set project_open 1
    variable state {}
    variable properties
    dict unset properties fileset:sources_1
    require {![llength [glob -nocomplain [file join $project_folder *.xpr]]] || [dict exists $options -force]} \
        "project $project_folder exists"
    set part [dict get $options -part]
    file mkdir $project_folder
    close [open [file join $project_folder $name.xpr] w]
    return "project:$name"
}

proc vivado::close_project {} {
    variable project_open
    variable state
    require {$project_open} "no project is open"
    require {![dict exists $state opened]} "a design is open"
    set project_open 0
}

proc vivado::current_project {} {
    return project:current
}

proc vivado::current_fileset {} {
    return fileset:sources_1
}

proc vivado::current_design {} {
    variable state
    require {[dict exists $state opened]} "no design is open"
    return design:current
}

# Read the packaged IPs below ip_repo_paths, as the recorder's HLS tool and its IP packager leave them.
proc vivado::update_ip_catalog {} {
    variable ips
    variable properties
    foreach folder [dict get $properties project:current ip_repo_paths] {
        foreach file [glob -nocomplain [file join $folder recorded_ip.tcl]] {
            set channel [open $file]
            set ips [dict merge $ips [read $channel]]
            close $channel
        }
    }
}

proc vivado::get_ipdefs {args} {
    variable ips
    lassign [arguments get_ipdefs $args {-all 0 -quiet 0} 1] options pattern
    set found {}
    dict for {vln ip} $ips {
        if {[setting hidden.[lindex [split $vln :] 2] 0] && ![dict exists $options -all]} continue
        foreach version [setting versions.[lindex [split $vln :] 2] [dict get $ip versions]] {
            if {[string match $pattern $vln:$version]} {
                lappend found "ipdef:$vln:$version"
            }
        }
    }
    return $found
}

# Properties ----------------------------------------------------------------------------------------------------------

proc vivado::set_property {args} {
    if {[lindex $args 0] eq "-dict"} {
        require {[llength $args] == 3} "set_property -dict takes a list and an object"
        lassign $args - pairs object
    } else {
        require {[llength $args] == 3} "set_property takes a name, a value and an object"
        lassign $args name value object
        set pairs [list $name $value]
    }
    require {[llength $pairs] % 2 == 0} "set_property -dict takes pairs, not '$pairs'"
    foreach {name value} $pairs {
        set_one $name $value $object
    }
}

proc vivado::set_one {name value object} {
    variable properties
    set kind [kind $object]
    if {$kind eq "cell"} {
        set_config [object $object cell] $name $value
        return
    }
    require {[dict exists $::catalogue::properties $kind $name]} "'$object' has no property $name"
    lassign [dict get $::catalogue::properties $kind $name] writable allowed
    require {$writable} "$name of '$object' cannot be set"
    require {[::catalogue::legal $value $allowed]} "$name of '$object' cannot be '$value'; it can be $allowed"
    dict set properties $object $name $value
}

proc vivado::set_config {cell name value} {
    variable configs
    set parameters [dict get [ip_of $cell] parameters]
    set parameter [parameter_name $name]
    require {[dict exists $parameters $parameter]} "$cell has no parameter $name"
    set allowed [lindex [dict get $parameters $parameter] 1]
    require {[lindex $allowed 0] ne "derived"} "$name of $cell cannot be set: it follows from others"
    require {[::catalogue::legal $value $allowed]} "$name of $cell cannot be '$value'; it can be $allowed"
    dict set configs $cell $parameter $value
}

proc vivado::parameter_name {name} {
    require {[string match CONFIG.* $name]} "$name is no parameter of a cell; those are CONFIG.*"
    return [string range $name 7 end]
}

proc vivado::get_property {args} {
    variable properties
    lassign [arguments get_property $args {-quiet 0} 2] - rest
    lassign $rest name objects
    set values {}
    foreach object $objects {
        set kind [kind $object]
        set key [name $object]
        if {$kind eq "cell"} {
            set config [full_config $key]
            require {[dict exists $config [parameter_name $name]]} "$key has no parameter $name"
            lappend values [dict get $config [parameter_name $name]]
            continue
        }
        require {[dict exists $::catalogue::properties $kind $name]} "'$object' has no property $name"
        lappend values [switch -- $kind,$name {
            ipdef,VLNV { set key }
            project,DIRECTORY { set vivado::project_folder }
            run,DIRECTORY { run_folder $key }
            run,STATUS { dict get $vivado::state $key }
            run,STATS.TPWS { setting pulse_width 0.000 }
            path,SLACK { setting $key [dict get {setup 1.234 hold 0.045} $key] }
            default { dict get $properties $object $name }
        }]
    }
    return [expr {[llength $values] == 1 ? [lindex $values 0] : $values}]
}

# Block design: cells -------------------------------------------------------------------------------------------------

proc vivado::create_bd_design {name} {
    variable design $name
    variable state
    variable ips
    # The design becomes a module; so is the top of every packaged IP.
    foreach vln [dict keys $ips] {
        require {$name ne [lindex [split $vln :] end]} "the design $name and the IP $vln are two modules of one name"
    }
    dict set state validated 0
    dict set state saved 0
}

proc vivado::change {} {
    variable design
    variable state
    require {$design ne ""} "no block design is open"
    dict set state validated 0
    dict set state saved 0
}

proc vivado::create_bd_cell {args} {
    variable cells
    variable configs
    change
    lassign [arguments create_bd_cell $args {-type 1 -vlnv 1} 1] options name
    set vlnv [dict get $options -vlnv]
    set type [expr {[string match xilinx.com:inline_hdl:* $vlnv] ? "inline_hdl" : "ip"}]
    require {[dict get $options -type] eq $type} "$vlnv is a cell of type $type, not [dict get $options -type]"
    require {[llength [get_ipdefs -all $vlnv]] == 1} "the catalogue has no $vlnv"
    require {![setting locked.[lindex [split $vlnv :] 2] 0]} "$vlnv is retired"
    require {![dict exists $cells $name]} "cell $name exists"
    dict set cells $name $vlnv
    dict set configs $name {}
    return "cell:$name"
}

proc vivado::ip_of {cell} {
    variable ips
    variable cells
    return [dict get $ips [join [lrange [split [dict get $cells $cell] :] 0 2] :]]
}

# All parameters of a cell: set ones, defaults, and what follows from them.
proc vivado::full_config {cell} {
    variable configs
    set config {}
    set derived {}
    dict for {name parameter} [dict get [ip_of $cell] parameters] {
        lassign $parameter default allowed
        dict set config $name $default
        if {[lindex $allowed 0] eq "derived"} {
            lappend derived $name [lindex $allowed 1]
        }
    }
    set config [dict merge $config [dict get $configs $cell]]
    foreach {name expression} $derived {
        dict set config $name [::catalogue::evaluate $expression $config]
    }
    return $config
}

# Interfaces of a cell: lists of name, mode, protocol, width, clock.
proc vivado::interfaces {cell} {
    return [::catalogue::present [dict get [ip_of $cell] interfaces] [full_config $cell] 3]
}

# Pins of a cell: lists of name, direction, type, width.
proc vivado::pins {cell} {
    return [::catalogue::present [dict get [ip_of $cell] pins] [full_config $cell] 3]
}

proc vivado::get_bd_cells {args} {
    variable cells
    lassign [arguments get_bd_cells $args {-quiet 0} 1] - name
    return [expr {[dict exists $cells $name] ? "cell:$name" : ""}]
}

# The row of a pin or interface by its path, or nothing.
proc vivado::row {path table} {
    variable cells
    lassign [split $path /] cell name
    if {[dict exists $cells $cell]} {
        foreach row [$table $cell] {
            if {[lindex $row 0] eq $name} {
                return $row
            }
        }
    }
    return ""
}

proc vivado::get_bd_pins {args} {
    lassign [arguments get_bd_pins $args {-quiet 0} 1] - path
    return [expr {[llength [row $path pins]] ? "pin:$path" : ""}]
}

proc vivado::get_bd_intf_pins {args} {
    lassign [arguments get_bd_intf_pins $args {-quiet 0} 1] - path
    return [expr {[llength [row $path interfaces]] ? "interface:$path" : ""}]
}

# Block design: connections -------------------------------------------------------------------------------------------

proc vivado::create_bd_intf_port {args} {
    variable ports
    change
    lassign [arguments create_bd_intf_port $args {-mode 1 -vlnv 1} 1] options name
    require {![dict exists $ports $name]} "port $name exists"
    dict set ports $name [dict get $options -vlnv]
    return "port:$name"
}

proc vivado::connect_bd_intf_net {first second} {
    variable interface_nets
    variable ports
    change
    foreach end [list $first $second] {
        foreach net $interface_nets {
            require {$end ni $net} "'$end' is connected already"
        }
        set name [name $end]
        if {[kind $end] eq "port"} {
            lappend modes Port
            lappend protocols [dict get $ports $name]
        } else {
            set row [row [object $end interface] interfaces]
            require {[llength $row]} "there is no interface $name"
            lappend modes [lindex $row 1]
            lappend protocols [lindex $row 2]
        }
    }
    require {[lindex $protocols 0] eq [lindex $protocols 1]} "'$first' and '$second' are of two protocols: $protocols"
    switch -- [lsort $modes] {
        {Master Slave} { if {[lindex $modes 0] eq "Slave"} { lassign [list $second $first] first second } }
        {Master Port} { if {[lindex $modes 0] eq "Port"} { lassign [list $second $first] first second } }
        default { refuse "'$first' and '$second' cannot be connected: $modes" }
    }
    lappend interface_nets [list $first $second]
}

# A net is a list of pins, the driver first.
proc vivado::connect_bd_net {first second} {
    variable nets
    change
    set joined {}
    set others {}
    foreach net $nets {
        if {$first in $net || $second in $net} {
            lappend joined {*}$net
        } else {
            lappend others $net
        }
    }
    foreach pin [list $first $second] {
        require {[llength [row [object $pin pin] pins]]} "there is no pin [name $pin]"
        if {$pin ni $joined} {
            lappend joined $pin
        }
    }
    set drivers {}
    set sinks {}
    foreach pin $joined {
        if {[lindex [row [name $pin] pins] 1] eq "out"} { lappend drivers $pin } else { lappend sinks $pin }
    }
    require {[llength $drivers] <= 1} "two drivers on one net: $drivers"
    set nets [concat $others [list [concat $drivers $sinks]]]
}

# Block design: addresses ---------------------------------------------------------------------------------------------

# Address spaces of a master interface, or the space of a path cell/name.
proc vivado::get_bd_addr_spaces {args} {
    variable cells
    if {[lindex $args 0] eq "-of_objects"} {
        set path [object [lindex $args 1] interface]
        lassign [split $path /] cell interface
        set spaces [dict get [ip_of $cell] spaces]
        require {[dict exists $spaces $interface]} "$path sees no address space"
        return space:$cell/[lindex [dict get $spaces $interface] 0]
    }
    lassign [arguments get_bd_addr_spaces $args {-quiet 0} 1] - path
    lassign [split $path /] cell name
    require {[dict exists $cells $cell]} "there is no cell $cell"
    foreach space [dict values [dict get [ip_of $cell] spaces]] {
        if {[lindex $space 0] eq $name} {
            return "space:$path"
        }
    }
    refuse "there is no address space $path"
}

# Segments of a slave interface, or the segment of a path cell/interface/name.
proc vivado::get_bd_addr_segs {args} {
    variable cells
    if {[lindex $args 0] eq "-of_objects"} {
        set path [object [lindex $args 1] interface]
        lassign [split $path /] cell interface
        set segments [dict get [ip_of $cell] segments]
        require {[dict exists $segments $interface]} "$path offers no address segment"
        set found {}
        foreach segment [dict get $segments $interface] {
            lappend found segment:$cell/[lindex $segment 0]
        }
        return $found
    }
    lassign [arguments get_bd_addr_segs $args {-quiet 0} 1] - path
    require {[llength [segment $path]]} "there is no address segment $path"
    return "segment:$path"
}

# Interface, base and range of a segment, or nothing.
proc vivado::segment {path} {
    variable cells
    set cell [lindex [split $path /] 0]
    if {[dict exists $cells $cell]} {
        dict for {interface segments} [dict get [ip_of $cell] segments] {
            foreach segment $segments {
                lassign $segment name base range
                if {"$cell/$name" eq $path} {
                    return [list $cell/$interface $base [::catalogue::evaluate $range [full_config $cell]]]
                }
            }
        }
    }
    return ""
}

# Master interface, lowest and highest address of a space.
proc vivado::space {path} {
    lassign [split $path /] cell name
    dict for {interface space} [dict get [ip_of $cell] spaces] {
        if {[lindex $space 0] eq $name} {
            lassign $space - low high
            return [list $cell/$interface $low [::catalogue::evaluate $high [full_config $cell]]]
        }
    }
}

proc vivado::assign_bd_address {args} {
    variable addresses
    change
    lassign [arguments assign_bd_address $args {-offset 1 -range 1 -target_address_space 1} 1] options segment
    set path [object $segment segment]
    set space [object [dict get $options -target_address_space] space]
    set base [expr {[dict get $options -offset]}]
    set range [expr {[dict get $options -range]}]
    lassign [segment $path] slave segment_base segment_range
    lassign [space $space] master low high
    require {$range >= 4096 && ($range & ($range - 1)) == 0} "range $range of $path is no power of two from 4096"
    require {$base % $range == 0} "base $base of $path is no multiple of its range $range"
    require {$range <= $segment_range} "$path is $segment_range bytes, not $range"
    require {$base >= $low && $base + $range - 1 <= $high} "$path at $base is outside of $space: $low to $high"
    lappend addresses [list $space $master $path $slave $base $range]
}

proc vivado::exclude_bd_addr_seg {args} {
    variable excluded
    change
    lassign [arguments exclude_bd_addr_seg $args {-target_address_space 1} 1] options segment
    object [dict get $options -target_address_space] space
    lappend excluded [list [name [dict get $options -target_address_space]] [object $segment segment]]
}

proc vivado::validate_bd_design {} {
    variable state
    change
    dict set state validated 1
}

proc vivado::save_bd_design {} {
    variable state
    dict set state saved 1
}

# Implementation ------------------------------------------------------------------------------------------------------

proc vivado::write_text {path text} {
    file mkdir [file dirname $path]
    set channel [open $path w]
    puts $channel $text
    close $channel
}

proc vivado::get_files {name} {
    variable design
    require {$name eq "$design.bd"} "the project has no file $name"
    return "file:$name"
}

proc vivado::generate_target {target file} {
    variable design
    variable project_folder
    variable state
    require {$target eq "all"} "target $target is not on the list"
    object $file file
    require {[dict get $state validated] && [dict get $state saved]} "the block design is not validated and saved"
    if {[setting hwh 1]} {
        write_text [file join $project_folder $design.gen sources_1 bd $design hw_handoff $design.hwh] "<EDKSYSTEM/>"
    }
    dict set state generated 1
}

proc vivado::make_wrapper {args} {
    variable design
    variable project_folder
    variable state
    lassign [arguments make_wrapper $args {-files 1 -top 0} 0] options
    object [dict get $options -files] file
    require {[dict exists $state generated]} "the block design's output is not generated"
    set wrapper [file join $project_folder $design.gen sources_1 bd $design hdl ${design}_wrapper.v]
    write_text $wrapper "// wrapper"
    return $wrapper
}

proc vivado::add_files {args} {
    lassign [arguments add_files $args {-norecurse 0} 1] - paths
    variable state
    foreach path $paths {
        require {[file exists $path]} "there is no file $path"
        dict lappend state added [file rootname [file tail $path]]
        dict lappend state files $path
    }
}

proc vivado::update_compile_order {args} {
    arguments update_compile_order $args {-fileset 1} 0
}

# Synthesis in the open project's own process, without a run.
proc vivado::synth_design {args} {
    variable state
    variable part
    lassign [arguments synth_design $args {-top 1 -part 1 -mode 1} 0] options
    require {[dict get $options -top] in [dict get $state added]} "top [dict get $options -top] is in no source"
    require {[dict get $options -mode] in {default out_of_context}} "synth_design has no such mode"
    require {[dict get $options -part] eq $part} "the project is for $part"
    require {[setting synth_design 1]} "\[Synth 8-0\] the recorded failure"
    dict set state opened kernel
}

proc vivado::close_design {} {
    variable state
    require {[dict exists $state opened]} "no design is open"
    dict unset state opened
}

proc vivado::get_runs {name} {
    require {$name in {synth_1 impl_1}} "there is no run $name"
    return "run:$name"
}

proc vivado::run_folder {run} {
    variable design
    variable project_folder
    return [file join $project_folder $design.runs $run]
}

proc vivado::launch_runs {args} {
    variable state
    variable properties
    lassign [arguments launch_runs $args {-to_step 1 -jobs 1} 1] options run
    get_runs $run
    require {[string is integer -strict [dict get $options -jobs]]} "launch_runs: -jobs is no number"
    set top [dict get $properties fileset:sources_1 top]
    require {$top in [dict get $state added]} "top $top is in no source"
    if {$run eq "impl_1"} {
        require {[dict exists $state synth_1]} "impl_1 needs synth_1"
        require {[dict get $options -to_step] in {route_design write_bitstream}} "no such step of impl_1"
    }
    file mkdir [run_folder $run]
    dict set state launched $run
    dict set state launched_to [expr {$run eq "synth_1" ? "synth_design" : [dict get $options -to_step]}]
}

proc vivado::wait_on_run {run} {
    variable state
    require {[dict get $state launched] eq $run} "$run was not launched"
    dict set state $run [setting status.$run "[dict get $state launched_to] Complete!"]
    require {![setting wait_raises 0] || [string match "*Complete*" [dict get $state $run]]} "Run '$run' failed."
}

proc vivado::open_run {run} {
    variable state
    require {[dict exists $state $run]} "$run has not run"
    dict set state opened $run
}

proc vivado::get_timing_paths {args} {
    variable state
    lassign [arguments get_timing_paths $args {-delay_type 1 -max_paths 1 -nworst 1} 0] options
    require {[dict exists $state opened]} "no design is open"
    set kind [dict get {max setup min hold} [dict get $options -delay_type]]
    return [expr {[setting $kind 0] eq "none" ? "" : "path:$kind"}]
}

proc vivado::report_timing_summary {args} {
    lassign [arguments report_timing_summary $args {-file 1} 0] options
    write_text [dict get $options -file] "Design Timing Summary"
}

proc vivado::report_utilization {args} {
    variable part
    variable state
    require {[dict exists $state opened]} "no design is open"
    lassign [arguments report_utilization $args {-file 1} 0] options
    set block [expr {[string match xc7* $part] ? "Slice" : "CLB"}]
    if {[dict get $state opened] eq "kernel"} {
        set rows [list "| Site Type | Used | Fixed | Prohibited | Available | Util% |"]
        foreach {name row used available} [list LUT "$block LUTs*" 23456 53200 FF "$block Registers" 21000 106400 \
            BRAM "Block RAM Tile" 1.5 140 DSP DSPs 0 220] {
            lappend rows "| $row | [setting kernel.$name $used] | 0 | 0 | $available | 1.0 |"
        }
        write_text [dict get $options -file] [join $rows \n]
        return
    }
    set rows [list \
        "+-------------------+-------+-------+------------+-----------+-------+" \
        "|     Site Type     |  Used | Fixed | Prohibited | Available | Util% |" \
        "+-------------------+-------+-------+------------+-----------+-------+" \
        "| $block LUTs       | 21345 |     0 |          0 |     53200 | 40.12 |" \
        "|   LUT as Logic    | 20345 |     0 |          0 |     53200 | 38.24 |" \
        "| $block Registers  | 30210 |     0 |          0 |    106400 | 28.39 |" \
        "" \
        "|     Site Type     |  Used | Fixed | Prohibited | Available | Util% |" \
        "| Block RAM Tile    |   2.5 |     0 |          0 |       140 |  1.79 |" \
        "| DSPs              |     0 |     0 |          0 |       220 |  0.00 |"]
    write_text [dict get $options -file] [setting utilization [join $rows \n]]
}

# A .bit: its header as Vivado writes it, and four bytes of data.
proc vivado::write_bit {path design device} {
    set content [binary format H* 00090ff00ff00ff00ff0000001]
    foreach {key text} [list a $design b $device c 2022/05/01 d 12:00:00] {
        append content $key [binary format Sa*x [expr {[string length $text] + 1}] $text]
    }
    append content e [binary format Ia* 4 data]
    set channel [open $path wb]
    puts -nonewline $channel $content
    close $channel
}

proc vivado::write_bitstream {args} {
    variable properties
    variable state
    lassign [arguments write_bitstream $args {-force 0} 1] - path
    require {[dict exists $state opened]} "no design is open"
    if {[setting bitstream 1]} {
        variable part
        set id [string toupper [dict get $properties design:current BITSTREAM.CONFIG.USERID]]
        set device [expr {[string match xc7* $part] ? [string range [lindex [split $part -] 0] 2 end] : $part}]
        write_bit $path "[dict get $properties fileset:sources_1 top];UserID=$id;Version=[setting version 2022.1]" $device
    }
}

proc vivado::write_bd_tcl {args} {
    lassign [arguments write_bd_tcl $args {-force 0} 1] - path
    require {[setting bd_tcl 1]} "write_bd_tcl: the recorded failure"
    write_text $path "# block design"
}
