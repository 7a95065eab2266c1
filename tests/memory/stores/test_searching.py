"""What every memory store does alike: searching."""

from __future__ import annotations

import pytest

from plano_asgi.memory.base import MemoryStore
from remembering import ME, found, item, listed

pytestmark = pytest.mark.anyio


async def test_search_finds_words(store: MemoryStore) -> None:
    """Case, accents, plurals and punctuation do not matter; other items stay away."""
    await store.add(
        ME,
        [
            item("tea", "Ann drinks GREEN TEA, every morning."),
            item("cafe", "They met in a Café; the berries were good."),
            item("cat", "The cat's name is Tom-Tom"),
        ],
    )
    for query, id in {
        "green teas?": "tea",
        "cafe": "cafe",
        "CAFÉ": "cafe",
        "berry": "cafe",
        "tom": "cat",
        "what does ann drink in the mornings": "tea",
        "cats": "cat",
    }.items():
        assert (await found(store, query))[0] == id, query


@pytest.mark.parametrize(
    ("text", "query"),
    [
        pytest.param("我喜欢喝绿茶和咖啡", "绿茶", id="chinese"),
        pytest.param("我喜欢喝绿茶和咖啡", "茶", id="one-character"),
        pytest.param("私は東京に住んでいます", "東京はどこですか", id="japanese"),
        pytest.param("コーヒーが好きです", "コーヒー", id="katakana"),
        pytest.param("저는 녹차를 좋아합니다", "녹차가", id="korean"),
        pytest.param("ฉันชอบดื่มชาเขียว", "ชาเขียว", id="thai"),
        pytest.param("Ich trinke gern grünen Tee", "GRUNEN", id="german"),
        pytest.param("Ἀθῆναι εἶναι ὡραία", "αθηναι", id="greek"),
        pytest.param("मुझे हरी चाय पसंद है", "चाय", id="hindi"),
        pytest.param("\uff34\uff2f\uff2b\uff39\uff2f", "tokyo", id="full-width"),
    ],
)
async def test_search_knows_many_scripts(store: MemoryStore, text: str, query: str) -> None:
    """Words are found where a script sets no spaces, too."""
    await store.add(ME, [item("hit", text), item("miss", "Ann plays tennis")])
    assert await found(store, query) == ["hit"]


@pytest.mark.parametrize(
    "query",
    [
        "",
        " \t\n",
        "???",
        '"',
        "'; DROP TABLE memory_items; --",
        "tea AND OR NOT NEAR(",
        "tea*",
        "col:tea ^tea -tea +tea {tea} [tea] (tea)",
        '"tea" OR "x',
        "tea\0tea",
        "\ud83d tea",
        "%s %(tea)s {tea} $1",
        "tea | & ! <-> :*",
        "🫖" * 1000,
        "tea " * 100_000,
        "x" * 1_000_000,
        " ".join(f"w{n}" for n in range(50_000)),
        "\\" * 1000,
        "e\u0301" * 10_000,
    ],
    ids=range(19),
)
async def test_no_query_is_dangerous(store: MemoryStore, query: str) -> None:
    """Operators, quotes, odd characters and great length are only text."""
    await store.add(ME, [item("tea", "green tea"), item("cat", "a cat")])
    assert set(await found(store, query)) <= {"tea"}
    assert len(await store.list(ME)) == 2


async def test_scores_say_how_much_of_the_query_is_held(store: MemoryStore) -> None:
    """1 is all of it; a rare word says more than a common one; no score is outside 0 to 1."""
    await store.add(
        ME,
        [
            item("both", "tea with jasmine"),
            item("rare", "jasmine grows here"),
            *(item(f"common{n}", f"tea cup{n}") for n in range(20)),
        ],
    )
    hits = await store.search(ME, "jasmine tea", limit=50)
    scores = [hit.score or 0 for hit in hits]
    assert [hit.id for hit in hits[:2]] == ["both", "rare"]
    assert scores[0] == pytest.approx(1)
    assert scores == sorted(scores, reverse=True)
    assert 1 > scores[1] > 0.5 > scores[2] > 0
    assert len(hits) == 22


async def test_threshold_and_limit_cut(store: MemoryStore) -> None:
    """Only what scores enough, and not more than asked for; the newest of equals first."""
    await store.add(ME, [item(f"i{n}", "green tea", created_at=float(n)) for n in range(5)])
    await store.add(ME, [item("half", "green grass")])
    assert await found(store, "green tea", limit=2) == ["i4", "i3"]
    assert await found(store, "green tea", threshold=0.99) == ["i4", "i3", "i2", "i1", "i0"]
    assert await found(store, "green tea cups", threshold=0.99) == []
    assert await found(store, "green tea", limit=0) == []


