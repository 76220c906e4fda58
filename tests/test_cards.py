"""Cards: read with suspicion, written whole, rendered the same every time."""

import hashlib
import json

import pytest

from kerasgan import cards, rendering

DIGEST = hashlib.sha256(b"weights").hexdigest()


@pytest.fixture
def card():
    """The card of a generator that was never trained."""
    return {
        "name": "tiny", "kind": "generator", "title": "Squares", "summary": "Draws squares.",
        "paper": "A 2014 | B 2015",
        "model": {"variant": "DCGAN"}, "compile": {}, "fingerprint": "f",
        "files": {"a.bin": {"sha256": DIGEST, "bytes": 7}},
        "licences": {"code": "Apache-2.0", "weights": "CC0", "data": "CC0"},
        "parameters": {"generator": 1234567}, "images": {"shape": [28, 28, 1]},
        "latents": {"shape": [100], "distribution": "normal"},
        "training": {"steps": 7, "batch_size": 3}, "data": {"train": "squares"}, "versions": {"keras": "3"},
        "metrics": [
            {"metric": "frechet_distance", "value": 8.0213, "spread": 0.114, "real": 0.6, "n": 500, "seeds": [1, 2]}
        ],
    }  # fmt: skip


@pytest.fixture
def folder(tmp_path, card):
    cards.write(tmp_path, card)
    (tmp_path / "a.bin").write_bytes(b"weights")
    return tmp_path


# --- reading ----------------------------------------------------------------------------------------------------------


def test_what_is_written_is_read(folder, card):
    assert cards.read(folder) == card
    assert {path.name for path in folder.iterdir()} == {"card.json", "README.md", "a.bin"}


def test_read_holds_the_card_against_its_pin(folder):
    pin = hashlib.sha256((folder / "card.json").read_bytes()).hexdigest()
    assert cards.read(folder, pin)["name"] == "tiny"
    with pytest.raises(ValueError, match="is not the card that was shipped"):
        cards.read(folder, "0" * 64)


def test_read_without_a_card(tmp_path):
    with pytest.raises(FileNotFoundError, match="is no entry of a zoo: it has no card.json"):
        cards.read(tmp_path)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("{", "is no card: Expecting"),
        ("\xff", "is no card"),
        ("3", "it holds int, not an object"),
        ("[]", "it holds list, not an object"),
        ("{}", "it lacks name, kind, model, files"),
    ],
)
def test_no_card(tmp_path, text, complaint):
    (tmp_path / "card.json").write_text(text, encoding="latin-1")
    with pytest.raises(ValueError, match=complaint):
        cards.read(tmp_path)


@pytest.mark.parametrize(
    ("key", "value", "complaint"),
    [
        ("name", 3, "its 'name' is 3, not of type str"),
        ("files", ["a.bin"], "its 'files' is .*not of type dict"),
        ("latents", None, "its 'latents' is None, not of type dict"),
        ("model", "DCGAN", "its 'model' is 'DCGAN', not of type dict"),
        ("files", {"a.bin": 7}, "the file a.bin has no sha256 and bytes"),
        ("files", {"a.bin": {"bytes": 7}}, "the file a.bin has no sha256 and bytes"),
    ],
)
def test_a_card_of_another_shape(card, key, value, complaint):
    cards.check("card.json", card)
    with pytest.raises(ValueError, match=f"card.json is no card: {complaint}"):
        cards.check("card.json", card | {key: value})


def test_a_generator_needs_latents_and_an_extractor_does_not(card):
    del card["latents"], card["compile"]
    cards.check("card.json", card | {"kind": "extractor"})
    with pytest.raises(ValueError, match="it lacks compile, latents"):
        cards.check("card.json", card)


@pytest.mark.parametrize("name", ["../evil", "a/b", "/etc/passwd", "..", ".", "", "a\\b", "c:evil", "a\0b"])
def test_a_card_that_names_a_file_outside_its_folder(card, name):
    with pytest.raises(ValueError, match="names a file outside its folder"):
        cards.check("card.json", card | {"files": {name: {"sha256": "", "bytes": 0}}})


# --- files ------------------------------------------------------------------------------------------------------------


def test_describe_files(folder, card):
    assert cards.describe_files(folder, ["a.bin"]) == card["files"]


