import subprocess
import sys

import opforge.cli
from opforge.cli import app


def test_status_of_the_console_script_is_that_of_main(capsys):
    for words in (["--version"], ["plot"]):
        found = subprocess.run([sys.executable, "-m", "opforge", *words], capture_output=True, timeout=60)
        assert found.returncode == opforge.cli.main(words) == app.main(words)


def test_an_interrupt_while_the_command_is_loaded_is_one_line(monkeypatch, capsys):
    class Interrupted:
        def find_spec(self, name, path=None, target=None):
            if name == "opforge.cli.app":
                raise KeyboardInterrupt

    monkeypatch.delitem(sys.modules, "opforge.cli.app")
    monkeypatch.delattr(opforge.cli, "app")
    monkeypatch.setattr(sys, "meta_path", [Interrupted(), *sys.meta_path])
    assert opforge.cli.main([]) == 130
    assert capsys.readouterr().err == "opforge: interrupted\n"
