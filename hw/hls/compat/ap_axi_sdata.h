// Stands in for the header of this name that comes with Vitis HLS, for a C++ compiler without it: the part of an
// AXI4-Stream beat that the kernel uses.

#ifndef FIRST_EXIT_COMPAT_AP_AXI_SDATA_H
#define FIRST_EXIT_COMPAT_AP_AXI_SDATA_H

#include <ap_int.h>

template <int DATA_BITS, int USER_BITS, int ID_BITS, int DEST_BITS>
struct ap_axiu {
  static_assert(USER_BITS == 0 && ID_BITS == 0 && DEST_BITS == 0, "only TDATA, TKEEP, TSTRB and TLAST are modelled");
  ap_uint<DATA_BITS> data;
  ap_uint<(DATA_BITS + 7) / 8> keep;
  ap_uint<(DATA_BITS + 7) / 8> strb;
  ap_uint<1> last;
};

#endif  // FIRST_EXIT_COMPAT_AP_AXI_SDATA_H