async def test_function_words_alone_tell_little(store: MemoryStore) -> None:
    """A question's small words do not outweigh what it is about, and still find something."""
    await store.add(
        ME, [item("chat", "what is it that you do with the"), item("dog", "my dog Rex barks")]
    )
    assert (await found(store, "what is the name of my dog"))[0] == "dog"
    assert await found(store, "what is it") == ["chat"]


async def test_long_texts_do_not_win_by_length(store: MemoryStore) -> None:
    """A text that holds any word by chance ranks under one about the matter."""
    everything = " ".join(f"filler{n}" for n in range(1500))
    await store.add(ME, [item("long", f"{everything} jasmine tea"), item("short", "jasmine tea")])
    assert await found(store, "jasmine tea") == ["short", "long"]


async def test_a_rare_word_is_found_among_many_items(store: MemoryStore) -> None:
    """However many newer items share the other words."""
    await store.add(ME, [item("old", "the tea of zanzibar", created_at=1.0)])
    many = [item(f"n{n}", f"tea and milk {n % 7}", created_at=10.0 + n) for n in range(1200)]
    await store.add(ME, many)
    assert (await found(store, "tea zanzibar"))[0] == "old"
    assert len(await found(store, "tea milk", limit=100)) == 100


async def test_common_words_together_are_found_among_many_items(store: MemoryStore) -> None:
    """Behind more newer items with one of them than a search weighs."""
    await store.add(ME, [item("old", "the price of the page", created_at=1.0)])
    for word in ("price", "page"):
        many = [item(f"{word}{n}", f"{word} {n % 7}", created_at=10.0 + n) for n in range(400)]
        await store.add(ME, many)
    assert (await found(store, "what is the price of that page"))[0] == "old"


async def test_filters_are_equalities(store: MemoryStore) -> None:
    """On the kind and on metadata of any JSON value; an absent key equals nothing."""
    await store.add(
        ME,
        [
            item("a", "tea", kind="fact", metadata={"lang": "en", "tags": [1, 2]}),
            item("b", "tea", kind="fact", metadata={"lang": "de", "none": None}),
            item("c", "tea", kind="turn", metadata={"lang": "en", "deep": {"x": [1]}}),
        ],
    )
    for filters, ids in [
        ({"kind": "fact"}, {"a", "b"}),
        ({"lang": "en"}, {"a", "c"}),
        ({"kind": "fact", "lang": "en"}, {"a"}),
        ({"tags": [1, 2]}, {"a"}),
        ({"tags": (1, 2)}, {"a"}),
        ({"tags": [1]}, set()),
        ({"deep": {"x": [1]}}, {"c"}),
        ({"none": None}, {"b"}),
        ({"lang": "' OR 1=1 --"}, set()),
        ({}, {"a", "b", "c"}),
    ]:
        assert set(await found(store, "tea", filters=filters)) == ids
        assert set(await listed(store, filters=filters)) == ids
    assert await listed(store, filters={"kind": "fact"}, limit=1, offset=1) == ["a"]


async def test_a_vector_weighs_more_than_words(store: MemoryStore) -> None:
    """Near in meaning beats alike in words, and both together beat either."""
    await store.add(
        ME,
        [
            item("meant", "a hot drink", embedding=(1.0, 0.0), embedder="m"),
            item("said", "green tea", embedding=(0.0, 1.0), embedder="m"),
            item("both", "green tea leaves", embedding=(0.8, 0.6), embedder="m"),
            item("neither", "a bicycle", embedding=(-1.0, 0.0), embedder="m"),
            item("bare", "green tea", created_at=1.0),
        ],
    )
    hits = await store.search(ME, "green tea", vector=(1.0, 0.0), embedder="m")
    assert [hit.id for hit in hits] == ["both", "meant", "said", "bare"]
    assert [round(hit.score or 0, 2) for hit in hits] == [0.86, 0.7, 0.3, 0.3]
    only = await store.search(ME, "", vector=(1.0, 0.0), embedder="m", threshold=0.6)
    assert [hit.id for hit in only] == ["meant"]
    facts = await store.search(ME, "x", vector=(1.0, 0.0), embedder="m", filters={"kind": "fact"})
    assert facts == []


async def test_vectors_of_other_embedders_are_not_compared(store: MemoryStore) -> None:
    """Nor such of another length."""
    await store.add(
        ME,
        [
            item("other", "x", embedding=(1.0, 0.0), embedder="other"),
            item("long", "y", embedding=(1.0, 0.0, 0.0), embedder="m"),
            item("mine", "z", embedding=(1.0, 0.0), embedder="m"),
        ],
    )
    assert await found(store, "", vector=(1.0, 0.0), embedder="m") == ["mine"]
