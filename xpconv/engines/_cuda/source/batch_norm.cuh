// Batch normalisation of rows (N*D*H*W) of C channels, without gaps, a rectifier after it included
// where asked for (`cut` is 1, or 2 for the one that ends at 6); its bits are those of the same operations one after the other. Statistics, parameters and
// sums are of the type A that is computed in.
//
// A sum over the rows is made in two launches: every block sums `rows / gridDim.y` rows of a few
// channels, and `..._total` adds the blocks' parts up, both in a fixed order.

// Threads of a block: `lanes` next to each other for the channels, the others for the rows.
const int THREADS = 256;

// The part of one block: moments[block, c] of its rows. One thread reads every few rows of one
// channel (Welford, 1962), and the block's threads of a channel are put together as a tree.
template <class S, class I>
__global__ void moments(const S* x, Moments<typename Wide<S>::type>* parts, I rows, I channels,
                        int lanes) {
  typedef typename Wide<S>::type A;
  __shared__ Moments<A> met[THREADS];
  const int t = (int)threadIdx.x, lane = t % lanes, beside = (int)blockDim.x / lanes;
  const I c = (I)blockIdx.x * lanes + lane;
  const I each = (rows + (I)gridDim.y - 1) / (I)gridDim.y, start = each * (I)blockIdx.y;
  const I stop = start + each < rows ? start + each : rows;
  Moments<A> mine = {0, 0, 0};
  if (c < channels) {
    for (I r = start + t / lanes; r < stop; r += beside) {
      const A value = wide(x[r * channels + c]), away = value - mine.mean;
      mine.count += 1;
      mine.mean += away / mine.count;
      mine.square += away * (value - mine.mean);
    }
  }
  met[t] = mine;
  for (int half = beside / 2; half > 0; half /= 2) {
    __syncthreads();
    if (t / lanes < half) met[t] = both(met[t], met[t + half * lanes]);
  }
  if (t < lanes && c < channels) parts[(I)blockIdx.y * channels + c] = met[t];
}

// Mean, variance and 1 / sqrt(variance + eps) of each channel from the blocks' parts.
template <class A, class I>
__global__ void moments_total(const Moments<A>* parts, A* mean, A* var, A* rstd, I blocks,
                              I channels, A eps) {
  FOR_EACH(c, channels) {
    Moments<A> all = {0, 0, 0};
    for (I b = 0; b < blocks; b++) all = both(all, parts[b * channels + c]);
    mean[c] = all.mean;
    var[c] = all.square / all.count;
    rstd[c] = 1 / root(var[c] + eps);
  }
}

// (x - mean) * rstd * weight + bias of channel c, rounded as it is stored; weight and bias may be null.
template <class S>
__device__ inline S normalised(S x, int64 c, const typename Wide<S>::type* mean,
                               const typename Wide<S>::type* rstd,
                               const typename Wide<S>::type* weight,
                               const typename Wide<S>::type* bias) {
  typename Wide<S>::type scale = rstd[c];
  if (weight) scale *= weight[c];
  typename Wide<S>::type value = (wide(x) - mean[c]) * scale;
  if (bias) value += bias[c];
  return narrow<S>(value);
}

// A number after the rectifier, which NaN passes.
template <class S>
__device__ inline S rectified(S value, int cut) {
  if (cut && wide(value) <= 0) return narrow<S>(0);
  return cut == 2 && wide(value) > 6 ? narrow<S>(6) : value;
}

// Whether the rectifier stops the gradient of a number; that of NaN only where it ends at 6.
template <class S>
__device__ inline bool stopped(S value, int cut) {
  if (cut == 2) return !(wide(value) > 0 && wide(value) < 6);
  return cut && wide(value) <= 0;
}

// The normalised rows, with `cut` rectified. V channels a thread.
template <class S, int V, class I>
__global__ void normalise(const Pack<S, V>* x, Pack<S, V>* y, const typename Wide<S>::type* mean,
                          const typename Wide<S>::type* rstd,
                          const typename Wide<S>::type* weight,
                          const typename Wide<S>::type* bias, I count, I channels, int cut) {
  FOR_EACH(i, count) {
    I rest = i;
    const I c = split(rest, channels) * V;
    const Pack<S, V> given = x[i];
    Pack<S, V> made;
    for (int v = 0; v < V; v++) {
      made.at[v] = rectified(normalised<S>(given.at[v], c + v, mean, rstd, weight, bias), cut);
    }
    y[i] = made;
  }
}

template <class A> struct Sums { A dy, product; };

