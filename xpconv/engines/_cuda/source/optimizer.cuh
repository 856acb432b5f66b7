// One step of an optimiser for many parameters in one launch. Each parameter is a row of a table,
// which travels with the launch; a block takes BLOCK numbers of one parameter. What is made may lie
// where the old numbers are: each is read before it is written. The formulas are those of
// xpconv.optim, operation by operation.

const int ROWS = 48;     // the table stays below the 4 KiB that a launch may carry
const int BLOCK = 1024;  // numbers a block

struct Table {
  const void *parameter[ROWS], *gradient[ROWS];
  const void *first[ROWS], *second[ROWS];  // what was remembered, or null
  void *parameter_out[ROWS], *first_out[ROWS], *second_out[ROWS];
  int64 count[ROWS];                 // numbers of a parameter
  int start[ROWS];                   // its first block
  int channels[ROWS], taps[ROWS];    // of a gradient (O, taps, C) to a parameter (O, C, taps), or 0
  int rows, unused;
};

// The row that a block belongs to: the last one that starts at or before it.
__device__ inline int row_of(const Table& table, int block) {
  int low = 0, high = table.rows - 1;
  while (low < high) {
    const int middle = (low + high + 1) / 2;
    if (table.start[middle] <= block) low = middle; else high = middle - 1;
  }
  return low;
}

// Where the gradient of number i of a parameter lies: a convolution's is in channels-last order.
__device__ inline int64 gradient_at(const Table& table, int row, int64 i) {
  if (!table.channels[row]) return i;
  const int64 tap = split<int64>(i, table.taps[row]), channel = split<int64>(i, table.channels[row]);
  return (i * table.taps[row] + tap) * table.channels[row] + channel;
}

#define FOR_ROW(i, row)                                                                     \
  const int row = row_of(table, (int)blockIdx.x);                                           \
  const int64 begin = (int64)((int)blockIdx.x - table.start[row]) * BLOCK;                  \
  const int64 end = begin + BLOCK < table.count[row] ? begin + BLOCK : table.count[row];    \
  for (int64 i = begin + threadIdx.x; i < end; i += blockDim.x)

// Whether the step is to be left out: what is made is then what was, and zeros where nothing was.
#define KEEP(skip) ((skip) != nullptr && *(skip) != 0)

template <class A> struct SgdOptions {
  A lr, momentum, kept, decay;  // kept: 1 - dampening
  int64 nesterov;
};

// `rates`, if there is one, holds lr in the place of the options.
template <class S>
__global__ void sgd(Table table, SgdOptions<typename Wide<S>::type> with,
                    const unsigned char* skip, const typename Wide<S>::type* rates) {
  typedef typename Wide<S>::type A;
  const bool keep = KEEP(skip);
  const A lr = rates ? rates[0] : with.lr;
  FOR_ROW(i, row) {
    const A p = wide(((const S*)table.parameter[row])[i]);
    A g = wide(((const S*)table.gradient[row])[gradient_at(table, row, i)]);
    if (with.decay != 0) g = g + with.decay * p;
    if (with.momentum != 0) {
      const S* remembered = (const S*)table.first[row];
      const A old = remembered ? wide(remembered[i]) : (A)0;
      const A b = remembered ? with.momentum * old + with.kept * g : g;
      ((S*)table.first_out[row])[i] = narrow<S>(keep ? old : b);
      g = with.nesterov ? g + with.momentum * b : b;
    }
    ((S*)table.parameter_out[row])[i] = narrow<S>(keep ? p : p - lr * g);
  }
}

// Scalars of one step: `rate` is lr / (1 - beta1^t) and `root` sqrt(1 - beta2^t); a parameter is
// multiplied by `shrink` first. By value or, where the host does not know them yet, through `rates`.
template <class A> struct AdamOptions {
  A rate, root, beta1, fresh1, beta2, fresh2, eps, decay, shrink;
  A from_old;  // whether the first average moves from its old value, or from the gradient
};

template <class S>
__global__ void adam(Table table, AdamOptions<typename Wide<S>::type> with,
                     const unsigned char* skip, const typename Wide<S>::type* rates) {
  typedef typename Wide<S>::type A;
  const bool keep = KEEP(skip);
  const A rate = rates ? rates[0] : with.rate, root_of = rates ? rates[1] : with.root;
  const A shrink = rates ? rates[2] : with.shrink;
  FOR_ROW(i, row) {
    const A given = wide(((const S*)table.parameter[row])[i]);
    A p = given, g = wide(((const S*)table.gradient[row])[gradient_at(table, row, i)]);
    if (shrink != 1) p = p * shrink;
    if (with.decay != 0) g = g + with.decay * p;
    const S *first = (const S*)table.first[row], *second = (const S*)table.second[row];
    const A old = first ? wide(first[i]) : (A)0, old_square = second ? wide(second[i]) : (A)0;
    const A mean = with.from_old != 0 ? old + with.fresh1 * (g - old) : g - with.beta1 * (g - old);
    const A square = with.beta2 * old_square + with.fresh2 * (g * g);
    const A made = p - rate * (mean / (root(square) / root_of + with.eps));
    ((S*)table.first_out[row])[i] = narrow<S>(keep ? old : mean);
    ((S*)table.second_out[row])[i] = narrow<S>(keep ? old_square : square);
    ((S*)table.parameter_out[row])[i] = narrow<S>(keep ? given : made);
  }
}
