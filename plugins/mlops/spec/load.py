"""Find, read and check what people wrote below ``include/``.

``read_spec`` is what a DAG file costs: one YAML file and the SQL files that it names, no parse
of the SQL, no database.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from mlops.digests import digest_json
from mlops.errors import SpecError
from mlops.spec.extensions import context_of_file
from mlops.spec.model import ModelSpec
from mlops.spec.policy import Policy, Tier
from mlops.spec.yaml_file import line_of_byte, read_yaml

# Both spellings of YAML's own ending are read; one name may have one file only.
ENDINGS = (".yml", ".yaml")


@dataclass(frozen=True)
class Spec:
    """A model's spec as it stood at one moment: the YAML's content and the text of its SQL."""

    content: ModelSpec
    sql: dict[str, str]

    @property
    def model(self) -> str:
        """The model's name."""
        return self.content.model

    def to_json(self) -> dict[str, Any]:
        """The record whose digest is the spec's identity."""
        return {"content": self.content.model_dump(mode="json"), "sql": self.sql}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Spec:
        """Rebuild a registered spec, exactly as it was registered."""
        return cls(
            content=ModelSpec.model_validate(value["content"], strict=False), sql=dict(value["sql"])
        )

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the canonical content: equal content, equal identity."""
        return digest_json(self.to_json())

    @cached_property
    def criteria_digest(self) -> str:
        """SHA-256 of what a version must reach, fixed before training."""
        develop = self.content.develop
        return digest_json(
            {
                "gates": [gate.model_dump(mode="json") for gate in develop.gates],
                "select_by": develop.select_by,
                "split": develop.split.model_dump(mode="json"),
            }
        )

    @property
    def scoring_sql(self) -> str:
        """The SQL whose rows are scored: the training features' own unless the spec names one."""
        return self.sql[self.content.deploy.scoring_sql or self.content.develop.features_sql]

    @property
    def rule_sql(self) -> str:
        """The SQL of the rule.

        :raises SpecError: the spec has none, though its policy falls back to one.
        """
        if self.content.deploy.rule_sql is None:
            raise _no_rule(self.content, self.content.deploy.policy)
        return self.sql[self.content.deploy.rule_sql]


@dataclass(frozen=True)
class Include:
    """The folder in which people write: ``models/``, ``sql/``, ``policies/``, ``reports/``."""

    root: Path

    def spec_files(self) -> list[Path]:
        """Every spec file, in order of its name."""
        return _yaml_files(self.root / "models")

    def policy_files(self) -> list[Path]:
        """Every policy file, in order of its name."""
        return _yaml_files(self.root / "policies")

    def spec_file(self, model: str) -> Path:
        """The file of a model's spec, there or not.

        :raises SpecError: there are two.
        """
        return _file_of(self.root / "models", model)

    def policy_file(self, name: str) -> Path:
        """The file of a policy, there or not.

        :raises SpecError: there are two.
        """
        return _file_of(self.root / "policies", name)

    def read_spec(self, file: Path) -> Spec:
        """Read one spec and the SQL that it names.

        :raises SpecError: with file, line and what is expected.
        """
        _file_of(file.parent, file.stem)
        content = read_yaml(file, ModelSpec, context_of=context_of_file)
        if content.model != file.stem:
            raise SpecError(
                f"{_place(file, '^model *:')}: model: must agree with the file's name",
                found=f"model '{content.model}' in {file.name}",
                expected=f"{content.model}{file.suffix}",
            )
        return Spec(content=content, sql=self._read_sql(file, content))

    def _read_sql(self, file: Path, content: ModelSpec) -> dict[str, str]:
        folder = self.root / "sql" / content.model
        texts: dict[str, str] = {}
        problems: list[str] = []
        for name in content.sql_files:
            try:
                texts[name] = _read_sql(file, folder, name)
            except SpecError as error:
                problems.append(str(error))
        if problems:
            raise SpecError("\n".join(problems))
        return texts

    def spec(self, model: str) -> Spec:
        """Read the spec of ``model``."""
        return self.read_spec(self.spec_file(model))

    def policy(self, name: str) -> Policy:
        """Read one policy.

        :raises SpecError: missing, broken, named otherwise than its file, or there twice.
        """
        file = self.policy_file(name)
        policy = read_yaml(file, Policy)
        if policy.policy != name:
            raise SpecError(
                f"{_place(file, '^policy *:')}: policy: must agree with the file's name",
                found=f"policy '{policy.policy}'",
                expected=f"'{name}'",
            )
        return policy


