# The numbers of the design: generated/first_exit_spec.tcl, which `pynq-ee export` writes from pynq_ee/network/spec.py and the
# weights. It sets variables in the namespace `spec`; these procedures read them.

namespace eval spec {}

proc spec::read {path} {
    variable file $path
    if {![::file readable $path]} {
        failure::raise "no $path; `pynq-ee export` writes it"
    }
    if {[catch {uplevel #0 [list source $path]} message]} {
        failure::raise "$path is damaged ($message); `pynq-ee export` writes it anew"
    }
}

proc spec::get {name} {
    variable file
    if {![info exists ::spec::$name]} {
        failure::raise "$file has no $name; it is of another version: run `pynq-ee export`"
    }
    return [set ::spec::$name]
}

proc spec::boards {} {
    return [dict keys [get boards]]
}

proc spec::board {name} {
    return [dict get [get boards] $name]
}

# Boards that an overlay for this board serves: those with the same part.
proc spec::boards_alike {name} {
    set alike {}
    dict for {other board} [get boards] {
        if {[dict get $board part] eq [dict get [board $name] part]} {
            lappend alike $other
        }
    }
    return $alike
}

# Fail when generated/ is not what `pynq-ee export` wrote of the weights, by the digests that it left. Without Python
# nobody knows, and only an explicit --trust-generated builds then. `rtl`, unless empty, is a model's Verilog, which must
# be as it was written too. Returns whether it was compared.
proc spec::check_generated {repository model trusted rtl} {
    variable file
    if {$trusted} {
        puts stderr "warning: hw/generated/ was not compared with the weights (--trust-generated)"
        return 0
    }
    set python [expr {[info exists ::env(PYTHON)] ? $::env(PYTHON) : "python3"}]
    set script [::file join $repository hw vivado compare_generated.py]
    set extra [expr {$rtl eq "" ? {} : [list $rtl]}]
    if {[catch {
        tools::system_output [concat [list $python $script $model [::file dirname $file]] $extra]
    } output] || ![regexp -line {^compared: (\S+) ?(.*)$} $output -> build_id differing]} {
        failure::raise "cannot compare hw/generated/ with the weights: $python says\
            '[lindex [split [string trim $output] \n] end]'; PYTHON=... names another Python (3.6 or later, nothing\
            installed), --model another model file, and --trust-generated builds without this check"
    }
    if {$build_id != [get build_id]} {
        failure::raise "hw/generated/ is stale: it has build_id [get build_id], the weights of $model have $build_id;\
            run `pynq-ee export`, or name the weights with --model"
    }
    if {$rtl ne "" && [::file tail $rtl] in $differing} {
        failure::raise "the Verilog of the model is stale: $rtl is not what `make -C hw rtl MODEL=$model` writes; run it"
    }
    if {[llength $differing]} {
        failure::raise "hw/generated/ is stale: [join $differing {, }] is not what `pynq-ee export` writes; run it"
    }
    return 1
}
