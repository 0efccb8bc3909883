# Vivado's IP packager, recorded: interfaces are inferred as it infers them, from the names of the top's ports and from
# its attributes, and the packaged IP is left in the form that update_ip_catalog of the recorder reads.
#
# Sources: UG1118 (inference, X_INTERFACE_INFO, memory maps), UG835 (commands), UG1037 (signals of AXI4-Lite and streams).

namespace eval packager {
    variable commands {
        add_register check_integrity create_xgui_files current_core get_address_blocks get_bus_interfaces get_memory_maps
        package_project save_core update_checksums
    }
    variable root ""
    # name {direction width}; name {attribute value}
    variable ports {}
    variable attributes {}
    # Interfaces: name {mode protocol width ports}
    variable found {}
    variable registers {}
    variable current 0

    # Signals of a slave by direction; a master has them the other way round.
    variable stream {in {TDATA TVALID} out {TREADY}}
    variable memory {
        in {AWADDR AWVALID WDATA WSTRB WVALID BREADY ARADDR ARVALID RREADY}
        out {AWREADY WREADY BRESP BVALID ARREADY RDATA RRESP RVALID}
    }
    variable optional {TKEEP TSTRB TLAST}
}

proc packager::package_project {args} {
    variable root
    variable current 1
    lassign [vivado::arguments ipx::package_project $args \
        {-root_dir 1 -vendor 1 -library 1 -taxonomy 1 -import_files 0} 0] options
    set root [dict get $options -root_dir]
    set top [dict get $vivado::properties fileset:sources_1 top]
    foreach name {vendor library taxonomy} {
        vivado::set_one $name [dict get $options -$name] core:current
    }
    vivado::set_one name $top core:current
    vivado::set_one version 1.0 core:current
    vivado::require {[dict exists $options -import_files]} "the IP would refer to files outside of it"
    read_ports [source_of $top] $top
    infer
    return core:current
}

proc packager::source_of {top} {
    foreach path [dict get $vivado::state files] {
        if {[file rootname [file tail $path]] eq $top} {
            vivado::require {[file extension $path] eq ".v"} "\[IP_Flow 19-5101\] the top file $path is SystemVerilog"
            return $path
        }
    }
}

proc packager::read_ports {path top} {
    variable ports {}
    variable attributes {}
    set channel [open $path]
    set inside 0
    set pending ""
    foreach line [split [read $channel] \n] {
        if {$line eq "module $top ("} { set inside 1; continue }
        if {$line eq ");"} break
        if {!$inside} continue
        if {[regexp {^\s*\(\*(.*)\*\)$} $line -> pending]} continue
        vivado::require {[regexp {^\s*(input|output) wire (?:\[(\d+):0\] )?(\w+),?$} $line -> direction high name]} \
            "this is no port of plain Verilog: $line"
        set width [expr {$high eq "" ? 1 : $high + 1}]
        dict set ports $name [list [expr {$direction eq "input" ? "in" : "out"}] $width]
        foreach {match attribute value} [regexp -all -inline {(X_INTERFACE_\w+) = "([^"]*)"} $pending] {
            dict set attributes $name $attribute $value
        }
        set pending ""
    }
    close $channel
}

# Whether all signals of a protocol are there under a prefix, in the directions of a slave or the other way round.
proc packager::complete {prefix signals direction} {
    variable ports
    foreach {way names} $signals {
        foreach name $names {
            if {![dict exists $ports ${prefix}_$name]} { return 0 }
            if {($way eq [lindex [dict get $ports ${prefix}_$name] 0]) != ($direction eq "Slave")} { return 0 }
        }
    }
    return 1
}

proc packager::infer {} {
    variable ports
    variable attributes
    variable found {}
    variable stream
    variable memory
    variable optional
    foreach name [dict keys $ports] {
        foreach {protocol valid data signals} [list axis _TVALID _TDATA $stream aximm _AWVALID _WDATA $memory] {
            if {![string match *$valid $name]} continue
            set prefix [string range $name 0 end-[string length $valid]]
            foreach mode {Slave Master} {
                if {![complete $prefix $signals $mode]} continue
                set members {}
                foreach signal [concat [dict get $signals in] [dict get $signals out] $optional] {
                    lappend members ${prefix}_$signal
                }
                dict set found $prefix [list $mode $protocol [lindex [dict get $ports $prefix$data] 1] $members]
            }
        }
    }
    dict for {name values} $attributes {
        vivado::require {[regexp {^xilinx\.com:signal:(clock|reset|interrupt):1\.0 (\w+) (CLK|RST|INTERRUPT)$} \
            [dict get $values X_INTERFACE_INFO] -> kind interface]} "no such interface: $values"
        dict set found $interface [list [lindex [dict get $ports $name] 0] \
            [dict get {clock clk reset rst interrupt intr} $kind] 1 $name]
    }
}

