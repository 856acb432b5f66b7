// Numbers of the host, which travel with the launch: their bytes are written to where they belong.
// So they come in their turn among all other work, and no memory of the host has to wait for that.

template <int SIZE> struct Numbers {
  unsigned char at[SIZE];
};

template <int SIZE>
__global__ void store(Numbers<SIZE> numbers, unsigned char* target, int count) {
  for (int i = (int)threadIdx.x; i < count; i += (int)blockDim.x) target[i] = numbers.at[i];
}
