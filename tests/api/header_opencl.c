/* opencl.h stands on its own as C11. */
#include <oclm/opencl.h>

oclm_status opencl_header_is_usable(oclm_session *session, cl_mem *logits);
oclm_status opencl_header_is_usable(oclm_session *session, cl_mem *logits)
{
    size_t stride;
    return oclm_session_logits(session, logits, &stride, NULL);
}
