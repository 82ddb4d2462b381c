/* on_my_queue.c: oclm inside an OpenCL program: the model runs on this program's context and queue, and the logits stay on the
 * device, where the program's own kernel looks for the largest.
 *
 * usage: on_my_queue MODEL_FOLDER PROMPT */
#include <oclm/opencl.h>
#include <stdio.h>
#include <string.h>

static const char *source =
    "__kernel void largest(__global const float *logits, const uint count, __global uint *best)\n"
    "{\n"
    "    uint at = 0;\n"
    "    for (uint i = 1; i < count; i++)\n"
    "        at = logits[i] > logits[at] ? i : at;\n"
    "    *best = at;\n"
    "}\n";

/* Everything of OpenCL that this program owns. */
typedef struct mine {
    cl_context context;
    cl_command_queue queue;
    cl_program program;
    cl_kernel kernel;
    cl_mem best;
} mine;

static cl_int open_mine(mine *m)
{
    cl_platform_id platforms[8];
    cl_device_id device = NULL;
    cl_uint count = 0;
    cl_int error = clGetPlatformIDs(8, platforms, &count);
    for (cl_uint i = 0; error == CL_SUCCESS && device == NULL && i < count && i < 8; i++) {
        if (clGetDeviceIDs(platforms[i], CL_DEVICE_TYPE_ALL, 1, &device, NULL) != CL_SUCCESS)
            device = NULL;
    }
    if (device == NULL)
        return CL_DEVICE_NOT_FOUND;
    m->context = clCreateContext(NULL, 1, &device, NULL, NULL, &error);
    if (error == CL_SUCCESS)
        m->queue = clCreateCommandQueue(m->context, device, 0, &error);
    if (error == CL_SUCCESS)
        m->program = clCreateProgramWithSource(m->context, 1, &source, NULL, &error);
    if (error == CL_SUCCESS)
        error = clBuildProgram(m->program, 1, &device, "", NULL, NULL);
    if (error == CL_SUCCESS)
        m->kernel = clCreateKernel(m->program, "largest", &error);
    if (error == CL_SUCCESS)
        m->best = clCreateBuffer(m->context, CL_MEM_WRITE_ONLY, sizeof(cl_uint), NULL, &error);
    return error;
}

static void close_mine(mine *m)
{
    if (m->best) clReleaseMemObject(m->best);
    if (m->kernel) clReleaseKernel(m->kernel);
    if (m->program) clReleaseProgram(m->program);
    if (m->queue) clReleaseCommandQueue(m->queue);
    if (m->context) clReleaseContext(m->context);
}

/* Runs this program's kernel on the model's logits. No byte of them leaves the device. */
static cl_int choose(mine *m, cl_mem logits, cl_event ready, cl_uint vocabulary, cl_uint *id)
{
    const size_t one = 1;
    cl_int error = clSetKernelArg(m->kernel, 0, sizeof logits, &logits);
    if (error == CL_SUCCESS)
        error = clSetKernelArg(m->kernel, 1, sizeof vocabulary, &vocabulary);
    if (error == CL_SUCCESS)
        error = clSetKernelArg(m->kernel, 2, sizeof m->best, &m->best);
    if (error == CL_SUCCESS)
        error = clEnqueueNDRangeKernel(m->queue, m->kernel, 1, NULL, &one, NULL, 1, &ready, NULL);
    return error == CL_SUCCESS ? clEnqueueReadBuffer(m->queue, m->best, CL_TRUE, 0, sizeof *id, id, 0, NULL, NULL) : error;
}

int main(int argc, char **argv)
{
    mine m = { 0 };
    oclm_tokenizer *tokenizer = NULL;
    oclm_model *model = NULL;
    oclm_session *session = NULL;
    oclm_model_info info = { .struct_size = sizeof info };
    int32_t *ids = NULL;
    size_t count = 0, stride;
    cl_mem logits;
    cl_event ready = NULL;
    cl_uint next = 0;
    cl_int error;

    if (argc != 3) {
        fputs("usage: on_my_queue MODEL_FOLDER PROMPT\n", stderr);
        return 2;
    }
    if ((error = open_mine(&m)) != CL_SUCCESS) {
        fprintf(stderr, "OpenCL error %d\n", error);
        close_mine(&m);
        return 1;
    }
    int failed = oclm_tokenizer_load(argv[1], NULL, &tokenizer) ||
                 oclm_tokenizer_encode(tokenizer, argv[2], strlen(argv[2]), true, &ids, &count) ||
                 oclm_model_load_on(argv[1], m.context, m.queue, NULL, &model) || oclm_model_get_info(model, &info) ||
                 oclm_session_new(model, NULL, &session) ||
                 oclm_forward(session, ids, 1, count, NULL, 0) || oclm_session_logits(session, &logits, &stride, &ready);
    if (failed) {
        fprintf(stderr, "%s\n", oclm_last_error());
    } else if ((error = choose(&m, logits, ready, info.vocab_size, &next)) != CL_SUCCESS) {
        fprintf(stderr, "OpenCL error %d\n", error);
        failed = 1;
    } else {
        const char *token = oclm_tokenizer_token(tokenizer, (int32_t)next);
        printf("%s -> id %u \"%s\"\n", argv[2], (unsigned)next, token ? token : "");
    }
    if (ready)
        clReleaseEvent(ready);
    oclm_free(ids);
    oclm_session_free(session);
    oclm_model_free(model);
    oclm_tokenizer_free(tokenizer);
    close_mine(&m);
    return failed;
}
