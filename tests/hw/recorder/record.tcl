# Run a script of Vivado's under plain tclsh, with Vivado's commands recorded instead of carried out.
#
#     tclsh record.tcl [--design FILE] [--set NAME VALUE ...] SCRIPT [arguments of the script]
#
# --design writes the block design as JSON when the script ends well. --set overrides what the recorded Vivado answers:
# version, setup, hold, pulse_width, status.synth_1, status.impl_1, versions.<ip>, .. With hidden.<ip> 1 the catalogue
# shows an IP only when asked for all, and with locked.<ip> 1 no cell can be made of it. With wait_raises 1, wait_on_run
# raises when its run has failed; with bd_tcl 0 write_bd_tcl does. kernel.<resource> is what the synthesis of the kernel
# alone takes.
#
# The script runs in an interpreter of its own that has the commands of Tcl 8.5 and those that are recorded. Anything
# else is an invalid command there, as it is in Vivado.

set folder [file dirname [file normalize [info script]]]
set design_file ""
set overrides {}
while {[string match --* [lindex $argv 0]]} {
    set argv [lassign $argv option]
    switch -- $option {
        --design { set argv [lassign $argv design_file] }
        --set { set argv [lassign $argv name value]; dict set overrides $name $value }
        default { puts stderr "record.tcl: unknown option $option"; exit 2 }
    }
}
foreach part {catalogue vivado packager json design} {
    source [file join $folder $part.tcl]
}

set argv [lassign $argv script]
interp create recorded
recorded eval [list set argv $argv]
recorded eval {
    # Loaded from Tcl's library when it is first used, which needs what is taken away below.
    auto_execok sh
    foreach command {coroutine lmap tailcall throw try yield yieldto zlib} {
        rename $command {}
    }
}
foreach command $vivado::commands {
    interp alias recorded $command {} vivado::$command
}
recorded eval {namespace eval ipx {}}
foreach command $packager::commands {
    interp alias recorded ipx::$command {} packager::$command
}
interp alias recorded clock {} clock
interp alias recorded exit {} finish

proc finish {{status 0}} {
    if {$status == 0 && $::design_file ne "" && $vivado::design ne ""} {
        set board [lindex $::argv [expr {[lsearch -exact $::argv --board] + 1}]]
        set channel [open $::design_file w]
        puts $channel [json::encode [design::description $board]]
        close $channel
    }
    exit $status
}

# As in Vivado, `info script` is the script, and an error that it does not handle ends with status 1.
if {[catch {recorded eval [list source $script]} message]} {
    puts stderr "unhandled: $message"
    puts stderr [recorded eval {set errorInfo}]
    exit 1
}
finish
