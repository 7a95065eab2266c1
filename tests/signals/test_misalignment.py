"""Corrections, restatements and confusion; and what only sounds like them."""

# ruff: noqa: RUF001  (people write with other quotes and letters than ours)

from __future__ import annotations

import pytest

from interaction_rows import ANSWER, leaves, reader, reply, talk
from plano_asgi.signals.base import Row
from plano_asgi.signals.misalignment import misalignment

DETECT = misalignment(reader())

CORRECTION = (
    "Ah, I didn't mean the annual plan",
    "No, it was three weeks ago",
    "This one is last month's, you picked the wrong folder",
    "No, I meant the blue one",
    "no i ment the other file",
    "That's not what I asked for.",
    "That’s wrong.",
    "You misunderstood me, I want the monthly report",
    "I already told you my order number",
    "No, I said Tuesday not Thursday",
    "I said BLUE, not red.",
    "Not that one, the second one",
    "Actually it's spelled with a K",
    "Wrong file.",
    "You got the dates mixed up",
    "I didn't ask for a summary, I asked for the full text",
    "You forgot the last step",
    "that is incorrect, Sydney is not the capital",
    "As I said before, I'm using Python 3.8",
    "You're answering a different question",
    "No no, the one from last week",
    "sorry, I meant 2023",
    "you ignored my second requirement",
    "I asked for JSON, not XML",
    "No, that's the old version.",
    "Your calculation is off",
    "Nope, wrong city",
    "I was talking about the movie, not the book",
    "that isnt right, it should be 42",
    "you missed the point",
    "No. I want it in euros.",
    "I never said that",
    "didn't I just say no nuts?",
    "Hmm, that's not correct",
    "You didn't answer my question",
    "Nah, it's the left button I was talking about",
    "I think you misread my message",
    "that's not my name",
    "It should be 15, not 12",
    "That's not the file I uploaded, use report_final.csv",
    "I wanted it sorted by price, not by name",
    "no thats not it",
    "Wrong. The meeting is at 3pm.",
    "You booked the wrong date",
    "Nope, I was asking about the return policy",
    "No, the Berlin office",
    "Actually I said two tickets, not three",
    "you've got my address wrong",
    "That answer is wrong, Canberra is the capital",
    "I did not say I wanted to cancel",
    "You changed the wrong function",
    "No, that doesn't match what I described",
    "This isn't what I was looking for",
    "My name is Marc, not Mark",
    "But I asked you for vegetarian recipes",
    "hold on, I never mentioned a dog",
    "You're mixing up the two accounts",
    "It's not a laptop, it's a desktop",
    "You forgot to include the totals",
    "no, not the summary, the full transcript",
    "I told you I'm allergic to peanuts",
    "Incorrect, try again",
    "That's the opposite of what I want",
    "I think you misunderstood the question",
    "you left out the second paragraph",
    "again, I don't use Windows",
    "no i want the large one",
    "Hmm, I think there's a mistake: I asked about the 2021 model.",
    "No the other account please",
    "thats not my order number, mine is 5521",
    "You've confused Austria with Australia",
    "Not what I meant. I need the CSV export, not the PDF.",
    "I said without sugar",
    "Nope. My flight is on the 12th, not the 21st.",
    "you didn't include the VAT like I asked",
    "That's not true, the store closes at 9",
    "Sorry but that is not correct",
    "Actually, I wanted it in Celsius",
    "no i said SMALL",
    "it's Jon, not John",
    "Please read my question again",
    "I was asking how, not why",
    "That's for Android, I have an iPhone",
)
REPHRASE = (
    "Let me rephrase: I want orders grouped by date",
    "Let me put it another way.",
    "In other words, I need the total per month",
    "What I'm asking is how to reset it",
    "what im trying to say is that the file is empty",
    "Let me try asking differently",
    "To clarify, I need it in PDF format",
    "I'll rephrase my question",
    "To put it differently, can the pump run dry?",
    "Let me be more specific: which tax form",
    "Maybe I should reword that",
    "My question is whether it supports SSO",
    "let me explain it again",
    "Perhaps I wasn't clear. I need a train, not a bus",
    "I'll say it again in simpler terms: cancel it",
    "Let me ask that another way: does it include tax?",
    "OK let me try to explain differently",
    "What I really want to know is whether it's waterproof",
    "To be more precise, I need the 2022 figures",
    "Put simply, I want my account closed",
    "So basically what I'm asking is can I get a discount",
    "Let me word that better",
    "Rephrasing: which laptops have 32GB of RAM?",
    "let me restate the problem",
    "Let me phrase it differently. How long does shipping take?",
    "I'll try again: where can I see my invoices?",
    "Okay, different wording: what's the cheapest plan?",
    "Maybe I'm not explaining this well. I need a way to merge two lists.",
    "To put this in other words, is it refundable?",
    "What I was trying to ask is whether kids get a discount",
)
CLARIFICATION = (
    "I have no idea what you're talking about",
    "I've gone over it and I haven't the faintest idea what you want from me",
    "I don't understand what you mean",
    "what do you mean?",
    "That makes no sense",
    "You lost me.",
    "i dont get it",
    "Sorry, come again?",
    "I'm confused",
    "huh?",
    "Can you explain that again?",
    "could you clarify that please",
    "What does that mean?",
    "I have no idea what you're talking about",
    "What are you talking about?",
    "This is confusing",
    "Can you explain it in simpler terms?",
    "I'm not following",
    "you've lost me there",
    "wdym",
    "I didn't catch that",
    "that went over my head",
    "I still don't understand your explanation",
    "Could you say that in plain English?",
    "What is that supposed to mean?",
    "I dont undestand the second part",
    "not sure what you mean by that",
    "I'm lost, what should I click?",
    "Can you clarify what you mean by endpoint?",
    "What do you mean by idempotent?",
    "Sorry I don't follow",
    "Could you explain that again more slowly?",
    "your explanation is confusing",
    "that doesn't make any sense to me",
    "Huh? What does that have to do with it?",
    "I'm not sure I understand",
    "Wait, what?",
    "Could you elaborate on that?",
    "hmm I don't quite get what you're saying",
    "What exactly do you mean?",
    "Too technical for me, can you simplify it?",
    "I have no clue what that means",
    "Can you repeat that?",
    "It's unclear which file you mean",
    "pardon?",
    "Sorry, I don't understand.",
    "What does step 3 mean?",
    "which button do you mean?",
    "I am not following you, can you explain?",
    'Can you explain what you mean by "soft reset"?',
    "That was confusing, could you break it down?",
    "I have trouble understanding this",
    "eh? I don't get what you want me to do",
    "you've completely lost me",
    "how so?",
    "Not sure I follow",
    "What's that supposed to mean",
)
NOT_MISALIGNMENT = (
    "I didn't mean to order two of them",
    "I have no idea what to cook tonight",
    "No one is two meters tall in my class",
    "Let me explain my setup",
    "I said hello to my neighbour",
    "How do I write a thank you note?",
    'The customer said "this is useless"',
    "What does 'that makes no sense' mean in Spanish?",
    "My boss told me I'm useless",
    "No, that's all.",
    "What's wrong with my code?",
    "My car is not working, what should I check?",
    "SELECT NAME FROM USERS WHERE ID IS NOT NULL",
    "Explain human rights to me",
    "What does useless mean?",
    "I meant to ask you about the invoice",
    "Fix this error: ValueError: wrong type",
    "Does that make sense?",
    "I don't understand recursion, can you teach me?",
    "This is not bad",
    "It's not great but what are the alternatives?",
    "The correct answer was B, right?",
    "I have a correction to make in my passport",
    "What does it mean to call it quits?",
    "Explain why people quit their jobs",
    "The user complained that nothing works",
    "No, I don't have one",
    "Not yet",
    "Is that correct?",
    "What do people mean when they say 'forget it'?",
    "Can you explain that function to me?",
    "Please explain quantum computing in simple terms",
    "What's the correct way to hold a racket?",
    "She told me to forget it",
    "No, I haven't tried that yet",
    "Not really, I only need the basics",
    "I don't understand how photosynthesis works",
    "Could you explain what a monad is?",
    "How do I explain this to my kids?",
    "What did Shakespeare mean by that line?",
    "Is this the correct syntax?",
    "Can you fix the wrong values in column B?",
    "What is the wrong answer here?",
    "Mark the incorrect words in this text",
    "Correct my grammar please",
    "Do you understand me?",
    "Am I making sense?",
    "What does this error mean?",
    "As I said in the meeting, we need a plan. Write the minutes.",
    "It was great to see you yesterday, mom said",
    "He said it worked fine",
    "Leave a note for my manager",
    "I would rather not speak to a manager",
    "Fix the grammar: me not understand what you mean",
    "I was wrong about the date, can we change it to May 5?",
    "Wrong turn 6 is a bad movie, right?",
    "What's not working in this code?",
    "Is my essay confusing?",
    "Does this paragraph make sense?",
    "Rephrase this sentence for me",
    "Can you rephrase the last paragraph of my cover letter?",
    "In other words means what exactly in legal writing?",
    "Let me clarify the requirements: it has to run on ARM",
    "I need to explain this concept to my class",
    "Give me an example of a confusing sentence",
    'Explain the term "lost cause"',
    "Do not use emojis",
    "No. 5 on the list, please",
    "Not now",
    "I'd like the red one, not the blue one",
    "We need it for work, not for home",
    "Here is my code, it works fine for small inputs but not for large ones",
    "What is right is not always popular, who said that?",
    'Correct spelling of "accommodate"?',
    "I understand basic calculus",
)


