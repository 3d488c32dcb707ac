"""Agent templates: which there are, what references to them mean, and what is wrong with a file."""

import os

import pytest

from inferencesh_engine.catalog import Catalog
from inferencesh_engine.config import EngineConfig
from inferencesh_engine.domain.problems import EngineStartError, Problem

CORE = "core_app: inferencesh/scripted\n"
EVERYTHING = """
namespace: my-org
name: assistant
version: abc123
description: helps
system_prompt: |
  Be kind.
  Be brief.
example_prompts: [hello, help]
core_app: {ref: infsh/claude-sonnet-4@abc123, setup: {size: 1}, input: {temperature: 0.1}}
tools:
  - name: get_weather
    description: Get weather
    client: {input_schema: {type: object, properties: {city: {type: string}}, required: [city]}}
  - {name: draw, app: infsh/flux@latest, require_approval: true}
  - {name: helper, type: agent, agent: {ref: my-org/helper}}
  - name: notes
    type: http
    http: {url: "https://api.example.com/{{context.tenant_id}}", auth: {type: bearer, secret: KEY}}
  - {name: search, mcp: {integration_id: int-1, tool_name: search}}
skills:
  - {name: style, description: house style, content: Write plainly., preload: true}
context:
  - {name: tenant_id, required: true}
  - {name: page, default: 1}
internal_tools: {plan: true, finish: false}
output_schema: {type: object, properties: {answer: {type: string}}}
max_tool_iterations: 5
"""


def agents_of(root, **files):
    (root / "agents").mkdir(exist_ok=True)
    for name, text in files.items():
        (root / "agents" / f"{name}.yml").write_text(text)
    return Catalog(EngineConfig(apps_dir=root, state_dir=root / ".inferencesh"))


def problem_of(catalog, reference):
    with pytest.raises(Problem) as caught:
        catalog.agent(reference)
    return caught.value


def test_a_folder_without_templates_has_none(tmp_path):
    catalog = Catalog(EngineConfig(apps_dir=tmp_path))
    assert (catalog.agents(), catalog.issues()) == ([], [])
    assert "there are no agents here" in problem_of(catalog, "my-org/assistant").detail


def test_a_template_is_the_configuration_a_run_takes(tmp_path):
    catalog = agents_of(tmp_path, assistant=EVERYTHING)
    template = catalog.agent("my-org/assistant@abc123")
    assert (template.ref, template.version, template.folder) == (
        "my-org/assistant",
        "abc123",
        tmp_path / "agents",
    )
    config = template.config
    assert config["core_app"] == {
        "ref": "infsh/claude-sonnet-4@abc123",
        "setup": {"size": 1},
        "input": {"temperature": 0.1},
    }
    assert config["system_prompt"] == "Be kind.\nBe brief."
    assert [(tool["name"], tool["type"], tool["require_approval"]) for tool in config["tools"]] == [
        ("get_weather", "client", False),
        ("draw", "app", True),
        ("helper", "agent", False),
        ("notes", "http", False),
        ("search", "mcp", False),
    ]
    assert config["tools"][1]["app"] == {"ref": "infsh/flux@latest"}
    assert config["tools"][3]["http"]["auth"] == {"type": "bearer", "secret": "KEY"}
    assert config["context"] == [
        {"name": "tenant_id", "description": "", "required": True},
        {"name": "page", "description": "", "required": False, "default": "1"},
    ]
    assert config["internal_tools"] == {"plan": True, "finish": False}
    assert config["max_tool_iterations"] == 5
    assert not {"namespace", "version"} & config.keys()
    assert catalog.issues() == []


def test_every_way_to_name_a_version_means_the_one_in_the_file(tmp_path):
    catalog = agents_of(tmp_path, one=f"name: one\n{CORE}")
    template = catalog.agent("one")
    assert template.ref == "local/one"
    for version in ("latest", template.version, template.version_id, template.version_id[:8]):
        assert catalog.agent(f"local/one@{version}") == template
    missing = problem_of(catalog, "local/one@abc123")
    assert (missing.status, missing.code) == (404, "version_not_found")
    assert template.version in missing.detail
    assert catalog.agent_by_id(agent_id=template.agent_id, version_id=template.version_id) == template
    with pytest.raises(Problem, match="no agent with id nobody"):
        catalog.agent_by_id(agent_id="nobody")


def test_an_edit_is_a_new_version_of_the_same_agent_at_the_next_reference(tmp_path):
    catalog = agents_of(tmp_path, one=f"name: one\n{CORE}")
    before = catalog.agent("one")
    agents_of(tmp_path, one=f"name: one\n{CORE}system_prompt: new\n", two=f"name: two\n{CORE}")
    after = catalog.agent("one")
    assert (after.agent_id, after.config["system_prompt"]) == (before.agent_id, "new")
    assert after.version_id != before.version_id
    assert [template.name for template in catalog.agents()] == ["one", "two"]
    os.unlink(tmp_path / "agents" / "one.yml")
    assert problem_of(catalog, "one").status == 404


