// Dropout of single elements, the mask drawn on the way: word k of the mask belongs to element k of
// the array in plain order, however the array lies in memory.

// The four words of a counter (Philox4x32-10; Salmon et al., 2011).
struct Words { unsigned at[4]; };

__device__ inline Words philox(unsigned long long counter, unsigned first, unsigned second) {
  Words c = {{(unsigned)counter, (unsigned)(counter >> 32), 0, 0}};
  for (int round = 0; round < 10; round++) {
    const unsigned long long a = c.at[0] * 0xD2511F53ull, b = c.at[2] * 0xCD9E8D57ull;
    c = Words{{(unsigned)(b >> 32) ^ c.at[1] ^ first, (unsigned)b,
               (unsigned)(a >> 32) ^ c.at[3] ^ second, (unsigned)a}};
    first += 0x9E3779B9u;
    second += 0xBB67AE85u;
  }
  return c;
}

// y = x times `scale` where the word is at least `limit`, else x times 0. V (1 or 4) elements a
// thread; x and y lie in one order without gaps: (outer, inner, channels) of an array whose plain
// order is (outer, channels, inner). 4 elements need channels = 1. `key`, if there is one, holds the
// two words that the host does not know yet.
template <class S, int V, class I>
__global__ void dropout(const Pack<S, V>* x, Pack<S, V>* y, I count, I inner, I channels,
                        unsigned first, unsigned second, const int64* key, int64 limit,
                        typename Wide<S>::type scale) {
  if (key != nullptr) first = (unsigned)key[0], second = (unsigned)key[1];
  FOR_EACH(i, count) {
    I outer = i;
    const I c = split(outer, channels), s = split(outer, inner);
    const int64 k = V == 1 ? ((int64)outer * channels + c) * inner + s : (int64)i * V;
    const Words words = philox((unsigned long long)k / 4, first, second);
    Pack<S, V> numbers = x[i];
    for (int v = 0; v < V; v++) {
      const bool kept = (int64)words.at[V == 1 ? k % 4 : v] >= limit;
      numbers.at[v] = narrow<S>(wide(numbers.at[v]) * (kept ? scale : 0));
    }
    y[i] = numbers;
  }
}
