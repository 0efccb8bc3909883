# Build the overlay: C++ -> IP (HLS) -> block design -> bitstream -> overlay/. With --kernel rtl the IP is packaged of
# SystemVerilog, by Vivado alone.
#
#     vivado -mode batch -source hw/build.tcl -tclargs --board pynq-z2
#
# `--help` lists the options. The files of pynq-z2 and pynq-z1, which have the same part, go to overlay/ itself, those
# of any other board to overlay/<board>/. What the tools leave stays in hw/build/<board>/ until the next run.
#
# Nothing is published before timing is met, and then at once: the files that a user loads are written beside their place
# and moved there when all of them are complete. What only tells more of them comes behind, and is a warning where it
# fails. Any other failure is one line on stderr and exit status 1.
#
# Written for the Tcl 8.5 that older releases of Vivado carry. Everything here that is not a command of Vivado or of
# the HLS tool is a small procedure of vivado/, which plain tclsh runs too.

namespace eval build {
    variable folder [file dirname [file normalize [info script]]]
    variable repository [file dirname $folder]

    # The release that this flow was written for; PYNQ 3.0 is built with it as well.
    variable target_version 2022.1
}

foreach build::part {
    failure options spec tools area hls_reports rtl_kernel processing_system block_design check_timing implement manifest
} {
    source [file join $build::folder vivado $build::part.tcl]
}

# Folder below --out: boards that share the default board's part share its files, any other has a folder of its own.
proc build::target_folder {out board} {
    if {[dict get [spec::board $board] part] eq [dict get [spec::board [spec::get default_board]] part]} {
        return $out
    }
    return [file join $out $board]
}

# A fresh folder of this build; what an earlier run left in it is deleted.
proc build::fresh_folder {args} {
    set path [file join {*}$args]
    file delete -force $path
    file mkdir $path
    return $path
}

proc build::warn_of_version {tool found} {
    variable target_version
    if {![string match "$target_version*" $found]} {
        puts stderr "warning: $tool is version $found; this flow was written for $target_version"
    }
}

# The number to turn when the circuit does not fit.
proc build::area_hint {kernel} {
    set channels [expr {[spec::get pixels_per_beat] > 4
        ? "`pynq-ee export MODEL --pixels-per-beat 4 --generated hw/generated` takes about half"
        : "fewer channels or narrower weights (`pynq-ee train --help`) take less"}]
    return [expr {$kernel eq "hls" ? "$channels, and a slower --clock fewer flip-flops" : $channels}]
}

# C++ to a packaged IP, judged by its reports. Returns the folder of the IP, the version of the tool, and the loops that
# miss the rate.
proc build::run_hls {work board clock settings} {
    variable folder
    set kernel [spec::get kernel_name]
    set command [tools::hls_command]
    set hls [fresh_folder $work hls]
    set sources [lsort [glob [file join $folder hls *.cpp]]]
    set run [dict create \
        kernel $kernel \
        vendor [spec::get kernel_vendor] \
        version [spec::get kernel_version] \
        part [dict get [spec::board $board] part] \
        period [format %.3f [expr {1000.0 / $clock}]] \
        sources $sources \
        includes [list [file join $folder hls] [file join $folder generated]]]
    # vitis-run passes no arguments on to a script, so the settings are a script that sources hls.tcl.
    set script [file join $hls run.tcl]
    set channel [open $script w]
    puts $channel [list set settings $run]
    puts $channel [list source [file join $folder vivado hls.tcl]]
    close $channel
    set log [file join $hls hls.log]
    puts "HLS: $kernel for [dict get $run part] at [dict get $run period] ns; log: $log"
    tools::run_logged "HLS" [concat $command [list $script]] $hls $log

    set solution [file join $hls $kernel solution]
    set found [hls_reports::tool_version $solution $kernel]
    warn_of_version "the HLS tool" $found
    hls_reports::check_registers $solution $kernel [spec::get registers]
    set depths [spec::get pipeline_depths]
    set missed [hls_reports::check_rate $solution $depths $sources [dict get $settings allow-rate]]
    hls_reports::check_depths $solution $depths
    hls_reports::check_area $solution $kernel [area_hint hls] [dict get $settings allow-area]
    return [list [file join $solution impl ip] $found $missed]
}

