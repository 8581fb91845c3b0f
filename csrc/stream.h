// Stores past the caches, for outputs that will not fit them: an ordinary store first reads the line it overwrites.
#pragma once

#include <cstddef>
#include <cstdint>

namespace graphnet {

// Outputs of more bytes than this are streamed. Half of a common L3: below it the consumer finds the data in cache.
constexpr int64_t kStreamBytes = 16 << 20;

// As memcpy; elements of either side may be anywhere, speed wants `to` aligned like an array of elements.
void stream_copy(void* to, const void* from, size_t bytes);

// Makes what was streamed seen by others before what is stored next.
void stream_fence();

}  // namespace graphnet
