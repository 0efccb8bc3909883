# Whether a circuit fits the part, judged before the long work.

namespace eval area {
    # Share of a part's look-up tables above which placing and routing them in time becomes hard.
    variable crowded 0.8
}

# `counts` is used and available by resource, `who` says whose they are. What exceeds the part is an error that `allowed`
# lifts. `hint` names the number to turn.
proc area::check {who counts hint allowed} {
    variable crowded
    set said {}
    set over {}
    dict for {resource pair} $counts {
        lassign $pair used available
        lappend said "$used of $available $resource"
        if {$used > $available} {
            lappend over "$used $resource, the part has $available"
        } elseif {$resource eq "LUT" && $used > $crowded * $available} {
            puts stderr "warning: $who $used of $available LUT: timing will be hard to meet; $hint"
        }
    }
    puts "$who: [join $said {, }]"
    if {[llength $over] && !$allowed} {
        failure::raise "$who [join $over {; }]: $hint. --allow-area goes on to Vivado all the same"
    }
    foreach sentence $over {
        puts stderr "warning: $who $sentence (--allow-area)"
    }
}
