// The kernel's interface: two AXI4-Streams with TLAST, registers on AXI4-Lite.

#ifndef FIRST_EXIT_H
#define FIRST_EXIT_H

#include <ap_axi_sdata.h>
#include <hls_stream.h>

#include <cstdint>

#include "first_exit_spec.h"

// Without TUSER, TID and TDEST, which the AXI DMA does not need here.
using Beat = ap_axiu<spec::BEAT_BITS, 0, 0, 0>;

// One batch. Registers and streams are described in pynq_ee/network/spec.py; num_images = 0 only publishes the identity.
void first_exit(hls::stream<Beat>& images, hls::stream<Beat>& results, uint32_t num_images, uint32_t mode,
                uint16_t feature_margin, uint32_t& magic, uint32_t& version, uint32_t& build_id, uint32_t& images_done,
                uint32_t& error_flags, uint32_t& images_crc, uint32_t& results_crc);

#endif  // FIRST_EXIT_H
