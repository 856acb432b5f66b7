// Softmax cross entropy of class labels: rows (outer, inner) of logits (outer, C, inner). Each row
// has a label, whether it counts, and what the label weighs; `weight` of all classes (null: 1)
// matters where `smoothing` of the probability is spread over them.

const int THREADS = 256;

// The largest of some numbers, and the sum of exp(number - largest).
template <class A> struct Softmax { A largest, sum; };

template <class A> __device__ inline Softmax<A> both(Softmax<A> a, Softmax<A> b) {
  if (b.sum == 0) return a;  // -inf, or nothing
  if (a.sum == 0) return b;
  if (a.largest >= b.largest)
    return Softmax<A>{a.largest, a.sum + b.sum * exponential(b.largest - a.largest)};
  return Softmax<A>{b.largest, b.sum + a.sum * exponential(a.largest - b.largest)};
}

// Per row its loss, what the smoothing adds to it (if `others` is not null), and for the way back the
// largest score and the sum of exp(score - largest).
// `lanes` threads share a row; what they have is put together as a tree, in a fixed order.
template <class S, class I>
__global__ void cross_entropy(const S* logits, const int64* labels, const bool* counts,
                              const typename Wide<S>::type* own,
                              const typename Wide<S>::type* weight, typename Wide<S>::type* loss,
                              typename Wide<S>::type* others, typename Wide<S>::type* kept, I rows, I classes, I inner,
                              typename Wide<S>::type smoothing, int lanes) {
  typedef typename Wide<S>::type A;
  __shared__ Softmax<A> met[THREADS];
  __shared__ A spread[THREADS];
  const int t = (int)threadIdx.x, lane = t % lanes;
  const I at_once = (I)gridDim.x * ((I)blockDim.x / lanes);
  // All threads of a block take part in every turn: they wait for one another.
  for (I first = (I)blockIdx.x * ((I)blockDim.x / lanes); first < rows; first += at_once) {
    const I row = first + t / lanes;
    const bool here = row < rows;
    I outer = row;
    const I within = here ? split(outer, inner) : 0;
    const S* scores = logits + outer * classes * inner + within;
    Softmax<A> mine = {-infinity(), 0};
    if (here) {
      for (I c = lane; c < classes; c += lanes) {
        const A score = wide(scores[c * inner]);
        if (score != -infinity()) mine = both(mine, Softmax<A>{score, 1});
      }
    }
    met[t] = mine;
    for (int half = lanes / 2; half > 0; half /= 2) {
      __syncthreads();
      if (lane < half) met[t] = both(met[t], met[t + half]);
    }
    __syncthreads();
    const A largest = met[t - lane].largest;
    // Of an infinite largest score no probabilities can be told: NaN.
    const A total = met[t - lane].sum + (largest - largest), log_total = logarithm(total);
    A rest = 0;  // what all classes add, for the smoothing
    if (here && others) {
      for (I c = lane; c < classes; c += lanes) {
        rest += (weight ? weight[c] : (A)1) * (log_total - (wide(scores[c * inner]) - largest));
      }
    }
    spread[t] = rest;
    for (int half = lanes / 2; half > 0; half /= 2) {
      __syncthreads();
      if (lane < half) spread[t] += spread[t + half];
    }
    if (here && lane == 0) {
      const A score = wide(scores[(I)labels[row] * inner]) - largest;
      loss[row] = counts[row] ? (log_total - score) * (own[row] * (1 - smoothing)) : (A)0;
      if (others) others[row] = counts[row] ? spread[t] * (smoothing / (A)classes) : (A)0;
      kept[row] = largest;
      kept[rows + row] = total;
    }
    __syncthreads();  // before the next rows overwrite what was put together
  }
}

// dlogits = (softmax * mass - target) * share, where `target` says how much each class counts and
// `mass` is its sum over the classes. Each is multiplied by `share`, which may be infinite, alone:
// so what has no weight makes NaN, as in PyTorch.
// `weights` is the sum of their weights (null: their number).
// Of a row that does not count only NaN comes back, as in PyTorch.
template <class S, class I>
__global__ void cross_entropy_grad(const S* logits, const int64* labels, const bool* counts,
                                   const typename Wide<S>::type* own,
                                   const typename Wide<S>::type* weight,
                                   const typename Wide<S>::type* weights,
                                   const typename Wide<S>::type* kept,
                                   const typename Wide<S>::type* share, S* dlogits, I rows,
                                   I classes, I inner, typename Wide<S>::type smoothing) {
  typedef typename Wide<S>::type A;
  FOR_EACH(i, rows * classes) {
    I outer = i;
    const I within = split(outer, inner), c = split(outer, classes), row = outer * inner + within;
    const A given = counts[row] ? share[row] : (A)0, peak = own[row] * (1 - smoothing);
    const A each = smoothing / (A)classes;
    const A mass = smoothing != 0 ? peak + each * (weights ? *weights : (A)classes) : peak;
    const A probability = exponential(wide(logits[i]) - kept[row]) / kept[rows + row];
    A slope = probability * (mass * given) - (c == (I)labels[row] ? (A)1 : (A)0) * (peak * given);
    if (smoothing != 0) slope -= each * (weight ? weight[c] : (A)1) * given;
    dlogits[i] = narrow<S>(slope);
  }
}
