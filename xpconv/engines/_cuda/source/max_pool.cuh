// Max pooling of an image; `y` and `number` lie in channels-last order without gaps.

// One thread reads V channels of one window. The first of tied maxima wins, and the last NaN.
// `number` is which of the window's elements won (null where nobody asks), `position` its place in
// the flattened plane of one channel.
template <class S, class N, int V, class I>
__global__ void max_pool(const Pack<S, V>* x, Pack<S, V>* y, Pack<N, V>* number, int64* position,
                         Windows<I> w) {
  FOR_EACH(i, w.batch * w.out[0] * w.out[1] * w.out[2] * w.channels) {
    I rest = i;
    const I c = split(rest, w.channels);
    const I ow = split(rest, w.out[2]), oh = split(rest, w.out[1]), od = split(rest, w.out[0]);
    const Pack<S, V>* image = x + rest * w.step[0] + c * w.step[4];
    // Until something is met it is the first element within the image, as if that were -inf.
    I first[3];
    const I o[3] = {od, oh, ow};
    for (int axis = 0; axis < 3; axis++) {
      I k = 0;
      while (k < w.kernel[axis] - 1 && w.place(axis, o[axis], k) < 0) k++;
      first[axis] = k;
    }
    const I start = (first[0] * w.kernel[1] + first[1]) * w.kernel[2] + first[2];
    typename Wide<S>::type best[V];
    I won[V];
    for (int v = 0; v < V; v++) best[v] = -infinity(), won[v] = start;
    for (I kd = first[0]; kd < w.kernel[0]; kd++) {
      const I pd = w.place(0, od, kd);
      if (!w.within(0, pd)) continue;
      for (I kh = first[1]; kh < w.kernel[1]; kh++) {
        const I ph = w.place(1, oh, kh);
        if (!w.within(1, ph)) continue;
        for (I kw = first[2]; kw < w.kernel[2]; kw++) {
          const I pw = w.place(2, ow, kw);
          if (!w.within(2, pw)) continue;
          const Pack<S, V> met = image[pd * w.step[1] + ph * w.step[2] + pw * w.step[3]];
          const I tap = (kd * w.kernel[1] + kh) * w.kernel[2] + kw;
          for (int v = 0; v < V; v++) {
            const typename Wide<S>::type value = wide(met.at[v]);
            if (value > best[v] || value != value) best[v] = value, won[v] = tap;
          }
        }
      }
    }
    Pack<S, V> largest;
    for (int v = 0; v < V; v++) largest.at[v] = narrow<S>(best[v]);
    y[i] = largest;
    if (number) {
      Pack<N, V> which;
      for (int v = 0; v < V; v++) which.at[v] = (N)won[v];
      number[i] = which;
    }
    if (position) {
      for (int v = 0; v < V; v++) {
        I k = won[v], flat = 0, p[3];
        for (int axis = 2; axis >= 0; axis--) p[axis] = w.place(axis, o[axis], split(k, w.kernel[axis]));
        for (int axis = 0; axis < 3; axis++) {  // a dilated window may miss the image: clip
          const I last = w.in[axis] - 1;
          flat = flat * w.in[axis] + (p[axis] < 0 ? 0 : p[axis] > last ? last : p[axis]);
        }
        position[(int64)i * V + v] = flat;
      }
    }
  }
}

// One thread makes V channels of one place of the image: it asks every window that meets the place
// whether the place had won. `step` is that of dy; dx lies in channels-last order without gaps.
template <class S, class N, int V, class I>
__global__ void max_pool_grad(const Pack<S, V>* dy, const Pack<N, V>* number, Pack<S, V>* dx,
                              Windows<I> w) {
  typedef typename Wide<S>::type A;
  FOR_EACH(i, w.batch * w.in[0] * w.in[1] * w.in[2] * w.channels) {
    I rest = i;
    const I c = split(rest, w.channels);
    const I pw = split(rest, w.in[2]), ph = split(rest, w.in[1]), pd = split(rest, w.in[0]);
    A total[V] = {};
    // Axis by axis, the outermost summed first: the order of the portable sums.
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
          const I at = (((rest * w.out[0] + od) * w.out[1] + oh) * w.out[2] + ow) * w.channels + c;
          const Pack<N, V> won = number[at];
          const Pack<S, V> share = dy[rest * w.step[0] + od * w.step[1] + oh * w.step[2] +
                                      ow * w.step[3] + c * w.step[4]];
          const I tap = (kd * w.kernel[1] + kh) * w.kernel[2] + kw;
          for (int v = 0; v < V; v++) {
            if ((I)won.at[v] == tap) line[v] += wide(share.at[v]);
          }
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
