# What the recorder knows of Vivado: the IPs that the block design uses, and the properties that the flow sets or reads.
# Whatever is not listed here is refused, as a name that Vivado does not have.
#
# Sources: PG021 (AXI DMA), PG082 (processing_system7), PG201 (zynq_ultra_ps_e), PG247 (SmartConnect), PG164 (reset),
# PG099 (AXI INTC), UG835 (commands), UG912 (properties); names and default values as block designs exported by
# Vivado 2022.1 have them.

namespace eval catalogue {
    # An IP is a dict:
    # versions    those that this Vivado offers
    # parameters  name {default legal}; legal is a list of values, {between LOW HIGH}, {text}, or {derived EXPRESSION}
    # interfaces  {name mode protocol width clock condition}; width and condition are expressions over the parameters.
    #             `auto` is the width of the other end. {repeat PARAMETER FORMAT ..} stands for that many of them
    # pins        {name direction type width condition}; type is clk, rst, intr or data; `?` after it: may stay open
    # spaces      interface: {name low high} of the address space that is seen through a master
    # segments    interface: list of {name base range} that a slave offers
    variable ips {
        xilinx.com:ip:processing_system7 {
            versions 5.5
            parameters {
                PCW_CRYSTAL_PERIPHERAL_FREQMHZ {33.333333 {between 30 60}}
                PCW_APU_PERIPHERAL_FREQMHZ {666.666667 {between 50 667}}
                PCW_UIPARAM_DDR_PARTNO {{MT41J256M8 HX-15E} {{MT41J256M8 HX-15E} {MT41J256M16 RE-125}}}
                PCW_UIPARAM_DDR_BUS_WIDTH {{32 Bit} {{16 Bit} {32 Bit}}}
                PCW_UIPARAM_DDR_FREQ_MHZ {533.333333 {between 200 534}}
                PCW_PRESET_BANK1_VOLTAGE {{LVCMOS 3.3V} {{LVCMOS 1.8V} {LVCMOS 2.5V} {LVCMOS 3.3V}}}
                PCW_ENET0_PERIPHERAL_ENABLE {0 {0 1}}
                PCW_ENET0_ENET0_IO {<Select> {<Select> {MIO 16 .. 27} EMIO}}
                PCW_FPGA_FCLK0_ENABLE {1 {0 1}}
                PCW_EN_CLK0_PORT {1 {0 1}}
                PCW_EN_RST0_PORT {1 {0 1}}
                PCW_FPGA0_PERIPHERAL_FREQMHZ {50 {between 0.1 250}}
                PCW_USE_M_AXI_GP0 {1 {0 1}}
                PCW_USE_S_AXI_HP0 {0 {0 1}}
                PCW_S_AXI_HP0_DATA_WIDTH {64 {32 64}}
                PCW_USE_FABRIC_INTERRUPT {0 {0 1}}
                PCW_IRQ_F2P_INTR {0 {0 1}}
                PCW_IO_IO_PLL_FREQMHZ {1600 {derived {$PCW_ENET0_PERIPHERAL_ENABLE ? 1000.0 : 1600.0}}}
                PCW_ACT_FPGA0_PERIPHERAL_FREQMHZ {50 {derived {
                    $PCW_IO_IO_PLL_FREQMHZ / round($PCW_IO_IO_PLL_FREQMHZ / double($PCW_FPGA0_PERIPHERAL_FREQMHZ))}}}
            }
            interfaces {
                {M_AXI_GP0 Master aximm 32 M_AXI_GP0_ACLK {$PCW_USE_M_AXI_GP0}}
                {S_AXI_HP0 Slave aximm {$PCW_S_AXI_HP0_DATA_WIDTH} S_AXI_HP0_ACLK {$PCW_USE_S_AXI_HP0}}
                {DDR Master xilinx.com:interface:ddrx_rtl:1.0 auto {} 1}
                {FIXED_IO Master xilinx.com:display_processing_system7:fixedio_rtl:1.0 auto {} 1}
            }
            pins {
                {FCLK_CLK0 out clk 1 {$PCW_FPGA_FCLK0_ENABLE && $PCW_EN_CLK0_PORT}}
                {FCLK_RESET0_N out rst 1 {$PCW_EN_RST0_PORT}}
                {M_AXI_GP0_ACLK in clk 1 {$PCW_USE_M_AXI_GP0}}
                {S_AXI_HP0_ACLK in clk 1 {$PCW_USE_S_AXI_HP0}}
                {IRQ_F2P in intr 1 {$PCW_USE_FABRIC_INTERRUPT && $PCW_IRQ_F2P_INTR}}
            }
            spaces {M_AXI_GP0 {Data 0x40000000 0x7fffffff}}
            segments {S_AXI_HP0 {{S_AXI_HP0/HP0_DDR_LOWOCM 0x0 {
                $PCW_UIPARAM_DDR_BUS_WIDTH eq "16 Bit" && $PCW_UIPARAM_DDR_PARTNO eq "MT41J256M16 RE-125"
                ? 0x20000000 : 0x40000000}}}}
        }
        xilinx.com:ip:zynq_ultra_ps_e {
            versions 3.4
            parameters {
                PSU__PSS_REF_CLK__FREQMHZ {33.330 {between 27 60}}
                PSU__CRL_APB__PL0_REF_CTRL__SRCSEL {IOPLL {IOPLL RPLL DPLL}}
                PSU__CRL_APB__PL0_REF_CTRL__FREQMHZ {100 {between 0.1 400}}
                PSU__FPGA_PL0_ENABLE {1 {0 1}}
                PSU__USE__FABRIC__RST {1 {0 1}}
                PSU__USE__M_AXI_GP0 {1 {0 1}}
                PSU__USE__M_AXI_GP1 {1 {0 1}}
                PSU__USE__M_AXI_GP2 {0 {0 1}}
                PSU__MAXIGP0__DATA_WIDTH {128 {32 64 128}}
                PSU__USE__S_AXI_GP2 {0 {0 1}}
                PSU__SAXIGP2__DATA_WIDTH {128 {32 64 128}}
                PSU__USE__IRQ0 {1 {0 1}}
                PSU__CRL_APB__PL0_REF_CTRL__ACT_FREQMHZ {100 {derived {
                    1499.985 / ceil(1499.985 / $PSU__CRL_APB__PL0_REF_CTRL__FREQMHZ - 1e-9)}}}
            }
            interfaces {
                {M_AXI_HPM0_FPD Master aximm {$PSU__MAXIGP0__DATA_WIDTH} maxihpm0_fpd_aclk {$PSU__USE__M_AXI_GP0}}
                {M_AXI_HPM1_FPD Master aximm 128 maxihpm1_fpd_aclk {$PSU__USE__M_AXI_GP1}}
                {M_AXI_HPM0_LPD Master aximm 32 maxihpm0_lpd_aclk {$PSU__USE__M_AXI_GP2}}
                {S_AXI_HP0_FPD Slave aximm {$PSU__SAXIGP2__DATA_WIDTH} saxihp0_fpd_aclk {$PSU__USE__S_AXI_GP2}}
            }
            pins {
                {pl_clk0 out clk 1 {$PSU__FPGA_PL0_ENABLE}}
                {pl_resetn0 out rst 1 {$PSU__USE__FABRIC__RST}}
                {maxihpm0_fpd_aclk in clk 1 {$PSU__USE__M_AXI_GP0}}
                {maxihpm1_fpd_aclk in clk 1 {$PSU__USE__M_AXI_GP1}}
                {maxihpm0_lpd_aclk in clk 1 {$PSU__USE__M_AXI_GP2}}
                {saxihp0_fpd_aclk in clk 1 {$PSU__USE__S_AXI_GP2}}
                {pl_ps_irq0 in intr 1 {$PSU__USE__IRQ0}}
            }
            spaces {M_AXI_HPM0_FPD {Data 0xa0000000 0xafffffff}}
            segments {S_AXI_HP0_FPD {
                {SAXIGP2/HP0_DDR_LOW 0x0 0x80000000}
                {SAXIGP2/HP0_LPS_OCM 0xff000000 0x1000000}
                {SAXIGP2/HP0_QSPI 0xc0000000 0x20000000}}}
        }
        xilinx.com:ip:axi_dma {
            versions 7.1
            parameters {
                c_include_sg {1 {0 1}}
                c_sg_include_stscntrl_strm {1 {0 1}}
                c_micro_dma {0 {0 1}}
                c_sg_length_width {14 {between 8 26}}
                c_addr_width {32 {between 32 64}}
                c_include_mm2s {1 {0 1}}
                c_include_mm2s_dre {0 {0 1}}
                c_m_axi_mm2s_data_width {32 {32 64 128 256 512 1024}}
                c_m_axis_mm2s_tdata_width {32 {8 16 32 64 128 256 512 1024}}
                c_mm2s_burst_size {16 {2 4 8 16 32 64 128 256}}
                c_include_s2mm {1 {0 1}}
                c_include_s2mm_dre {0 {0 1}}
                c_m_axi_s2mm_data_width {32 {32 64 128 256 512 1024}}
                c_s_axis_s2mm_tdata_width {32 {8 16 32 64 128 256 512 1024}}
                c_s2mm_burst_size {16 {2 4 8 16 32 64 128 256}}
            }
            interfaces {
                {S_AXI_LITE Slave aximm 32 s_axi_lite_aclk 1}
                {M_AXI_SG Master aximm 32 m_axi_sg_aclk {$c_include_sg}}
                {M_AXI_MM2S Master aximm {$c_m_axi_mm2s_data_width} m_axi_mm2s_aclk {$c_include_mm2s}}
                {M_AXI_S2MM Master aximm {$c_m_axi_s2mm_data_width} m_axi_s2mm_aclk {$c_include_s2mm}}
                {M_AXIS_MM2S Master axis {$c_m_axis_mm2s_tdata_width} m_axi_mm2s_aclk {$c_include_mm2s}}
                {S_AXIS_S2MM Slave axis {$c_s_axis_s2mm_tdata_width} m_axi_s2mm_aclk {$c_include_s2mm}}
                {M_AXIS_CNTRL Master axis 32 m_axi_mm2s_aclk {$c_include_sg && $c_sg_include_stscntrl_strm}}
                {S_AXIS_STS Slave axis 32 m_axi_s2mm_aclk {$c_include_sg && $c_sg_include_stscntrl_strm}}
            }
            pins {
                {s_axi_lite_aclk in clk 1 1}
                {m_axi_sg_aclk in clk 1 {$c_include_sg}}
                {m_axi_mm2s_aclk in clk 1 {$c_include_mm2s}}
                {m_axi_s2mm_aclk in clk 1 {$c_include_s2mm}}
                {axi_resetn in rst 1 1}
                {mm2s_introut out intr 1 {$c_include_mm2s}}
                {s2mm_introut out intr 1 {$c_include_s2mm}}
                {mm2s_prmry_reset_out_n out rst? 1 {$c_include_mm2s}}
                {s2mm_prmry_reset_out_n out rst? 1 {$c_include_s2mm}}
            }
            spaces {
                M_AXI_MM2S {Data_MM2S 0x0 {(1 << $c_addr_width) - 1}}
                M_AXI_S2MM {Data_S2MM 0x0 {(1 << $c_addr_width) - 1}}
            }
            segments {S_AXI_LITE {{S_AXI_LITE/Reg 0x0 0x10000}}}
        }
        xilinx.com:ip:smartconnect {
            versions 1.0
            parameters {
                NUM_SI {1 {between 1 16}}
                NUM_MI {1 {between 1 16}}
                NUM_CLKS {1 {between 1 8}}
            }
            interfaces {
                {repeat NUM_SI S%02d_AXI Slave aximm auto aclk 1}
                {repeat NUM_MI M%02d_AXI Master aximm auto aclk 1}
            }
            pins {{aclk in clk 1 1} {aresetn in rst 1 1}}
            spaces {}
            segments {}
        }
        xilinx.com:ip:proc_sys_reset {
            versions 5.0
            parameters {C_EXT_RESET_HIGH {0 {0 1}}}
            interfaces {}
            pins {
                {slowest_sync_clk in clk 1 1}
                {ext_reset_in in rst 1 1}
                {aux_reset_in in rst? 1 1}
                {mb_debug_sys_rst in rst? 1 1}
                {dcm_locked in data? 1 1}
                {mb_reset out rst? 1 1}
                {bus_struct_reset out rst? 1 1}
                {peripheral_reset out rst? 1 1}
                {interconnect_aresetn out rst 1 1}
                {peripheral_aresetn out rst 1 1}
            }
            spaces {}
            segments {}
        }
        xilinx.com:ip:xlconcat {
            versions 2.1
            parameters {NUM_PORTS {2 {between 1 128}}}
            interfaces {}
            pins {{repeat NUM_PORTS In%d in intr 1 1} {dout out intr {$NUM_PORTS} 1}}
            spaces {}
            segments {}
        }
        xilinx.com:inline_hdl:ilconcat {
            versions {}
            parameters {NUM_PORTS {2 {between 1 128}}}
            interfaces {}
            pins {{repeat NUM_PORTS In%d in intr 1 1} {dout out intr {$NUM_PORTS} 1}}
            spaces {}
            segments {}
        }
        xilinx.com:ip:axi_intc {
            versions 4.1
            parameters {C_IRQ_CONNECTION {0 {0 1}}}
            interfaces {
                {s_axi Slave aximm 32 s_axi_aclk 1}
                {interrupt Master xilinx.com:interface:mbinterrupt_rtl:1.0 auto {} {!$C_IRQ_CONNECTION}}
            }
            pins {
                {s_axi_aclk in clk 1 1}
                {s_axi_aresetn in rst 1 1}
                {intr in intr auto 1}
                {irq out intr 1 1}
            }
            spaces {}
            segments {s_axi {{S_AXI/Reg 0x0 0x10000}}}
        }
    }

