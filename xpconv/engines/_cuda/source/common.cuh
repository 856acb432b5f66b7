// What every body shares. No header is included, so that NVRTC needs none and a host compiler,
// given a few definitions before this text, reads the very same bodies.

typedef long long int64;

// --- half precision: stored in 16 bits, computed in float ----------------------------------------

#ifdef __CUDA_ARCH__
__device__ inline float float_of_half(unsigned short bits) {
  float value;
  asm("cvt.f32.f16 %0, %1;" : "=f"(value) : "h"(bits));
  return value;
}
__device__ inline unsigned short half_of_float(float value) {
  unsigned short bits;
  asm("cvt.rn.f16.f32 %0, %1;" : "=h"(bits) : "f"(value));
  return bits;
}
#endif

struct f16 { unsigned short bits; };
struct bf16 { unsigned short bits; };

template <class S> struct Wide { typedef S type; };
template <> struct Wide<f16> { typedef float type; };
template <> struct Wide<bf16> { typedef float type; };

__device__ inline float wide(float x) { return x; }
__device__ inline double wide(double x) { return x; }
__device__ inline float wide(bf16 x) { return __uint_as_float((unsigned)x.bits << 16); }
__device__ inline float wide(f16 x) { return float_of_half(x.bits); }

template <class S> __device__ inline S narrow(typename Wide<S>::type x) { return x; }
template <> __device__ inline bf16 narrow<bf16>(float x) {
  unsigned bits = __float_as_uint(x);
  if (x != x) return bf16{0x7fff};
  bits += 0x7fff + ((bits >> 16) & 1);  // to nearest, ties to even
  return bf16{(unsigned short)(bits >> 16)};
}
template <> __device__ inline f16 narrow<f16>(float x) { return f16{half_of_float(x)}; }

__device__ inline float infinity() { return __uint_as_float(0x7f800000u); }
__device__ inline float root(float x) { return sqrtf(x); }
__device__ inline double root(double x) { return sqrt(x); }
__device__ inline float exponential(float x) { return expf(x); }
__device__ inline double exponential(double x) { return exp(x); }
__device__ inline float logarithm(float x) { return logf(x); }
__device__ inline double logarithm(double x) { return log(x); }

// --- V neighbouring channels, read and written at once -------------------------------------------

template <class S, int V> struct alignas(sizeof(S) * V) Pack { S at[V]; };

// --- threads -------------------------------------------------------------------------------------

// One thread does i, i + all threads, ...: any grid does all of the work.
#define FOR_EACH(i, count)                                          \
  for (I i = (I)blockIdx.x * (I)blockDim.x + (I)threadIdx.x; i < (count); \
       i += (I)gridDim.x * (I)blockDim.x)

// Take the innermost index off a running number: i = rest * size + index.
template <class I> __device__ inline I split(I& i, I size);
template <> __device__ inline int split<int>(int& i, int size) {
  unsigned rest = (unsigned)i / (unsigned)size;
  int index = i - (int)rest * size;
  i = (int)rest;
  return index;
}
template <> __device__ inline int64 split<int64>(int64& i, int64 size) {
  int64 rest = (int64)((unsigned long long)i / (unsigned long long)size);
  int64 index = i - rest * size;
  i = rest;
  return index;
}

// --- statistics ----------------------------------------------------------------------------------

// Mean and sum of squared distances of `count` numbers.
template <class A> struct Moments { A count, mean, square; };

// Put two sets of numbers together (Chan, Golub and LeVeque, 1979).
template <class A> __device__ inline Moments<A> both(Moments<A> a, Moments<A> b) {
  const A count = a.count + b.count;
  if (count == 0) return a;
  const A share = b.count / count, away = b.mean - a.mean;
  return Moments<A>{count, a.mean + away * share, a.square + b.square + away * away * a.count * share};
}

// --- windows over images in channels-last order ------------------------------------------------

// Three spatial dimensions; signals and images have leading ones of size 1. Channels and their
// steps are counted in packs. `step` is where the image's numbers lie: batch, D, H, W, channel.
template <class I> struct Windows {
  I batch, channels;
  I in[3], out[3], kernel[3], stride[3], dilation[3], padding[3];
  I step[5];

  __device__ I place(int axis, I o, I k) const {
    return o * stride[axis] + k * dilation[axis] - padding[axis];
  }
  __device__ bool within(int axis, I p) const { return 0 <= p && p < in[axis]; }

  // The window whose element k lies on p, or -1.
  __device__ I window(int axis, I p, I k) const {
    I reach = p + padding[axis] - k * dilation[axis];
    if (reach < 0) return -1;
    I rest = reach;
    return split(rest, stride[axis]) == 0 && rest < out[axis] ? rest : -1;
  }
};
