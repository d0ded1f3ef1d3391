// The negative log-likelihood that llama.cpp gives to token ids: one line of ids is one window from
// position 0, and of each window the ids from index `from` on count. Prints their sum and number.
//
//     loss MODEL FROM < windows
#include "llama.h"

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <sstream>
#include <string>
#include <vector>

int main(int argc, char ** argv) {
    if (argc != 3) {
        std::fprintf(stderr, "usage: loss MODEL FROM < windows\n");
        return 2;
    }
    const int from = std::atoi(argv[2]);
    std::vector<std::vector<llama_token>> windows;
    size_t longest = 0;
    for (std::string line; std::getline(std::cin, line);) {
        std::istringstream words(line);
        std::vector<llama_token> window;
        for (llama_token id; words >> id;) window.push_back(id);
        longest = std::max(longest, window.size());
        windows.push_back(window);
    }
    llama_log_set([](ggml_log_level, const char *, void *) {}, nullptr);
    llama_backend_init();
    llama_model * model = llama_model_load_from_file(argv[1], llama_model_default_params());
    if (!model) return 1;
    llama_context_params params = llama_context_default_params();
    params.n_ctx = params.n_batch = params.n_ubatch = longest;
    params.n_threads = params.n_threads_batch = 1;
    llama_context * context = llama_init_from_model(model, params);
    if (!context) return 1;
    const int size = llama_vocab_n_tokens(llama_model_get_vocab(model));
    double sum = 0;
    int count = 0;
    for (const auto & window : windows) {
        llama_memory_clear(llama_get_memory(context), true);
        llama_batch batch = llama_batch_init(window.size(), 0, 1);
        for (size_t at = 0; at < window.size(); at++) {
            batch.token[at] = window[at];
            batch.pos[at] = at;
            batch.n_seq_id[at] = 1;
            batch.seq_id[at][0] = 0;
            batch.logits[at] = true;
        }
        batch.n_tokens = window.size();
        if (llama_decode(context, batch) != 0) return 1;
        for (size_t at = from; at < window.size(); at++, count++) {
            const float * logits = llama_get_logits_ith(context, at - 1);
            double most = -INFINITY, total = 0;
            for (int id = 0; id < size; id++) most = std::max(most, double(logits[id]));
            for (int id = 0; id < size; id++) total += std::exp(logits[id] - most);
            sum += most + std::log(total) - logits[window[at]];
        }
        llama_batch_free(batch);
    }
    std::printf("%.9f %d\n", sum, count);
    return 0;
}
