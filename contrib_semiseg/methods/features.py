# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Networks whose features a method needs."""

from contrib_semiseg.cvlibs.errors import ConfigError
from contrib_semiseg.cvlibs.weights import load_pretrained


def check_features(model, use):
    """Refuse a network without outputs by name.

    Args:
        model (Layer): the network.
        use (str): what the method does with its features, a verb.
    Raises: ConfigError.
    """
    if not hasattr(model, "enlarge"):
        raise ConfigError(
            f"model.type = {type(model).__name__} has no features to {use}; "
            "allowed with this method: DeepLabV2, DeepLabV3Plus, PyramidNet")


def with_backbone(model, pretrained):
    """The model, with weights for its backbone if `pretrained` names some."""
    load_pretrained(model.backbone, pretrained,
                    getattr(model.backbone, "rename", None))
    return model


def features_of(model, images):
    """Scores, feature and, if the network has that head, aux: a dict."""
    return model(images, outputs=[
        name for name in ("scores", "feature", "aux")
        if name in model.output_names()])


def logits_of(model, out, size):
    """What a criterion reads of `features_of`, at `size` (height, width)."""
    return [model.enlarge(out[name], size) for name in ("scores", "aux")
            if name in out]
