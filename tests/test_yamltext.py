"""YAML: version 1.2's plain values, each key once, nothing endless, and texts that come back as they were."""

import pytest
import yaml

from intarsia.yamltext import read_yaml, write_yaml


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("[no, yes, on, off, No, y, n]", ["no", "yes", "on", "off", "No", "y", "n"]),
        ("[true, False, ~, null]", [True, False, None, None]),
        ("[1e-3, 1E5, -2.5e+1, .5, 3., .inf]", [1e-3, 1e5, -25.0, 0.5, 3.0, float("inf")]),
        ("[0512, -007, 0o17, 0x1F]", [512, -7, 15, 31]),
        ("[1:30, 2024-01-01, 1_000, 0x, e3, .]", ["1:30", "2024-01-01", "1_000", "0x", "e3", "."]),
        ("{no: off, 1: a}", {"no": "off", 1: "a"}),
        ("a: &a {k: 1, m: 2}\nb: {<<: *a, k: 3}", {"a": {"k": 1, "m": 2}, "b": {"k": 3, "m": 2}}),
        ("", None),
    ],
)
def test_plain_values(text, value):
    assert read_yaml(text) == value


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb:\n  c: 1\n  d: 2\n  c: 3\n", r"^line 5: 'c' is there already in line 3; keep one$"),
        ("{1: a, 1: b}", "line 1: '1' is there already"),
        ("a:\n\tb: 1\n", r"^line 2, column 1: .*; YAML is indented by spaces$"),
        ("a: [", "line 1, column 5"),
        ("a: !include x", "line 1, column 4: could not determine a constructor"),
        ("a: 1\n---\na: 2\n", "line 2, column 1: .*another document"),
        ("a: &a [*a]", r"more than 1,000,000 values, by references \(&, \*\)"),
        ("[" * 3000 + "]" * 3000, "nested too deeply"),
        ("a: " + "9" * 5000, "digits"),
        ("a: \0", "character"),
    ],
)
def test_what_is_wrong_is_said(text, message):
    with pytest.raises(ValueError, match=message):
        read_yaml(text)


@pytest.mark.parametrize("text", ["no", "1e3", "1e-3", "0o17", "0512", "1:30", "2024-01-01", "~", "null", "12", ""])
def test_texts_stay_texts_in_both_versions(text):
    written = write_yaml({"names": [text]})
    assert read_yaml(written) == yaml.safe_load(written) == {"names": [text]}
