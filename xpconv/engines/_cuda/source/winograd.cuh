// Winograd's transforms M t M^T of square tiles. The matrices come before this text, made of those
// in `_winograd.py`: structs with `R` rows of `T` entries and `entry(i, j)`. All loops over tiles
// are unrolled, so that entries are constants and multiplications by 0 vanish.

// A tile is transformed column by column as it is read, then row by row.
template <class M, class A> struct Tile {
  A half[M::R][M::T];

  __device__ void read_column(int j, const A (&column)[M::T]) {
#pragma unroll
    for (int i = 0; i < M::R; i++) {
      A sum = 0;
#pragma unroll
      for (int k = 0; k < M::T; k++) {
        if (M::entry(i, k) != 0) sum += (A)M::entry(i, k) * column[k];
      }
      half[i][j] = sum;
    }
  }

  __device__ A result(int i, int j) const {
    A sum = 0;
#pragma unroll
    for (int k = 0; k < M::T; k++) {
      if (M::entry(j, k) != 0) sum += half[i][k] * (A)M::entry(j, k);
    }
    return sum;
  }
};

// Tiles of an image, `stride` apart, to (R*R, tiles, C); outside the image there are zeros. One
// thread transforms one tile of one channel. `w` has out = the number of tiles.
template <class S, class M, class I>
__global__ void tiles_in(const S* x, S* made, Windows<I> w) {
  const I tiles = w.batch * w.out[1] * w.out[2] * w.channels;
  FOR_EACH(i, tiles) {
    I rest = i;
    const I c = split(rest, w.channels), across = split(rest, w.out[2]), down = split(rest, w.out[1]);
    const S* image = x + rest * w.step[0] + c * w.step[4];
    Tile<M, S> tile;
#pragma unroll
    for (int j = 0; j < M::T; j++) {
      S column[M::T];
      const I pw = w.place(2, across, j);
#pragma unroll
      for (int k = 0; k < M::T; k++) {
        const I ph = w.place(1, down, k);
        const bool within = w.within(1, ph) && w.within(2, pw);
        column[k] = within ? image[ph * w.step[2] + pw * w.step[3]] : (S)0;
      }
      tile.read_column(j, column);
    }
#pragma unroll
    for (int row = 0; row < M::R; row++) {
#pragma unroll
      for (int j = 0; j < M::R; j++) made[(row * M::R + j) * tiles + i] = tile.result(row, j);
    }
  }
}

// What a convolution reads: sizes and steps of images (N, H, W, C), how far the first window lies
// before them, and steps of kernels (O, C, 3, 3).
struct Definition { int64 channels, size[2], step[4], before[2], kernel[4]; };

template <class S> __device__ static inline bool finite(S number) { return number - number == 0; }

// A number of an image, or the zero outside of it.
template <class S>
__device__ static inline S pixel(const S* x, const Definition& d, int64 n, int64 h, int64 w, int64 c) {
  const bool within = h >= 0 && h < d.size[0] && w >= 0 && w < d.size[1];
  return within ? x[n * d.step[0] + h * d.step[1] + w * d.step[2] + c * d.step[3]] : (S)0;
}

// One output by the definition. What is not finite would spread over a whole tile; so where a tile
// has such an output, all of them are made anew.
template <class S>
__device__ S by_definition(const S* x, const S* weight, const Definition& d, int64 n, int64 o, int64 h, int64 w) {
  S sum = 0;
  for (int i = 0; i < 3; i++)
    for (int j = 0; j < 3; j++)
      for (int64 c = 0; c < d.channels; c++)
        sum += pixel(x, d, n, h + i - d.before[0], w + j - d.before[1], c) *
               weight[o * d.kernel[0] + c * d.kernel[1] + i * d.kernel[2] + j * d.kernel[3]];
  return sum;
}

