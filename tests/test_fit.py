"""Training by one call: what it does, records, saves and says, and that it goes on where it was broken off."""

from __future__ import annotations

import io
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphnet as gn
from graphnet import nn
from graphnet.training import History
from graphnet.training.progress import Bar
from graphnet.utils.data import DataLoader, TensorDataset

X = np.random.default_rng(0).normal(size=(50, 3))
Y = (X[:, 0] > X[:, 1]).astype(np.int64)
LOSS = nn.CrossEntropyLoss()


def network() -> nn.Sequential:
    return nn.Sequential(nn.LazyLinear(8), nn.Tanh(), nn.LazyLinear(2))


def parts(kind: Any = gn.optim.Adam, **settings: Any) -> tuple[Any, Any]:
    gn.manual_seed(1)
    net = network()
    return net, kind(net.parameters(), **{"lr": 0.05, **settings})


def values(net: Any) -> list[Any]:
    return [p.tolist() for p in net.parameters()]


def test_it_does_what_a_loop_of_steps_does() -> None:
    net, optimizer = parts()
    history = gn.fit(net, (X, Y), LOSS, optimizer, epochs=3, batch_size=16, max_grad_norm=0.5)
    other, by_hand = parts()
    loader = DataLoader(TensorDataset(X.astype(np.float32), Y), batch_size=16, shuffle=True)
    step = gn.TrainStep(other, LOSS, by_hand, max_grad_norm=0.5)
    # the last batch has two samples
    losses = [sum(step(x, y).item() * len(x) for x, y in loader) / 50 for _ in range(3)]
    assert values(net) == values(other)
    assert history["loss"] == pytest.approx(losses, rel=1e-12)
    assert history["epoch"] == [1, 2, 3] and history["lr"] == [0.05] * 3 and min(history["seconds"]) > 0


FORMS: dict[str, Callable[[], Any]] = {
    "arrays": lambda: (X, Y),
    "tensors": lambda: (gn.from_numpy(X).float(), gn.from_numpy(Y)),
    "a list": lambda: [X, Y],
    "a data set": lambda: TensorDataset(gn.from_numpy(X).float(), gn.from_numpy(Y)),
    "a loader": lambda: DataLoader(TensorDataset(gn.from_numpy(X).float(), gn.from_numpy(Y)), 32, shuffle=True),
    "batches": lambda: [(X[:30], Y[:30]), (X[30:], Y[30:])],
}


@pytest.mark.parametrize("name", FORMS)
def test_data_have_many_forms(name: str) -> None:
    net, optimizer = parts()
    data = FORMS[name]()
    history = gn.fit(net, data, LOSS, optimizer, epochs=25, validation=data, metrics="accuracy")
    assert history["val_loss"][-1] < history["val_loss"][0] and history["val_accuracy"][-1] > 0.9
    got = gn.evaluate(net, data, LOSS, metrics=["accuracy"])
    assert got["accuracy"] == history["val_accuracy"][-1]
    assert got["loss"] == pytest.approx(history["val_loss"][-1], rel=1e-6)
    prediction = net(gn.from_numpy(X).float())
    assert got["accuracy"] == pytest.approx(float((np.asarray(prediction).argmax(1) == Y).mean()))


