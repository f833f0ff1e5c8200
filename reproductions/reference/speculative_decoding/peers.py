"""A well-known library that does the same: assisted generation in transformers, on the same weights."""

from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from reproductions.reference.speculative_decoding.workload import Text
from reproductions.testbed.transformer import Decoder

NAMES = (
    ("blocks.", "model.layers."),
    ("attention_norm.", "input_layernorm."),
    ("mlp_norm.", "post_attention_layernorm."),
    ("attention.", "self_attn."),
    ("embed.", "model.embed_tokens."),
    ("head.", "lm_head."),
)
MODELS: WeakKeyDictionary[Text, tuple[Any, Any]] = WeakKeyDictionary()  # built in the warm-up, not timed


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


def transformers_assisted(w: Text) -> Tensor:
    """Peer: ``generate`` with an assistant model and a constant number of guesses. [prompts, count]."""
    target, draft = MODELS.get(w) or MODELS.setdefault(w, (llama(w.target), llama(w.draft)))
    helper: dict[str, Any] = {}
    if w.gamma:
        draft.generation_config.num_assistant_tokens = w.gamma
        draft.generation_config.num_assistant_tokens_schedule = "constant"
        draft.generation_config.assistant_confidence_threshold = 0.0
        helper = {"assistant_model": draft}
    texts = []
    for prompt in w.prompts:
        seen = torch.ones_like(prompt)[None]
        text = target.generate(
            prompt[None], attention_mask=seen, max_new_tokens=w.count, do_sample=False, use_cache=True, **helper
        )
        texts.append(text[0, len(prompt) :])
    return torch.stack(texts)