def test_an_unknown_agent_is_told_what_exists_and_what_may_be_meant(tmp_path):
    catalog = agents_of(tmp_path, assistant=EVERYTHING, other=f"name: other\n{CORE}")
    problem = problem_of(catalog, "my-org/asistant")
    assert (problem.status, problem.code) == (404, "agent_not_found")
    assert "local/other, my-org/assistant" in problem.detail
    assert "Did you mean my-org/assistant?" in problem.detail


@pytest.mark.parametrize("reference", ["a b", "", "a/b/c", "my-org/assistant:run"])
def test_what_is_no_reference_to_an_agent_is_refused(tmp_path, reference):
    problem = problem_of(agents_of(tmp_path), reference)
    assert (problem.status, problem.code) == (400, "invalid_request")


def test_a_name_of_several_namespaces_is_the_local_one_or_ambiguous(tmp_path):
    files = {space: f"namespace: {space}\nname: one\n{CORE}" for space in ("acme", "umbrella")}
    catalog = agents_of(tmp_path, **files)
    assert (problem_of(catalog, "one").status, catalog.agent("acme/one").namespace) == (422, "acme")
    assert agents_of(tmp_path, here=f"name: one\n{CORE}").agent("one").namespace == "local"


def test_two_agents_of_one_name_stop_the_start_and_are_both_named(tmp_path):
    with pytest.raises(EngineStartError, match=r"a\.yml and .*b\.yml; rename one"):
        agents_of(tmp_path, a=f"name: one\n{CORE}", b=f"name: one\n{CORE}")


def test_a_second_agent_of_a_name_that_comes_later_is_an_issue_and_the_first_is_kept(tmp_path):
    catalog = agents_of(tmp_path, b=f"name: one\n{CORE}")
    (tmp_path / "agents" / "c.yml").write_text(f"name: one\n{CORE}")
    assert catalog.agent("one").path.name == "b.yml"
    assert ["two agents are called local/one" in issue for issue in catalog.issues()] == [True]


@pytest.mark.parametrize(
    ("text", "line", "told"),
    [
        ("core_app: x", 1, "name is missing"),
        ("name: one", 1, "core_app is missing"),
        ("name: a b\ncore_app: x", 1, "may not contain"),
        ("name: one\nversion: a@b\ncore_app: x", 2, "may not contain"),
        ("name: one\ncore_app: x\nprompt: hi", 3, "'prompt' is not known here"),
        ("name: one\ncore_app: x\nsystem_promt: hi", 3, "did you mean system_prompt?"),
        ("name: one\ncore_app: {setup: {}}", 2, "core_app names no app"),
        ("name: one\ncore_app: {ref: a b}", 2, "'a b' is not of the form"),
        ("name: one\ncore_app: x\ntools: hello", 3, "tools must be a list"),
        ("name: one\ncore_app: x\ntools:\n  - name: t", 4, "needs exactly one of app, agent"),
        ("name: one\ncore_app: x\ntools:\n  - {name: t, type: app, agent: a}", 4, "and has agent"),
        ("name: one\ncore_app: x\ntools:\n  - {name: t, app: a}\n  - {name: t, app: b}", 5, "two tools are"),
        (
            "name: one\ncore_app: x\ntools:\n  - {name: t, mcp: {tool_name: x}}",
            4,
            "integration_id is missing",
        ),
        (
            "name: one\ncore_app: x\ntools:\n  - {name: t, client: {input_schema: {type: 5}}}",
            4,
            "no JSON Schema",
        ),
        ("name: one\ncore_app: x\noutput_schema: {type: thing}", 3, "no JSON Schema"),
        ("name: one\ncore_app: x\ninternal_tools: {plan: maybe}", 3, "must be true or false"),
        ("name: one\ncore_app: x\ncontext:\n  - {nam: x}", 4, "did you mean name?"),
        ("name: one\ncore_app: x\nmax_tool_iterations: 0", 3, "whole number from 1 up"),
        ("name: one\ncore_app: x\nskills: [{description: x}]", 3, "name is missing"),
    ],
)
def test_a_broken_file_is_listed_and_a_reference_to_it_names_file_line_and_fix(tmp_path, text, line, told):
    catalog = agents_of(tmp_path, one=text, fine=f"name: fine\n{CORE}")
    assert [template.name for template in catalog.agents()] == ["fine"]
    problem = problem_of(catalog, "my-org/one")
    assert (problem.status, problem.code) == (422, "agent_broken")
    assert f"one.yml, line {line}: " in problem.detail
    assert told in problem.detail
    assert catalog.issues() == [f"agent one cannot be used: {problem.detail.partition(': ')[2]}"]


def test_a_broken_file_is_known_by_the_name_in_it(tmp_path):
    catalog = agents_of(tmp_path, file=f"namespace: acme\nname: one\n{CORE}tools: 5\n")
    assert problem_of(catalog, "acme/one").code == "agent_broken"
