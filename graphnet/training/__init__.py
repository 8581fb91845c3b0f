"""Training by one call: `graphnet.fit`."""

from graphnet.training.evaluation import evaluate
from graphnet.training.fitting import fit
from graphnet.training.history import History

__all__ = ["History", "evaluate", "fit"]
