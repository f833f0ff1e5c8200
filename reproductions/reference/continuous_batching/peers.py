"""A well-known library that does the same: continuous batching in transformers, on the same weights."""

from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from reproductions.reference.continuous_batching.workload import Serving
from reproductions.testbed.transformer import Decoder

NAMES = (
    ("blocks.", "model.layers."),
    ("attention_norm.", "input_layernorm."),
    ("mlp_norm.", "post_attention_layernorm."),
    ("attention.", "self_attn."),
    ("embed.", "model.embed_tokens."),
    ("head.", "lm_head."),
)
BLOCK = 32  # slots of a block of its paged cache
MODELS: WeakKeyDictionary[Decoder, Any] = WeakKeyDictionary()  # built in the warm-up, not timed


def llama(model: Decoder) -> Any:
    """``model`` as a ``LlamaForCausalLM`` over the same weights."""
    from transformers import LlamaConfig, LlamaForCausalLM

    sizes = model.config
    config = LlamaConfig(
        vocab_size=sizes.vocab,
        hidden_size=sizes.width,
        intermediate_size=sizes.hidden,
        num_hidden_layers=sizes.layers,
        num_attention_heads=sizes.heads,
        num_key_value_heads=sizes.kv_heads,
        max_position_embeddings=2048,
        rms_norm_eps=sizes.norm_eps,
        rope_theta=sizes.rope_theta,
        tie_word_embeddings=sizes.tied,
        bos_token_id=None,
        eos_token_id=None,
        pad_token_id=0,
    )
    weights = {}
    for name, value in model.state_dict().items():
        for ours, theirs in NAMES:
            name = name.replace(ours, theirs)
        weights[name if name.startswith(("model.", "lm_head.")) else f"model.{name}"] = value
    other = LlamaForCausalLM(config).to(model.embed.weight.device, model.embed.weight.dtype)
    other.load_state_dict(weights)
    return other.eval()


def generate_batch(w: Serving) -> list[Tensor]:
    """The answers, [n_r] tokens each. All requests are asked for at once; the library schedules iterations itself."""
    from transformers import ContinuousBatchingConfig, GenerationConfig

    other = MODELS.get(w.model) or MODELS.setdefault(w.model, llama(w.model))
    blocks = -(-max(len(r.prompt) + r.count for r in w.requests) // BLOCK) * w.slots
    manager = other.init_continuous_batching(
        generation_config=GenerationConfig(do_sample=False, eos_token_id=-1, pad_token_id=0, max_new_tokens=1),
        continuous_batching_config=ContinuousBatchingConfig(
            block_size=BLOCK,
            num_blocks=blocks,
            max_batch_tokens=BLOCK * w.slots,
            max_requests_per_batch=w.slots,
            use_async_batching=False,
            use_cuda_graph=False,
            allow_block_sharing=False,  # sharing the cache of equal prompts is another technique
        ),
    )
    manager.start()
    try:
        names = [manager.add_request(r.prompt.tolist(), max_new_tokens=r.count) for r in w.requests]
        found: dict[str, list[int]] = {}
        while len(found) < len(names):
            result = manager.get_result(timeout=60)
            if result is None:
                raise RuntimeError("transformers' server gave no answer for a minute")
            found[result.request_id] = result.generated_tokens
    finally:
        manager.stop(block=True)
    return [torch.tensor(found[name], device=w.requests[0].prompt.device) for name in names]
