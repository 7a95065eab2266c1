"""How long a text is at most, and that prompts of routing models stay below their context."""

from __future__ import annotations

import pytest

from exchanges import chat_exchange
from plano_asgi.conversation import ChatRequest, ChatResponse
from plano_asgi.errors import UpstreamStatus
from plano_asgi.routing.preferences import Preferences
from plano_asgi.routing.selectors import ModelSelector, Unreadable
from plano_asgi.routing.selectors.token_bound import tokens_at_most
from routing_fakes import RoutingModel, names_of, preference

CODE = (preference("code"),)

# The most tokens that the tokenizers of Qwen, Mistral NeMo and Mistral 7B made of each.
MEASURED = [
    ("Could you summarise the attached report for the board and list the largest risks?", 17),
    ('{"user_id": 48213, "tags": ["beta", "eu-west-1"], "ok": true}', 29),
    ("8372910465" * 8, 80),
    ("1203 88 4571 902341 7 66 1.250,99 2026-11-03T17:42:09Z", 54),
    ("aGVsbG8gd29ybGQsIHRoaXMgaXMgYSB0ZXN0IG9mIGEgYm91bmQ=", 42),
    ("9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", 59),
    ("xk qz vbn wpf jq zzt mrk dkw lpx qwv hjk bzd", 25),
    ("qzkxvjwpfmbtdhgclsrnqzkxvjwpfmbtdhgclsrn", 27),
    ("getElementByIdXqzPvk HTTPServerErrorHandlerFactory", 15),
    ("Szczebrzeszyn Xochiquetzal Grzegorczyk Llewellyn", 22),
    ("Geschwindigkeitsbegrenzungen übernehmen Rechtsschutzversicherungen", 20),
    ("Pertanggungjawaban keuangan perusahaan dipertanyakan masyarakat", 25),
    ("Mwanafunzi anasoma kitabu kizuri sana nyumbani kwake", 21),
    ("我想预订一张下周从北京到上海的机票", 17),
    ("मुझे अगले सप्ताह दिल्ली से मुंबई", 34),
    ("😀🎉👩‍👩‍👧‍👦🚀", 31),
    ("!@#$%^&*()_+{}|:<>?~`-=[]\\;',./", 23),
    ("\t\t\n\n \n  \n", 8),
    ("", 0),
]


@pytest.mark.parametrize(("text", "tokens"), MEASURED)
def test_bound_holds_for_usual_tokenizers(text: str, tokens: int) -> None:
    """And is never more than the bytes."""
    assert tokens <= tokens_at_most(text) <= len(text.encode())


@pytest.mark.parametrize("text", ["8372910465", "é", "\ud83d", "#", "xkqzjv", "\n"])
def test_dense_text_counts_by_the_byte(text: str) -> None:
    """Digits, other scripts, punctuation, runs without vowels."""
    assert tokens_at_most(text * 50) == len((text * 50).encode("utf-8", "surrogatepass"))


def test_prose_is_shown_about_half_of_what_would_fit() -> None:
    """The bound costs room, and not too much of it."""
    prose = "The quarterly report says that revenue from travel rose by a third. " * 20
    assert len(prose) / tokens_at_most(prose) > 1.9


def by_digits(text: str) -> float:
    """Tokens of a tokenizer that has one for each digit, and one for four of other characters."""
    digits = sum(char.isdigit() for char in text)
    return digits + (len(text) - digits) / 4


class StrictModel(RoutingModel):
    """Refuses what is over its context, as servers of models do."""

    context_tokens = 8192

    async def __call__(self, request: ChatRequest) -> ChatResponse:
        """One answer, or a 400."""
        response = await super().__call__(request)
        if by_digits(self.prompt) > self.context_tokens - (request.max_output_tokens or 0):
            raise UpstreamStatus("maximum context length", status=400)
        return response


@pytest.mark.anyio
async def test_pasted_numbers_stay_below_the_context() -> None:
    """Forty thousand digits get their route like anything else."""
    model = StrictModel('{"route": ["code"]}')
    found = await ModelSelector(model, "m").select(chat_exchange("8372910465" * 4000), CODE)
    assert found.route == "code"
    assert by_digits(model.prompt) > 5000


@pytest.mark.anyio
async def test_the_models_own_tokenizer_makes_more_room() -> None:
    """A counter of yours takes the place of the bound; the limit holds by it."""
    long = chat_exchange("lorem ipsum dolor " * 4000)
    model = RoutingModel("{}")
    await ModelSelector(model, "m").select(long, CODE)
    bounded = len(model.prompt)
    own = ModelSelector(model, "m", count_tokens=lambda text: -(-len(text) // 4))
    await own.select(long, CODE)
    assert 1.8 * bounded < len(model.prompt) <= (8192 - 256 - 128) * 4


class RefusingModel(RoutingModel):
    """Answers with an error status."""

    def __init__(self, status: int) -> None:
        super().__init__("")
        self.status = status

    async def __call__(self, request: ChatRequest) -> ChatResponse:
        """Never an answer."""
        await super().__call__(request)
        raise UpstreamStatus("no", status=self.status)


@pytest.mark.anyio
@pytest.mark.parametrize(("status", "asked"), [(400, 5), (413, 5), (422, 5), (500, 3), (429, 3)])
async def test_one_prompt_that_is_refused_is_no_outage(status: int, asked: int) -> None:
    """No client can make the router be left alone for everybody; a real outage does."""
    model = RefusingModel(status)
    rule = Preferences(CODE, ModelSelector(model, "m"), names=names_of("openai/gpt-4o"))
    for _ in range(5):
        route = await rule(chat_exchange())
        assert route is not None
        assert route.candidates[0].name == "openai/gpt-4o"
    assert len(model.requests) == asked


@pytest.mark.anyio
async def test_a_refused_prompt_is_told_by_its_status() -> None:
    """Nothing of the upstream's text, which may quote the prompt."""
    with pytest.raises(Unreadable, match=r"^the routing model refused the prompt \(400\)$"):
        await ModelSelector(RefusingModel(400), "m").select(chat_exchange(), CODE)
