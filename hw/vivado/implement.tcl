# Block design to bitstream.

namespace eval implement {
    # Rows of the utilization report by resource; families name them differently.
    variable resources {
        LUT {Slice LUTs} LUT {CLB LUTs}
        FF {Slice Registers} FF {CLB Registers}
        DSP {DSPs}
        BRAM {Block RAM Tile}
    }
}

# Launch a run and wait for the end of its last step, or fail with the run's status and its log.
proc implement::run_to {run step jobs args} {
    launch_runs $run {*}$args -jobs $jobs
    # Newer releases raise here when the run has failed, older ones return; its status says it in all of them.
    set raised [catch {wait_on_run $run} reason]
    set status [get_property STATUS [get_runs $run]]
    # "Complete, Failed Timing!" is complete as well: the slacks are judged by check_timing.
    if {![string match "$step Complete*" $status]} {
        set said [expr {$raised ? ", [lindex [split $reason \n] 0]" : ""}]
        set log [file join [get_property DIRECTORY [get_runs $run]] runme.log]
        failure::raise "$run ended with '$status'$said (log: $log)"
    }
}

# Used and available by resource, in the text of report_utilization. Block RAM counts in tiles of 36 Kbit.
proc implement::utilization {report} {
    variable resources
    set found {}
    set columns {}
    foreach line [split $report \n] {
        if {![string match {|*} $line]} continue
        set fields {}
        foreach field [lrange [split $line |] 1 end-1] {
            lappend fields [string trim $field]
        }
        if {[lindex $fields 0] eq "Site Type"} {
            set columns $fields
            continue
        }
        foreach {resource row} $resources {
            if {[string trimright [lindex $fields 0] *] eq $row && ![dict exists $found $resource]} {
                dict set found $resource [dict create \
                    used [lindex $fields [lsearch -exact $columns Used]] \
                    available [lindex $fields [lsearch -exact $columns Available]]]
            }
        }
    }
    foreach resource {LUT FF DSP BRAM} {
        if {![dict exists $found $resource]} {
            failure::raise "the utilization report has no row for $resource; is this another format?"
        }
    }
    return $found
}

# The hardware description that was made with the block design; its folder moved between releases.
proc implement::hardware_description {name} {
    set project [get_property DIRECTORY [current_project]]
    set found [glob -nocomplain [file join $project $name.{gen,srcs} sources_1 bd $name hw_handoff $name.hwh]]
    if {![llength $found]} {
        failure::raise "Vivado left no $name.hwh below $project"
    }
    return [lindex $found 0]
}

# Implement the block design `name` and write the overlay's .bit and .hwh to `folder`, as soon as timing is met.
# Returns the slacks.
proc implement::run {name folder jobs} {
    set design [get_files $name.bd]
    # One synthesis of everything: one log to read when it fails.
    set_property synth_checkpoint_mode None $design
    generate_target all $design
    add_files -norecurse [make_wrapper -files $design -top]
    set_property top ${name}_wrapper [current_fileset]
    update_compile_order -fileset sources_1

    set_property strategy Performance_Explore [get_runs impl_1]
    run_to synth_1 synth_design $jobs
    run_to impl_1 route_design $jobs -to_step route_design

    open_run impl_1
    set reports [get_property DIRECTORY [current_project]]
    set timing_report [file join $reports timing.rpt]
    report_timing_summary -file $timing_report
    set slacks [check_timing::slacks [get_runs impl_1]]
    check_timing::require $slacks $timing_report

    set overlay [file join $folder [spec::get overlay_name]]
    # The header of the .bit then says whose it is, before anything is programmed.
    set_property BITSTREAM.CONFIG.USERID [format 0x%08X [spec::get build_id]] [current_design]
    write_bitstream -force $overlay.bit
    file copy [hardware_description $name] $overlay.hwh
    foreach suffix {bit hwh} {
        if {![file exists $overlay.$suffix]} {
            failure::raise "Vivado wrote no [file tail $overlay].$suffix"
        }
    }
    return $slacks
}

# Used and available by resource, of the open design.
proc implement::open_utilization {} {
    set report [file join [get_property DIRECTORY [current_project]] utilization.rpt]
    report_utilization -file $report
    return [utilization [hls_reports::contents $report]]
}

# The block design as a script that draws it again.
proc implement::write_script {path} {
    write_bd_tcl -force $path
    if {![file exists $path]} {
        failure::raise "Vivado wrote no [file tail $path]"
    }
}
