# The numbers of the design: generated/first_exit_spec.tcl, which `pynq-ee export` writes from pynq_ee/network/spec.py and the
# weights. It sets variables in the namespace `spec`; these procedures read them.

namespace eval spec {
    # Compares generated/ with what the weights give: prints the weights' build_id and each file that differs.
    variable comparison {
import sys
from pathlib import Path
from pynq_ee.generate import constants
from pynq_ee.network import weights
model = weights.load(sys.argv[1])
folder = Path(sys.argv[2])
paths = {folder / name: text for name, text in constants.generated(model).items()}
differing = [path.name for path, text in paths.items() if not path.is_file() or path.read_text() != text]
print("compared:", f"0x{model.build_id:08x}", *differing)
}
}

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

# Fail when generated/ is not what the weights give. The answer is Python's, which has the one definition of the
# digest; without Python it is known to nobody, and only an explicit --trust-generated builds then.
# Returns whether it was compared.
proc spec::check_generated {repository model trusted} {
    variable file
    variable comparison
    if {$trusted} {
        puts stderr "warning: hw/generated/ was not compared with the weights (--trust-generated)"
        return 0
    }
    set python [expr {[info exists ::env(PYTHON)] ? $::env(PYTHON) : "python3"}]
    set generated [::file dirname $file]
    if {[catch {
        tools::system_output [list $python -c $comparison $model $generated] [list PYTHONPATH $repository]
    } output] || ![regexp -line {^compared: (\S+) ?(.*)$} $output -> build_id differing]} {
        failure::raise "cannot compare hw/generated/ with the weights: $python says\
            '[lindex [split [string trim $output] \n] end]'; PYTHON=... names another Python with numpy and pillow,\
            --model another model file, and --trust-generated builds without this check"
    }
    if {$build_id != [get build_id]} {
        failure::raise "hw/generated/ is stale: it has build_id [get build_id], the weights of $model have $build_id;\
            run `pynq-ee export`, or name the weights with --model"
    }
    if {[llength $differing]} {
        failure::raise "hw/generated/ is stale: [join $differing {, }] is not what `pynq-ee export` writes; run it"
    }
    return 1
}