def test_checked_file(folder, card):
    assert cards.checked_file(folder, card, "a.bin").read_bytes() == b"weights"
    with pytest.raises(FileNotFoundError, match="has no b.bin, only a.bin"):
        cards.checked_file(folder, card, "b.bin")
    (folder / "a.bin").write_bytes(b"weighty")
    with pytest.raises(ValueError, match="is damaged: its SHA-256"):
        cards.checked_file(folder, card, "a.bin")
    (folder / "a.bin").write_bytes(b"weigh")
    with pytest.raises(ValueError, match="has 5 bytes, its card says 7"):
        cards.checked_file(folder, card, "a.bin")
    (folder / "a.bin").unlink()
    with pytest.raises(FileNotFoundError, match="is missing"):
        cards.checked_file(folder, card, "a.bin")


def test_fingerprint_knows_arguments_names_and_shapes():
    plain = cards.fingerprint({"width": 4, "norm": True}, {"generator": {"a": (2, 3), "b": (4,)}})
    assert plain == cards.fingerprint({"norm": True, "width": 4}, {"generator": {"b": (4,), "a": (2, 3)}})
    for section, manifests in [
        ({"width": 5, "norm": True}, {"generator": {"a": (2, 3), "b": (4,)}}),
        ({"width": 4, "norm": True}, {"generator": {"a": (3, 2), "b": (4,)}}),
        ({"width": 4, "norm": True}, {"generator": {"a": (2, 3), "c": (4,)}}),
        ({"width": 4, "norm": True}, {"classifier": {"a": (2, 3), "b": (4,)}}),
    ]:
        assert cards.fingerprint(section, manifests) != plain


# --- rendering --------------------------------------------------------------------------------------------------------


def test_render(card):
    text = rendering.render(card)
    assert text == rendering.render(json.loads(json.dumps(card)))
    for part in (
        "# tiny\n\nDraws squares.\n",
        'model = kerasgan.load("tiny")\nimages = model.generate(16, seed=7)  # uint8 (16, 28, 28, 1)',
        "| parameters, generator | 1,234,567 |",
        "| paper | A 2014 \\| B 2015 |",
        "| model | variant DCGAN |",
        "| latents | (100,), normal |",
        "| licence of the weights | CC0 |",
        "| frechet_distance | 8.021 ± 0.11 (2 sampling seeds) | 0.6 | 13.4x real data |\n\nProtocol: n 500;",
        "| steps | 7 |\n| batch size | 3 |",
    ):
        assert part in text


def test_render_leaves_out_what_a_recipe_did_not_say(card):
    text = rendering.render(card | {"summary": None, "paper": None, "task": None, "metrics": []})
    assert "None" not in text and "Measured" not in text


def test_what_all_numbers_share_is_said_once(card):
    (record,) = card["metrics"]
    coverage = record | {"metric": "coverage", "value": 0.8, "spread": None, "k": 5}
    text = rendering.render(card | {"metrics": [record, coverage]})
    assert "| coverage | 0.8 | 0.6 | 1.33x real data | k 5 |" in text and text.count("n 500") == 1
    assert rendering.protocol(coverage, without={"n", "k"}) == "seeds [1, 2]"


def test_the_words_of_a_record(card):
    (record,) = card["metrics"]
    assert rendering.verdict(record | {"metric": "unclear"}) == "", "a multiple of real data's says nothing of it"
    assert rendering.verdict({"metric": "copying", "value": 0.48}).startswith("0.5: as near to training images as test")
    three = record | {"trainings": {"0": 9.1, "1": record["value"], "2": 1.0}}
    assert rendering.choice([three])[0] == "Of 3 trainings the one with the median frechet_distance is shipped."
    two = three | {"trainings": {"0": record["value"], "1": 9.1}}
    assert rendering.choice([record, three | {"value": 9.1}, three | {"metric": "coverage"}, two]) == []
    assert rendering.verdict(record) == "13.4x real data" and rendering.verdict(record | {"real": 0}) == ""
    assert (rendering.spread(record), rendering.real(record)) == ("8.021 ± 0.11 (2 sampling seeds)", "0.6")
    assert (rendering.spread({"value": 0.5}), rendering.real({"value": 0.5})) == ("0.5", "")
    assert rendering.protocol(record) == "n 500; seeds [1, 2]" and rendering.where(record) == ""
    assert rendering.where({"set": "Set5/hr|Set5/low", "protocol": "standard"}) == " on Set5/hr, standard"
    assert rendering.table(["a", "b"], [[1, None], ["x|y", 2]]) == [
        "| a | b |",
        "|---|---|",
        "| 1 |  |",
        "| x\\|y | 2 |",
    ]