@pytest.mark.parametrize(
    ("leaf", "texts"),
    [("correction", CORRECTION), ("rephrase", REPHRASE), ("clarification", CLARIFICATION)],
)
def test_what_people_write(leaf: str, texts: tuple[str, ...]) -> None:
    """Each of these says its leaf, at its own message, and nothing else."""
    assert [text for text in texts if leaves(DETECT, reply(text)) != [(leaf, 2)]] == []


def test_what_only_sounds_like_it() -> None:
    """Questions, quotations, orders to write and other people's words say nothing."""
    assert [text for text in NOT_MISALIGNMENT if leaves(DETECT, reply(text))] == []


@pytest.mark.parametrize("text", ["No, the red one", "Not that, the other", "No, it's for my wife"])
def test_a_no_that_was_asked_for_is_an_answer(text: str) -> None:
    """After a question it corrects nothing, nor before any answer; after a statement it does."""
    assert leaves(DETECT, reply(text, "Shall I take the blue one?")) == []
    assert leaves(DETECT, reply(text, "I took the blue one.")) == [("correction", 2)]
    assert leaves(DETECT, talk(text)) == []


@pytest.mark.parametrize(
    ("asked", "answer", "text", "found"),
    [
        ("Book Rome", "Booked Paris", "Nope, Rome!", True),
        ("Send it to Anna", "Sent to Hannah.", "no, Anna", True),
        ("Book Rome", "Paris or Rome?", "No, Rome", False),
        ("Book Rome", "Booked Paris", "No, thanks", False),
        ("Book Rome", "Booked Paris", "no, nothing else", False),
        ("Book Rome", "Booked Paris", "Rome!", False),
    ],
)
def test_insisting_on_what_was_asked_for_is_a_correction(
    asked: str, answer: str, text: str, found: bool
) -> None:
    """A no, and nothing but words of the request; not where the answer asks."""
    signals = list(DETECT(talk(asked, answer, text)))
    assert [s.type.rpartition(".")[2] for s in signals] == ["correction"] * found
    assert all(s.metadata["compared_to"] == 0 for s in signals)


