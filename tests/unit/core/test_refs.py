import pytest
from hypothesis import given
from hypothesis import strategies as st

from inferencesh_core.refs import Ref

PARTS = st.from_regex(r"[A-Za-z0-9_.-]+", fullmatch=True)
REFS = st.builds(Ref, st.none() | PARTS, PARTS, st.none() | PARTS, st.none() | PARTS)


@pytest.mark.parametrize(
    ("text", "ref"),
    [
        ("upscale", Ref(None, "upscale")),
        ("acme/upscale", Ref("acme", "upscale")),
        ("acme/upscale@k3v9x2ab", Ref("acme", "upscale", "k3v9x2ab")),
        ("acme/upscale@latest:run", Ref("acme", "upscale", "latest", "run")),
        ("acme/upscale:run", Ref("acme", "upscale", None, "run")),
        ("upscale@k3", Ref(None, "upscale", "k3")),
    ],
)
def test_a_reference_is_taken_apart_and_put_together(text, ref):
    assert Ref.parse(text) == ref
    assert str(ref) == text


@given(REFS)
def test_every_reference_survives_the_round_trip(ref):
    assert Ref.parse(str(ref)) == ref


@pytest.mark.parametrize(
    "text",
    ["", "/", "/upscale", "acme/", "a//b", "a/b/c", "a@", "a:", "a@:run", "a@1@2", "a:b:c", "a b", "a@1\n"],
)
def test_what_is_no_reference_is_refused_with_the_form_and_the_text(text):
    with pytest.raises(ValueError, match="is not of the form") as caught:
        Ref.parse(text)
    assert repr(text) in str(caught.value)


def test_a_reference_cannot_be_changed():
    with pytest.raises(AttributeError):
        Ref.parse("acme/upscale").name = "other"