def tier_of(spec: ModelSpec, policy: Policy) -> Tier:
    """The tier that ``policy`` puts ``spec`` into.

    :raises SpecError: no tier holds; without a tier no person would have to sign the model.
    """
    tier = policy.tier(spec)
    if tier is None:
        raise SpecError(
            f"policy '{policy.policy}' has no tier for model '{spec.model}'",
            found=f"exposure {spec.manage.exposure}, purpose {spec.manage.purpose}",
            expected="a tier whose conditions hold",
            action="add a last tier without conditions to the policy",
        )
    return tier


def require_rule(spec: ModelSpec, policy: Policy) -> None:
    """A policy that falls back to a rule needs one.

    :raises SpecError: the spec has none.
    """
    if policy.fallback == "rule" and spec.deploy.rule_sql is None:
        raise _no_rule(spec, policy.policy)


def _no_rule(spec: ModelSpec, policy: str) -> SpecError:
    return SpecError(
        f"policy '{policy}' falls back to a rule, and model '{spec.model}' has none",
        found="no rule_sql in its section deploy",
        expected=f"a file below sql/{spec.model} that gives {spec.develop.key}, "
        f"{spec.develop.time} and score",
        action="write the rule, or name a policy that falls back to previous_version or "
        "no_decision",
    )


def _yaml_files(folder: Path) -> list[Path]:
    return sorted(file for ending in ENDINGS for file in folder.glob(f"*{ending}"))


def _file_of(folder: Path, name: str) -> Path:
    candidates = [folder / f"{name}{ending}" for ending in ENDINGS]
    found = [file for file in candidates if file.exists()]
    if len(found) > 1:
        raise SpecError(
            f"{folder / name}: two files of one name",
            found=" and ".join(file.name for file in found),
            expected="one of them",
            action="remove the one that does not count",
        )
    return found[0] if found else candidates[0]


def _read_sql(spec_file: Path, folder: Path, name: str) -> str:
    file = folder / name
    name_pattern = rf"(?<![\w./-]){re.escape(name)}(?![\w./-])"
    if ".." in Path(name).parts or Path(name).is_absolute():
        raise SpecError(
            f"{_place(spec_file, name_pattern)}: names the SQL file {name}",
            expected=f"a file below {folder}",
        )
    try:
        # Editors on Windows begin a file with a mark that Postgres takes for a part of SELECT.
        text = file.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise SpecError(
            f"{_place(spec_file, name_pattern)}: names the SQL file {name}",
            found=f"{file}: {error.strerror}",
            expected="a file with one SELECT",
        ) from error
    except UnicodeDecodeError as error:
        raise SpecError(
            f"{file}:{line_of_byte(error)}: is not UTF-8", found=error.reason, expected="UTF-8 text"
        ) from error
    if not text.strip():
        raise SpecError(f"{file}:1: is empty", expected="one SELECT")
    if "\0" in text:
        # The drivers would hand on what comes before it, and nothing else.
        raise SpecError(
            f"{file}:{text.count(chr(10), 0, text.index(chr(0))) + 1}: holds a zero byte",
            expected="text without one",
            action="remove it",
        )
    return text


def _place(file: Path, pattern: str) -> str:
    """File and line of the first match of a pattern in a file that was read before."""
    found = re.search(pattern, text := file.read_text(encoding="utf-8"), re.MULTILINE)
    return f"{file}:{text.count(chr(10), 0, found.start()) + 1 if found else 1}"
