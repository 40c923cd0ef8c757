# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Groups, update rule, and a state that does not depend on Paddle's names."""

import numpy as np
import paddle
import pytest
from paddle import nn

from contrib_semiseg.cvlibs.errors import CheckpointError, ConfigError
from contrib_semiseg.engine.optimizer import (
    SGD,
    AdamW,
    load_optimizer_state,
    optimizer_state,
    param_groups,
)
from contrib_semiseg.engine.schedules import PolyLR


class Net(nn.Layer):

    def __init__(self):
        super().__init__()
        self.backbone = nn.Linear(3, 3)
        self.norm = nn.BatchNorm1D(3)
        self.head = nn.Linear(3, 2)

    def forward(self, x):
        return self.head(self.norm(self.backbone(x)))


def train(net, optimizer, steps):
    for k in range(steps):
        rng = np.random.default_rng(k)
        x = paddle.to_tensor(rng.normal(size=(4, 3)).astype("float32"))
        (net(x)**2).mean().backward()
        optimizer.step()
        optimizer.clear_grad()


def test_groups_by_rule_and_by_kind():
    net = Net()
    groups = param_groups(net, weight_decay=0.1, weight_decay_on="weights",
                          custom_cfg=[{"name": "backbone", "lr_mult": 0.5,
                                       "weight_decay_mult": 2.0}])
    found = {(g["learning_rate"], g["weight_decay"]):
             [p.name for p in g["params"]] for g in groups}
    assert found == {
        (0.5, 0.2): [net.backbone.weight.name],
        (0.5, 0.0): [net.backbone.bias.name],
        (1.0, 0.1): [net.head.weight.name],
        (1.0, 0.0): [net.norm.weight.name, net.norm.bias.name,
                     net.head.bias.name]}


def test_a_rule_for_one_kind_of_parameter():
    net = Net()
    groups = param_groups(net, custom_cfg=[
        {"name": "backbone", "only": "vectors", "lr_mult": 3},
        {"name": "backbone", "only": "weights", "lr_mult": 2}])
    found = {g["learning_rate"]: [p.name for p in g["params"]]
             for g in groups}
    assert found[3] == [net.backbone.bias.name]
    assert found[2] == [net.backbone.weight.name]
    with pytest.raises(ConfigError, match="'norm'"):
        param_groups(net, custom_cfg=[{"name": "norm", "only": "weights"}])


def test_a_constant_rate_does_not_follow_the_schedule():
    net, rates = Net(), PolyLR(learning_rate=0.2, total_steps=4, power=1.0)
    optimizer = SGD(custom_cfg=[
        {"name": "head", "constant": True, "lr_mult": 0.5}])(net, rates(0))
    for k, (slow, fast) in enumerate(((.1, .2), (.1, .15), (.1, .1))):
        before = {p: p.numpy().copy() for p in (net.head.bias,
                                                net.backbone.bias)}
        optimizer.set_lr(rates(k))
        (net.head.bias.sum() + net.backbone.bias.sum()).backward()
        optimizer.step()
        optimizer.clear_grad()
        for p, rate in ((net.head.bias, slow), (net.backbone.bias, fast)):
            np.testing.assert_allclose(before[p] - p.numpy(), rate,
                                       rtol=1e-4)
    optimizer.set_lr(0.0)  # no rate at all: nothing moves
    net.head.bias.sum().backward()
    before = net.head.bias.numpy().copy()
    optimizer.step()
    np.testing.assert_array_equal(before, net.head.bias)


@pytest.mark.parametrize("rule", [
    {"name": "head", "lr_mul": 2}, {"lr_mult": 2}, {"name": 3},
    {"name": "head", "only": "biases"}, {"name": "head", "repeats": 0},
    {"name": "head", "constant": 1}, {"name": "head", "lr_mult": "2"}])
def test_what_is_no_rule_is_refused(rule):
    with pytest.raises(ConfigError, match="is not a rule; allowed: name"):
        SGD(custom_cfg=[rule])


def test_a_rule_without_a_parameter_is_an_error():
    with pytest.raises(ConfigError, match="'bakbone'"):
        param_groups(Net(), custom_cfg=[{"name": "bakbone"}])


def test_a_wrong_rule_is_an_error():
    with pytest.raises(ConfigError, match="lr_mult"):
        SGD(custom_cfg=[{"name": "head", "lr_mul": 2}])


def test_sgd_follows_the_documented_rule():
    net = Net()
    optimizer = SGD(momentum=0.9, weight_decay=0.1, custom_cfg=[
        {"name": "head", "lr_mult": 10.0}])(net, 0.01)
    rates = {net.head.weight: 0.1, net.norm.weight: 0.01}
    expected = {p: p.numpy().copy() for p in rates}
    velocity = dict.fromkeys(rates, 0.0)
    rng = np.random.default_rng(0)
    for _ in range(3):
        x = paddle.to_tensor(rng.normal(size=(4, 3)).astype("float32"))
        (net(x)**2).mean().backward()
        for p, rate in rates.items():
            velocity[p] = (0.9 * velocity[p] + p.grad.numpy() +
                           0.1 * expected[p])
            expected[p] = expected[p] - rate * velocity[p]
        optimizer.step()
        optimizer.clear_grad()
    for p, value in expected.items():
        np.testing.assert_allclose(p.numpy(), value, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("make", [SGD(momentum=0.9), AdamW()])
def test_a_restored_state_goes_on_exactly(make):
    paddle.seed(1)
    one = Net()
    optimizer = make(one, 0.01)
    train(one, optimizer, 3)
    state = optimizer_state(optimizer, one)
    weights = {k: v.numpy().copy() for k, v in one.state_dict().items()}
    train(one, optimizer, 2)

    nn.Linear(2, 2)  # shifts the automatic names of what is built after it
    two = Net()
    two.set_state_dict(weights)
    again = make(two, 0.01)
    load_optimizer_state(again, two, state)
    train(two, again, 2)
    for key, value in one.state_dict().items():
        np.testing.assert_array_equal(value.numpy(),
                                      two.state_dict()[key].numpy())


def test_a_state_of_another_network_is_refused():
    net = Net()
    with pytest.raises(CheckpointError, match="'tail.weight'"):
        load_optimizer_state(SGD()(net, 0.1), net,
                             {"tail.weight|velocity_0": np.zeros(2)})
