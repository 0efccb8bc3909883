# The block design: processor, AXI DMA, the kernel, and what connects them. One clock drives all of the fabric.
#
#     processor control port --- control_interconnect --+-- registers of DMA, kernel, interrupt controller
#     processor memory port  --- memory_interconnect  --+-- DMA's memory ports
#     DMA's image stream     --- kernel --- DMA's result stream

namespace eval block_design {
    # Streams of the kernel by the names of the arguments of the C++ top function; its registers by their bundle.
    variable images images
    variable results results
    variable registers s_axi_control
}

# The versions of an IP that this Vivado has, the newest last. Those that its catalogue hides are among them: a release
# hides an IP before it drops it.
proc block_design::versions {vlnv} {
    set found [get_ipdefs -quiet -all "$vlnv:*"]
    return [expr {[llength $found] ? [lsort -dictionary [get_property VLNV $found]] : {}}]
}

# The newest version of an IP. No version is fixed here: each release brings others.
proc block_design::newest {vlnv} {
    set found [versions $vlnv]
    if {![llength $found]} {
        failure::raise "this Vivado has no IP $vlnv"
    }
    return [lindex $found end]
}

# An IP of which one version only will do.
proc block_design::exactly {vlnv reason} {
    if {[llength [get_ipdefs -quiet -all $vlnv]]} {
        return $vlnv
    }
    set name [join [lrange [split $vlnv :] 0 2] :]
    failure::raise "this Vivado has no $vlnv ([newest $name] instead); $reason"
}

proc block_design::cell {vlnv name {settings {}}} {
    set cell [create_bd_cell -type ip -vlnv $vlnv $name]
    if {[llength $settings]} {
        set_property -dict $settings $cell
    }
    return $cell
}

# The cell that makes one vector of single lines. Releases that have retired xlconcat have ilconcat, with the same pins,
# as a cell of another kind. pynq finds interrupts behind an xlconcat only, so it is the first choice.
proc block_design::concat_cell {name inputs} {
    set settings [list CONFIG.NUM_PORTS $inputs]
    set found [versions xilinx.com:ip:xlconcat]
    if {[llength $found] && ![catch {cell [lindex $found end] $name $settings} concat]} {
        return $concat
    }
    set found [versions xilinx.com:inline_hdl:ilconcat]
    if {![llength $found]} {
        failure::raise "this Vivado has no IP xilinx.com:ip:xlconcat, and no ilconcat in its place"
    }
    puts stderr "warning: this Vivado has no xlconcat any more; pynq does not find the interrupts behind ilconcat, and the\
        driver looks at the DMA's registers instead of waiting for them"
    set concat [create_bd_cell -type inline_hdl -vlnv [lindex $found end] $name]
    set_property -dict $settings $concat
    return $concat
}

# Pins and interfaces are looked up one by one: a name that an IP does not have is an error that names it, where
# Vivado would only warn.
proc block_design::pin {path} {
    set pin [get_bd_pins -quiet $path]
    if {![llength $pin]} {
        failure::raise "the block design has no pin $path"
    }
    return $pin
}

proc block_design::interface {path} {
    set interface [get_bd_intf_pins -quiet $path]
    if {![llength $interface]} {
        failure::raise "the block design has no interface $path"
    }
    return $interface
}

proc block_design::connect {first second} {
    connect_bd_intf_net [interface $first] [interface $second]
}

# Connect one driving pin to each of the others.
proc block_design::drive {source sinks} {
    foreach sink $sinks {
        connect_bd_net [pin $source] [pin $sink]
    }
}

# Give the registers behind an interface their address in the processor's space.
proc block_design::place_registers {interface address range} {
    assign_bd_address -offset $address -range $range \
        -target_address_space [get_bd_addr_spaces processing_system/Data] \
        [get_bd_addr_segs -of_objects [interface $interface]]
}

# Let a memory port of the DMA see the lower memory, and nothing else that the processor offers on that port.
proc block_design::place_memory {interface family range} {
    set space [get_bd_addr_spaces -of_objects [interface $interface]]
    set memory [get_bd_addr_segs processing_system/[dict get $family memory_segment]]
    assign_bd_address -offset 0x0 -range $range -target_address_space $space $memory
    foreach segment [get_bd_addr_segs -of_objects [interface processing_system/[dict get $family memory]]] {
        if {$segment ne $memory} {
            exclude_bd_addr_seg -target_address_space $space $segment
        }
    }
}

# Settings of the DMA. Direct register mode (no scatter-gather) and a length register that holds a batch; the default
# one ends at 16 KB. The memory side is as wide as the processor's port, the streams are as wide as the kernel's.
# No realignment: buffers start at a page, and pynq refuses any other start when the .hwh says so.
proc block_design::dma_settings {family} {
    set memory_bits [dict get $family memory_bits]
    set stream_bits [spec::get beat_bits]
    set burst_beats [dict get $family burst_beats]
    return [list \
        CONFIG.c_include_sg 0 \
        CONFIG.c_sg_include_stscntrl_strm 0 \
        CONFIG.c_micro_dma 0 \
        CONFIG.c_sg_length_width [spec::get dma_length_bits] \
        CONFIG.c_addr_width 32 \
        CONFIG.c_include_mm2s 1 \
        CONFIG.c_include_mm2s_dre 0 \
        CONFIG.c_m_axi_mm2s_data_width $memory_bits \
        CONFIG.c_m_axis_mm2s_tdata_width $stream_bits \
        CONFIG.c_mm2s_burst_size $burst_beats \
        CONFIG.c_include_s2mm 1 \
        CONFIG.c_include_s2mm_dre 0 \
        CONFIG.c_m_axi_s2mm_data_width $memory_bits \
        CONFIG.c_s_axis_s2mm_tdata_width $stream_bits \
        CONFIG.c_s2mm_burst_size $burst_beats]
}

