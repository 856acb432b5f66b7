// Average pooling of an image. What a window's sum is divided by: `divisor` if it is not 0, else
// the number of its elements, with the padding (but never what hangs over it) or without.

template <class I>
__device__ inline I elements(const Windows<I>& w, int axis, I o, bool padding) {
  I start = o * w.stride[axis] - w.padding[axis], stop = start + w.kernel[axis];
  I low = padding ? -w.padding[axis] : 0;
  I high = padding ? w.in[axis] + w.padding[axis] : w.in[axis];
  return (stop < high ? stop : high) - (start > low ? start : low);
}

template <class I>
__device__ inline I share_of(const Windows<I>& w, I od, I oh, I ow, bool padding, I divisor) {
  if (divisor) return divisor;
  return elements(w, 0, od, padding) * elements(w, 1, oh, padding) * elements(w, 2, ow, padding);
}

// One thread sums V channels of one window, the innermost axis first; y has no gaps.
template <class S, int V, class I>
__global__ void avg_pool(const Pack<S, V>* x, Pack<S, V>* y, Windows<I> w, int padding, I divisor) {
  typedef typename Wide<S>::type A;
  FOR_EACH(i, w.batch * w.out[0] * w.out[1] * w.out[2] * w.channels) {
    I rest = i;
    const I c = split(rest, w.channels);
    const I ow = split(rest, w.out[2]), oh = split(rest, w.out[1]), od = split(rest, w.out[0]);
    const Pack<S, V>* image = x + rest * w.step[0] + c * w.step[4];
    A total[V] = {};
    for (I kd = 0; kd < w.kernel[0]; kd++) {
      const I pd = w.place(0, od, kd);
      if (!w.within(0, pd)) continue;
      A plane[V] = {};
      for (I kh = 0; kh < w.kernel[1]; kh++) {
        const I ph = w.place(1, oh, kh);
        if (!w.within(1, ph)) continue;
        A line[V] = {};
        for (I kw = 0; kw < w.kernel[2]; kw++) {
          const I pw = w.place(2, ow, kw);
          if (!w.within(2, pw)) continue;
          const Pack<S, V> met = image[pd * w.step[1] + ph * w.step[2] + pw * w.step[3]];
          for (int v = 0; v < V; v++) line[v] += wide(met.at[v]);
        }
        for (int v = 0; v < V; v++) plane[v] += line[v];
      }
      for (int v = 0; v < V; v++) total[v] += plane[v];
    }
    const A count = (A)share_of(w, od, oh, ow, padding, divisor);
    Pack<S, V> mean;
    for (int v = 0; v < V; v++) mean.at[v] = narrow<S>(total[v] / count);
    y[i] = mean;
  }
}

// One thread sums what V channels of one place of the image get from the windows that meet it, the
// outermost axis first. `step` is that of dy; dx lies in channels-last order without gaps.
template <class S, int V, class I>
__global__ void avg_pool_grad(const Pack<S, V>* dy, Pack<S, V>* dx, Windows<I> w, int padding,
                              I divisor) {
  typedef typename Wide<S>::type A;
  FOR_EACH(i, w.batch * w.in[0] * w.in[1] * w.in[2] * w.channels) {
    I rest = i;
    const I c = split(rest, w.channels);
    const I pw = split(rest, w.in[2]), ph = split(rest, w.in[1]), pd = split(rest, w.in[0]);
    A total[V] = {};
    for (I kw = 0; kw < w.kernel[2]; kw++) {
      const I ow = w.window(2, pw, kw);
      if (ow < 0) continue;
      A plane[V] = {};
      for (I kh = 0; kh < w.kernel[1]; kh++) {
        const I oh = w.window(1, ph, kh);
        if (oh < 0) continue;
        A line[V] = {};
        for (I kd = 0; kd < w.kernel[0]; kd++) {
          const I od = w.window(0, pd, kd);
          if (od < 0) continue;
          const Pack<S, V> given = dy[rest * w.step[0] + od * w.step[1] + oh * w.step[2] +
                                      ow * w.step[3] + c * w.step[4]];
          const A count = (A)share_of(w, od, oh, ow, padding, divisor);
          for (int v = 0; v < V; v++) line[v] += wide(given.at[v]) / count;
        }
        for (int v = 0; v < V; v++) plane[v] += line[v];
      }
      for (int v = 0; v < V; v++) total[v] += plane[v];
    }
    Pack<S, V> sum;
    for (int v = 0; v < V; v++) sum.at[v] = narrow<S>(total[v]);
    dx[i] = sum;
  }
}