// The part of one block: sums of dy, and of dy times x's distance from the mean; with `cut` without
// the dy that a rectifier stopped.
template <class S, class I>
__global__ void norm_sums(const S* dy, const S* x, const typename Wide<S>::type* mean,
                          const typename Wide<S>::type* rstd,
                          const typename Wide<S>::type* weight,
                          const typename Wide<S>::type* bias, Sums<typename Wide<S>::type>* parts,
                          I rows, I channels, int lanes, int cut) {
  typedef typename Wide<S>::type A;
  __shared__ Sums<A> met[THREADS];
  const int t = (int)threadIdx.x, lane = t % lanes, beside = (int)blockDim.x / lanes;
  const I c = (I)blockIdx.x * lanes + lane;
  const I each = (rows + (I)gridDim.y - 1) / (I)gridDim.y, start = each * (I)blockIdx.y;
  const I stop = start + each < rows ? start + each : rows;
  Sums<A> mine = {0, 0};
  if (c < channels) {
    const A middle = mean[c];
    for (I r = start + t / lanes; r < stop; r += beside) {
      const S seen = x[r * channels + c];
      if (cut && stopped(normalised<S>(seen, c, mean, rstd, weight, bias), cut)) continue;
      const A given = wide(dy[r * channels + c]);
      mine.dy += given;
      mine.product += given * (wide(seen) - middle);
    }
  }
  met[t] = mine;
  for (int half = beside / 2; half > 0; half /= 2) {
    __syncthreads();
    if (t / lanes < half) {
      met[t].dy += met[t + half * lanes].dy;
      met[t].product += met[t + half * lanes].product;
    }
  }
  if (t < lanes && c < channels) parts[(I)blockIdx.y * channels + c] = met[t];
}

// Gradients of bias and weight, and the three numbers a channel that `normalise_grad` needs.
template <class A, class I>
__global__ void norm_sums_total(const Sums<A>* parts, const A* rstd, const A* weight, A* dweight,
                                A* dbias, A* slopes, I blocks, I channels, A rows) {
  FOR_EACH(c, channels) {
    Sums<A> all = {0, 0};
    for (I b = 0; b < blocks; b++) {
      all.dy += parts[b * channels + c].dy;
      all.product += parts[b * channels + c].product;
    }
    const A scale = weight ? rstd[c] * weight[c] : rstd[c];
    dbias[c] = all.dy;
    dweight[c] = all.product * rstd[c];
    slopes[c] = scale;
    slopes[channels + c] = -scale * rstd[c] * rstd[c] * all.product / rows;
    slopes[2 * channels + c] = -scale * all.dy / rows;
  }
}

// dx = scale * (dy - mean(dy) - n * mean(dy * n)) with n the normalised x. V channels a thread.
template <class S, int V, class I>
__global__ void normalise_grad(const Pack<S, V>* dy, const Pack<S, V>* x, Pack<S, V>* dx,
                               const typename Wide<S>::type* mean,
                               const typename Wide<S>::type* rstd,
                               const typename Wide<S>::type* weight,
                               const typename Wide<S>::type* bias,
                               const typename Wide<S>::type* slopes, I count, I channels, int cut) {
  typedef typename Wide<S>::type A;
  FOR_EACH(i, count) {
    I rest = i;
    const I c = split(rest, channels) * V;
    const Pack<S, V> given = dy[i], seen = x[i];
    Pack<S, V> made;
    for (int v = 0; v < V; v++) {
      const A* slope = slopes + c + v;
      const A away = wide(seen.at[v]) - mean[c + v];
      A share = wide(given.at[v]);
      if (cut && stopped(normalised<S>(seen.at[v], c + v, mean, rstd, weight, bias), cut)) share = 0;
      made.at[v] = narrow<S>(away * slope[channels * V] + share * slope[0] +
                             slope[2 * channels * V]);
    }
    dx[i] = made;
  }
}

// Sums of the rows alone, as for the gradient of a bias.
template <class S, class I>
__global__ void row_sums(const S* x, typename Wide<S>::type* parts, I rows, I channels, int lanes) {
  typedef typename Wide<S>::type A;
  __shared__ A met[THREADS];
  const int t = (int)threadIdx.x, lane = t % lanes, beside = (int)blockDim.x / lanes;
  const I c = (I)blockIdx.x * lanes + lane;
  const I each = (rows + (I)gridDim.y - 1) / (I)gridDim.y, start = each * (I)blockIdx.y;
  const I stop = start + each < rows ? start + each : rows;
  A mine = 0;
  if (c < channels) {
    for (I r = start + t / lanes; r < stop; r += beside) mine += wide(x[r * channels + c]);
  }
  met[t] = mine;
  for (int half = beside / 2; half > 0; half /= 2) {
    __syncthreads();
    if (t / lanes < half) met[t] += met[t + half * lanes];
  }
  if (t < lanes && c < channels) parts[(I)blockIdx.y * channels + c] = met[t];
}

template <class S, class I>
__global__ void row_sums_total(const typename Wide<S>::type* parts, S* sums, I blocks, I channels) {
  FOR_EACH(c, channels) {
    typename Wide<S>::type all = 0;
    for (I b = 0; b < blocks; b++) all += parts[b * channels + c];
    sums[c] = narrow<S>(all);
  }
}
