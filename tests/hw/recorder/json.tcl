# JSON text from Tcl. A value says what it is: {s text}, {n number}, {a list of values}, {o dict of values}.

namespace eval json {}

proc json::encode {value {indent ""}} {
    lassign $value kind content
    switch -- $kind {
        s { return "\"[string map {\\ \\\\ \" \\\" \n \\n} $content]\"" }
        n { return $content }
        a {
            set short [expr {[lsearch -exact -not [lmap item $content {lindex $item 0}] s] < 0}]
            set lines [lmap item $content {encode $item "$indent "}]
            if {$short} {
                return "\[[join $lines {, }]\]"
            }
            return "\[\n$indent [join $lines ",\n$indent "]\n$indent\]"
        }
        o {
            set lines {}
            dict for {name item} $content {
                lappend lines "$indent [encode [list s $name]]: [encode $item "$indent "]"
            }
            return [expr {[llength $lines] ? "{\n[join $lines ,\n]\n$indent}" : "{}"}]
        }
    }
    error "no JSON value: $value"
}
