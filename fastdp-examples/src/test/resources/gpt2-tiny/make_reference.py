# SPDX-License-Identifier: Apache-2.0
"""Makes the files of this folder: a small random GPT-2 and what transformers computes with it.

    pip install torch==2.7.1 transformers==4.52.4 safetensors==0.8.0 tokenizers==0.21.4
    python make_reference.py

Writes config.json and model.safetensors (as transformers saves them), reference.json (token ids,
logits and, for the gradient, the mean cross-entropy of the next token), and tokenizer.json, a small
byte-level BPE with the encodings of a few lines of text in tokenizer-reference.json.
"""

import json
import pathlib

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import GPT2Config, GPT2LMHeadModel

HERE = pathlib.Path(__file__).resolve().parent
EOS = "<|endoftext|>"
CORPUS = [
    "The Golden Fox is a cheap restaurant near the river.",
    "name : The Golden Fox | food : Thai | area : riverside || It serves Thai food.",
    "Wild Lily serves good French food at a fair price in the city centre.",
]
TEXTS = CORPUS[:2] + ["Café £20 – naïve 寿司", "  two  spaces\nand a line", ""]


def main() -> None:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=300,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        special_tokens=[EOS],
        show_progress=False,
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    tokenizer.save(str(HERE / "tokenizer.json"))
    encodings = [{"text": t, "ids": tokenizer.encode(t).ids} for t in TEXTS]
    (HERE / "tokenizer-reference.json").write_text(
        json.dumps({"vocabularySize": tokenizer.get_vocab_size(), "encodings": encodings})
    )

    torch.manual_seed(20261121)
    vocabulary = tokenizer.get_vocab_size()
    config = GPT2Config(
        vocab_size=vocabulary,
        n_positions=24,
        n_embd=32,
        n_layer=2,
        n_head=4,
        resid_pdrop=0.0,
        embd_pdrop=0.0,
        attn_pdrop=0.0,
        bos_token_id=0,
        eos_token_id=0,
    )
    model = GPT2LMHeadModel(config).eval()
    with torch.no_grad():
        # Wider than GPT-2's initial weights, so that attention, GELU and norms all matter.
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.2)
    model.save_pretrained(HERE, safe_serialization=True)
    (HERE / "generation_config.json").unlink(missing_ok=True)

    ids = torch.randint(0, vocabulary, (3, 11))
    output = model(ids, labels=ids)
    output.loss.backward()
    gradients = {
        name: float(parameter.grad.double().norm()) for name, parameter in model.named_parameters()
    }
    (HERE / "reference.json").write_text(
        json.dumps(
            {
                "ids": ids.tolist(),
                "logits": [
                    [[round(v, 6) for v in t] for t in s] for s in output.logits.tolist()
                ],
                "loss": float(output.loss),
                "gradientNorms": gradients,
            }
        )
    )


if __name__ == "__main__":
    main()
