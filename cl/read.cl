// read: reads memory once and nothing else: the yardstick of a device's read rate.
//   x       fp32 [vectors * 16]
//   sums    fp32 [work-items]: a value that depends on all of x, so that no compiler leaves a read out
// Two shapes, for two kinds of device; the faster one counts.
// Launch    any global size in one dimension; `vectors` a multiple of it for read_block (else the rest is not read)
// Build     no options
// Test      tests/device/test_read_rate.c

// A work-item reads a block of its own: for CPUs, where a work-item is a loop of vector loads.
__kernel void read_block(__global float *restrict sums, const __global float *restrict x, const ulong vectors)
{
    const size_t items = get_global_size(0);
    const ulong block = vectors / items;
    const __global float *p = x + get_global_id(0) * block * 16;
    float16 a = 0.0f, b = 0.0f, c = 0.0f, d = 0.0f;
    ulong i = 0;
    for (; i + 4 <= block; i += 4) {
        a += vload16(i, p);
        b += vload16(i + 1, p);
        c += vload16(i + 2, p);
        d += vload16(i + 3, p);
    }
    for (; i < block; i++)
        a += vload16(i, p);
    a += b + c + d;
    float lanes[16], sum = 0.0f;
    vstore16(a, 0, lanes);
    for (uint j = 0; j < 16; j++)
        sum += lanes[j];
    sums[get_global_id(0)] = sum;
}

// Neighbouring work-items read neighbouring bytes: for GPUs, where work-items are lanes.
__kernel void read_lanes(__global float *restrict sums, const __global float *restrict x, const ulong vectors)
{
    const size_t items = get_global_size(0);
    const ulong quads = vectors * 4;
    float4 a = 0.0f, b = 0.0f;
    ulong i = get_global_id(0);
    for (; i + items < quads; i += 2 * items) {
        a += vload4(i, x);
        b += vload4(i + items, x);
    }
    if (i < quads)
        a += vload4(i, x);
    a += b;
    float lanes[4];
    vstore4(a, 0, lanes);
    sums[get_global_id(0)] = lanes[0] + lanes[1] + lanes[2] + lanes[3];
}
