// The processes, wired: the region of the top between its framing.

#include "pragmas.h"
#include "processes.h"

void first_exit_core(hls::stream<spec::Word>& words, hls::stream<spec::Word>& merged, uint32_t num_images,
                     uint32_t mode, uint16_t feature_margin) {
  VITIS(HLS inline off)
  VITIS(HLS dataflow)
  hls::stream<fabric::Token> tokens;
  VITIS(HLS stream variable=tokens depth=FIRST_EXIT_DEPTH_TOKENS)
  VITIS(HLS bind_storage variable=tokens type=fifo impl=srl)
  hls::stream<fabric::Token> feature_tokens;
  VITIS(HLS stream variable=feature_tokens depth=FIRST_EXIT_DEPTH_FEATURE_TOKENS)
  VITIS(HLS bind_storage variable=feature_tokens type=fifo impl=srl)
  hls::stream<fabric::Token> pooled;
  VITIS(HLS stream variable=pooled depth=FIRST_EXIT_DEPTH_POOLED)
  VITIS(HLS bind_storage variable=pooled type=fifo impl=srl)
  hls::stream<fabric::Word> features;
  VITIS(HLS stream variable=features depth=FIRST_EXIT_DEPTH_FEATURES)
  VITIS(HLS bind_storage variable=features type=fifo impl=bram)
  hls::stream<fabric::Word> records;
  VITIS(HLS stream variable=records depth=FIRST_EXIT_DEPTH_RECORDS)
  VITIS(HLS bind_storage variable=records type=fifo impl=srl)

  fabric::trunk(words, tokens, feature_tokens, num_images, mode);
  fabric::branch(tokens, pooled, num_images);
  fabric::classifier(pooled, records, num_images, mode, feature_margin);
  fabric::pack_features(feature_tokens, features, num_images, mode);
  fabric::merge(features, records, merged, num_images, mode);
}
