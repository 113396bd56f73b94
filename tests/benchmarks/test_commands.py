from opforge.benchmarks import commands


def test_start_up_times_every_command(monkeypatch):
    taken = {"-c": 0.1, "-m": 0.2}
    monkeypatch.setattr(commands, "seconds", lambda words: taken[words[0]])
    rows = commands.startup(3)
    assert [row["command"] for row in rows] == list(commands.STARTUP)
    assert [row["median_s"] for row in rows] == ["0.100", "0.100", "0.200", "0.200"]