def test_publish_brings_everything_up_to_date(tmp_path, card):
    (tmp_path / "zoo" / "tiny").mkdir(parents=True)
    (tmp_path / "zoo" / "tiny" / "card.json").write_text(json.dumps(card))
    readme = tmp_path / "README.md"
    readme.write_text(f"before\n{cards.TABLE[0]}\nold\n{cards.TABLE[1]}\nafter\n")
    for _ in range(2):
        cards.publish(tmp_path / "zoo", readme)
        rows = "\n".join(rendering.zoo_table([card]))
        assert readme.read_text() == f"before\n{cards.TABLE[0]}\n{rows}\n{cards.TABLE[1]}\nafter\n"
    cells = ("[tiny](zoo/tiny)", "Squares", "frechet distance 8.021 ± 0.11 (2 sampling seeds); real data 0.6", "0.0 MB")
    assert f"| {' | '.join(cells)} |" in rows
    assert (tmp_path / "zoo" / "tiny" / "README.md").read_text() == rendering.render(card)
    pin = hashlib.sha256((tmp_path / "zoo" / "tiny" / "card.json").read_bytes()).hexdigest()
    assert json.loads((tmp_path / "zoo" / "index.json").read_text()) == {"tiny": pin}


def test_publish_touches_nothing_where_the_readme_has_no_place_for_the_table(tmp_path, card):
    (tmp_path / "tiny").mkdir()
    (tmp_path / "tiny" / "card.json").write_text(json.dumps(card))
    (tmp_path / "README.md").write_text("no table")
    with pytest.raises(ValueError, match="needs <!-- zoo --> and <!-- /zoo -->, once each"):
        cards.publish(tmp_path, tmp_path / "README.md")
    assert {path.name for path in tmp_path.iterdir()} == {"tiny", "README.md"}


def test_records_of_different_protocols_are_not_compared(card):
    (record,) = card["metrics"]
    cards.check_comparable(record, record | {"value": 3.0, "spread": 0.2, "real": 0.5, "seeds": [7]})
    with pytest.raises(ValueError, match=r"their protocols differ in extractor \(None, 'lenet'\), n \(500, 400\)"):
        cards.check_comparable(record, record | {"n": 400, "extractor": "lenet"})


def test_write_index(tmp_path, card):
    cards.write_index(tmp_path)
    assert json.loads((tmp_path / "index.json").read_text()) == {}


def test_each_protocol_has_a_table_of_its_own(card):
    (record,) = card["metrics"]
    paper = dict(paper=225.0, paper_spread=2.0, better="higher", table="Table 1", sigma="of ten")
    parzen = record | {"metric": "parzen_likelihood", "value": 230.0, "real": 242.0} | paper
    assert rendering.is_paper(parzen) and not rendering.is_paper(record)
    text = rendering.render(card | {"metrics": [record, parzen]})
    modern, table = text.split("## Measured as in a paper")
    assert "frechet_distance" in modern and "parzen" not in modern and "sigma" not in modern
    assert (
        "| parzen_likelihood | 230" in table and "Protocol: n 500; seeds [1, 2]; table Table 1; sigma of ten." in table
    )
    assert rendering.measured([parzen])[0] == "## Measured as in a paper"


@pytest.mark.parametrize(
    ("value", "better", "words"),
    [
        (224.0, "higher", "as the paper's 225 ± 2"),
        (231.0, "higher", "better than the paper's 225 ± 2"),
        (219.0, "higher", "worse than the paper's 225 ± 2"),
        (219.0, "lower", "better than the paper's 225 ± 2"),
        (250.0, "higher", "better than the paper's 225 ± 2, and better than real data: too good to mean quality"),
    ],
)
def test_the_verdict_on_a_papers_table(value, better, words):
    """Twice the two spreads together, 2 sqrt(1.5^2 + 2^2) = 5, is no difference."""
    name = "parzen_likelihood" if better == "higher" else "nearest_neighbour_error"
    figures = {"real": 242.0, "paper": 225.0, "paper_spread": 2.0, "better": better}
    record = {"metric": name, "value": value, "spread": 1.5, **figures}
    assert rendering.verdict(record) == words
    without = {key: number for key, number in record.items() if key != "paper_spread"} | {"value": 225.0}
    assert rendering.verdict(without) == "as the paper's 225"
