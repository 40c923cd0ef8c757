# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Optimizers over parameter groups, with names that survive a restart."""

import numpy as np
import paddle

from contrib_semiseg.cvlibs import check, manager
from contrib_semiseg.cvlibs.errors import CheckpointError, ConfigError

# Keys of a rule besides `name`, and what they may be.
_RULE = {"lr_mult": check.Range(), "weight_decay_mult": check.Range(),
         "only": check.OneOf("weights", "vectors"), "constant": check.BOOL,
         "repeats": check.Range(1, integer=True)}


def rule_of(rules, name, parameter):
    """The first rule that holds for a parameter; {} without one."""
    kind = "weights" if parameter.ndim > 1 else "vectors"
    return next((r for r in rules if r["name"] in name and
                 r.get("only", kind) == kind), {})


def param_groups(network, *, weight_decay=0.0, weight_decay_on="all",
                 custom_cfg=None):
    """Split the trainable parameters by learning rate and weight decay.

    Args:
        network (Layer): a network, or a method with all its networks.
        weight_decay (float): L2 factor, added to the gradient as wd * p.
        weight_decay_on (str): "all", or "weights": convolution and linear
            weights only, neither BatchNorm nor a bias.
        custom_cfg (list[dict], optional): PaddleSeg's rules {name, lr_mult,
            weight_decay_mult}; the first whose `name` is a part of the
            parameter's name holds. With `only: weights` or `only: vectors`
            (BatchNorm, biases) a rule is for those alone; see also
            `with_rules`.

    Returns: list of {"params", "learning_rate" (a factor on the rate),
        "weight_decay" (absolute)} in the order of first appearance.
    Raises: ConfigError if a rule fits no parameter.
    """
    rules, used, groups = custom_cfg or [], set(), {}
    for name, parameter in network.named_parameters():
        if parameter.stop_gradient:
            continue
        rule = rule_of(rules, name, parameter)
        used.add(id(rule))
        decayed = weight_decay_on == "all" or parameter.ndim > 1
        decay = (weight_decay * rule.get("weight_decay_mult", 1.0)
                 if decayed else 0.0)
        key = (rule.get("lr_mult", 1.0), decay)
        groups.setdefault(key, []).append(parameter)
    for rule in rules:
        if id(rule) not in used:
            raise ConfigError(f"optimizer.custom_cfg: no parameter's name "
                              f"holds '{rule['name']}'")
    return [{"params": params, "learning_rate": rate, "weight_decay": decay}
            for (rate, decay), params in groups.items()]


def with_rules(cls, network, base, rules):
    """A class like `cls` that obeys two more keys of the rules.

    `constant: true` leaves the rate of a parameter at `base` times its
    `lr_mult`, whatever the schedule. `repeats: K` updates it K times a step
    with the same gradient, as where a release lists it K times.

    Args:
        cls (type): of Paddle's optimizers.
        network (Layer): see `param_groups`.
        base (float): the rate of the first step.
        rules (list[dict]): see `param_groups`.
    """
    found = [(parameter, rule_of(rules, name, parameter)) for name, parameter
             in network.named_parameters() if not parameter.stop_gradient]
    constant = [(p, rule.get("lr_mult", 1.0)) for p, rule in found
                if rule.get("constant")]
    repeats = [(p, rule.get("repeats", 1)) for p, rule in found]
    most = max((count for _, count in repeats), default=1)
    if not constant and most == 1:
        return cls

    class Optimizer(cls):

        def set_lr(self, value):
            super().set_lr(value)
            for parameter, factor in constant:
                # Paddle multiplies this with the rate that was set.
                parameter.optimize_attr["learning_rate"] = (
                    factor * base / value if value else 0.0)

        def step(self):
            super().step()
            for done in range(1, most):
                for parameter, count in repeats:
                    if count == done:
                        parameter.clear_gradient(False)
                super().step()

    return Optimizer


class _Optimizer:
    """Base: keeps the group rules; a subclass names Paddle's class."""

    def __init__(self, weight_decay, weight_decay_on, custom_cfg, grad_clip):
        for rule in custom_cfg or []:
            wrong = [key for key, value in rule.items() if key != "name" and
                     not (key in _RULE and _RULE[key].accepts(value))]
            if wrong or not isinstance(rule.get("name"), str):
                allowed = ", ".join(f"{key} ({value.allowed})"
                                    for key, value in _RULE.items())
                raise ConfigError(
                    f"optimizer.custom_cfg: {rule} is not a rule; allowed: "
                    f"name (a text, required), {allowed}")
        self.rules = dict(weight_decay=weight_decay,
                          weight_decay_on=weight_decay_on,
                          custom_cfg=custom_cfg)
        self.clip = (paddle.nn.ClipGradByGlobalNorm(grad_clip)
                     if grad_clip else None)

    def kind(self):
        """Paddle's optimizer class and its own arguments."""
        raise NotImplementedError

    def __call__(self, network, learning_rate):
        """Make the Paddle optimizer of a network or method."""
        cls, options = self.kind()
        cls = with_rules(cls, network, learning_rate,
                         self.rules["custom_cfg"] or [])
        return cls(learning_rate=learning_rate, grad_clip=self.clip,
                   parameters=param_groups(network, **self.rules), **options)


