/* generate.c: a pretrained model continues a prompt, in as many lines as it takes in Python:
 *
 *     tokenizer = AutoTokenizer.from_pretrained(name)
 *     model = AutoModelForCausalLM.from_pretrained(name, device_map="auto", dtype=torch.float32)
 *     outputs = model.generate(tokenizer(prompt, return_tensors="pt").input_ids, max_length=50, num_beams=1, do_sample=False)
 *     print(tokenizer.decode(outputs[0], skip_special_tokens=True))
 *
 * usage: generate MODEL_FOLDER PROMPT */
#include <oclm/oclm.h>
#include <stdio.h>

int main(int argc, char **argv)
{
    oclm_tokenizer *tokenizer = NULL;
    oclm_model *model = NULL;
    oclm_generation *story = NULL;
    oclm_model_options load;
    oclm_generate_options options;

    oclm_model_options_init(&load, sizeof load);
    load.dtype = OCLM_DTYPE_FLOAT32;
    oclm_generate_options_init(&options, sizeof options);
    options.max_length = 50;

    int failed = argc != 3 || oclm_tokenizer_load(argv[1], NULL, &tokenizer) || oclm_model_load(argv[1], &load, &model) ||
                 oclm_generate_text(model, tokenizer, argv[2], &options, &story);
    if (failed)
        fprintf(stderr, "%s\n", argc != 3 ? "usage: generate MODEL_FOLDER PROMPT" : oclm_last_error());
    else
        puts(oclm_generation_text(story, 0));

    oclm_generation_free(story);
    oclm_model_free(model);
    oclm_tokenizer_free(tokenizer);
    return failed;
}
