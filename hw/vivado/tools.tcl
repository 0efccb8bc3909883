# Programs outside Vivado: finding them, running them.

namespace eval tools {}

# The command, without the script's name, that runs a Tcl script in the HLS tool. Newer releases have vitis-run only.
proc tools::hls_command {} {
    foreach {program arguments} {vitis_hls -f vitis-run {--mode hls --tcl}} {
        set path [auto_execok $program]
        if {$path ne ""} {
            return [concat $path $arguments]
        }
    }
    failure::raise "no HLS tool: neither vitis_hls nor vitis-run is on the PATH; source the settings64.sh of Vitis"
}

proc tools::require_vivado {} {
    if {[info commands create_project] eq ""} {
        failure::raise "this is not Vivado: run `vivado -mode batch -source hw/build.tcl -tclargs ...`,\
            or stop before it with --stage hls of --kernel hls"
    }
}

# Run a program in `folder`, its output in `log`. Nothing is left to read, so that a tool which falls back to its
# prompt after an error ends.
proc tools::run_logged {what command folder log} {
    set before [pwd]
    cd $folder
    set failed [catch {exec {*}$command << "" > $log 2>@1} message options]
    cd $before
    if {!$failed} {
        return
    }
    set reason [lindex [split $message \n] 0]
    if {[file readable $log]} {
        set channel [open $log]
        foreach line [split [read $channel] \n] {
            if {[regexp -nocase {^\s*error\M:?\s*(.*)} $line -> reason]} break
        }
        close $channel
    }
    failure::raise "$what failed: $reason (log: $log)"
}

# Output of a program that belongs to the system. Vivado puts its own libraries and its own Python first in the
# environment, with which the system's programs do not run.
proc tools::system_output {command {variables {}}} {
    set saved {}
    foreach name {LD_LIBRARY_PATH PYTHONHOME PYTHONPATH} {
        if {[info exists ::env($name)]} {
            lappend saved $name $::env($name)
            unset ::env($name)
        }
    }
    array set ::env $variables
    set failed [catch {exec {*}$command 2>@1} output]
    foreach {name value} $variables {
        unset ::env($name)
    }
    array set ::env $saved
    if {$failed} {
        return -code error $output
    }
    return $output
}

# The checked-out revision, with -dirty when tracked files differ from it; the overlay's own files do not count.
proc tools::revision {repository} {
    set git [list git -C $repository]
    if {[catch {
        set revision [system_output [concat $git {rev-parse --verify HEAD}]]
        set changes [system_output [concat $git {status --porcelain --untracked-files=no -- . :!overlay}]]
    }]} {
        return unknown
    }
    return [expr {$changes eq "" ? $revision : "$revision-dirty"}]
}

# Digest of a file, empty where this system has no sha256sum.
proc tools::sha256 {path} {
    if {[catch {system_output [list sha256sum $path]} output]} {
        puts stderr "warning: no digest of [file tail $path] ([lindex [split $output \n] 0]): it goes without one"
        return ""
    }
    return [lindex $output 0]
}
