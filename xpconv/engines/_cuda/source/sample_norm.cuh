// Normalisation within samples: numbers (samples, places, groups, each) without gaps, where every
// group of every sample has statistics over its places * each numbers. Instance norm has each = 1,
// layer norm one place and one group. Weight and bias (groups * each) may be null.

const int THREADS = 256;

template <class I> struct Sizes {
  I samples, places, groups, each;

  // Where number j of a group lies, and which of the weights is its own.
  __device__ I at(I n, I g, I j) const {
    return ((n * places + j / each) * groups + g) * each + j % each;
  }
  __device__ I parameter(I g, I j) const { return g * each + j % each; }
};

// What a block works on: `lanes` neighbouring groups of a sample, `beside` threads for each.
#define GROUPS_OF_A_BLOCK                                                                     \
  const int t = (int)threadIdx.x, lane = t % lanes, beside = (int)blockDim.x / lanes;         \
  const I across = (w.groups + lanes - 1) / lanes, count = w.places * w.each;                 \
  const I n = (I)blockIdx.x / across, g = (I)blockIdx.x % across * lanes + lane;              \
  const bool here = g < w.groups

// y, and the mean, variance and 1 / sqrt(variance + eps) of each group.
template <class S, class I>
__global__ void sample_norm(const S* x, S* y, typename Wide<S>::type* mean,
                            typename Wide<S>::type* var, typename Wide<S>::type* rstd,
                            const typename Wide<S>::type* weight,
                            const typename Wide<S>::type* bias, Sizes<I> w,
                            typename Wide<S>::type eps, int lanes) {
  typedef typename Wide<S>::type A;
  __shared__ Moments<A> met[THREADS];
  GROUPS_OF_A_BLOCK;
  Moments<A> mine = {0, 0, 0};
  if (here) {
    for (I j = t / lanes; j < count; j += beside) {
      const A value = wide(x[w.at(n, g, j)]), away = value - mine.mean;
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
  __syncthreads();
  if (!here) return;
  const Moments<A> all = met[lane];
  const A spread = all.square / all.count, scale = 1 / root(spread + eps);
  if (t < lanes) {
    mean[n * w.groups + g] = all.mean;
    var[n * w.groups + g] = spread;
    rstd[n * w.groups + g] = scale;
  }
  for (I j = t / lanes; j < count; j += beside) {
    const I k = w.parameter(g, j);
    A value = (wide(x[w.at(n, g, j)]) - all.mean) * (weight ? scale * weight[k] : scale);
    if (bias) value += bias[k];
    y[w.at(n, g, j)] = narrow<S>(value);
  }
}

template <class A> struct Pair { A dy, product; };

// dx = rstd * (s - mean(s) - n * mean(s * n)) with s = weight * dy and n the normalised x.
template <class S, class I>
__global__ void sample_norm_grad(const S* dy, const S* x, S* dx, const typename Wide<S>::type* mean,
                                 const typename Wide<S>::type* rstd,
                                 const typename Wide<S>::type* weight, Sizes<I> w, int lanes) {
  typedef typename Wide<S>::type A;
  __shared__ Pair<A> met[THREADS];
  GROUPS_OF_A_BLOCK;
  const A middle = here ? mean[n * w.groups + g] : (A)0;
  Pair<A> mine = {0, 0};
  if (here) {
    for (I j = t / lanes; j < count; j += beside) {
      const I i = w.at(n, g, j);
      const A share = weight ? wide(dy[i]) * weight[w.parameter(g, j)] : wide(dy[i]);
      mine.dy += share;
      mine.product += share * (wide(x[i]) - middle);
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
  __syncthreads();
  if (!here) return;
  const A scale = rstd[n * w.groups + g];
  const A shift = met[lane].dy / (A)count, slope = scale * scale * met[lane].product / (A)count;
  for (I j = t / lanes; j < count; j += beside) {
    const I i = w.at(n, g, j);
    const A share = weight ? wide(dy[i]) * weight[w.parameter(g, j)] : wide(dy[i]);
    dx[i] = narrow<S>(scale * (share - shift - (wide(x[i]) - middle) * slope));
  }
}

// The part of one block of the gradients of weight and bias: sums over samples and places.
template <class S, class I>
__global__ void parameter_sums(const S* dy, const S* x, const typename Wide<S>::type* mean,
                               const typename Wide<S>::type* rstd,
                               Pair<typename Wide<S>::type>* parts, Sizes<I> w, int lanes) {
  typedef typename Wide<S>::type A;
  __shared__ Pair<A> met[THREADS];
  const int t = (int)threadIdx.x, lane = t % lanes, beside = (int)blockDim.x / lanes;
  const I rows = w.samples * w.places, channels = w.groups * w.each;
  const I c = (I)blockIdx.x * lanes + lane;
  const I share = (rows + (I)gridDim.y - 1) / (I)gridDim.y, start = share * (I)blockIdx.y;
  const I stop = start + share < rows ? start + share : rows;
  Pair<A> mine = {0, 0};
  if (c < channels) {
    for (I r = start + t / lanes; r < stop; r += beside) {
      const I group = r / w.places * w.groups + c / w.each;
      const A given = wide(dy[r * channels + c]);
      mine.dy += given;
      mine.product += given * ((wide(x[r * channels + c]) - mean[group]) * rstd[group]);
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

template <class A, class I>
__global__ void parameter_total(const Pair<A>* parts, A* dweight, A* dbias, I blocks, I channels) {
  FOR_EACH(c, channels) {
    Pair<A> all = {0, 0};
    for (I b = 0; b < blocks; b++) {
      all.dy += parts[b * channels + c].dy;
      all.product += parts[b * channels + c].product;
    }
    dweight[c] = all.product;
    dbias[c] = all.dy;
  }
}
