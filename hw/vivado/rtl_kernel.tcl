# The kernel of rtl/ to a packaged IP, by Vivado's IP packager: no HLS tool is needed.
#
# The packager takes a top in plain Verilog only, and infers interfaces from the names of its ports and from attributes.
# So the top is a wrapper with the ports of rtl/first_exit.sv, their widths as numbers, and what no name tells.

namespace eval rtl_kernel {
    # A file of rtl/ for each module or two. The package with the constants of a model comes before them.
    variable sources {
        common steps fifo stream_fifo skid_buffer axi_lite_slave checksum kernel_registers unframe frame trunk branch
        classifier output core first_exit
    }

    # What `make -C hw rtl` writes, below build/: the constants, and the sums of products of the model.
    variable generated rtl-reference/first_exit_model.sv

    # Interfaces that the block design connects.
    variable interfaces {s_axi_control images results}

    # By port: the interface that it is all of, and what holds of that.
    variable attributes {
        ap_clk {"xilinx.com:signal:clock:1.0 ap_clk CLK" \
            "ASSOCIATED_BUSIF s_axi_control:images:results, ASSOCIATED_RESET ap_rst_n"}
        ap_rst_n {"xilinx.com:signal:reset:1.0 ap_rst_n RST" "POLARITY ACTIVE_LOW"}
        interrupt {"xilinx.com:signal:interrupt:1.0 interrupt INTERRUPT" "SENSITIVITY LEVEL_HIGH"}
    }

    # Bits of a register.
    variable register_bits 32
}

proc rtl_kernel::generated_file {folder} {
    variable generated
    return [file join $folder build $generated]
}

# The files that make the kernel, in the order in which they are compiled.
proc rtl_kernel::files {folder} {
    variable sources
    set found [list [generated_file $folder]]
    foreach source $sources {
        lappend found [file join $folder rtl $source.sv]
    }
    return $found
}

# Fail when the model's Verilog is missing, or of another model than hw/generated/.
proc rtl_kernel::require_generated {folder model} {
    set path [generated_file $folder]
    set how "run `make -C hw rtl MODEL=$model`, which needs pynq_ee's packages; on another machine where this one has\
        none, and copy the file"
    if {![file readable $path]} {
        failure::raise "the Verilog of the model is missing: no $path; $how"
    }
    if {![regexp {^// written by \S+ of the model with build_id (0x[0-9a-f]+);} [hls_reports::contents $path] -> build_id]} {
        failure::raise "the Verilog of the model is damaged: $path does not say its build_id; $how"
    }
    if {$build_id != [spec::get build_id]} {
        failure::raise "the Verilog of the model is stale: $path has build_id $build_id, hw/generated/ has\
            [spec::get build_id]; $how"
    }
}

# Digests of the kernel's files by name, as members of an object; none where this system has no program for them.
proc rtl_kernel::digests {folder} {
    set digests {}
    foreach path [files $folder] {
        set digest [tools::sha256 $path]
        if {$digest eq ""} {
            return {}
        }
        dict set digests [file tail $path] [manifest::string_value $digest]
    }
    return $digests
}

# Ports of the kernel, as a flat list: direction, highest bit (empty where it is one line), name.
proc rtl_kernel::ports {folder} {
    set path [file join $folder rtl [spec::get kernel_name].sv]
    set constants [hls_reports::contents [generated_file $folder]]
    if {![regexp "\nmodule [spec::get kernel_name] \\((\[^;\]*)\\);" [hls_reports::contents $path] -> header]} {
        failure::raise "no module [spec::get kernel_name] in $path"
    }
    set found {}
    foreach port [split $header ,] {
        if {![regexp {^\s*(input|output) wire (?:\[([^:]+(?:::[^:]+)?):0\] )?(\w+)\s*$} $port -> direction high name]} {
            failure::raise "'[string trim $port]' in $path is not of the form 'input wire \[high:0\] name'"
        }
        while {[regexp {spec::(\w+)} $high constant parameter]} {
            if {![regexp -line "^  localparam $parameter = (\\d+);" $constants -> value]} {
                failure::raise "[generated_file $folder] has no $parameter; it is of another version: run `make -C hw rtl`"
            }
            set high [string map [list $constant $value] $high]
        }
        lappend found $direction [expr {$high eq "" ? "" : [expr $high]}] $name
    }
    return $found
}

proc rtl_kernel::top {} {
    return [spec::get kernel_name]_ip
}

# Write the top of the IP, and return its path.
proc rtl_kernel::write_wrapper {folder work} {
    variable attributes
    set declared {}
    set connected {}
    foreach {direction high name} [ports $folder] {
        set line "    $direction wire [expr {$high eq {} ? {} : "\[$high:0\] "}]$name"
        if {[dict exists $attributes $name]} {
            lassign [dict get $attributes $name] interface parameters
            set line "    (* X_INTERFACE_INFO = \"$interface\", X_INTERFACE_PARAMETER = \"$parameters\" *)\n$line"
        }
        lappend declared $line
        lappend connected "      .${name}($name)"
    }
    set path [file join $work [top].v]
    set channel [open $path w]
    puts $channel "// written by hw/vivado/rtl_kernel.tcl; the ports of hw/rtl/[spec::get kernel_name].sv"
    puts $channel "module [top] (\n[join $declared ,\n]\n);"
    puts $channel "  [spec::get kernel_name] kernel (\n[join $connected ,\n]\n  );\nendmodule"
    close $channel
    return $path
}

# Synthesize the kernel alone: used and available by resource, each a list of two.
proc rtl_kernel::synthesize {part report} {
    synth_design -top [top] -part $part -mode out_of_context
    report_utilization -file $report
    set counts {}
    dict for {resource count} [implement::utilization [hls_reports::contents $report]] {
        dict set counts $resource [list [dict get $count used] [dict get $count available]]
    }
    close_design
    return $counts
}

# Package the open project as the kernel's IP in `root`.
proc rtl_kernel::package {root} {
    variable interfaces
    variable attributes
    variable register_bits
    lassign [split [dict get [spec::get kernel_vlnvs] rtl] :] vendor library name version
    ipx::package_project -root_dir $root -vendor $vendor -library $library -taxonomy /UserIP -import_files
    set core [ipx::current_core]
    set_property name $name $core
    set_property version $version $core
    set_property display_name $name $core
    set_property description "First exit of an early-exit LeNet-5" $core
    foreach interface [concat $interfaces [dict keys $attributes]] {
        if {![llength [ipx::get_bus_interfaces $interface -of_objects $core]]} {
            failure::raise "the IP packager found no interface $interface among the ports of the kernel"
        }
    }
    set map [ipx::get_memory_maps [lindex $interfaces 0] -of_objects $core]
    set block [ipx::get_address_blocks * -of_objects $map]
    if {[llength $block] != 1} {
        failure::raise "the IP packager made [llength $block] address blocks of [lindex $interfaces 0], not one"
    }
    # As HLS packages it: the range is that of the processor's address map, the registers are told to pynq.
    set_property range [spec::get kernel_range] $block
    dict for {register description} [spec::get registers] {
        set added [ipx::add_register $register $block]
        set_property address_offset [dict get $description offset] $added
        set_property size $register_bits $added
    }
    ipx::create_xgui_files $core
    ipx::update_checksums $core
    ipx::check_integrity $core
    ipx::save_core $core
}
