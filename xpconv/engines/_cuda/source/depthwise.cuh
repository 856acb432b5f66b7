// Depthwise convolution: every channel has `outs` kernels of its own. Images are channels-last, y
// and dy without gaps, weight (C*outs, taps); output channel c*outs + m is the m-th of channel c.

// One thread makes one place of V output channels (V is 1 unless outs is). Channels of `w` are
// counted in packs.
template <class S, int V, class I>
__global__ void depthwise(const Pack<S, V>* x, const S* weight, const S* bias, Pack<S, V>* y,
                          Windows<I> w, I outs) {
  typedef typename Wide<S>::type A;
  const I across = w.channels * outs, taps = w.kernel[0] * w.kernel[1] * w.kernel[2];
  FOR_EACH(i, w.batch * w.out[0] * w.out[1] * w.out[2] * across) {
    I rest = i;
    const I o = split(rest, across), c = o / outs;
    const I ow = split(rest, w.out[2]), oh = split(rest, w.out[1]), od = split(rest, w.out[0]);
    const Pack<S, V>* image = x + rest * w.step[0] + c * w.step[4];
    const S* kernel = weight + o * V * taps;
    A sum[V] = {};
    for (I kd = 0; kd < w.kernel[0]; kd++) {
      const I pd = w.place(0, od, kd);
      if (!w.within(0, pd)) continue;
      for (I kh = 0; kh < w.kernel[1]; kh++) {
        const I ph = w.place(1, oh, kh);
        if (!w.within(1, ph)) continue;
        for (I kw = 0; kw < w.kernel[2]; kw++) {
          const I pw = w.place(2, ow, kw);
          if (!w.within(2, pw)) continue;
          const I tap = (kd * w.kernel[1] + kh) * w.kernel[2] + kw;
          const Pack<S, V> met = image[pd * w.step[1] + ph * w.step[2] + pw * w.step[3]];
          for (int v = 0; v < V; v++) sum[v] += wide(met.at[v]) * wide(kernel[v * taps + tap]);
        }
      }
    }
    Pack<S, V> made;
    for (int v = 0; v < V; v++) {
      made.at[v] = narrow<S>(bias ? sum[v] + wide(bias[o * V + v]) : sum[v]);
    }
    y[i] = made;
  }
}

// One thread makes one place of V input channels: it asks the windows that meet the place. dx has
// no gaps.
template <class S, int V, class I>
__global__ void depthwise_input_grad(const Pack<S, V>* dy, const S* weight, Pack<S, V>* dx,
                                     Windows<I> w, I outs) {
  typedef typename Wide<S>::type A;
  const I across = w.channels * outs, taps = w.kernel[0] * w.kernel[1] * w.kernel[2];
  FOR_EACH(i, w.batch * w.in[0] * w.in[1] * w.in[2] * w.channels) {
    I n = i;
    const I c = split(n, w.channels);
    const I pw = split(n, w.in[2]), ph = split(n, w.in[1]), pd = split(n, w.in[0]);
    A sum[V] = {};
    for (I m = 0; m < outs; m++) {
      const I o = c * outs + m;
      const S* kernel = weight + o * V * taps;
      A part[V] = {};
      for (I kd = 0; kd < w.kernel[0]; kd++) {
        const I od = w.window(0, pd, kd);
        if (od < 0) continue;
        for (I kh = 0; kh < w.kernel[1]; kh++) {
          const I oh = w.window(1, ph, kh);
          if (oh < 0) continue;
          for (I kw = 0; kw < w.kernel[2]; kw++) {
            const I ow = w.window(2, pw, kw);
            if (ow < 0) continue;
            const I tap = (kd * w.kernel[1] + kh) * w.kernel[2] + kw;
            const Pack<S, V> given =
                dy[(((n * w.out[0] + od) * w.out[1] + oh) * w.out[2] + ow) * across + o];
            for (int v = 0; v < V; v++) part[v] += wide(given.at[v]) * wide(kernel[v * taps + tap]);
          }
        }
      }
      for (int v = 0; v < V; v++) sum[v] += part[v];
    }
    Pack<S, V> made;
    for (int v = 0; v < V; v++) made.at[v] = narrow<S>(sum[v]);
    dx[i] = made;
  }
}

// The part of one block: for one element of the kernel (blockIdx.z) and `lanes` output channels the
// sum of x times dy over some of the output's places, parts[block, tap, channel].
template <class S, class I>
__global__ void depthwise_sums(const S* x, const S* dy, typename Wide<S>::type* parts,
                               Windows<I> w, I outs, int lanes) {
  typedef typename Wide<S>::type A;
  __shared__ A met[256];
  const int t = (int)threadIdx.x, lane = t % lanes, beside = (int)blockDim.x / lanes;
  const I across = w.channels * outs, places = w.batch * w.out[0] * w.out[1] * w.out[2];
  const I o = (I)blockIdx.x * lanes + lane, tap = (I)blockIdx.z;
  I k = tap;
  const I kw = split(k, w.kernel[2]), kh = split(k, w.kernel[1]);
  const I each = (places + (I)gridDim.y - 1) / (I)gridDim.y, start = each * (I)blockIdx.y;
  const I stop = start + each < places ? start + each : places;
  A mine = 0;
  if (o < across) {
    for (I place = start + t / lanes; place < stop; place += beside) {
      I n = place;
      const I ow = split(n, w.out[2]), oh = split(n, w.out[1]), od = split(n, w.out[0]);
      const I pd = w.place(0, od, k), ph = w.place(1, oh, kh), pw = w.place(2, ow, kw);
      if (!w.within(0, pd) || !w.within(1, ph) || !w.within(2, pw)) continue;
      const S seen = x[n * w.step[0] + pd * w.step[1] + ph * w.step[2] + pw * w.step[3] +
                       (o / outs) * w.step[4]];
      mine += wide(seen) * wide(dy[place * across + o]);
    }
  }
  met[t] = mine;
  for (int half = beside / 2; half > 0; half /= 2) {
    __syncthreads();
    if (t / lanes < half) met[t] += met[t + half * lanes];
  }
  if (t < lanes && o < across) parts[((I)blockIdx.y * gridDim.z + tap) * across + o] = met[t];
}

// The blocks' parts added up in their order: dweight (channels, taps).
template <class S, class I>
__global__ void depthwise_total(const typename Wide<S>::type* parts, S* dweight, I blocks, I taps,
                                I channels) {
  FOR_EACH(i, taps * channels) {
    I o = i;
    const I tap = split(o, taps);
    typename Wide<S>::type sum = 0;
    for (I b = 0; b < blocks; b++) sum += parts[(b * taps + tap) * channels + o];
    dweight[i] = narrow<S>(sum);
  }
}
