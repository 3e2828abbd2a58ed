"""Commands of the plugin accept only the flags that they use."""

from __future__ import annotations

import pytest
from meetingbots.plugin.arguments import parser


@pytest.mark.parametrize("command", [("why", "weekly"), ("doctor",)])
def test_a_command_that_looks_everywhere_takes_all_namespaces(command: tuple[str, ...]) -> None:
    assert parser().parse_args([*command, "-A"]).all_namespaces


@pytest.mark.parametrize("command", [("timeline", "weekly"), ("connect", "alice"), ("send", "81234567890")])
def test_a_command_for_one_namespace_rejects_all_namespaces(
    command: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        parser().parse_args([*command, "-A"])
    assert ended.value.code == 2
    assert "unrecognized arguments: -A" in capsys.readouterr().err
