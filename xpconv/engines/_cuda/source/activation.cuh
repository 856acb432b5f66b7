// The rectifiers, their ways back, and a sum before one: V neighbouring
// numbers a thread, in whatever order they lie.

// max(x, 0); NaN stays.
template <class S, int V, class I>
__global__ void relu(const Pack<S, V>* x, Pack<S, V>* y, I count) {
  FOR_EACH(i, count) {
    Pack<S, V> numbers = x[i];
    for (int v = 0; v < V; v++) {
      if (wide(numbers.at[v]) <= 0) numbers.at[v] = narrow<S>(0);
    }
    y[i] = numbers;
  }
}

// min(max(x, 0), 6); NaN stays.
template <class S, int V, class I>
__global__ void relu6(const Pack<S, V>* x, Pack<S, V>* y, I count) {
  FOR_EACH(i, count) {
    Pack<S, V> numbers = x[i];
    for (int v = 0; v < V; v++) {
      if (wide(numbers.at[v]) <= 0) numbers.at[v] = narrow<S>(0);
      if (wide(numbers.at[v]) > 6) numbers.at[v] = narrow<S>(6);
    }
    y[i] = numbers;
  }
}

// max(x + y, 0), as at the end of a residual block: the sum is rounded first.
template <class S, int V, class I>
__global__ void add_relu(const Pack<S, V>* x, const Pack<S, V>* y, Pack<S, V>* z, I count) {
  FOR_EACH(i, count) {
    Pack<S, V> numbers = x[i];
    const Pack<S, V> others = y[i];
    for (int v = 0; v < V; v++) {
      numbers.at[v] = narrow<S>(wide(numbers.at[v]) + wide(others.at[v]));
      if (wide(numbers.at[v]) <= 0) numbers.at[v] = narrow<S>(0);
    }
    z[i] = numbers;
  }
}

// dy where the output is not <= 0, also where it is NaN; else 0.
template <class S, int V, class I>
__global__ void relu_grad(const Pack<S, V>* dy, const Pack<S, V>* y, Pack<S, V>* dx, I count) {
  FOR_EACH(i, count) {
    Pack<S, V> numbers = dy[i];
    const Pack<S, V> seen = y[i];
    for (int v = 0; v < V; v++) {
      if (wide(seen.at[v]) <= 0) numbers.at[v] = narrow<S>(0);
    }
    dx[i] = numbers;
  }
}

// dy where the output is between 0 and 6; else 0.
template <class S, int V, class I>
__global__ void relu6_grad(const Pack<S, V>* dy, const Pack<S, V>* y, Pack<S, V>* dx, I count) {
  FOR_EACH(i, count) {
    Pack<S, V> numbers = dy[i];
    const Pack<S, V> seen = y[i];
    for (int v = 0; v < V; v++) {
      if (!(wide(seen.at[v]) > 0 && wide(seen.at[v]) < 6)) numbers.at[v] = narrow<S>(0);
    }
    dx[i] = numbers;
  }
}
