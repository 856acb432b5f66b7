// im2col and its adjoint, between an image and columns (G, N*OD*OH*OW, KD*KH*KW*C/G).

// A unit of bytes that a thread can copy at once.
template <int N> struct Bytes;
template <> struct Bytes<1> { typedef unsigned char type; };
template <> struct Bytes<2> { typedef unsigned short type; };
template <> struct Bytes<4> { typedef unsigned int type; };
template <> struct Bytes<8> { typedef unsigned long long type; };
template <> struct Bytes<16> { struct alignas(16) type { unsigned int at[4]; }; };

// Lay windows out as rows; outside the image there are zeros. One thread copies, for one window and
// one place along the kernel's innermost axis, a unit of up to 16 bytes from each of its rows: so
// neighbouring threads write KW*C/G numbers side by side. U is a unit of bytes, whatever they mean.
template <class U, class I>
__global__ void gather(const U* x, U* cols, Windows<I> w, I groups) {
  const I group = w.channels / groups;
  const I windows = w.batch * w.out[0] * w.out[1] * w.out[2];
  const I row = w.kernel[2] * group, window = w.kernel[0] * w.kernel[1] * row;
  FOR_EACH(i, groups * windows * row) {
    I rest = i;
    const I c = split(rest, group), kw = split(rest, w.kernel[2]);
    U* to = cols + rest * window + kw * group + c;
    const I ow = split(rest, w.out[2]), oh = split(rest, w.out[1]), od = split(rest, w.out[0]);
    const I n = split(rest, w.batch);  // what is left is the group
    const I pw = w.place(2, ow, kw);
    const U* from = x + n * w.step[0] + pw * w.step[3] + (rest * group + c) * w.step[4];
    for (I kd = 0; kd < w.kernel[0]; kd++) {
      const I pd = w.place(0, od, kd);
      for (I kh = 0; kh < w.kernel[1]; kh++, to += row) {
        const I ph = w.place(1, oh, kh);
        const bool within = w.within(0, pd) && w.within(1, ph) && w.within(2, pw);
        *to = within ? from[pd * w.step[1] + ph * w.step[2]] : U{};
      }
    }
  }
}

// Add columns back to where `gather` took them from. One thread makes V channels of one place of
// the image: it looks up the windows that meet the place, in the order of the kernel's elements.
// No two threads add to one number, so there are no atomics, and every run has the same sums.
template <class S, int V, class I>
__global__ void scatter(const Pack<S, V>* cols, Pack<S, V>* dx, Windows<I> w, I groups) {
  const I group = w.channels / groups;
  const I window = w.kernel[0] * w.kernel[1] * w.kernel[2] * group;
  FOR_EACH(i, w.batch * w.in[0] * w.in[1] * w.in[2] * w.channels) {
    I rest = i;
    I g = split(rest, w.channels);
    const I c = split(g, group);
    const I pw = split(rest, w.in[2]), ph = split(rest, w.in[1]), pd = split(rest, w.in[0]);
    typename Wide<S>::type sum[V] = {};
    for (I kd = 0; kd < w.kernel[0]; kd++) {
      const I od = w.window(0, pd, kd);
      if (od < 0) continue;
      for (I kh = 0; kh < w.kernel[1]; kh++) {
        const I oh = w.window(1, ph, kh);
        if (oh < 0) continue;
        for (I kw = 0; kw < w.kernel[2]; kw++) {
          const I ow = w.window(2, pw, kw);
          if (ow < 0) continue;
          const I row = (((g * w.batch + rest) * w.out[0] + od) * w.out[1] + oh) * w.out[2] + ow;
          const I tap = (kd * w.kernel[1] + kh) * w.kernel[2] + kw;
          const Pack<S, V> share = cols[row * window + tap * group + c];
          for (int v = 0; v < V; v++) sum[v] += wide(share.at[v]);
        }
      }
    }
    Pack<S, V>& to = dx[rest * w.step[0] + pd * w.step[1] + ph * w.step[2] + pw * w.step[3] +
                        (g * group + c) * w.step[4]];
    Pack<S, V> total = to;
    for (int v = 0; v < V; v++) total.at[v] = narrow<S>(wide(total.at[v]) + sum[v]);
    to = total;
  }
}
