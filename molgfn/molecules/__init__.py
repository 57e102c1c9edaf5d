"""The domain of molecules: environment, policy, target, task, sampler."""
