# The processor's side of the block design, by family.
#
# An overlay changes the fabric of a running system: DDR, MIO and PLLs are those that the boot image of PYNQ has set,
# whatever is written here. So only what faces the fabric is configured, and no board file is needed. Two kinds of
# settings describe the board nevertheless, because they end in the .hwh, which pynq reads:
# - the clock divisors, which pynq writes to the real PLLs. On PYNQ-Z1 and Z2 the IO PLL runs at 1000 MHz from a crystal
#   of 50 MHz; Vivado arrives there when it knows of the Ethernet port, whose 125 MHz no other frequency gives (without
#   it, it takes 1600 MHz, and the fabric would run at 62.5 MHz instead of 100);
# - the size of the memory, which bounds what the DMA may address (memory_ranges in generated/).
# On Zynq UltraScale+ pynq also writes the widths of the AXI ports from the .hwh, so each is given.

namespace eval processing_system {
    variable families

    dict set families zynq7 {
        vlnv xilinx.com:ip:processing_system7
        control M_AXI_GP0
        control_clock M_AXI_GP0_ACLK
        memory S_AXI_HP0
        memory_clock S_AXI_HP0_ACLK
        memory_segment S_AXI_HP0/HP0_DDR_LOWOCM
        memory_bits 64
        burst_beats 16
        clock FCLK_CLK0
        reset FCLK_RESET0_N
        interrupt IRQ_F2P
        clock_setting CONFIG.PCW_FPGA0_PERIPHERAL_FREQMHZ
        actual_clock CONFIG.PCW_ACT_FPGA0_PERIPHERAL_FREQMHZ
        settings {
            CONFIG.PCW_CRYSTAL_PERIPHERAL_FREQMHZ 50
            CONFIG.PCW_APU_PERIPHERAL_FREQMHZ 650
            CONFIG.PCW_UIPARAM_DDR_PARTNO {MT41J256M16 RE-125}
            CONFIG.PCW_UIPARAM_DDR_BUS_WIDTH {16 Bit}
            CONFIG.PCW_UIPARAM_DDR_FREQ_MHZ 525
            CONFIG.PCW_PRESET_BANK1_VOLTAGE {LVCMOS 1.8V}
            CONFIG.PCW_ENET0_PERIPHERAL_ENABLE 1
            CONFIG.PCW_ENET0_ENET0_IO {MIO 16 .. 27}
            CONFIG.PCW_FPGA_FCLK0_ENABLE 1
            CONFIG.PCW_EN_CLK0_PORT 1
            CONFIG.PCW_EN_RST0_PORT 1
            CONFIG.PCW_USE_M_AXI_GP0 1
            CONFIG.PCW_USE_S_AXI_HP0 1
            CONFIG.PCW_S_AXI_HP0_DATA_WIDTH 64
            CONFIG.PCW_USE_FABRIC_INTERRUPT 1
            CONFIG.PCW_IRQ_F2P_INTR 1
        }
        ports {
            DDR xilinx.com:interface:ddrx_rtl:1.0
            FIXED_IO xilinx.com:display_processing_system7:fixedio_rtl:1.0
        }
    }

    # HPM0_FPD and HP0_FPD go by the numbers GP0 (of the masters) and GP2 (of the slaves) in the settings.
    dict set families zynqmp {
        vlnv xilinx.com:ip:zynq_ultra_ps_e
        control M_AXI_HPM0_FPD
        control_clock maxihpm0_fpd_aclk
        memory S_AXI_HP0_FPD
        memory_clock saxihp0_fpd_aclk
        memory_segment SAXIGP2/HP0_DDR_LOW
        memory_bits 64
        burst_beats 64
        clock pl_clk0
        reset pl_resetn0
        interrupt pl_ps_irq0
        clock_setting CONFIG.PSU__CRL_APB__PL0_REF_CTRL__FREQMHZ
        actual_clock CONFIG.PSU__CRL_APB__PL0_REF_CTRL__ACT_FREQMHZ
        settings {
            CONFIG.PSU__PSS_REF_CLK__FREQMHZ 33.333
            CONFIG.PSU__CRL_APB__PL0_REF_CTRL__SRCSEL IOPLL
            CONFIG.PSU__FPGA_PL0_ENABLE 1
            CONFIG.PSU__USE__FABRIC__RST 1
            CONFIG.PSU__USE__M_AXI_GP0 1
            CONFIG.PSU__MAXIGP0__DATA_WIDTH 32
            CONFIG.PSU__USE__M_AXI_GP1 0
            CONFIG.PSU__USE__M_AXI_GP2 0
            CONFIG.PSU__USE__S_AXI_GP2 1
            CONFIG.PSU__SAXIGP2__DATA_WIDTH 64
            CONFIG.PSU__USE__IRQ0 1
        }
        ports {}
    }
}

proc processing_system::family {board} {
    variable families
    return [dict get $families [dict get [spec::board $board] processor]]
}
