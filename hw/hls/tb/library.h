/* The kernel as a shared library. A call is one batch, as ap_start to ap_done is one; calls from several threads are
 * taken one after the other. */

#ifndef FIRST_EXIT_LIBRARY_H
#define FIRST_EXIT_LIBRARY_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct first_exit_registers {
  uint32_t magic, version, build_id, images_done, error_flags, images_crc, results_crc;
};

enum {
  FIRST_EXIT_DONE = 0,
  FIRST_EXIT_STARVED = 1,     /* the input ends before the TLAST that the kernel waits for; nothing was produced */
  FIRST_EXIT_OUTPUT_FULL = 2, /* the most that there may be of output does not fit; nothing was produced */
};

/* beats: input_beats * first_exit_beat_bytes() bytes, little-endian beats; last[i] != 0 is TLAST of beat i.
 * output, output_last: room for output_capacity_beats beats, and their TLAST as 0 or 1.
 * registers is written only when the batch is done. Beats behind the one that ends the batch are not consumed. */
int first_exit_run(const uint8_t *beats, const uint8_t *last, uint64_t input_beats, uint32_t num_images, uint32_t mode,
                   uint16_t feature_margin, uint8_t *output, uint8_t *output_last, uint64_t output_capacity_beats,
                   uint64_t *consumed_beats, uint64_t *produced_beats, struct first_exit_registers *registers);

uint32_t first_exit_beat_bytes(void);

#ifdef __cplusplus
}
#endif

#endif /* FIRST_EXIT_LIBRARY_H */
