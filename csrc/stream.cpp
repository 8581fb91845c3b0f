#include "stream.h"

#include <algorithm>
#include <cstring>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace graphnet {

void stream_copy(void* to, const void* from, size_t bytes) {
#if defined(__SSE2__)
  char* out = static_cast<char*>(to);
  const char* in = static_cast<const char*>(from);
  const size_t head = std::min(bytes, (64 - reinterpret_cast<uintptr_t>(out) % 64) % 64);
  std::memcpy(out, in, head);
  size_t i = head;
  for (; i + 64 <= bytes; i += 64)
    for (size_t q = 0; q < 64; q += 16)
      _mm_stream_si128(reinterpret_cast<__m128i*>(out + i + q),
                       _mm_loadu_si128(reinterpret_cast<const __m128i*>(in + i + q)));
  std::memcpy(out + i, in + i, bytes - i);
  stream_fence();
#else
  std::memcpy(to, from, bytes);
#endif
}

void stream_fence() {
#if defined(__SSE2__)
  _mm_sfence();
#endif
}

}  // namespace graphnet
