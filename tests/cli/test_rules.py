"""Goal: rules and reviews can be worked with from a terminal. Method: the commands on a twin with judged documents."""

import json
from collections.abc import Iterator
from pathlib import Path

import certifi
import pytest

from ecosystem.cli import company, login, reviews, rules, steps
from ecosystem.cli.operator import FIRST_CREDENTIAL
from ecosystem.services.creditx.judging.bench import BENCH
from tests.client.twin import Twin, served
from tests.support.judged import FIRST, SECOND, judging_app


@pytest.fixture
def logged_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Path]:
    monkeypatch.setenv("ECO_HOME", str(tmp_path))
    with served(judging_app(Twin())) as url:
        (tmp_path / "state.json").write_text(json.dumps({"edge_url": url, "edge_ca": certifi.where()}))
        (tmp_path / FIRST_CREDENTIAL).parent.mkdir()
        (tmp_path / FIRST_CREDENTIAL).write_text("once\n")
        assert login.main([]) == 0
        assert company.main(["create", "Alder AG"]) == 0
        capsys.readouterr()
        yield tmp_path


class TestRules:
    def test_list_shows_every_version(self, logged_in: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert rules.main(["list"], BENCH) == 0
        lines = capsys.readouterr().out.splitlines()
        assert [line.split()[:3] for line in lines[1:3]] == [["kyc_aml_v2", "1", "11"], ["kyc_aml_v2", "2", "yes"]]

        assert rules.main(["show", "kyc_aml_v2", "--version", "1"], BENCH) == 0
        assert "version: 1" in capsys.readouterr().out

    def test_explain_says_why_where_by_which_law_and_adds_up(
        self, logged_in: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert rules.main(["explain", FIRST], BENCH) == 0
        said = capsys.readouterr().out

        assert f"Document {FIRST} (invoice) was judged review as of 2026-11-24 by kyc_aml_v2 version 2." in said
        assert "due_after_invoice (weight 10): Invoice of 2026-11-01 (page 1), due 2026-10-01 (page 1)" in said
        assert "due_date = 2026-10-01: page 1, box [0, 0, 1, 1], read by text_layer with confidence 0.97" in said
        assert "What would change it: A corrected invoice from its issuer." in said
        assert "Open, and not part of this outcome: sanctions_screening." in said
        assert "Failed: due_after_invoice 10 = 10" in said
        assert "Score = 100 × 110 / (110 + 10) = 91.67" in said
        assert "the same outcome, score and result of every rule" in said

    def test_explain_as_json_holds_both(self, logged_in: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert rules.main(["explain", SECOND, "--json"], BENCH) == 0
        told = json.loads(capsys.readouterr().out)
        assert (told["judged_outcome"], told["recomputed"]["score"], told["differences"]) == ("approved", "100.00", [])

    def test_replay_counts_and_fails_where_one_differs(
        self, logged_in: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert rules.main(["replay"], BENCH) == 0
        assert "Judgements recomputed to the same: 2; different: 0;" in capsys.readouterr().out

        class Other:
            shipped, check, test = BENCH.shipped, BENCH.check, BENCH.test

            def recompute(self, text: str, inputs: object) -> dict[str, object]:
                return BENCH.recompute(text, inputs) | {"score": "1.00"}  # type: ignore[arg-type]

        assert rules.main(["replay"], Other()) == 1
        said = capsys.readouterr().out
        assert "the score is stored as 91.67 and recomputed as 1.00" in said
        assert "Judgements recomputed to the same: 0; different: 2;" in said

    def test_an_unknown_document_is_told(self, logged_in: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert rules.main(["explain", "nobody"], BENCH) == 1
        assert "Next: eco documents list" in capsys.readouterr().err

    def test_a_file_is_checked_without_a_platform(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        wrong = tmp_path / "wrong.yaml"
        wrong.write_text("name: x\nrules: []\n")

        assert rules.main(["check", str(wrong)], BENCH) == 1
        said = capsys.readouterr()
        assert f"{wrong}:2: rules: Tuple should have at least 1 item" in said.out
        assert "docs/guides/write-a-rule.md" in said.err
        assert rules.main(["check", str(wrong), "--json"], BENCH) == 1
        assert json.loads(capsys.readouterr().out)["problems"][0]["line"] == 1
        wrong.write_bytes(b"\xff\xfe")
        assert rules.main(["check", str(wrong)], BENCH) == 1
        assert "no text in UTF-8" in capsys.readouterr().err

    def test_the_tests_of_what_is_shipped_pass(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert rules.main(["test", "--json"], BENCH) == 0
        told = json.loads(capsys.readouterr().out)["items"]
        assert sum(len(one["tests"]) for one in told) >= 20


class TestReviews:
    def test_from_the_queue_to_the_decision(self, logged_in: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert reviews.main(["list", "--free"]) == 0
        assert "the invoice is due before its date" in capsys.readouterr().out
        assert reviews.main(["claim", FIRST]) == 0
        assert "eco reviews decide" in capsys.readouterr().err
        assert reviews.main(["list", "--mine", "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["items"][0]["claimed_by"] == "ann"
        assert reviews.main(["release", FIRST]) == 0
        assert reviews.main(["decide", FIRST, "rejected", "--reason", "Wrong date."]) == 0
        assert "Wrong date." in capsys.readouterr().out
        assert reviews.main(["show", FIRST, "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["decision"]["outcome"] == "rejected"
        assert reviews.main(["list"]) == 0
        assert "Nothing awaits a decision." in capsys.readouterr().err

    def test_a_next_step_is_a_command(self, logged_in: Path, capsys: pytest.CaptureFixture[str]) -> None:
        for code in steps.STEPS:
            refused = steps.STEPS[code]
            assert "eco " in refused
            assert not any(verb in refused for verb in ("POST", "GET", "/v1/"))
        assert reviews.main(["claim", SECOND]) == 1
        assert "Next: eco reviews list --free" in capsys.readouterr().err

    def test_who_holds_it_is_told(self, logged_in: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert reviews.main(["claim", SECOND]) == 1
        assert "ben holds it until" in capsys.readouterr().err

    def test_a_decision_needs_a_reason(self, capsys: pytest.CaptureFixture[str]) -> None:
        with pytest.raises(SystemExit) as ended:
            reviews.main(["decide", FIRST, "approved"])
        assert ended.value.code == 2
