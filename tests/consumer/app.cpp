// The same from C++17: standard containers, exceptions, RAII around a handle.
#include <hybridnet.h>

#include <cmath>
#include <cstdio>
#include <memory>
#include <stdexcept>
#include <vector>

static void check(hn_status status)
{
    if (status < 0)
        throw std::runtime_error(hn_last_error());
}

int main()
{
    std::vector<float> z{2, 0, 0, 0, 5, 0}, prototypes{1, 0, 0, 0, 1, 0, 0, 0, 1}, gradient(6);
    const std::vector<int32_t> labels{0, 1};
    const hn_cmatf rows{z.data(), 2, 3, 3}, centres{prototypes.data(), 3, 3, 3};
    hn_matf drows{gradient.data(), 2, 3, 3};
    struct alignas(HN_SCRATCH_ALIGN) block {
        char bytes[HN_SCRATCH_ALIGN];
    };

    try {
        hn_context *made = nullptr;
        check(hn_context_create(&made, nullptr));
        const std::unique_ptr<hn_context, decltype(&hn_context_destroy)> context(made, hn_context_destroy);

        hn_loss_psc_options options;
        hn_loss_psc_options_init(&options, sizeof options);
        options.temperature = 1.0f;
        size_t bytes = 0;
        check(hn_loss_psc_scratch(&options, 2, 3, 3, &bytes));
        std::vector<block> memory(bytes / sizeof(block) + 1);
        const hn_scratch scratch{memory.data(), memory.size() * sizeof(block)};
        double loss = 0.0;
        check(hn_loss_psc(&options, &rows, &centres, labels.data(), &loss, nullptr, &drows, nullptr, &scratch));
        std::printf("hybridnet %s, loss %.6f\n", hn_version_string(), loss);
        return std::fabs(loss - (std::log(2.0) - 1.0)) < 1e-5 ? 0 : 1;
    } catch (const std::exception &error) {
        std::fprintf(stderr, "%s\n", error.what());
        return 1;
    }
}
