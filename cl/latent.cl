// latent.cl: latent attention made ordinary (runtime/model/latent.h): its keys and values spread over heads, and what heads made put together
//
// latent_spread: the keys and values of row r and each head h
//   kv      fp32 [rows][kv_stride]: for each head nope dimensions of its keys, then its values
//   latent  fp32 [rows][latent_stride]; from element `shared` on the rope dimensions that the keys of all heads have
//   qkv     fp32 [rows][qkv_stride]: after heads * dims of queries [heads][rope, nope] of keys, then [heads][value, zeros]; dims = rope + nope
//   Launch  global {heads * dims, rows}
// latent_gather: y[r][h * value + i] = x[r][h * dims + i] for i < value
//   x, y    fp32, must not overlap
//   Launch  global {heads * value, rows}
// Test      tests/cl/test_latent.c

__kernel void latent_spread(__global float *restrict qkv, const uint qkv_stride, const __global float *restrict latent,
                            const uint latent_stride, const uint shared, const __global float *restrict kv, const uint kv_stride,
                            const uint heads, const uint nope, const uint rope, const uint value)
{
    const uint dims = nope + rope, column = (uint)get_global_id(0), head = column / dims, i = column % dims;
    const size_t row = get_global_id(1);
    const __global float *const own = kv + row * kv_stride + (size_t)head * (nope + value);
    qkv += row * qkv_stride + (size_t)heads * dims + column;
    *qkv = i < rope ? latent[row * latent_stride + shared + i] : own[i - rope];
    qkv[(size_t)heads * dims] = i < value ? own[nope + i] : 0.0f;
}

__kernel void latent_gather(__global float *restrict y, const uint y_stride, const __global float *restrict x, const uint x_stride,
                            const uint value, const uint dims)
{
    const uint column = (uint)get_global_id(0);
    const size_t row = get_global_id(1);
    y[row * y_stride + column] = x[row * x_stride + (size_t)(column / value) * dims + column % value];
}