// Products (T*T, tiles, C) to tiles of R*R places of an image, without what hangs over its border,
// plus a bias of each channel if there is one. `w` has in = the image that is written.
template <class S, class M, class I>
__global__ void tiles_out(const S* products, S* y, const S* bias, Windows<I> w, const S* x, const S* weight,
                          Definition d) {
  const I tiles = w.batch * w.out[1] * w.out[2] * w.channels;
  FOR_EACH(i, tiles) {
    I rest = i;
    const I c = split(rest, w.channels), across = split(rest, w.out[2]), down = split(rest, w.out[1]);
    S* image = y + rest * w.step[0] + c * w.step[4];
    const S shift = bias ? bias[c] : (S)0;
    Tile<M, S> tile;
#pragma unroll
    for (int j = 0; j < M::T; j++) {
      S column[M::T];
#pragma unroll
      for (int k = 0; k < M::T; k++) column[k] = products[(k * M::T + j) * tiles + i];
      tile.read_column(j, column);
    }
    bool all_finite = true;
#pragma unroll
    for (int row = 0; row < M::R; row++) {
      const I ph = down * M::R + row;
#pragma unroll
      for (int j = 0; j < M::R; j++) {
        const I pw = across * M::R + j;
        const S number = tile.result(row, j);
        all_finite = all_finite && finite(number);
        if (ph < w.in[1] && pw < w.in[2]) image[ph * w.step[2] + pw * w.step[3]] = number + shift;
      }
    }
    if (all_finite) continue;
    for (I ph = down * M::R; ph < (down + 1) * M::R && ph < w.in[1]; ph++)
      for (I pw = across * M::R; pw < (across + 1) * M::R && pw < w.in[2]; pw++)
        image[ph * w.step[2] + pw * w.step[3]] = by_definition(x, weight, d, rest, c, ph, pw) + shift;
  }
}

// Where the numbers of kernels lie: output channel, input channel, row, column.
struct Kernels { int64 outs, channels, step[4]; };

// Kernels to (R*R, C, O), and such numbers back to kernels: one thread makes one kernel.
template <class S, class M, class I>
__global__ void kernels_in(const S* weight, S* made, Kernels at) {
  const I count = (I)(at.outs * at.channels);
  FOR_EACH(i, count) {
    I c = i;
    const I o = split(c, (I)at.outs);
    const S* kernel = weight + o * at.step[0] + c * at.step[1];
    Tile<M, S> tile;
#pragma unroll
    for (int j = 0; j < M::T; j++) {
      S column[M::T];
#pragma unroll
      for (int k = 0; k < M::T; k++) column[k] = kernel[k * at.step[2] + j * at.step[3]];
      tile.read_column(j, column);
    }
#pragma unroll
    for (int row = 0; row < M::R; row++) {
#pragma unroll
      for (int j = 0; j < M::R; j++) made[(row * M::R + j) * count + i] = tile.result(row, j);
    }
  }
}

// Sums of products (T*T, C, O) to the gradients of kernels, of images x and of outputs dy, which
// `places` describes: both are read only where a sum is not finite.
struct Places { int64 count[3], step[4]; };

template <class S, class M, class I>
__global__ void kernels_out(const S* sums, S* dweight, Kernels at, const S* x, Definition d, const S* dy, Places places) {
  const I count = (I)(at.outs * at.channels);
  FOR_EACH(i, count) {
    I c = i;
    const I o = split(c, (I)at.outs);
    S* kernel = dweight + o * at.step[0] + c * at.step[1];
    Tile<M, S> tile;
#pragma unroll
    for (int j = 0; j < M::T; j++) {
      S column[M::T];
#pragma unroll
      for (int k = 0; k < M::T; k++) column[k] = sums[(k * M::T + j) * count + i];
      tile.read_column(j, column);
    }
#pragma unroll
    for (int row = 0; row < M::R; row++) {
#pragma unroll
      for (int j = 0; j < M::R; j++) {
        S number = tile.result(row, j);
        if (!finite(number)) {
          number = 0;
          for (int64 n = 0; n < places.count[0]; n++)
            for (int64 h = 0; h < places.count[1]; h++)
              for (int64 w = 0; w < places.count[2]; w++)
                number += pixel(x, d, n, h + row - d.before[0], w + j - d.before[1], c) *
                          dy[n * places.step[0] + h * places.step[1] + w * places.step[2] + o * places.step[3]];
        }
        kernel[row * at.step[2] + j * at.step[3]] = number;
      }
    }
  }
}
