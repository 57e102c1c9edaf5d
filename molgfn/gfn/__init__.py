"""Generative flow networks over any environment: rollouts, objectives, replay, training."""
