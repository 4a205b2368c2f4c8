"""Tests of another language, by a real program (Perl's own test tools) in the real sandbox, over the JSON contract."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from greenlane.adapters.environments import VenvEnvironments
from greenlane.adapters.sandbox import choose_sandbox
from greenlane.analyzers.coverage import SandboxedCoverage
from greenlane.config import load_settings
from greenlane.domain.errors import ConfigError, FinalError, InputError
from greenlane.domain.events import TestsComplete
from greenlane.domain.service_settings import Service, SuiteSettings
from greenlane.domain.settings import Settings
from greenlane.ports.environments import PythonEnvironment
from greenlane.ports.sandbox import Sandbox
from greenlane.suite.contract import schema
from greenlane.suite.program import run_by_program
from greenlane.suite.runner import SuiteRequest
from greenlane.testgen import Generation
from greenlane.testgen.program import ProgramTests
from tests.contract.test_testing_agent import Repository, act, agent_with, reviewed
from tests.support.projects import lines_with, write_tree

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
MODULE = """
    package Shipping;
    use strict;
    use warnings;

    our %RATES = (DE => 390, CH => 1290);

    sub cents {
        my ($subtotal, $country) = @_;
        my $rate = $RATES{$country};
        if ($country eq 'CH') {
            return $rate + 1;
        }
        return 0 if $subtotal >= 4900;
        return $rate;
    }

    1;
"""
SUITE = """
    use Test::More tests => 2;
    use Shipping;
    is(Shipping::cents(1000, 'DE'), 390, 'a small order pays the rate');
    is(Shipping::cents(6000, 'DE'), 0, 'a large order ships for free');
"""
GAP = lines_with(MODULE.strip("\n"), "+ 1;")
CHANGED = {"lib/Shipping.pm": frozenset(range(1, 20)), "t/shipping.t": frozenset({1}), "README": frozenset({1})}
TREE = {"lib/Shipping.pm": MODULE, "t/shipping.t": SUITE}

pytestmark = pytest.mark.skipif(
    not shutil.which("perl")
    or subprocess.run(["perl", "-MJSON::PP", "-MTest::More", "-e1"], check=False).returncode != 0,
    reason="Perl with its core modules is not installed",
)


@pytest.fixture(scope="module")
def sandbox() -> Sandbox:
    return choose_sandbox()


def perl_service(program: str, *, writes: bool = False) -> Service:
    tests = SuiteSettings(kind="command", command=program, sources=("lib/**/*.pm",), writes=writes)
    return Service(name="shop", tests_dir="t", tests=tests)


class Desk:
    """A tree with a program in it that answers as it is scripted; its settings and its environment."""

    def __init__(self, sandbox: Sandbox, folder: Path, **settings: object) -> None:
        self.sandbox, self.folder = sandbox, folder
        self.settings = Settings.model_validate(settings)
        self.tree = write_tree(folder / "tree", TREE)
        shutil.copy(EXAMPLES / "perl_tests.pl", self.tree / "run.pl")
        self.environment = PythonEnvironment(python=Path("/usr/bin/python3"), read_only=(), digest="none")

    def program(self, script: str) -> Service:
        (self.tree / "program").write_text(f"#!/bin/sh\n{script}\n")
        return perl_service("sh ./program", writes=True)

    async def write(self, service: Service) -> Generation:
        measure = SuiteRequest(measure=("lib/Shipping.pm",))
        run = await run_by_program(self.sandbox, self.settings, service, self.environment, self.tree, measure)
        gaps = {"lib/Shipping.pm": GAP}
        return await ProgramTests(self.sandbox, self.settings).generate(service, self.environment, self.tree, gaps, run)


@pytest.fixture
def desk(sandbox: Sandbox, tmp_path: Path) -> Desk:
    return Desk(sandbox, tmp_path)


def new_file(path: str, *lines: str, name: str = "it holds") -> dict[str, object]:
    text = "use Test::More tests => 1;\nuse Shipping;\n" + "\n".join(lines) + "\n"
    return {"path": path, "content": text, "tests": [{"name": name, "purpose": "It holds."}]}


async def test_the_suite_of_another_language_says_which_changed_lines_it_runs(
    sandbox: Sandbox, desk: Desk, tmp_path: Path
) -> None:
    environments = VenvEnvironments(tmp_path / "environments", sandbox, desk.settings)
    (desk.tree / "lib" / "Unused.pm").write_text("package Unused;\nsub f { return 1 }\n1;\n")
    changed = CHANGED | {"lib/Unused.pm": frozenset({1, 2, 3}), "lib/Gone.pm": frozenset({1})}
    meter = SandboxedCoverage(sandbox, environments, desk.settings)
    service = perl_service(str(EXAMPLES / "perl_tests.pl"))
    report = await meter.measure(service, desk.tree, changed)
    assert report.suite_passed, report.output
    assert report.tests_run == 2
    found = {file.path: file for file in report.files}
    assert set(found) == {"lib/Shipping.pm", "lib/Unused.pm"}  # no test and no text
    assert found["lib/Shipping.pm"].uncovered == tuple(GAP)
    assert found["lib/Unused.pm"].uncovered == (2,)
    assert "lib/Gone.pm: the tests' program said nothing" in report.unavailable
    (desk.tree / "t" / "shipping.t").write_text(SUITE.replace("390", "391"))
    red = await meter.measure(service, desk.tree, CHANGED)
    assert not red.suite_passed
    assert red.failing == ("t/shipping.t::a small order pays the rate",)


MALFORMED = {
    "no JSON": "echo hello",
    "another contract": """echo '{"contract": "greenlane.tests/2", "passed": true, "tests": []}'""",
    "an unknown field": """echo '{"contract": "greenlane.tests/1", "passed": true, "tests": [], "score": 1}'""",
    "a line that is none": """echo '{"contract": "greenlane.tests/1", "passed": true, "tests": [],
        "files": [{"path": "a", "executable": [0], "covered": []}]}'""",
    "covered, not executable": """echo '{"contract": "greenlane.tests/1", "passed": true, "tests": [],
        "files": [{"path": "a", "executable": [1], "covered": [2]}]}'""",
    "passed with a failure": """echo '{"contract": "greenlane.tests/1", "passed": true,
        "tests": [{"path": "t/a.t", "name": "a", "outcome": "failed"}]}'""",
    "an answer and a failure": """echo '{"contract": "greenlane.tests/1", "passed": true, "tests": []}'; exit 3""",
    "a link for an answer": "rm ../out/answer.json; ln -s /etc/passwd ../out/answer.json",
}


