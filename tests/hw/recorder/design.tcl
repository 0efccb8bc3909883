# The recorded design as JSON: the design description of pynq_ee/generate/hwh.py, and `details`, which the tests check.

namespace eval design {}

# Path of an object, without its kind.
proc design::path {object} {
    return [list s [vivado::name $object]]
}

proc design::description {board} {
    set cells {}
    dict for {name vlnv} $vivado::cells {
        set config {}
        dict for {parameter value} [dict get $vivado::configs $name] {
            dict set config $parameter [list s $value]
        }
        dict set cells $name [list o [list vlnv [list s $vlnv] config [list o $config]]]
    }
    set interfaces {}
    set ports {}
    foreach net $vivado::interface_nets {
        lassign $net first second
        if {[vivado::kind $second] eq "port"} {
            dict set ports [vivado::name $second] [path $first]
        } else {
            lappend interfaces [list a [list [path $first] [path $second]]]
        }
    }
    set nets [lmap net $vivado::nets {list a [lmap pin $net {path $pin}]}]
    # Several spaces of one cell that see the same are one line: the description knows cells only.
    set addresses {}
    foreach address $vivado::addresses {
        lassign $address space master segment slave base range
        set line [list o [list master [list s [lindex [split $master /] 0]] slave [list s $slave] \
            base [list n $base] range [list n $range]]]
        if {$line ni $addresses} {
            lappend addresses $line
        }
    }
    return [list o [list \
        name [list s $vivado::design] board [list s $board] part [list s $vivado::part] \
        cells [list o $cells] interfaces [list a $interfaces] nets [list a $nets] addresses [list a $addresses] \
        details [details $ports]]]
}

# Everything that the cells have, connected or not.
proc design::details {ports} {
    set interfaces {}
    set pins {}
    foreach cell [dict keys $vivado::cells] {
        foreach row [vivado::interfaces $cell] {
            lassign $row name mode protocol width clock
            dict set interfaces $cell/$name [list o [list \
                mode [list s $mode] protocol [list s $protocol] width [list s $width] clock [list s $clock]]]
        }
        foreach row [vivado::pins $cell] {
            lassign $row name direction type width
            dict set pins $cell/$name [list o [list direction [list s $direction] \
                type [list s [string trimright $type ?]] width [list s $width] \
                optional [list n [expr {[string match *\\? $type] ? "true" : "false"}]]]]
        }
    }
    set spaces {}
    foreach address $vivado::addresses {
        lassign $address space master segment slave base range
        lappend spaces [list o [list space [list s $space] master [list s $master] segment [list s $segment] \
            base [list n $base] range [list n $range]]]
    }
    set excluded {}
    foreach pair $vivado::excluded {
        lassign $pair space segment
        lappend excluded [list o [list space [list s $space] segment [list s $segment]]]
    }
    # What an address could be given to: each space with the master that sees it, each segment with the slave behind it.
    set seen {}
    set offered {}
    foreach cell [dict keys $vivado::cells] {
        dict for {interface space} [dict get [vivado::ip_of $cell] spaces] {
            dict set seen $cell/[lindex $space 0] [list s $cell/$interface]
        }
        dict for {interface segments} [dict get [vivado::ip_of $cell] segments] {
            foreach segment $segments {
                dict set offered $cell/[lindex $segment 0] [list s $cell/$interface]
            }
        }
    }
    set state {}
    foreach name {validated saved} {
        dict set state $name [list n [expr {[dict get $vivado::state $name] ? "true" : "false"}]]
    }
    return [list o [concat [list interfaces [list o $interfaces] pins [list o $pins] ports [list o $ports] \
        spaces [list a $spaces] excluded [list a $excluded] seen [list o $seen] offered [list o $offered]] $state]]
}
