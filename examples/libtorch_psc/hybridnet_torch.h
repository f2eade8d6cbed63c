/* hybridnet_torch.h -- hn_loss_psc and hn_loss_sc as LibTorch autograd functions. Take this file into your program.
 *
 *     torch::Tensor loss = hybridnet::psc(z, prototypes, labels, options);   // or hybridnet::sc(z, labels, options)
 *     loss.backward();
 *
 * z [n, dim] and prototypes [classes * M, dim]: float32 on the CPU, rows may be strided; labels [n]: any
 * integers that an int32 holds, on the CPU; an undefined tensor for sc without labels (views above 1: NT-Xent). Gradients of
 * gradients are refused. */
#ifndef HYBRIDNET_TORCH_H
#define HYBRIDNET_TORCH_H

#include <hybridnet.h>
#include <torch/torch.h>

namespace hybridnet {

inline void check(hn_status status)
{
    TORCH_CHECK(status >= 0, hn_last_error());
}

/* The tensor itself if its columns are adjacent, so that a leading dimension describes it; else a copy of it that is. */
inline torch::Tensor adjacent(const torch::Tensor &t)
{
    TORCH_CHECK(t.dim() == 2 && t.scalar_type() == torch::kFloat32 && t.device().is_cpu(),
                "the losses take float32 matrices on the CPU, not ", t.toString(), " of ", t.dim(), " dimensions");
    const bool fits = t.size(1) > 0 && t.stride(1) == 1 && t.stride(0) >= t.size(1);
    return fits ? t.detach() : t.detach().contiguous();
}

inline hn_cmatf view(const torch::Tensor &t)
{
    return {t.data_ptr<float>(), t.size(0), t.size(1), t.is_contiguous() ? t.size(1) : t.stride(0)};
}

/* Labels as the library takes them: what would become another class on the way is refused. */
inline torch::Tensor narrow(const torch::Tensor &labels)
{
    TORCH_CHECK(torch::isIntegralType(labels.scalar_type(), /*includeBool=*/false) && labels.device().is_cpu(),
                "labels are integers on the CPU, not ", labels.toString());
    const torch::Tensor y = labels.to(torch::kInt32).contiguous();
    TORCH_CHECK(y.to(labels.scalar_type()).equal(labels), "labels from ", labels.min().item<int64_t>(), " to ",
                labels.max().item<int64_t>(), " are no int32");
    return y;
}

inline hn_matf view_of_gradient(torch::Tensor &t) /* a fresh tensor: dense */
{
    return {t.data_ptr<float>(), t.size(0), t.size(1), t.size(1)};
}

/* Lent for one call: LibTorch's CPU memory is 64-byte aligned, as the library wants it. */
class Scratch {
public:
    explicit Scratch(size_t bytes) : memory(torch::empty({static_cast<int64_t>(bytes)}, torch::kUInt8)) {}
    hn_scratch get() { return {memory.data_ptr(), static_cast<size_t>(memory.numel())}; }

private:
    torch::Tensor memory;
};

/* The losses give first derivatives: what a graph of them would take for constants are not. */
inline void refuse_graph()
{
    TORCH_CHECK(!torch::GradMode::is_enabled(), "hybridnet's losses have no second derivatives (create_graph)");
}

/* One call gives the loss and its gradients: forward keeps them, backward multiplies by what comes from above. */
struct PscFunction : torch::autograd::Function<PscFunction> {
    static torch::Tensor forward(torch::autograd::AutogradContext *context, const torch::Tensor &z,
                                 const torch::Tensor &prototypes, const torch::Tensor &labels,
                                 hn_loss_psc_options options)
    {
        const torch::Tensor x = adjacent(z), p = adjacent(prototypes);
        const torch::Tensor y = narrow(labels);
        TORCH_CHECK(y.numel() == x.size(0), "there are ", y.numel(), " labels for ", x.size(0), " rows");
        torch::Tensor dz = torch::empty(x.sizes(), x.options()), dp = torch::empty(p.sizes(), p.options());
        const hn_cmatf rows = view(x), keys = view(p);
        hn_matf drows = view_of_gradient(dz), dkeys = view_of_gradient(dp);
        size_t bytes = 0;
        double loss = 0;
        options.grad_beta = 0; /* dz is new */
        TORCH_CHECK(options.prototypes_per_class > 0, "prototypes_per_class is ", options.prototypes_per_class);
        check(hn_loss_psc_scratch(&options, x.size(0), p.size(0) / options.prototypes_per_class, x.size(1), &bytes));
        Scratch memory(bytes);
        const hn_scratch scratch = memory.get();
        check(hn_loss_psc(&options, &rows, &keys, y.data_ptr<int32_t>(), &loss, nullptr, &drows, &dkeys, &scratch));
        context->save_for_backward({dz, dp});
        return torch::tensor(static_cast<float>(loss), torch::kFloat32);
    }