    # Properties beside an IP's CONFIG.*, by kind of object: {writable legal}.
    variable properties {
        project {ip_repo_paths {1 text} DIRECTORY {0 text}}
        file {synth_checkpoint_mode {1 {None Singular Hierarchical}}}
        fileset {top {1 text}}
        run {
            strategy {1 {{Vivado Implementation Defaults} Performance_Explore Performance_ExplorePostRoutePhysOpt}}
            STATUS {0 text} DIRECTORY {0 text} STATS.TPWS {0 text}
        }
        design {BITSTREAM.CONFIG.USERID {1 text}}
        path {SLACK {0 text}}
        ipdef {VLNV {0 text}}
        core {
            vendor {1 text} library {1 text} name {1 text} version {1 text} taxonomy {1 text}
            display_name {1 text} description {1 text}
        }
        address_block {range {1 {between 1 0x100000000}}}
        register {address_offset {1 {between 0 0xffff}} size {1 {8 16 32 64}}}
    }
}

# Whether a value is legal, by one of the notations above.
proc catalogue::legal {value allowed} {
    if {$allowed eq "text"} {
        return 1
    }
    if {[lindex $allowed 0] eq "between"} {
        lassign $allowed - low high
        return [expr {[string is double -strict $value] && $value >= $low && $value <= $high}]
    }
    return [expr {$value in $allowed}]
}

# The value of an expression over an IP's parameters.
proc catalogue::evaluate {expression config} {
    if {$expression eq "auto"} {
        return auto
    }
    dict with config {}
    return [expr $expression]
}

# The rows of a table that are there with a configuration, with `repeat` unrolled and expressions evaluated.
proc catalogue::present {rows config expressions} {
    set found {}
    foreach row $rows {
        set copies [list $row]
        if {[lindex $row 0] eq "repeat"} {
            set copies {}
            for {set index 0} {$index < [dict get $config [lindex $row 1]]} {incr index} {
                lappend copies [lreplace $row 0 2 [format [lindex $row 2] $index]]
            }
        }
        foreach copy $copies {
            if {[evaluate [lindex $copy end] $config]} {
                foreach column $expressions {
                    lset copy $column [evaluate [lindex $copy $column] $config]
                }
                lappend found $copy
            }
        }
    }
    return $found
}
