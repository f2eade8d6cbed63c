/* The losses in a LibTorch program: their gradients against LibTorch's own, then a network trained with them.
 *
 *     libtorch_psc [THREADS]
 *
 * Prints the largest difference of the gradients, then the losses and the accuracy of a small network that learns a
 * long-tailed set by PSC with a little SC. Ends with 1 if a gradient is off by more than 1e-5, a wrong label or a
 * second derivative is taken, or nothing was learnt. */
#include "hybridnet_torch.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <vector>

namespace nn = torch::nn;
using torch::Tensor;

/* ---- the same losses in LibTorch ------------------------------------------------------------------------------------ */

static Tensor unit(const Tensor &x)
{
    return nn::functional::normalize(x, nn::functional::NormalizeFuncOptions().dim(1));
}

static Tensor torch_psc(const Tensor &z, const Tensor &prototypes, const Tensor &labels, double temperature)
{
    const Tensor s = unit(z).mm(unit(prototypes).t()) / temperature;
    const Tensor own = s.gather(1, labels.unsqueeze(1)).squeeze(1);
    const Tensor others = s.scatter(1, labels.unsqueeze(1), -std::numeric_limits<double>::infinity());
    return (torch::logsumexp(others, 1) - own).mean();
}

static Tensor torch_sc(const Tensor &z, const Tensor &labels, double temperature)
{
    const Tensor s = unit(z).mm(unit(z).t()) / temperature, eye = torch::eye(z.size(0), s.options());
    const Tensor same = labels.unsqueeze(1).eq(labels.unsqueeze(0)).to(s.dtype()) - eye;
    const Tensor lse = torch::logsumexp(s.masked_fill(eye.to(torch::kBool), -std::numeric_limits<double>::infinity()), 1);
    return (lse - (same * s).sum(1) / same.sum(1)).mean();
}

/* |got - want| relative to the largest of want. */
static double difference(const Tensor &got, const Tensor &want)
{
    return ((got.to(torch::kFloat64) - want).abs().max() / want.abs().max()).item<double>();
}

/* Both in one expression, with factors from above, on a matrix with strided rows. */
static double check_gradients()
{
    const int64_t n = 300, classes = 40, dim = 64;
    const Tensor labels = torch::randint(classes, {n});
    const Tensor wide = torch::randn({n, dim + 5}), p = torch::randn({classes, dim}).requires_grad_();
    const Tensor z = wide.slice(1, 0, dim).detach().requires_grad_(); /* leading dimension dim + 5 */
    const Tensor z64 = z.detach().to(torch::kFloat64).requires_grad_();
    const Tensor p64 = p.detach().to(torch::kFloat64).requires_grad_();

    const Tensor loss = 3 * hybridnet::psc(z, p, labels) - 0.5 * hybridnet::sc(z, labels);
    const Tensor want = 3 * torch_psc(z64, p64, labels, 0.1) - 0.5 * torch_sc(z64, labels, 0.1);
    loss.backward();
    want.backward();
    const double worst = std::max(difference(z.grad(), z64.grad()), difference(p.grad(), p64.grad()));
    std::printf("gradients against LibTorch's own in double: %.1e of the largest\n", worst);
    return worst;
}

/* Labels that would become others on the way are refused. */
static bool refuses(const Tensor &labels, bool prototypical)
{
    const Tensor z = torch::ones({2, 3});
    try {
        prototypical ? hybridnet::psc(z, z, labels) : hybridnet::sc(z, labels);
    } catch (const c10::Error &error) {
        std::printf("refused: %s\n", error.what_without_backtrace());
        return true;
    }
    return false;
}

static bool check_labels()
{
    bool right = true;
    for (const bool prototypical : {false, true}) {
        for (const Tensor &wrong : {torch::tensor({0.9, 0.1}), torch::tensor({true, false}),
                                    torch::tensor({int64_t{1}, (int64_t{1} << 32) + 1})})
            right &= refuses(wrong, prototypical);
        right &= !refuses(torch::tensor({1, 1}, torch::kUInt8), prototypical);
    }
    return right;
}

/* Two views without labels are two samples of a class each. */
static bool check_no_labels()
{
    const Tensor z = torch::randn({6, 4}), numbers = torch::arange(3);
    hn_loss_sc_options options = hybridnet::sc_options();
    options.views = 2;
    return hybridnet::sc(z, Tensor(), options).equal(hybridnet::sc(z, numbers, options));
}

