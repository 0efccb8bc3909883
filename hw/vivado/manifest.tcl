# manifest.json, and publishing it with the overlay's files.

namespace eval manifest {}

proc manifest::string_value {text} {
    return "\"[string map {\\ \\\\ \" \\\"} $text]\""
}

# A JSON object of already encoded values.
proc manifest::object {members indent} {
    set lines {}
    dict for {name value} $members {
        lappend lines "$indent  [string_value $name]: $value"
    }
    return "{\n[join $lines ,\n]\n$indent}"
}

# Digests of the files that must be of one build, as members of an object: their times say nothing after a copy.
proc manifest::digests {folder} {
    set digests {}
    foreach suffix {bit hwh} {
        set file [spec::get overlay_name].$suffix
        set digest [tools::sha256 [file join $folder $file]]
        if {$digest ne ""} {
            dict set digests $file [string_value $digest]
        }
    }
    return $digests
}

# A JSON list of strings.
proc manifest::string_list {texts} {
    set values {}
    foreach text $texts {
        lappend values [string_value $text]
    }
    return "\[[join $values {, }]\]"
}

# `facts` is what the stages found: board, clock, checked (whether hw/generated/ was compared), missed (the loops that miss
# the rate), kernel (hls or rtl), kernel_digests (those of its RTL), hls_version (empty where
# none was needed), slacks, digests; `utilization` is empty where it is not known.
proc manifest::content {facts utilization repository} {
    set board [dict get $facts board]
    set versions [dict create vivado [string_value [version -short]]]
    if {[dict get $facts hls_version] ne ""} {
        dict set versions hls [string_value [dict get $facts hls_version]]
    }
    set resources {}
    dict for {resource count} $utilization {
        dict set resources $resource [object $count "    "]
    }
    return [object [dict create \
        name [string_value [spec::get overlay_name]] \
        build_id [string_value [format %08x [spec::get build_id]]] \
        interface_version [spec::get interface_version] \
        boards [string_list [spec::boards_alike $board]] \
        part [string_value [dict get [spec::board $board] part]] \
        clock_mhz [dict get $facts clock] \
        pixels_per_beat [spec::get pixels_per_beat] \
        compared_with_weights [expr {[dict get $facts checked] ? "true" : "false"}] \
        kernel [string_value [dict get $facts kernel]] \
        kernel_sha256 [object [dict get $facts kernel_digests] "  "] \
        rate_missed [string_list [dict get $facts missed]] \
        tools [object $versions "  "] \
        slack_ns [object [dict get $facts slacks] "  "] \
        utilization [object $resources "  "] \
        sha256 [object [dict get $facts digests] "  "] \
        revision [string_value [tools::revision $repository]] \
        date [string_value [clock format [clock seconds] -gmt 1 -format %Y-%m-%dT%H:%M:%SZ]]] ""]
}

# Whole, or not there.
proc manifest::write {folder content} {
    set path [file join $folder manifest.json]
    set channel [open $path.tmp w]
    puts $channel $content
    close $channel
    file rename -force $path.tmp $path
}

# An empty folder beside the published files, on the same file system, so that publishing is renaming. One that a killed
# run has left is removed.
proc manifest::stage_folder {target} {
    file mkdir $target
    set folder [file join $target .build.tmp]
    file delete -force $folder
    file mkdir $folder
    return $folder
}

# Move what a user loads to where users look: the bitstream first, the manifest last. All get the present time: without a
# manifest, a .hwh older than its .bit is taken for one that was forgotten. The script of an earlier build goes.
proc manifest::publish {folder target} {
    set name [spec::get overlay_name]
    set published {}
    set now [clock seconds]
    file delete [file join $target $name.tcl]
    foreach file [list $name.bit $name.hwh manifest.json] {
        file mtime [file join $folder $file] $now
        file rename -force [file join $folder $file] [file join $target $file]
        lappend published [file join $target $file]
    }
    file delete -force $folder
    return $published
}
