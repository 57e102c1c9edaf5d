"""Your own environment, trained and verified: subsets of eight numbers whose sum is near 40."""

import torch

import molgfn

NUMBERS = torch.tensor([1, 2, 3, 5, 8, 13, 21, 34])


class Subsets(molgfn.DiscreteEnvironment):  # rows of 0 and 1; action i puts number i in
    forward_mask = staticmethod(lambda values: values == 0)
    backward_mask = staticmethod(lambda values: values == 1)
    apply = staticmethod(lambda values, actions: values.scatter(1, actions[:, None], 1))
    undo = staticmethod(lambda values, actions: values.scatter(1, actions[:, None], 0))


class NearGoal(molgfn.Target):  # log R = -|sum - 40| / 10
    def log_parts(self, states):
        return -(states.values @ NUMBERS - 40).abs()[:, None] / 10


def main(steps: int = 600) -> float:
    env, target = Subsets(n_columns=8, n_levels=2, n_actions=8, max_steps=9), NearGoal()
    once = {"updates_per_step": 1, "n_beta_groups": 1, "beta_min": 1.0, "beta_max": 1.0}
    config = molgfn.TrainConfig(steps=steps, batch_size=64, replay_batch_size=64, **once)
    networks = molgfn.Networks.build(
        lambda: molgfn.PerceptronPolicy(env, 64), config, "cpu", seed=0
    )
    random = torch.Generator().manual_seed(0)
    trainer = molgfn.Trainer(env, networks, target, config, generator=random)
    for _ in range(steps):
        trainer.train_step()
    every, asked = env.terminal_states(), molgfn.Condition.of(beta=1.0)
    log_p = molgfn.log_likelihood(env, networks.sampler, every, asked)
    wanted = target.log_parts(every)[:, 0].double().softmax(0)
    return float((log_p.exp() - wanted).abs().sum())


if __name__ == "__main__":
    print(f"L1 distance of p from R/Z (0 equal, 2 disjoint): {main():.3f}")