/* A gradient with a graph of its own, as gradient penalties want it, would lack the losses' part of that graph. */
static bool check_second_derivatives()
{
    const Tensor z = torch::eye(4, 3).requires_grad_(), labels = torch::tensor({0, 1, 0, 1});
    int refused = 0;
    for (const Tensor &loss : {hybridnet::psc(z, torch::eye(3), labels), hybridnet::sc(z, labels)}) {
        try {
            torch::autograd::grad({loss}, {z}, {}, /*retain_graph=*/true, /*create_graph=*/true);
        } catch (const c10::Error &error) {
            std::printf("refused: %s\n", error.what_without_backtrace());
            ++refused;
        }
    }
    return refused == 2;
}

/* ---- training ------------------------------------------------------------------------------------------------------- */

struct Data {
    Tensor images, labels; /* [n, pixels], [n] */
};

/* A set of the library as tensors; releases it. */
static Data take(hn_dataset *set)
{
    const hn_image_shape shape = hn_dataset_shape(set);
    const int64_t n = hn_dataset_count(set), pixels = int64_t{shape.height} * shape.width * shape.channels;
    const Tensor bytes = torch::empty({n, pixels}, torch::kUInt8), labels = torch::empty({n}, torch::kInt32);
    for (int64_t i = 0; i < n; ++i)
        hybridnet::check(hn_dataset_read(set, i, bytes.data_ptr<uint8_t>() + i * pixels));
    std::copy_n(hn_dataset_labels(set), n, labels.data_ptr<int32_t>());
    hn_dataset_release(set);
    return {bytes.to(torch::kFloat32) / 64 - 2, labels.to(torch::kInt64)};
}

/* Ten classes without any file, 200 images of the first and 10 of the last; and as many of each for testing. */
static void make_data(hn_context *context, Data *training, Data *testing)
{
    hn_dataset *balanced = nullptr, *tailed = nullptr, *test = nullptr;
    hn_long_tail_options tail;
    hn_long_tail_options_init(&tail, sizeof tail);
    tail.ratio = 20;
    hybridnet::check(hn_dataset_create_synthetic(&balanced, context, 2000, 1));
    hybridnet::check(hn_dataset_create_long_tail(&tailed, balanced, &tail));
    hybridnet::check(hn_dataset_create_synthetic(&test, context, 1000, 2));
    hn_dataset_release(balanced);
    *training = take(tailed);
    *testing = take(test);
}

/* The class of the most similar prototype. */
static double accuracy(nn::Sequential &network, const Tensor &prototypes, const Data &data)
{
    const torch::NoGradGuard guard;
    const Tensor guess = unit(network->forward(data.images)).mm(unit(prototypes).t()).argmax(1);
    return 100 * guess.eq(data.labels).to(torch::kFloat32).mean().item<double>();
}

static double train(hn_context *context)
{
    Data training, testing;
    make_data(context, &training, &testing);
    nn::Sequential network(nn::Linear(32 * 32 * 3, 128), nn::ReLU(), nn::Linear(128, 32));
    Tensor prototypes = torch::randn({10, 32}).requires_grad_();
    std::vector<Tensor> parameters = network->parameters();
    parameters.push_back(prototypes);
    torch::optim::SGD optimizer(parameters, torch::optim::SGDOptions(0.05).momentum(0.9));
    hn_loss_psc_options psc = hybridnet::psc_options();
    psc.temperature = 0.5f;
    for (int epoch = 0; epoch <= 30; ++epoch) {
        if (epoch % 10 == 0)
            std::printf("epoch %2d  test accuracy %5.1f %%\n", epoch, accuracy(network, prototypes, testing));
        const Tensor order = torch::randperm(training.labels.size(0));
        for (const Tensor &batch : order.split(128)) {
            const Tensor z = network->forward(training.images.index_select(0, batch));
            const Tensor labels = training.labels.index_select(0, batch);
            const Tensor loss = hybridnet::psc(z, prototypes, labels, psc) + 0.1 * hybridnet::sc(z, labels);
            optimizer.zero_grad();
            loss.backward();
            optimizer.step();
        }
    }
    return accuracy(network, prototypes, testing);
}

int main(int argc, char **argv)
{
    torch::set_num_threads(argc > 1 ? std::atoi(argv[1]) : 1);
    torch::manual_seed(1);
    try {
        hn_context *context = nullptr;
        hybridnet::check(hn_context_create(&context, nullptr));
        const bool refused = check_labels() && check_second_derivatives();
        const double off = check_gradients(), reached = train(context);
        const bool taken = check_no_labels();
        hn_context_destroy(context);
        return refused && taken && off <= 1e-5 && reached >= 30 ? 0 : 1; /* 10 % is chance */
    } catch (const std::exception &error) {
        std::fprintf(stderr, "libtorch_psc: %s\n", error.what());
        return 1;
    }
}