async def test_an_answer_that_the_contract_does_not_have_is_refused(desk: Desk) -> None:
    for what, script in MALFORMED.items():
        with pytest.raises(FinalError, match=r"the contract does not have|contradicts itself|ended with 3"):
            pytest.fail(f"{what}: {await desk.write(desk.program(script))}")


async def test_no_tests_and_a_program_that_is_not_there(desk: Desk, sandbox: Sandbox) -> None:
    empty = """echo '{"contract": "greenlane.tests/1", "passed": true, "tests": []}'"""
    arguments = (sandbox, desk.settings, desk.program(empty), desk.environment, desk.tree, SuiteRequest())
    run = await run_by_program(*arguments)
    assert run.no_tests
    assert not run.passed  # nothing was run, whatever it says
    with pytest.raises(InputError, match="no-such-program is not on this machine"):
        await desk.write(perl_service("no-such-program"))


async def test_the_program_runs_in_the_sandbox(desk: Desk, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("hidden")
    script = f"cat {secret} >&2 && exit 9; touch {tmp_path}/escaped; echo none >&2; exit 3"
    with pytest.raises(FinalError, match=r"(?s)ended with 3.*none") as caught:
        await desk.write(desk.program(script))
    assert "hidden" not in caught.value.message
    assert not (tmp_path / "escaped").exists()


async def test_each_proposed_file_ends_as_the_gates_say_after_one_retry(desk: Desk) -> None:
    right = "is(Shipping::cents(1, 'CH'), 1291, 'it holds');"
    first = [
        new_file("t/mended.t", right.replace("1291", "1290")),
        new_file("lib/Elsewhere.t", right),
        new_file("t/shipping.t", right),
        new_file("t/deletes.t", right, "unlink 't/shipping.t';"),
        new_file("t/absent.t", right, name="another name"),
        new_file("t/order.t", right.replace("1291", "$ENV{TZ} eq 'UTC' ? 1291 : 0")),
        new_file("t/covers_nothing.t", "is(Shipping::cents(1, 'DE'), 390, 'it holds');"),
        new_file("t/notices_nothing.t", "Shipping::cents(1, 'CH'); ok(1, 'it holds');"),
    ]
    (desk.tree / "first.json").write_text(json.dumps({"contract": "greenlane.tests/1", "files": first}))
    again = [new_file("t/mended.t", right), *first[1:]]
    (desk.tree / "again.json").write_text(json.dumps({"contract": "greenlane.tests/1", "files": again}))
    generation = await desk.write(
        desk.program(
            'asked=$(cat); case "$asked" in *\'"call":"run"\'*) printf %s "$asked" | perl run.pl;;\n'
            "*'assert'*|*\"it fails: it holds\"*) cat again.json;; *) cat first.json;; esac"
        )
    )
    assert [file.path for file in generation.files] == ["t/mended.t"]
    assert generation.written[0].covers == (f"lib/Shipping.pm:{min(GAP)}",)
    assert generation.suite is not None
    assert generation.suite.passed
    reasons = sorted(test.reason for test in generation.dropped)
    expected = (
        "it changes the project's file t/shipping.t", "it covers no changed line", "it fails in another order",
        "it may not lie there: it is not in t", "it may not lie there: there is such a file",
        "it notices none of", "its test another name was not run",
    )  # fmt: skip
    assert len(reasons) == len(expected)
    for reason, words in zip(reasons, expected, strict=True):
        assert reason.startswith(words)


async def test_the_agent_commits_what_the_program_wrote(sandbox: Sandbox, tmp_path: Path) -> None:
    repository = Repository(tmp_path / "repository")
    base = MODULE.replace("return $rate + 1;", "return $rate;")
    write_tree(repository.folder, {"lib/Shipping.pm": base, "t/shipping.t": SUITE})
    proposal = {
        "contract": "greenlane.tests/1",
        "files": [new_file("t/customs.t", "is(Shipping::cents(1, 'CH'), 1291, 'it holds');")],
    }
    (repository.folder / "proposal.json").write_text(json.dumps(proposal))
    shutil.copy(EXAMPLES / "perl_tests.pl", repository.folder / "run.pl")
    (repository.folder / "program").write_text(
        'asked=$(cat)\ncase "$asked" in *\'"call":"run"\'*) printf %s "$asked" | perl run.pl;;\n'
        "*) cat proposal.json;; esac\n"
    )
    repository.base = repository.commit("perl")
    write_tree(repository.folder, {"lib/Shipping.pm": MODULE})
    head = repository.commit("customs")
    repository.git("switch", "-q", "main")
    settings = Settings(services=(perl_service("sh ./program", writes=True),))
    agent = agent_with(settings, repository, sandbox, tmp_path)
    *_, complete = await act(agent, reviewed(repository, head))
    assert isinstance(complete, TestsComplete)
    assert complete.proceed, complete.why.rationale
    assert [f.uncovered for f in complete.coverage_before] == [tuple(GAP)]
    assert [f.uncovered for f in complete.coverage_after] == [()]
    assert repository.git("diff", "--name-only", head, "fix") == "t/customs.t"


def test_the_published_schema_is_the_contract() -> None:
    published = json.loads((EXAMPLES / "greenlane.tests-1.schema.json").read_text())
    assert published == json.loads(json.dumps(schema()))


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ("kind: command", "tests.command"),
        ("kind: command\n      command: ./run", "tests.sources"),
        ("kind: program", "pytest"),
    ],
)
def test_settings_that_make_no_sense_are_refused(tmp_path: Path, lines: str, words: str) -> None:
    path = tmp_path / "greenlane.yaml"
    path.write_text(f"services:\n  - name: shop\n    tests:\n      {lines}\n")
    with pytest.raises(ConfigError) as caught:
        load_settings(path)
    assert words in caught.value.message
