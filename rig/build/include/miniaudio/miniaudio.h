// Stand-in for miniaudio: Ollama's module zip leaves the real header out, and the rig needs no audio input.
// Every decoder call refuses, so a request with sound in it fails; text and images are unaffected.
#pragma once
#include <cstddef>
#include <cstdint>

typedef int ma_result;
typedef uint64_t ma_uint64;
typedef uint32_t ma_uint32;
enum { MA_SUCCESS = 0, MA_NOT_IMPLEMENTED = -29 };
typedef enum { ma_format_f32 = 5 } ma_format;

struct ma_decoder_config {
    ma_format format;
    ma_uint32 channels, rate;
};
struct ma_decoder {
    int unused;
};

static inline ma_decoder_config ma_decoder_config_init(ma_format f, ma_uint32 c, ma_uint32 r) { return {f, c, r}; }
static inline ma_result ma_decoder_init_memory(const void *, size_t, const ma_decoder_config *, ma_decoder *) {
    return MA_NOT_IMPLEMENTED;
}
static inline ma_result ma_decoder_get_length_in_pcm_frames(ma_decoder *, ma_uint64 *) { return MA_NOT_IMPLEMENTED; }
static inline ma_result ma_decoder_read_pcm_frames(ma_decoder *, void *, ma_uint64, ma_uint64 *) {
    return MA_NOT_IMPLEMENTED;
}
static inline ma_result ma_decoder_uninit(ma_decoder *) { return MA_SUCCESS; }