# The value of a parameter that an attribute gives an interface of one port, empty where none does.
proc packager::parameter {port name} {
    variable attributes
    if {[dict exists $attributes $port X_INTERFACE_PARAMETER]} {
        foreach pair [split [dict get $attributes $port X_INTERFACE_PARAMETER] ,] {
            if {[lindex $pair 0] eq $name} { return [lindex $pair 1] }
        }
    }
    return ""
}

proc packager::current_core {} {
    variable current
    vivado::require {$current} "no core is current"
    return core:current
}

proc packager::children {command args} {
    lassign [vivado::arguments ipx::$command $args {-of_objects 1 -quiet 0} 1] options name
    return [list [dict get $options -of_objects] $name]
}

proc packager::get_bus_interfaces {args} {
    variable found
    lassign [children get_bus_interfaces {*}$args] core name
    vivado::object $core core
    return [expr {[dict exists $found $name] ? "bus_interface:$name" : ""}]
}

proc packager::get_memory_maps {args} {
    variable found
    lassign [children get_memory_maps {*}$args] core name
    vivado::object $core core
    return [expr {[dict exists $found $name] && [lindex [dict get $found $name] 1] eq "aximm" ? "memory_map:$name" : ""}]
}

# One block, as large as the address of the interface reaches.
proc packager::get_address_blocks {args} {
    variable ports
    lassign [children get_address_blocks {*}$args] map pattern
    set name [vivado::object $map memory_map]
    set block address_block:$name/reg0
    if {![dict exists $vivado::properties $block range]} {
        dict set vivado::properties $block range [expr {1 << [lindex [dict get $ports ${name}_AWADDR] 1]}]
    }
    return [expr {[string match $pattern reg0] ? $block : ""}]
}

proc packager::add_register {name block} {
    variable registers
    vivado::object $block address_block
    vivado::require {$name ni $registers} "register $name exists"
    lappend registers $name
    return register:$name
}

proc packager::create_xgui_files {core} { vivado::object $core core }
proc packager::check_integrity {core} { vivado::object $core core }

proc packager::update_checksums {core} {
    variable checked 1
    vivado::object $core core
}

# The packaged IP as an entry of the recorder's catalogue, and its registers.
proc packager::save_core {core} {
    variable root
    variable ports
    variable found
    variable registers
    variable checked
    vivado::object $core core
    vivado::require {[info exists checked]} "the core's checksums are not those of its files"
    set clocks {}
    dict for {name interface} $found {
        if {[lindex $interface 1] eq "clk"} {
            foreach associated [split [parameter [lindex $interface 3] ASSOCIATED_BUSIF] :] {
                dict set clocks $associated $name
            }
        }
    }
    set taken {}
    set interfaces {}
    set pins {}
    set segments {}
    dict for {name interface} $found {
        lassign $interface mode protocol width members
        lappend taken {*}$members
        if {$protocol in {clk rst intr}} {
            lappend pins [list $name $mode $protocol 1 1]
            continue
        }
        set clock [expr {[dict exists $clocks $name] ? [dict get $clocks $name] : ""}]
        lappend interfaces [list $name $mode $protocol $width $clock 1]
        if {$protocol eq "aximm"} {
            set range [dict get $vivado::properties address_block:$name/reg0 range]
            dict set segments $name [list [list $name/reg0 0x0 $range]]
        }
    }
    dict for {name port} $ports {
        if {$name ni $taken} {
            lappend pins [list $name [lindex $port 0] data [lindex $port 1] 1]
        }
    }
    set properties [dict get $vivado::properties core:current]
    set vln [dict get $properties vendor]:[dict get $properties library]:[dict get $properties name]
    vivado::write_text [file join $root recorded_ip.tcl] [dict create $vln [dict create \
        versions [dict get $properties version] parameters {} interfaces $interfaces pins $pins spaces {} \
        segments $segments]]
    set lines {}
    foreach register $registers {
        set described [dict get $vivado::properties register:$register]
        lappend lines "$register [dict get $described address_offset] [dict get $described size]"
    }
    vivado::write_text [file join $root recorded_registers.txt] [join $lines \n]
    foreach path [dict get $vivado::state files] {
        file mkdir [file join $root src]
        file copy -force $path [file join $root src]
    }
}