@manager.register(manager.OPTIMIZERS)
class SGD(_Optimizer):
    """v <- momentum v + (g + wd p); p <- p - lr v.

    Args:
        momentum (float): in [0, 1].
        weight_decay (float): L2 factor.
        weight_decay_on (str): "all" (PaddleSeg's rule) or "weights", see
            `param_groups`.
        custom_cfg (list[dict], optional): rules by name, see `param_groups`.
        use_nesterov (bool): Nesterov momentum.
        grad_clip (float, optional): largest global gradient norm.
    """

    @check.arguments
    def __init__(self, *, momentum: check.Range(0, 1) = 0.0,
                 weight_decay: check.Range(0) = 0.0,
                 weight_decay_on: check.OneOf("all", "weights") = "all",
                 custom_cfg=None, use_nesterov: check.BOOL = False,
                 grad_clip: check.Range(0, exclude_low=True,
                                        optional=True) = None):
        super().__init__(weight_decay, weight_decay_on, custom_cfg, grad_clip)
        self.momentum, self.nesterov = momentum, use_nesterov

    def kind(self):
        return paddle.optimizer.Momentum, {"momentum": self.momentum,
                                           "use_nesterov": self.nesterov}


@manager.register(manager.OPTIMIZERS)
class Momentum(SGD):
    """SGD under PaddleSeg's other name, with its default momentum of 0.9."""

    @check.arguments
    def __init__(self, *, momentum: check.Range(0, 1) = 0.9,
                 weight_decay: check.Range(0) = 0.0,
                 weight_decay_on: check.OneOf("all", "weights") = "all",
                 custom_cfg=None, use_nesterov: check.BOOL = False,
                 grad_clip: check.Range(0, exclude_low=True,
                                        optional=True) = None):
        super().__init__(momentum=momentum, weight_decay=weight_decay,
                         weight_decay_on=weight_decay_on,
                         custom_cfg=custom_cfg, use_nesterov=use_nesterov,
                         grad_clip=grad_clip)


class _Adaptive(_Optimizer):

    paddle_class = paddle.optimizer.Adam

    @check.arguments
    def __init__(self, *, beta1: check.Range(0, 1) = 0.9,
                 beta2: check.Range(0, 1) = 0.999,
                 epsilon: check.Range(0, exclude_low=True) = 1e-8,
                 weight_decay: check.Range(0) = 0.01,
                 weight_decay_on: check.OneOf("all", "weights") = "all",
                 custom_cfg=None,
                 grad_clip: check.Range(0, exclude_low=True,
                                        optional=True) = None):
        super().__init__(weight_decay, weight_decay_on, custom_cfg, grad_clip)
        self.options = dict(beta1=beta1, beta2=beta2, epsilon=epsilon)

    def kind(self):
        return self.paddle_class, self.options


@manager.register(manager.OPTIMIZERS)
class Adam(_Adaptive):
    """Adam; weight decay is an L2 term. Arguments as Paddle's and SGD's."""


@manager.register(manager.OPTIMIZERS)
class AdamW(_Adaptive):
    """Adam with decoupled weight decay. Arguments as Paddle's and SGD's."""

    paddle_class = paddle.optimizer.AdamW


def _structured(network):
    """Paddle's automatic parameter names, longest first, to ours."""
    names = {p.name: name for name, p in network.named_parameters()}
    return sorted(names.items(), key=lambda item: -len(item[0]))


def optimizer_state(optimizer, network):
    """The optimizer's arrays under the network's own parameter names.

    Paddle keys them by automatic names, which depend on what was built
    before. Returns: dict "parameter|slot" -> numpy array.
    """
    names, state = _structured(network), {}
    raw = dict(optimizer.state_dict())
    masters = raw.pop("master_weights", {})
    for key, value in raw.items():
        if not isinstance(value, paddle.Tensor):
            continue
        auto, name = next((a, n) for a, n in names if key.startswith(a + "_"))
        state[f"{name}|{key[len(auto) + 1:]}"] = value.numpy()
    lookup = dict(names)
    for auto, value in masters.items():
        state[f"{lookup[auto]}|master_weight"] = value.numpy()
    return state


def load_optimizer_state(optimizer, network, state):
    """Inverse of `optimizer_state`.

    Raises: CheckpointError if a parameter is not in the network or has
        another shape there.
    """
    autos = {name: p.name for name, p in network.named_parameters()}
    shapes = {name: p.shape for name, p in network.named_parameters()}
    raw, masters = {}, {}
    for key, value in state.items():
        name, slot = key.rsplit("|", 1)
        if name not in autos:
            raise CheckpointError(
                f"the optimizer's state holds '{name}', which the networks "
                "of this config do not have")
        if value.size != 1 and list(value.shape) != list(shapes[name]):
            raise CheckpointError(
                f"the optimizer's state of '{name}' is {list(value.shape)} "
                f"instead of {list(shapes[name])}")
        target = masters if slot == "master_weight" else raw
        full = autos[name] if target is masters else f"{autos[name]}_{slot}"
        target[full] = paddle.to_tensor(np.ascontiguousarray(value))
    if masters:
        raw["master_weights"] = masters
    optimizer.set_state_dict(raw)
