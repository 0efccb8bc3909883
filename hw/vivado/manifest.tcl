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

proc manifest::content {folder board clock checked hls_version result repository} {
    set boards {}
    foreach name [spec::boards_alike $board] {
        lappend boards [string_value $name]
    }
    set utilization {}
    dict for {resource count} [dict get $result utilization] {
        dict set utilization $resource [object $count "    "]
    }
    return [object [dict create \
        name [string_value [spec::get overlay_name]] \
        build_id [string_value [format %08x [spec::get build_id]]] \
        interface_version [spec::get interface_version] \
        boards "\[[join $boards {, }]\]" \
        part [string_value [dict get [spec::board $board] part]] \
        clock_mhz $clock \
        pixels_per_beat [spec::get pixels_per_beat] \
        compared_with_weights [expr {$checked ? "true" : "false"}] \
        tools [object [dict create vivado [string_value [version -short]] hls [string_value $hls_version]] "  "] \
        slack_ns [object [dict get $result slacks] "  "] \
        utilization [object $utilization "  "] \
        sha256 [object [digests $folder] "  "] \
        revision [string_value [tools::revision $repository]] \
        date [string_value [clock format [clock seconds] -gmt 1 -format %Y-%m-%dT%H:%M:%SZ]]] ""]
}

proc manifest::write {folder content} {
    set channel [open [file join $folder manifest.json] w]
    puts $channel $content
    close $channel
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

# Move a complete set of files to where users look: the bitstream first, the manifest last. All get the present time:
# without a manifest, a .hwh older than its .bit is taken for one that was forgotten.
proc manifest::publish {folder target} {
    set name [spec::get overlay_name]
    set published {}
    set now [clock seconds]
    foreach file [list $name.bit $name.hwh $name.tcl manifest.json] {
        file mtime [file join $folder $file] $now
        file rename -force [file join $folder $file] [file join $target $file]
        lappend published [file join $target $file]
    }
    file delete -force $folder
    return $published
}
