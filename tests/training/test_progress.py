from opforge.training import fit
from opforge.training.progress import Bar


def test_shows_errors_and_epochs_on_stderr_only(fakes, capsys):
    fit(fakes.tiny(), fakes.Doubled(), 2, validation=0.25, progress=True)
    shown = capsys.readouterr()
    assert shown.out == ""
    assert all(part in shown.err for part in ("epoch 2/2", "train 0.", "validation 0.", "left"))


def test_silent_when_asked(fakes, capsys):
    fit(fakes.tiny(), fakes.Doubled(), 2, progress=False)
    assert capsys.readouterr() == ("", "")


def test_goes_on_where_an_earlier_part_ended(capsys):
    with Bar(epochs=4, steps=10, done=2, show=True) as bar:
        bar.at(epoch=3, step=5, train=0.125)
    shown = capsys.readouterr().err
    assert "epoch 3/4" in shown and "25/40" in shown and "train 0.125" in shown