# SystemVerilog to a packaged IP, judged by what Vivado makes of it alone. Returns the folder of the IP.
proc build::run_rtl {work board settings} {
    variable folder
    set part [dict get [spec::board $board] part]
    set rtl [fresh_folder $work rtl]
    puts "RTL: [spec::get kernel_name] for $part; project: $rtl"
    create_project [rtl_kernel::top] [file join $rtl project] -part $part -force
    add_files -norecurse [concat [rtl_kernel::files $folder] [list [rtl_kernel::write_wrapper $folder $rtl]]]
    set_property top [rtl_kernel::top] [current_fileset]
    update_compile_order -fileset sources_1
    set counts [rtl_kernel::synthesize $part [file join $rtl utilization.rpt]]
    area::check "Vivado counts" $counts [area_hint rtl] [dict get $settings allow-area]
    set ip [file join $rtl ip]
    rtl_kernel::package $ip
    close_project
    return $ip
}

# Name of the block design. It is a module's name too, and the kernel's top module has the overlay's.
proc build::design_name {} {
    return [spec::get overlay_name]_design
}

# The block design in a fresh project. Returns the clock in MHz that the processor makes of the one asked for.
proc build::run_design {work board clock ip_folder kernel} {
    set part [dict get [spec::board $board] part]
    create_project [design_name] [fresh_folder $work vivado] -part $part -force
    set_property ip_repo_paths [list $ip_folder] [current_project]
    update_ip_catalog
    return [block_design::create [design_name] $board $clock $kernel]
}

# Write what tells more of a published overlay. It is complete without it.
proc build::describe {target facts} {
    variable repository
    if {[catch {
        manifest::write $target [manifest::content $facts [implement::open_utilization] $repository]
    } reason]} {
        puts stderr "warning: the manifest goes without the utilization: [lindex [split $reason \n] 0]"
    }
    set script [file join $target [spec::get overlay_name].tcl]
    if {[catch {implement::write_script $script} reason]} {
        puts stderr "warning: the overlay goes without [file tail $script]: [lindex [split $reason \n] 0]"
    }
}

proc build::main {arguments} {
    variable folder
    variable repository
    set settings [options::parse $arguments [file join $repository overlay]]
    spec::read [file join $folder generated first_exit_spec.tcl]
    if {[dict get $settings help]} {
        puts [options::usage [spec::boards] [spec::get default_board]]
        return
    }
    set board [options::choice board [options::default $settings board [spec::get default_board]] [spec::boards]]
    set clock [options::default $settings clock [dict get [spec::board $board] clock_mhz]]
    set stage [dict get $settings stage]
    set work [file join $folder build $board]

    # Whatever can fail at once, fails before the long work starts.
    set kernel [dict get $settings kernel]
    if {$kernel eq "hls"} {
        tools::hls_command
    }
    if {$stage ne "hls"} {
        tools::require_vivado
        warn_of_version Vivado [version -short]
    }
    set model [options::default $settings model [spec::get network]]
    set rtl ""
    if {$kernel eq "rtl"} {
        rtl_kernel::require_generated $folder $model
        set rtl [rtl_kernel::generated_file $folder]
    }
    set checked [spec::check_generated $repository $model [dict get $settings trust-generated] $rtl]
    file mkdir $work

    if {$kernel eq "hls"} {
        lassign [failure::in_stage "HLS" $work {build::run_hls $work $board $clock $settings}] \
            ip_folder hls_version missed
        set kernel_digests {}
    } else {
        set ip_folder [failure::in_stage "packaging the RTL" $work {build::run_rtl $work $board $settings}]
        set hls_version ""
        set missed {}
        set kernel_digests [rtl_kernel::digests $folder]
    }
    if {$stage eq $kernel} {
        puts "IP: $ip_folder"
        return
    }
    set actual_clock [failure::in_stage "block design" $work {
        build::run_design $work $board $clock $ip_folder $kernel
    }]
    if {$stage eq "design"} {
        puts "block design: [file join $work vivado]"
        return
    }
    set target [target_folder [dict get $settings out] $board]
    set staged [manifest::stage_folder $target]
    set published [failure::in_stage "implementation" $work {
        set slacks [implement::run [design_name] $staged [dict get $settings jobs]]
        set facts [dict create board $board clock $actual_clock checked $checked missed $missed \
            kernel $kernel kernel_digests $kernel_digests hls_version $hls_version slacks $slacks digests [manifest::digests $staged]]
        manifest::write $staged [manifest::content $facts {} $repository]
        manifest::publish $staged $target
    } {file delete -force $staged}]
    puts "overlay: [join $published {, }]"
    describe $target $facts
}

if {[catch {build::main $argv} build::message]} {
    puts stderr "error: $build::message"
    exit 1
}
exit 0