# The frequency that the processor makes of the one asked for: its divisors are whole numbers. A faster clock than
# asked for would be another build than the one that was asked for.
proc block_design::actual_clock {family clock} {
    set actual [get_property [dict get $family actual_clock] [get_bd_cells processing_system]]
    if {$actual > 1.001 * $clock} {
        failure::raise "the processor cannot make a clock of $clock MHz; the next that it makes is $actual MHz:\
            ask for that with --clock $actual, or for a slower one"
    }
    return $actual
}

# Create, connect, address, validate and save the design; `made_of` is hls or rtl, the kernel's. Returns the frequency of its clock in MHz.
proc block_design::create {name board clock made_of} {
    variable images
    variable results
    variable registers
    set family [processing_system::family $board]
    set dma [spec::get dma_name]
    set kernel [spec::get kernel_name]
    set processor_clock processing_system/[dict get $family clock]

    create_bd_design $name

    cell [newest [dict get $family vlnv]] processing_system \
        [concat [dict get $family settings] [list [dict get $family clock_setting] $clock]]
    cell [exactly [spec::get dma_vlnv] "pynq's DMA driver knows no other"] $dma [dma_settings $family]
    cell [exactly [dict get [spec::get kernel_vlnvs] $made_of] "that is the kernel of --kernel $made_of"] $kernel
    cell [newest xilinx.com:ip:smartconnect] control_interconnect {CONFIG.NUM_SI 1 CONFIG.NUM_MI 3}
    cell [newest xilinx.com:ip:smartconnect] memory_interconnect {CONFIG.NUM_SI 2 CONFIG.NUM_MI 1}
    cell [newest xilinx.com:ip:proc_sys_reset] reset_control
    concat_cell interrupt_concat 3
    cell [newest xilinx.com:ip:axi_intc] interrupt_controller {CONFIG.C_IRQ_CONNECTION 1}

    # The processor's own pins, for those families that bring them out.
    dict for {port vlnv} [dict get $family ports] {
        connect_bd_intf_net [create_bd_intf_port -mode Master -vlnv $vlnv $port] [interface processing_system/$port]
    }

    connect $dma/M_AXIS_MM2S $kernel/$images
    connect $kernel/$results $dma/S_AXIS_S2MM
    connect $dma/M_AXI_MM2S memory_interconnect/S00_AXI
    connect $dma/M_AXI_S2MM memory_interconnect/S01_AXI
    connect memory_interconnect/M00_AXI processing_system/[dict get $family memory]
    connect processing_system/[dict get $family control] control_interconnect/S00_AXI
    connect control_interconnect/M00_AXI $dma/S_AXI_LITE
    connect control_interconnect/M01_AXI $kernel/$registers
    connect control_interconnect/M02_AXI interrupt_controller/s_axi

    drive $processor_clock [list \
        processing_system/[dict get $family control_clock] \
        processing_system/[dict get $family memory_clock] \
        reset_control/slowest_sync_clk \
        control_interconnect/aclk \
        memory_interconnect/aclk \
        $dma/s_axi_lite_aclk \
        $dma/m_axi_mm2s_aclk \
        $dma/m_axi_s2mm_aclk \
        $kernel/ap_clk \
        interrupt_controller/s_axi_aclk]
    drive processing_system/[dict get $family reset] reset_control/ext_reset_in
    drive reset_control/interconnect_aresetn {control_interconnect/aresetn memory_interconnect/aresetn}
    drive reset_control/peripheral_aresetn [list $dma/axi_resetn interrupt_controller/s_axi_aresetn]
    # The DMA's soft reset resets the kernel with it: software gets both out of any state at once, and no beat of a
    # batch that failed is left in a stream for the next one to meet.
    drive $dma/mm2s_prmry_reset_out_n $kernel/ap_rst_n

    drive $dma/mm2s_introut interrupt_concat/In0
    drive $dma/s2mm_introut interrupt_concat/In1
    drive $kernel/interrupt interrupt_concat/In2
    drive interrupt_concat/dout interrupt_controller/intr
    drive interrupt_controller/irq processing_system/[dict get $family interrupt]

    set addresses [spec::board $board]
    set memory [dict get [spec::get memory_ranges] [dict get $addresses processor]]
    place_registers $dma/S_AXI_LITE [dict get $addresses dma_address] [spec::get dma_range]
    place_registers $kernel/$registers [dict get $addresses kernel_address] [spec::get kernel_range]
    place_registers interrupt_controller/s_axi [dict get $addresses interrupt_address] [spec::get interrupt_range]
    place_memory $dma/M_AXI_MM2S $family $memory
    place_memory $dma/M_AXI_S2MM $family $memory

    validate_bd_design
    save_bd_design
    return [actual_clock $family $clock]
}
