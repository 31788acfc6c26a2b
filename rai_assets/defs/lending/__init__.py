"""The demo: a lending use case on generated data whose faults are known."""