    static torch::autograd::tensor_list backward(torch::autograd::AutogradContext *context,
                                                 torch::autograd::tensor_list from_above)
    {
        refuse_graph();
        const auto saved = context->get_saved_variables();
        return {from_above[0] * saved[0], from_above[0] * saved[1], torch::Tensor(), torch::Tensor()};
    }
};

struct ScFunction : torch::autograd::Function<ScFunction> {
    static torch::Tensor forward(torch::autograd::AutogradContext *context, const torch::Tensor &z,
                                 const c10::optional<torch::Tensor> &labels, hn_loss_sc_options options)
    {
        const torch::Tensor x = adjacent(z), y = labels.has_value() ? narrow(*labels) : torch::Tensor();
        TORCH_CHECK(!y.defined() || y.numel() * options.views == x.size(0), "there are ", y.numel(), " labels for ",
                    x.size(0), " rows");
        torch::Tensor dz = torch::empty(x.sizes(), x.options());
        const hn_cmatf rows = view(x);
        hn_matf drows = view_of_gradient(dz);
        size_t bytes = 0;
        double loss = 0;
        options.grad_beta = 0; /* dz is new */
        check(hn_loss_sc_scratch(&options, x.size(0), x.size(1), &bytes));
        Scratch memory(bytes);
        const hn_scratch scratch = memory.get();
        check(hn_loss_sc(&options, &rows, y.defined() ? y.data_ptr<int32_t>() : nullptr, &loss, nullptr, &drows, &scratch));
        context->save_for_backward({dz});
        return torch::tensor(static_cast<float>(loss), torch::kFloat32);
    }

    static torch::autograd::tensor_list backward(torch::autograd::AutogradContext *context,
                                                 torch::autograd::tensor_list from_above)
    {
        refuse_graph();
        return {from_above[0] * context->get_saved_variables()[0], torch::Tensor(), torch::Tensor()};
    }
};

/* Options with their defaults, on as many threads as LibTorch computes on. */
inline hn_loss_psc_options psc_options()
{
    hn_loss_psc_options options;
    hn_loss_psc_options_init(&options, sizeof options);
    options.num_threads = torch::get_num_threads();
    return options;
}

inline hn_loss_sc_options sc_options()
{
    hn_loss_sc_options options;
    hn_loss_sc_options_init(&options, sizeof options);
    options.num_threads = torch::get_num_threads();
    return options;
}

inline torch::Tensor psc(const torch::Tensor &z, const torch::Tensor &prototypes, const torch::Tensor &labels,
                         const hn_loss_psc_options &options = psc_options())
{
    return PscFunction::apply(z, prototypes, labels, options);
}

inline torch::Tensor sc(const torch::Tensor &z, const torch::Tensor &labels,
                        const hn_loss_sc_options &options = sc_options())
{
    /* autograd takes no undefined tensors among its arguments */
    return ScFunction::apply(z, labels.defined() ? c10::optional<torch::Tensor>(labels) : c10::nullopt, options);
}

} // namespace hybridnet

#endif
