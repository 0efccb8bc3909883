// The dispatch table: the kernels that were compiled for this processor's family, the best ones first.
//
// Each kernel file is included inside a namespace of its own and under its own target options: hence no include guard in
// it, and no include. A wheel for x86-64 must run on any x86-64, so what the machine has is asked at run time.

#pragma once

#include "layers.h"

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define PYNQ_EE_X86 1
// GCC 12 takes its own intrinsics' undefined registers for mistakes (GCC bug 105593).
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#include <immintrin.h>
#pragma GCC diagnostic pop
#elif defined(__ARM_NEON)
#define PYNQ_EE_NEON 1
#include <arm_neon.h>
#endif

namespace pynq_ee {

namespace plain {
#include "plain.h"
}

#if PYNQ_EE_X86
#pragma GCC push_options
#pragma GCC target("avx2")
namespace avx2 {
#include "avx2.h"
}
#pragma GCC pop_options
#pragma GCC push_options
#pragma GCC target("avx2,avx512f,avx512bw,avx512vl,avx512vnni")
namespace avx512vnni {
#include "avx512vnni.h"
}
#pragma GCC pop_options
#elif PYNQ_EE_NEON
namespace neon {
#include "neon.h"
}
#endif

inline std::vector<const Kernels*> kernels_of_this_machine() {
  std::vector<const Kernels*> found;
  for (const Kernels* kernels : {
#if PYNQ_EE_X86
           &avx512vnni::kKernels, &avx2::kKernels,
#elif PYNQ_EE_NEON
           &neon::kKernels,
#endif
           &plain::kKernels})
    if (kernels->supported()) found.push_back(kernels);
  return found;
}

}  // namespace pynq_ee