def test_a_correction_stands_before_the_others() -> None:
    """One signal for a message: correction, else rephrase, else clarification."""
    text = "No, that's not what I asked. Let me rephrase: what do you mean by total?"
    (signal,) = DETECT(reply(text))
    assert signal.type == "interaction.misalignment.correction"
    assert signal.confidence == 1.0
    assert "not what I asked" in signal.snippet
    assert len(signal.snippet) <= 80
    assert signal.metadata["pattern_type"] == "correction"
    assert "pattern" in signal.metadata


SAME_CONTENT = (
    (
        "How do I reset the password of my online account?",
        "I want to reset my online account password, how?",
    ),
    (
        "Book a flight from Berlin to Rome on Friday morning",
        "I need to book a Friday morning flight, Berlin to Rome",
    ),
    (
        "Why is my package delayed in customs?",
        "What is the reason my package is delayed at customs?",
    ),
    (
        "Can you find me a cheap hotel near the airport",
        "I'm looking for an affordable hotel close to the airport",
    ),
    (
        "How can I delete a remote branch in git",
        "What's the command for removing a remote git branch",
    ),
    (
        "My order never arrived and I want a refund",
        "I want my money refunded because the order never arrived",
    ),
    ("Show all invoices from March that are unpaid", "List the unpaid invoices from March"),
    (
        "How do I export my contacts to a CSV file?",
        "Is there a way to get my contacts exported as CSV file?",
    ),
)
OTHER_CONTENT = (
    ("Can you summarize the news please", "Could you please summarize the news"),
    ("What's the weather in Paris tomorrow?", "What's the weather in London tomorrow?"),
    (
        "How do I sort a list of dicts in Python by key",
        "How do I sort a list of dicts in Python by value",
    ),
    ("Convert 15 USD to EUR with today's rate", "Convert 20 USD to EUR with today's rate"),
    ("Tell me about the history of Rome", "What about Paris?"),
    (
        "Can you book a table at the Italian place on Friday",
        "Can you book a table at the Thai place on Friday",
    ),
    (
        "please proceed with the order of the blue chair",
        "yes please proceed with the order of the blue chair",
    ),
    (
        "How do I install Python on Windows?",
        "How do I install Python packages on Windows in a virtual environment?",
    ),
    (
        "Write a function that parses dates in Python",
        "Now write unit tests for the function that parses dates",
    ),
    ("Translate good morning my friend to French", "Translate good morning my friend to German"),
    ("Where is my order? I need it today", "Where is my order? I need it today"),
)