def test_several_inputs() -> None:
    class Sum(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = nn.Linear(3, 1), nn.Linear(2, 1)

        def forward(self, x: Any, z: Any) -> Any:
            return self.a(x) + self.b(z)

    net = Sum()
    history = gn.fit(
        net,
        (X, X[:, :2], X[:, :1]),
        nn.MSELoss(),
        gn.optim.SGD(net.parameters(), lr=0.1),
        epochs=5,
        metrics=["mae", "mse"],
    )
    assert history["mse"][-1] < history["mse"][0] and set(history.names) == {
        "epoch", "loss", "mae", "mse", "lr", "seconds",
    }  # fmt: skip


def test_metrics_may_be_functions() -> None:
    def worst(prediction: Any, target: Any) -> Any:
        return (prediction - target).abs().max()

    net = nn.Linear(3, 1)
    metrics = {"worst": worst, "error": "mae"}
    assert set(gn.evaluate(net, (X, X[:, :1]), nn.MSELoss(), metrics=metrics)) == {"loss", "worst", "error"}
    assert set(gn.evaluate(net, (X, X[:, :1]), nn.MSELoss(), metrics=worst)) == {"loss", "worst"}


def test_modes_are_kept_and_used() -> None:
    class Modes(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner, self.frozen = nn.Linear(3, 2), nn.Identity()

        def forward(self, x: Any) -> Any:
            assert not self.frozen.training
            return self.inner(x) * (1 if self.training else 0)

    net = Modes()
    net.frozen.eval()
    history = gn.fit(net, (X, Y), LOSS, gn.optim.SGD(net.parameters(), lr=0.1), epochs=3, validation=(X, Y))
    assert net.training and not net.frozen.training
    assert history["val_loss"] == pytest.approx([np.log(2)] * 3, rel=1e-6)
    assert history["loss"][-1] < history["loss"][0]
    plain = network().eval()
    gn.fit(plain, (X, Y), LOSS, gn.optim.SGD(plain.parameters(), lr=0.1), epochs=1)
    assert not any(m.training for m in plain.modules())


def test_plans_are_kept_from_epoch_to_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Changing between training and evaluation is no change of the network."""
    built: list[Any] = []
    build = gn.TrainStep._build
    monkeypatch.setattr(gn.TrainStep, "_build", lambda self, tensors: built.append(1) or build(self, tensors))
    net, optimizer = parts()
    gn.fit(net, (X, Y), LOSS, optimizer, epochs=5, validation=(X, Y))
    assert len(built) == 2  # batches of 32 and of 18


def test_patience_and_the_best_epoch() -> None:
    net, optimizer = parts(lr=0.0)
    history = gn.fit(net, (X, Y), LOSS, optimizer, epochs=50, patience=3, validation=(X, Y))
    assert history.stopped == "patience" and len(history) == 4 and history.best_epoch == 1

    net, optimizer = parts(gn.optim.SGD, lr=0.1)
    seen: list[Any] = []

    def callback(history: History) -> None:
        seen.append(values(net))
        if len(history) >= 2:  # from here it goes up
            optimizer.param_groups[0]["lr"] = -1.0

    history = gn.fit(net, (X, Y), LOSS, optimizer, epochs=50, patience=2, validation=(X, Y), callback=callback)
    assert history.stopped == "patience" and history.best_epoch == 2 and len(history) == 4
    assert values(net) == seen[1] != seen[-1]
    assert gn.evaluate(net, (X, Y), LOSS)["loss"] == min(history["val_loss"])


def test_a_metric_may_be_monitored() -> None:
    net, optimizer = parts()
    history = gn.fit(
        net,
        (X, Y),
        LOSS,
        optimizer,
        epochs=30,
        validation=(X, Y),
        metrics="accuracy",
        monitor="val_accuracy",
        patience=5,
    )
    assert history.mode == "max"
    assert gn.evaluate(net, (X, Y), LOSS, metrics="accuracy")["accuracy"] == max(history["val_accuracy"])
    small = gn.fit(*_again(), epochs=9, patience=2, min_delta=10.0)
    assert len(small) == 3 and small.stopped == "patience"


def _again() -> tuple[Any, ...]:
    net, optimizer = parts()
    return net, (X, Y), LOSS, optimizer


def test_schedules() -> None:
    L = gn.optim.lr_scheduler  # noqa: N806
    net, optimizer = parts(lr=1.0)
    history = gn.fit(net, (X, Y), LOSS, optimizer, epochs=3, scheduler=L.ExponentialLR(optimizer, 0.5))
    assert history["lr"] == [1.0, 0.5, 0.25]
    net, optimizer = parts(lr=1.0)
    scheduler = L.ExponentialLR(optimizer, 0.5)
    history = gn.fit(net, (X, Y), LOSS, optimizer, epochs=3, scheduler=scheduler, schedule_by="step")
    assert history["lr"] == [1.0, 0.25, 0.0625]
    net, optimizer = parts(lr=0.0)
    plateau = L.ReduceLROnPlateau(optimizer, patience=0, factor=0.5, eps=0)
    optimizer.param_groups[0]["lr"] = 1e-30
    history = gn.fit(net, (X, Y), LOSS, optimizer, epochs=4, scheduler=plateau, validation=(X, Y))
    assert history["lr"] == [1e-30, 1e-30, 5e-31, 2.5e-31]


def test_a_callback_may_stop() -> None:
    history = gn.fit(*_again(), epochs=9, callback=lambda history: len(history) == 2)
    assert history.stopped == "callback" and len(history) == 2


def test_a_loss_that_is_not_finite_ends_it() -> None:
    net = nn.Linear(3, 1)
    optimizer = gn.optim.SGD(net.parameters(), lr=1e30)
    with pytest.warns(gn.GraphnetWarning, match="the loss became (inf|nan) in epoch .* try a smaller learning rate"):
        history = gn.fit(net, (X, X[:, :1]), nn.MSELoss(), optimizer, epochs=50, restore_best=True)
    assert history.stopped == "diverged" and len(history) < 50


# -- Ctrl-C ----------------------------------------------------------------------------------------------


class Pressing:
    """Batches, during one of which Ctrl-C is pressed."""

    def __init__(self, at: int, again: bool = False) -> None:
        self.at, self.again, self.given = at, again, 0

    def __iter__(self) -> Any:
        for start in range(0, 50, 10):
            self.given += 1
            if self.given == self.at:
                os.kill(os.getpid(), signal.SIGINT)
                if self.again:
                    os.kill(os.getpid(), signal.SIGINT)
            yield X[start : start + 10].astype(np.float32), Y[start : start + 10]


@pytest.mark.parametrize("again", [False, True])
def test_ctrl_c_leaves_a_history_and_a_sound_network(again: bool) -> None:
    net, optimizer = parts()
    before = signal.getsignal(signal.SIGINT)
    with pytest.warns(gn.GraphnetWarning, match="fit: interrupted in epoch 3 of 9"):
        history = gn.fit(net, Pressing(13, again), LOSS, optimizer, epochs=9)
    assert signal.getsignal(signal.SIGINT) is before
    assert history.stopped == "interrupted" and len(history) == 2 and history["loss"][1] < history["loss"][0]
    assert {state["step"] for state in optimizer.state.values()} == {12 if again else 13}
    assert gn.fit(net, (X, Y), LOSS, optimizer, epochs=2).stopped is None


def test_other_threads_may_train() -> None:
    results: list[Any] = []
    thread = threading.Thread(target=lambda: results.append(gn.fit(*_again(), epochs=2)))
    thread.start()
    thread.join()
    assert len(results[0]) == 2


# -- checkpoints -----------------------------------------------------------------------------------------

SCRIPT = """
import os, sys
import graphnet as gn
from graphnet import nn
path, stop, out = sys.argv[1], int(sys.argv[2]), sys.argv[3]
gn.manual_seed(4)
x, y = gn.rand(40, 5), gn.arange(40) % 3
data = gn.utils.data.TensorDataset(x, y)
train, held_out = gn.utils.data.random_split(data, [0.75, 0.25])
loader = gn.utils.data.DataLoader(train, batch_size=8, shuffle=True, seed=9)
tied = nn.LazyLinear(6)
first = [nn.LazyLinear(6), nn.LazyBatchNorm1d(), nn.Tanh(), nn.Dropout(0.3)]
net = nn.Sequential(*first, tied, nn.ReLU(), tied, nn.LazyLinear(3))
optimizer = gn.optim.AdamW(net.parameters(), lr=0.05, amsgrad=True)
scheduler = gn.optim.lr_scheduler.CosineAnnealingLR(optimizer, 7)
def callback(history):
    if len(history) == stop:
        os._exit(3)  # as if the power went, before this epoch is saved
history = gn.fit(net, loader, nn.CrossEntropyLoss(label_smoothing=0.1), optimizer, epochs=6, validation=held_out,
    metrics="accuracy", scheduler=scheduler, max_grad_norm=0.5, patience=20, checkpoint=path, resume=True,
    callback=callback)
for record in history.records:
    del record["seconds"]
gn.save({"net": net.state_dict(), "optimizer": optimizer.state_dict(), "history": history.records,
    "next": gn.rand(3)}, out)
"""


def test_training_goes_on_bit_for_bit_in_a_fresh_process(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT, encoding="utf-8")

    def run(path: str, stop: int, out: str) -> int:
        command = [sys.executable, "-W", "error", str(script), str(tmp_path / path), str(stop), str(tmp_path / out)]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path.cwd()), *sys.path])}
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
        assert done.returncode in (0, 3), done.stderr
        return done.returncode

    assert run("a", 0, "whole") == 0
    assert run("b", 4, "never") == 3 and not (tmp_path / "never").exists()
    assert run("b", 0, "resumed") == 0
    assert (tmp_path / "whole").read_bytes() == (tmp_path / "resumed").read_bytes()
    assert len(gn.load(tmp_path / "resumed")["history"]) == 6


def test_a_finished_run_is_not_trained_again(tmp_path: Path) -> None:
    path = tmp_path / "run"
    net, optimizer = parts(lr=0.0)
    first = gn.fit(net, (X, Y), LOSS, optimizer, epochs=9, patience=2, checkpoint=path)
    net, optimizer = parts(lr=0.0)
    again = gn.fit(net, (X, Y), LOSS, optimizer, epochs=9, patience=2, checkpoint=path, resume=True)
    assert again.records == first.records and again.stopped == "patience" and len(again) == 3
    fresh = gn.fit(*_again(), epochs=1, checkpoint=path)
    assert len(fresh) == 1 and len(gn.fit(*_again(), epochs=3, checkpoint=path, resume=True)) == 3


# -- the history -----------------------------------------------------------------------------------------


def test_the_history_shows_itself() -> None:
    history = gn.fit(*_again(), epochs=20, validation=(X, Y), metrics="accuracy")
    text = repr(history)
    assert re.match(r"History: 20 epochs, best val_loss 0\.\d+ in epoch \d+\nepoch +loss +val_loss +val_accuracy", text)
    assert "\n...\n" in text and len(text.splitlines()) == 2 + 13
    page = history._repr_html_()
    assert page.count("<tr>") == 14 and page.count("<polyline") == 2 and "val_accuracy" in page
    assert repr(History()) == "History: 0 epochs" and History()._repr_html_().startswith("<p>0 epochs</p>")
    assert history and list(history) == history.records
    with pytest.raises(gn.ArgumentError, match="there is no 'acc'; there are epoch, loss, val_loss"):
        history["acc"]


def test_the_history_plots_itself() -> None:
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    history = gn.fit(*_again(), epochs=3, validation=(X, Y), metrics="accuracy")
    figure = history.plot()
    assert [len(ax.lines) for ax in figure.axes] == [3, 2]
    figure.savefig(io.BytesIO())
    _, ax = plt.subplots()
    assert history.plot(ax) is ax.figure
    plt.close("all")
    with pytest.raises(gn.ArgumentError, match="no epochs"):
        History().plot()


def test_without_matplotlib_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(gn.MissingPackageError, match="pip install matplotlib"):
        History([{"epoch": 1, "loss": 1.0}]).plot()


def test_the_bar_is_shown_where_somebody_looks(capsys: pytest.CaptureFixture[str]) -> None:
    gn.fit(*_again(), epochs=2)
    gn.fit(*_again(), epochs=2, progress=False)
    assert capsys.readouterr() == ("", "")
    gn.fit(*_again(), epochs=2, progress=True, validation=(X, Y))
    shown = capsys.readouterr()
    assert "epoch 2/2" in shown.err and "val_loss" in shown.err and not shown.out
    with Bar(1, None, True) as bar:
        bar.epoch(1)
        bar.step(1, 1.0, 1)
        bar.end({"epoch": 1, "loss": 1.0})


# -- wrong use -------------------------------------------------------------------------------------------


def wrong(**settings: Any) -> Callable[[Path], Any]:
    def call(folder: Path) -> Any:
        net, data, loss, optimizer = _again()
        given = {"net": net, "data": data, "loss": loss, "optimizer": optimizer, "epochs": 1, **settings}
        return gn.fit(**given)

    return call


def other_checkpoint(**settings: Any) -> Callable[[Path], Any]:
    def call(folder: Path) -> Any:
        gn.fit(*_again(), epochs=1, checkpoint=folder / "file")
        return gn.fit(*_again(), epochs=2, checkpoint=folder / "file", resume=True, **settings)

    return call


def no_checkpoint(folder: Path) -> Any:
    gn.save({"x": 1}, folder / "file")
    return gn.fit(*_again(), epochs=2, checkpoint=folder / "file", resume=True)


WRONG: dict[str, tuple[Callable[[Path], Any], Any, str]] = {
    "no epochs": (wrong(epochs=0), ValueError, "epochs is a whole number from 1 up, got 0"),
    "half an epoch": (wrong(epochs=1.5), TypeError, "epochs is a whole number, got 1.5"),
    "a function": (wrong(net=lambda x: x), TypeError, "fit: expects a module, got a function"),
    "no optimizer": (wrong(optimizer=3), TypeError, "expects an optimizer, got an int"),
    "no loss": (wrong(loss="mse"), TypeError, "expects a loss, got 'mse'"),
    "a norm": (wrong(max_grad_norm=-1), ValueError, "max_grad_norm is a number from 0 up"),
    "no data": (wrong(data=3), TypeError, "expects a loader, a data set or a tuple .* got an int"),
    "no target": (wrong(data=(X,)), ValueError, "expects inputs and a target, got 1 array"),
    "one array": (wrong(data=X), TypeError, "got an ndarray"),
    "rows": (wrong(data=(X, Y[:7])), ValueError, r"one number of rows, got shapes \(50, 3\), \(7,\)"),
    "an iterator": (wrong(data=iter([(X, Y)])), TypeError, "an iterator ends after one pass"),
    "no batches": (wrong(data=[]), ValueError, "the data has no samples"),
    "no validation": (wrong(validation=[]), ValueError, "fit: the data has no samples"),
    "a fraction": (wrong(validation=0.2), TypeError, "fit: validation: expects a loader.* got a float"),
    "dicts": (wrong(data=[{"x": X, "y": Y}]), TypeError, "inputs first and the target last, got a dict"),
    "batches of one": (
        wrong(
            data=[
                [
                    X,
                ]
            ]
        ),
        TypeError,
        "got a list of 1",
    ),
    "size of a loader": (wrong(data=[(X, Y)], batch_size=3), ValueError, "a loader has its own"),
    "no metric": (wrong(metrics="acc"), ValueError, "there is no metric 'acc'; there are accuracy, mae, mse"),
    "a metric of another form": (wrong(metrics=[3]), TypeError, "a metric is a name or a function"),
    "a metric called loss": (wrong(metrics={"loss": "mae"}), TypeError, "as 'loss'"),
    "a number that is not measured": (
        wrong(monitor="val_loss"),
        ValueError,
        "no number 'val_loss' to monitor; there are loss",
    ),
    "mode": (wrong(mode="up"), ValueError, "mode is 'min' or 'max', got 'up'"),
    "patience": (wrong(patience=0), ValueError, "patience is a whole number from 1 up, got 0"),
    "min_delta": (wrong(min_delta=-1), ValueError, "min_delta is a number from 0 up, got -1"),
    "schedule_by": (wrong(schedule_by="batch"), ValueError, "schedule_by is 'epoch' or 'step', got 'batch'"),
    "no scheduler": (wrong(scheduler=3), TypeError, "expects a scheduler, got an int"),
    "another's scheduler": (
        lambda folder: wrong(scheduler=gn.optim.lr_scheduler.StepLR(parts()[1], 1))(folder),
        ValueError,
        "the scheduler is another optimizer's",
    ),
    "resume what": (wrong(resume=True), ValueError, "say where with checkpoint="),
    "an open file": (wrong(checkpoint=io.BytesIO()), TypeError, "checkpoint is a path, got a BytesIO"),
    "no folder": (wrong(checkpoint="none/such/file"), FileNotFoundError, "no such folder for the checkpoint"),
    "a word for a bar": (wrong(progress="yes"), TypeError, "progress is True, False or None, got 'yes'"),
    "a loss per row": (wrong(loss=nn.CrossEntropyLoss(reduction="none")), RuntimeError, "a loss is one number"),
    "callback": (wrong(callback=3), TypeError, "callback is a function of the history, got 3"),
    "another file": (no_checkpoint, gn.FileFormatError, "file is not a checkpoint of fit"),
    "another monitor": (
        other_checkpoint(validation=(X, Y)),
        ValueError,
        r"is of training with monitor: \('loss', 'min'\), not \('val_loss', 'min'\)",
    ),
    "another loader": (
        other_checkpoint(restore_best=True),
        ValueError,
        "is of training with restore_best: False, not True",
    ),
    "evaluate a function": (
        lambda folder: gn.evaluate(len, (X, Y), LOSS),  # type: ignore[arg-type]
        TypeError,
        "evaluate: expects a module",
    ),
    "accuracy of what": (
        lambda folder: gn.evaluate(nn.Linear(3, 2), (X, X), lambda p, t: p.sum(), metrics="accuracy"),
        gn.ShapeError,
        r"scores \(N, C, ...\) and classes \(N, ...\), got \(32, 2\) and \(32, 3\)",
    ),
    "errors of what": (
        lambda folder: gn.evaluate(nn.Linear(3, 1), (X, X[:, 0]), lambda p, t: p.sum(), metrics="mae"),
        gn.ShapeError,
        r"mae: predictions and targets have one shape, got \(32, 1\) and \(32,\)",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_use_is_refused(name: str, tmp_path: Path) -> None:
    function, error, text = WRONG[name]
    with pytest.raises(error, match=text) as caught:
        function(tmp_path)
    assert isinstance(caught.value, gn.GraphnetError)