@pytest.mark.parametrize(("first", "second"), SAME_CONTENT)
def test_the_same_content_in_another_sentence(first: str, second: str) -> None:
    """A rephrase that does not announce itself."""
    (signal,) = DETECT(talk(first, ANSWER, second, first=3))
    assert signal.type == "interaction.misalignment.rephrase"
    assert (signal.message_index, signal.confidence) == (5, 0.8)
    assert signal.metadata["pattern_type"] == "semantic_rephrase"
    assert signal.metadata["compared_to"] == 3
    assert 0.75 <= signal.metadata["similarity"] <= 1.0
    assert signal.snippet.startswith(second[:20])


@pytest.mark.parametrize(("first", "second"), OTHER_CONTENT)
def test_another_request_is_no_rephrase(first: str, second: str) -> None:
    """Another thing in the same frame, more of it, an agreement, too little, or a repetition."""
    assert leaves(DETECT, talk(first, ANSWER, second)) == []


def test_tool_traffic_does_not_part_two_messages() -> None:
    """However many calls lie between a message and its rephrase."""
    call = Row(kind="function_call", text="{}", name="f", index=1)
    first, second = SAME_CONTENT[0]
    rows = [*talk(first), *[call] * 6, *talk(second, first=9)]
    assert leaves(DETECT, rows) == [("rephrase", 9)]


def test_only_people_are_looked_at() -> None:
    """A model that says it does not understand is not a person who does not."""
    assert leaves(DETECT, talk("Hello there", "I don't understand what you mean", "", "")) == []
