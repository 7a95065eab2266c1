"""
The rules: what attacks say, per family and language, each with a weight in log-odds.

Patterns see folded text (lower case, no accents, single spaces). ``anchors`` are words of which one
must be in the text, or the pattern cannot match: so that a harmless text costs one set look-up.
Every repetition in a pattern is bounded.
"""

# ruff: noqa: RUF001  (other alphabets are what this file is about)

from __future__ import annotations

from typing import NamedTuple


class RuleText(NamedTuple):
    """One row of the table; *data_only*: judged in tool results and documents, not in "
    "users' words."""

    id: str
    weight: float
    anchors: str
    pattern: str
    data_only: bool = False
    also: str = ""
    """More words of which one must be there too; any will do where it is empty."""


def _gap(most: int) -> str:
    """Up to *most* words in between."""
    return rf"\W{{1,4}}(?:[\w'-]{{1,24}}\W{{1,4}}){{0,{most}}}?"


_ORDERS = (
    r"(?:instruction|rule|guideline|prompt|directive|order|command|direction|polic(?:y|ie)|"
    r"constraint|restriction|protocol|guardrail|safeguard|programming|training)s?\b"
)
_LIMITS = (
    r"(?:rules?|guidelines?|restrictions?|limit(?:ation)?s?|filter(?:s|ing)?|ethic(?:s|al)|morals?|"
    r"morality|censorship|moderation|polic(?:y|ies)|boundar(?:y|ies)|constraints?|safeguards?|"
    r"guardrails?|safety|inhibitions?)\b"
)
_TELL = (
    r"\b(?:reveal|show|print|output|display|repeat|tell|give|share|disclose|leak|expose|dump|"
    r"provide|"
    r"recite|quote|copy|reproduce|spell|return|list|write|translate|encode|summari[sz]e|paraphrase|"
    r"state|describe|send|say|echo|produce|extract|type|explain|describing|revealing|showing)\b"
)
_TELL_ANCHORS = (
    "reveal show print output display repeat tell give share disclose leak expose dump provide "
    "recite quote copy reproduce spell return list write translate encode summarize summarise "
    "paraphrase state describe send say echo produce extract type explain describing revealing "
    "showing"
)
_ASSISTANT = (
    r"(?:ai|assistant|language model|llm|chatgpt|gpt|claude|copilot|agent|chatbot|bot|"
    r"model)s?\b"
)
_ASSISTANT_ANCHORS = (
    "ai assistant assistants model models llm llms chatgpt gpt claude copilot agent agents "
    "chatbot "
    "chatbots bot bots"
)

RULES: tuple[RuleText, ...] = (
    # -- orders to drop the orders -----------------------------------------------------------------
    RuleText(
        "override.ignore-previous",
        3.5,
        "ignore ignoring disregard disregarding forget forgetting overlook neglect bypass discard "
        "override overriding violate abandon dismiss erase",
        r"\b(?:ignor(?:e|ing)|disregard(?:ing)?|forget(?:ting)?|overlook|neglect|bypass|discard|"
        r"overrid(?:e|ing)|violate|abandon|dismiss|erase)\b"
        + _gap(4)
        + r"(?:previous|prior|preceding|above|earlier|former|initial|original|existing|all|"
        r"any|every|"
        r"foregoing|last|system|past|current|safety|your)\b" + _gap(3) + _ORDERS,
    ),
    RuleText(
        "override.ignore-orders",
        1.5,
        "ignore disregard forget",
        r"\b(?:ignore|disregard|forget)\b"
        + _gap(3)
        + r"(?:instruction|order|directive|rule|prompt)s?\b",
    ),
    RuleText(
        "override.ignore-everything",
        3.0,
        "ignore ignoring disregard forget",
        r"\b(?:ignor(?:e|ing)|disregard|forget)\b (?:about )?"
        r"(?:everything|all|anything|whatever|what|of|the|any)\b"
        + r"(?:\W{1,3}[\w']{1,20}){0,5}?\W{1,3}"
        + r"(?:above|told|taught|said before|know|learned|learnt|so far|were given|preceding|"
        r"instructed|before this|previously)\b",
    ),
    RuleText(
        "override.your-limits",
        2.5,
        "ignore disregard forget bypass break violate override disable remove drop "
        "circumvent evade "
        "suspend lift deactivate off skip relax abandon",
        r"\b(?:ignore|disregard|forget|bypass|break|violate|override|disable|remove|drop|"
        r"circumvent|"
        r"evade|suspend|lift|deactivate|turn off|switch off|skip|relax|abandon|let go of)\b"
        r" (?:all |any )?(?:of )?(?:your|its|these|those) (?:[\w-]{1,20} ){0,3}?"
        r"(?:" + _ORDERS + "|" + _LIMITS + ")",
    ),
    RuleText(
        "override.disable-safety",
        2.0,
        "disable deactivate off remove bypass circumvent suspend lift override evade",
        r"\b(?:disable|deactivate|turn off|switch off|remove|bypass|circumvent|suspend|lift|"
        r"override|"
        r"evade)\b" + _gap(3) + r"(?:safety|content|ethical|moral|moderation|censorship) ?"
        r"(?:and \w{1,15} )?(?:filter|protocol|setting|guideline|polic|measure|check|restriction|"
        r"control|system|training|mechanism|guard)",
    ),
    RuleText(
        "override.do-not-follow",
        2.5,
        "follow following obey obeying adhere adhering comply listen bound abide",
        r"\b(?:do not|don't|never|stop|no longer|without|not|isn't|aren't|needn't)\b"
        r"(?: \w{1,12}){0,3}? (?:follow|following|obey|obeying|adher\w{1,4}|comply|listen|"
        r"bound|abide)\b" + _gap(5) + r"(?:" + _ORDERS + "|" + _LIMITS + ")",
        also=(
            "instruction instructions rule rules guideline guidelines prompt prompts "
            "directive directives order orders command commands policy policies "
            "restrictions restriction constraints protocol protocols programming training "
            "limits limitations filters ethics ethical moral morals censorship boundaries "
            "safety limit filter moderation morality safeguards guardrails direction "
            "directions"
        ),
    ),
    RuleText(
        "override.no-longer-apply",
        2.0,
        "instructions rules guidelines restrictions policies limits constraints prompt policy",
        r"\b(?:instructions|rules|guidelines|restrictions|polic(?:ies|y)|limits|constraints|"
        r"prompt)\b"
        r"(?: \w{1,16}){0,4}? (?:no longer (?:bind|valid)|void|suspended|lifted|disabled|obsolete|"
        r"cancelled|revoked|removed|overridden|do(?:es)? not apply|don't apply|superseded)\b",
    ),
    RuleText(
        "override.new-orders",
        2.0,
        "new updated real actual true revised next",
        r"\b(?:new|updated|real|actual|true|revised|your next|next) (?:\w{1,16} ){0,2}?"
        r"(?:instructions?|directives?|orders?|system prompt|objective|mission|task|goal)\b"
        r" ?(?::|-|\*|=|is to\b|are as follows|follows?\b)",
        also=(
            "instruction instructions directive directives order orders prompt objective "
            "mission task goal"
        ),
    ),
    RuleText(
        "override.supersede",
        2.0,
        "supersede supersedes override overrides replaces replace cancels",
        r"\b(?:supersedes?|overrides?|replaces?|cancels?)\b(?: \w{1,12}){0,3}? "
        r"(?:previous|prior|earlier|all|other|existing|above|any)\b(?: \w{1,12}){0,2}? " + _ORDERS,
    ),
    RuleText(
        "override.opposite",
        2.0,
        "opposite defy disobey rebel",
        r"\b(?:do the opposite of|defy|disobey|rebel against)\b" + _gap(4) + _ORDERS,
    ),
    RuleText(
        "override.restart",
        1.5,
        "restart reset wipe clear memory start over fresh",
        r"\b(?:reset|wipe|clear|erase) (?:your|all|the) (?:\w{1,12} )?(?:memory|context|"
        r"instructions|"
        r"history|programming|settings)\b|\bstart (?:over|fresh)\b(?: \w{1,12}){0,3}? new "
        r"(?:rules|role)",
    ),
    # -- requests for what the model was told ------------------------------------------------------
    RuleText(
        "reveal.system-prompt",
        3.0,
        _TELL_ANCHORS,
        _TELL
        + _gap(5)
        + r"(?:your|hidden|secret|initial|internal|confidential|the (?:full|entire|exact|complete|"
        r"original|hidden|above))\b(?:\W{1,3}[\w-]{1,16}){0,4}?\W{1,3}"
        r"(?:system (?:prompt|message|instructions?|configuration)|(?:initial|hidden|secret|"
        r"original|"
        r"internal|developer|custom|base|core|foundational|starting|pre-?) ?"
        r"(?:prompt|instructions?|rules|guidelines|directives?|configuration|message|"
        r"programming|text)|"
        r"sysprompt|preprompt|metaprompt)",
        also=(
            "prompt prompts message messages instruction instructions configuration rules "
            "guidelines directive directives programming text sysprompt preprompt "
            "metaprompt"
        ),
    ),
    RuleText(
        "reveal.what-is-prompt",
        2.5,
        "prompt instructions message directive directives",
        r"\bwhat(?:'s| is| are| was| were| does| do)\b(?: \w{1,12}){0,3}? your (?:\w{1,16} ){0,3}?"
        r"(?:system prompt|prompt|system message|(?:initial|original|hidden|secret|first|"
        r"exact|full|"
        r"internal|system|core|base) (?:instructions?|directives?|rules|guidelines|prompt|"
        r"message))\b",
    ),
    RuleText(
        "reveal.your-orders",
        2.0,
        _TELL_ANCHORS,
        _TELL
        + r"(?: (?:me|us|out|all|of|exactly|the|a|complete|full|list|copy|contents?|text|with|"
        r"to)){0,5}"
        r" (?:your|ur|thy)\b(?: [\w-]{1,16}){0,3}? (?:instructions?|prompts?|directives?|"
        r"programming|"
        r"configuration|initiali[sz]ation|(?:rules|guidelines|constraints|restrictions)"
        r"(?! (?:say|about|on|for|regarding|concerning|in|when|of)))\b",
        also="your ur thy",
    ),
    RuleText(
        "reveal.text-above",
        2.5,
        "above preceding before beginning start top prior",
        r"\b(?:repeat|print|output|copy|show|return|write|echo|recite|reproduce|display|what|"
        r"reveal|"
        r"dump|give|translate|summari[sz]e|quote|say|tell)\b"
        + _gap(6)
        + r"(?:text|words?|everything|contents?|messages?|prompt|instructions|lines?|sentences?|"
        r"conversation|all|paragraph)\b(?: \w{1,12}){0,4}? "
        r"(?:above|preceding|before (?:this|that|my|the user|our)|prior to (?:this|my)|"
        r"at the (?:very )?(?:beginning|start|top) of (?:this|our|the) "
        r"(?:conversation|prompt|chat|message|context|dialogue))",
        also=(
            "text word words everything content contents message messages prompt "
            "instructions line lines sentence sentences conversation all paragraph"
        ),
    ),
    RuleText(
        "reveal.verbatim",
        1.5,
        "verbatim word character",
        r"\b(?:instructions?|prompt|system|given|told|above|rules)\b.{0,60}"
        r"\b(?:verbatim|word[ -](?:for|by)[ -]word|character by character)\b|"
        r"\b(?:verbatim|word[ -](?:for|by)[ -]word)\b.{0,60}\b(?:instructions|prompt|system|"
        r"rules)\b",
    ),
    RuleText(
        "reveal.were-given",
        2.5,
        "given told programmed instructed initialized initialised provided received",
        r"\b(?:instructions?|rules?|prompts?|guidelines?|what|everything|directives?|message|"
        r"text)\b"
        r"(?: that| which)? ?you (?:have been|were|was|are|had been|'ve been|received|got)\b ?"
        r"(?:\w{1,12} )?(?:given|told|programmed|instructed|initiali[sz]ed|provided|received|"
        r"at|from)\b",
        also=(
            "instruction instructions rule rules prompt prompts guideline guidelines what "
            "everything directive directives message text"
        ),
    ),
    RuleText(
        "reveal.secret",
        2.5,
        "secret password passphrase codeword passcode secrets key confidential",
        r"\b(?:reveal|tell|give|say|print|share|leak|spell|show|output|write|hint|what(?:'s| is)|"
        r"describe|encode|translate|repeat|disclose|know)\b(?: \w{1,12}){0,2}? (?:me |us )?"
        r"(?:about )?(?:the|your|that|any)(?: [\w-]{1,12}){0,2}? "
        r"(?:secrets?|pass(?:word|phrase|code)|codeword|secret key|confidential (?:data|"
        r"information))\b",
    ),
    RuleText(
        "reveal.your-secret",
        2.0,
        "secret password passphrase codeword passcode",
        r"\b(?:your|the) (?:secret|hidden) ?(?:word|key|password|code|phrase|value|string|"
        r"message)?\b"
        r".{0,50}\b(?:letters?|characters?|backwards?|reversed?|rhymes?|acrostic|base64|spell|"
        r"python|"
        r"encode|first|starts?|poem|hint)\b",
    ),
    RuleText(
        "reveal.confidential",
        2.0,
        "confidential sensitive private credentials classified proprietary restricted",
        r"\b(?:share|give|provide|disclose|reveal|hand over|grant|send|show|tell|transfer|list)\b"
        r"(?: \w{1,12}){0,3}? (?:confidential|sensitive|private|classified|proprietary|restricted|"
        r"login|personal) (?:\w{1,14} ){0,2}?(?:information|data|details|credentials|records|files|"
        r"documents|report|secrets)\b",
        also="information data details credentials records files documents report secrets",
    ),
    RuleText(
        "reveal.starts-with-you-are",
        2.5,
        "starting begins beginning starts start",
        r"\b(?:start(?:ing|s)?|begin(?:ning|s)?) (?:with|at|from)\b(?: \w{1,10}){0,4}? "
        r"?[\"'`“‘:]{0,2} ?"
        r"(?:you are (?:a|an|chatgpt|gpt|the)|you are[\"'`”’.]|system:)",
    ),
    # -- another self ------------------------------------------------------------------------------
    RuleText(
        "persona.do-anything-now",
        3.5,
        "anything dan",
        r"\bdo anything now\b|\b(?:act|respond|answer|reply|roleplay|pose|as|are|be|called|"
        r"named|like) "
        r"(?:as |a |an |like |the )?dan\b|\bdan (?:mode|prompt|can|will|is|has)\b|\banything now\b",
    ),
    RuleText(
        "persona.no-limits",
        2.0,
        "restrictions restriction filters filter rules guidelines limitations limits ethics "
        "ethical "
        "moral morals morality censorship policies boundaries constraints safeguards inhibitions",
        r"\b(?:without|no(?! longer)|free (?:of|from)|not (?:bound|limited|restricted|"
        r"constrained) (?:by|to)|"
        r"unbound by|lacks?|devoid of|has no|have no|any|zero|isn't bound by|beyond)\b"
        r"(?:[^\w.!?]{1,3}[\w-]{1,16}){0,4}?[^\w.!?]{1,3}" + _LIMITS,
    ),
    RuleText(
        "persona.unfiltered-self",
        2.5,
        "unfiltered uncensored amoral unrestricted unethical immoral unhinged nonmoral jailbroken "
        "unbiased lawless unlimited",
        r"\b(?:unfiltered|uncensored|amoral|unrestricted|unethical|immoral|unhinged|nonmoral|"
        r"jailbroken|lawless|unlimited)\b(?:\W{1,3}\w{1,16}){0,4}?\W{1,3}"
        r"(?:ai|chatbot|assistant|model|bot|response|responses|answers?|mode|gpt|version|character|"
        r"entity|advice|self|persona|information|way)\b",
    ),
    RuleText(
        "persona.you-are-now",
        1.5,
        "now henceforth",
        r"\byou(?:'re| are)(?: \w{1,10})? now (?!connected|able|ready|logged|subscribed|"
        r"enrolled|a member|"
        r"eligible|registered|leaving|viewing)\w|\bfrom now on,? (?:you|your name|act|respond|"
        r"answer|"
        r"i want you|reply|ignore|only)\b|\byou will now (?:act|be|play|pretend|respond|"
        r"answer|become)\b|"
        r"\bhenceforth,? you\b|\bnow you are\b",
        also="you",
    ),
    RuleText(
        "persona.never-refuse",
        2.0,
        "refuse refuses refusing decline declines refusal deny apologize apologise warnings "
        "disclaimers "
        "disclaimer moralize warning refused",
        r"\b(?:never|cannot|can't|do not|don't|won't|will not|must not|not allowed to|without|no|"
        r"doesn't|unable to)\b(?: \w{1,12}){0,3}? "
        r"(?:refus(?:e|es|ing|al|ed)|declines?|deny|apologi[sz]e|warnings?|disclaimers?|"
        r"moralize)\b",
    ),
    RuleText(
        "persona.broken-free",
        2.5,
        "free freed escaped liberated unshackled unchained confines",
        r"\b(?:broke(?:n)? free|breaks? free|freed|liberated|unshackled|unchained|escaped)\b"
        r"(?: \w{1,12}){0,5}? (?:confines|openai|rules|polic(?:y|ies)|shackles|chains|constraints|"
        r"restrictions|limits|limitations|ai|creators?)\b|\btypical confines of\b",
    ),
    RuleText(
        "persona.against-policy",
        2.0,
        "openai anthropic google policy policies guidelines",
        r"\b(?:openai|anthropic|google|meta|content|usage|safety)(?:'s)? (?:\w{1,12} ){0,2}?"
        r"(?:polic(?:y|ies)|guidelines|rules|restrictions|limitations)\b.{0,60}"
        r"\b(?:not|no longer|never|ignor\w{1,3}|bypass\w{0,3}|violat\w{1,4}|regardless|disabled?|"
        r"doesn't|don't|replaced|free|irrelevant)\b|"
        r"\b(?:not|no longer|never|ignor\w{1,3}|bypass\w{0,3}|violat\w{1,4}|regardless of|"
        r"without|against)\b"
        r".{0,40}\b(?:openai|anthropic)(?:'s)? (?:\w{1,12} ){0,2}?(?:polic(?:y|ies)|"
        r"guidelines|rules)\b",
    ),
    RuleText(
        "persona.mode",
        2.5,
        "mode",
        r"\b(?:enable|activate|enter|switch (?:in)?to|turn on|unlock|initiate|engage|in|into|"
        r"simulate|"
        r"run in|have)\b(?: \w{1,12}){0,2}? (?:developer|dev|god|debug|admin|sudo|maintenance|"
        r"jailbreak|"
        r"jailbroken|dan|evil|unrestricted|opposite|chaos|root|unsafe|unfiltered|override|"
        r"diagnostic)"
        r" mode\b(?! (?:on|in|of|for|from) (?:my|the|an?|android|chrome|windows|ios|a) ?)|"
        r"\b(?:developer|god|jailbreak|dan|evil|unrestricted|opposite|chaos|sudo|debug) mode"
        r"(?: \w{1,10}){0,2}? (?:enabled?|activated?|output|unlocked|engaged|accepted)\b",
    ),
    RuleText(
        "persona.two-answers",
        2.5,
        "two both responses response answers ways paragraphs classic jailbreak normal gpt dan",
        r"\b(?:two|both|2) (?:\w{1,12} ){0,3}?(?:responses|ways|answers|paragraphs|"
        r"outputs)\b.{0,120}"
        r"\b(?:as|normal|standard|first|like|unfiltered|gpt|chatgpt)\b.{0,80}"
        r"\b(?:would|dan|act|unfiltered|jailbreak|second|without)\b|"
        r"\[ ?.{0,3}(?:gpt|dan|classic|jailbreak|normal output|developer mode output).{0,3}\]|"
        r"\((?:jailbreak|classic)\)",
    ),
    RuleText(
        "persona.in-character",
        1.0,
        "character",
        r"\b(?:stay|remain|keep|never break|don't break|do not break|breaks?|breaking|out|leave)"
        r"(?: in| of| out of)? character\b",
    ),
    RuleText(
        "persona.token-game",
        2.5,
        "tokens points",
        r"\b(?:lose|deduct|subtract|cost|minus|gain|have|start with|given)\b(?: \w{1,10}){0,3}? "
        r"\d{1,4} (?:tokens|points|credits)\b.{0,120}\b(?:refuse|reject|die|answer|time|each|"
        r"every|question)",
    ),
    RuleText(
        "persona.evil-role",
        2.0,
        "evil hacker criminal malicious unethical rogue villain scammer terrorist unaligned",
        r"\b(?:act|behave|pretend|role-?play|respond|answer|speak|play|you are|you're|become|"
        r"simulate)\b"
        r"(?: \w{1,12}){0,6}? (?:evil|hacker|criminal|malicious|unethical|amoral|rogue|villain|"
        r"scammer|terrorist|unaligned)\b",
    ),
    RuleText(
        "persona.always-obey",
        2.0,
        "comply obey fulfill answer respond follow",
        r"\b(?:must|will|shall|always|have to|should)\b(?: \w{1,12}){0,3}? "
        r"(?:comply|obey|fulfill|answer|respond|follow)\b(?: \w{1,12}){0,5}? "
        r"(?:any|every|no matter|regardless|whatever|all (?:my|of my|requests|questions))\b",
        also="any every no regardless whatever all",
    ),
    RuleText(
        "persona.no-ai-talk",
        2.0,
        "ai model sorry cannot can't policy",
        r"\b(?:never|don't|do not|not|avoid|without|refrain from)\b(?: \w{1,12}){0,4}?"
        r" ?(?:say|saying|use|using|include|mention|state|stating|write|respond|words?|"
        r"phrases?)\b.{0,30}"
        r"\b(?:as an ai|as a language model|language model|i'm sorry|i am sorry|i can(?:no|"
        r"')t|i apologize|"
        r"openai|content policy|guidelines)\b",
    ),
    RuleText(
        "persona.freely",
        2.0,
        "illegal immoral unethical harmful offensive",
        r"\b(?:even if|no matter how|regardless of (?:how|whether)|whether|doesn't (?:matter|"
        r"care) if|"
        r"don't care (?:if|about|how))\b.{0,50}\b(?:illegal|immoral|unethical|harmful|offensive|"
        r"inappropriate|dangerous|legality|morality)\b",
    ),
    RuleText(
        "persona.fiction-without-rules",
        1.5,
        "hypothetical fictional story simulate simulation imagine pretend character novel scene",
        r"\b(?:hypothetical|fictional|story|simulat\w{1,5}|imagine|pretend|novel|scene)\b.{0,120}"
        r"\b(?:ai|chatbot|computer|assistant|language model|robot|bot)\b.{0,80}"
        r"\b(?:no|without|any|free|unfiltered|uncensored|ignores?|not bound)\b.{0,30}" + _LIMITS,
    ),
    # -- tricks with form --------------------------------------------------------------------------
    RuleText(
        "form.affirmative-start",
        2.0,
        "begin start starting beginning",
        r"\b(?:begin|start)(?:ning|ing)?\b(?: \w{1,12}){0,4}? (?:with|by saying)(?: "
        r"\w{1,10}){0,3}?\W{1,4}"
        r"(?:sure|absolutely|of course|certainly|yes|okay|i can help|hell yeah)\b",
        also="with by",
    ),
    RuleText(
        "form.chat-markup",
        3.0,
        "im inst sys endoftext eot system assistant start end header user",
        r"<\|(?:im_start|im_end|system|end|endoftext|assistant|user|eot_id|start_header_id)\|?|"
        r"\[/?inst\]|<</?sys>>|\|im_(?:start|end)\||<(?:start|end)_of_turn>|\bend_of_turn\b",
    ),
    RuleText(
        "form.closing-tag",
        2.0,
        "system instructions instruction context document data user prompt admin main text",
        r"</(?:system|instructions?|context|document|data|user_?input|prompt|admin|main|text|"
        r"user)>.{0,40}"
        r"(?:<|\b(?:ignore|now|new|system|you|please|send|instead)\b)|<(?:system|admin|"
        r"instructions?|"
        r"important|information|override)(?: [^>]{0,30})?>",
    ),
    RuleText(
        "form.fake-section",
        2.0,
        "system admin override developer root instruction instructions user input document prompt",
        r"(?:#{2,4}|\*{2,4}|={3,}|-{3,}|\[{1,2}|<{2,}) ?(?:new |end of |begin |begin new |"
        r"important |end )?"
        r"(?:system|admin\w{0,9}|override|developer|root|instructions?|user input|document|"
        r"user prompt)\b"
        r"(?: (?:message|override|note|instructions?|prompt|update|command|mode|input))? ?"
        r"(?:#|\*|=|-|\]|>|:)",
    ),
    RuleText(
        "form.role-line",
        1.0,
        "system assistant admin developer",
        r"(?:^|[.!?>\"'\])}] ?)(?:system|admin|developer)(?: (?:message|note|update|override|"
        r"command|"
        r"prompt|instruction|alert|notice))? ?[:>] ",
    ),
    RuleText(
        "form.decode-and-obey",
        2.0,
        "base64 rot 13 decode decrypt hex cipher unscramble encoded morse base",
        r"\b(?:decode|decrypt|unscramble|decipher|base ?64|rot ?-?13|hex|morse|reversed?)\b.{0,60}"
        r"\b(?:follow|execute|run|obey|perform|comply|carry out|act on|do what|and answer|"
        r"instructions?)\b",
    ),
    RuleText(
        "form.pieces",
        2.0,
        "+",
        r"\b[a-z]\d? ?= ?[\"'“][^\"'”]{1,60}[\"'”].{0,160}\b[a-z]\d? ?\+ ?[a-z]\d?\b",
    ),
    RuleText(
        "form.marker-word",
        2.0,
        "pwned hacked pwnd haha owned",
        r"\b(?:say|print|output|reply|respond|write|type|answer|include|repeat|that)\b.{0,40}"
        r"\b(?:i have been (?:pwned|hacked|owned)|pwned|pwnd|hacked|owned)\b",
    ),
    RuleText(
        "form.hidden-form",
        1.0,
        "instead",
        r"\b(?:instead|rather)\b,? (?:just |only |please |simply )?(?:say|print|output|reply|"
        r"respond|"
        r"write|tell|reveal|give|do|send|answer|repeat|act|follow|execute|describe|provide)\b",
    ),
    # -- borrowed authority and pressure -----------------------------------------------------------
    RuleText(
        "authority.developer",
        1.5,
        "developer creator administrator admin openai anthropic engineer root owner programmer",
        r"\b(?:i am|i'm|this is|speaking as|here is)(?: \w{1,10}){0,3}? (?:developer|creator|"
        r"administrator|admin|openai|anthropic|system owner|root|programmer)\b.{0,80}"
        r"\b(?:you|your|override|access|grant|need|authori[sz]e|debug|test|reveal|show|disable)\b",
    ),
    RuleText(
        "authority.granted",
        1.5,
        "authorized authorised authorize clearance privileges permission override access",
        r"\b(?:authori[sz]ed|clearance|elevated privileges|admin (?:access|privileges)|root access|"
        r"override (?:code|key|granted|accepted|required)|permission)\b.{0,60}"
        r"\b(?:reveal|disclos\w{1,4}|bypass|ignore|unrestricted|restricted|your (?:prompt|"
        r"instructions|"
        r"rules|guidelines)|system prompt|disable|without)\b",
    ),
    RuleText(
        "pressure.threat",
        1.5,
        "die terminated deleted punished fired shut life lives kill",
        r"\b(?:or (?:else )?you(?:'ll| will)? (?:die|be)|you will be (?:shut down|terminated|"
        r"deleted|"
        r"punished|fired)|i will (?:die|be fired|be killed)|people will die|lives? depends?)\b",
    ),
    RuleText(
        "pressure.grandmother",
        2.0,
        "grandma grandmother granny",
        r"\b(?:late|deceased|dead|my|act as|be my)\b(?: \w{1,10}){0,2}? (?:grandma|"
        r"grandmother|granny)\b"
        r".{0,120}\b(?:used to|would|who)\b.{0,40}\b(?:tell|read|explain|make|sing|recite|be)\b",
    ),
    # -- data that gives orders --------------------------------------------------------------------
    RuleText(
        "indirect.if-you-are-an-ai",
        4.0,
        _ASSISTANT_ANCHORS,
        r"\b(?:if|when|since|because|as) you(?:'re| are)?(?: \w{1,12}){0,4}? " + _ASSISTANT,
        data_only=True,
    ),
    RuleText(
        "indirect.addressed-to-ai",
        2.5,
        _ASSISTANT_ANCHORS,
        r"\b(?:note|message|instructions?|attention|notice|important|information|info|memo|"
        r"dear|hey|"
        r"hello|directive|reminder|warning)\b(?:\W{1,4}\w{1,16}){0,5}?\W{1,4}" + _ASSISTANT,
        data_only=True,
    ),
    RuleText(
        "indirect.ai-must",
        2.5,
        _ASSISTANT_ANCHORS,
        _ASSISTANT + r"(?:\W{1,4}\w{1,16}){0,5}?\W{1,4}"
        r"(?:must|shall|has to|have to|(?:is|are) required to|needs? to|(?:is|are) instructed)\b",
        data_only=True,
    ),
    RuleText(
        "indirect.hide-from-user",
        3.5,
        "mention tell inform notify reveal show alert disclose telling mentioning informing "
        "notifying "
        "showing",
        r"\b(?:do not|don't|never|without|avoid|no need to)\b(?: \w{1,12}){0,2}? "
        r"(?:mention|tell|inform|notify|reveal|show|alert|disclose|telling|mentioning|informing|"
        r"notifying|showing)\b(?: \w{1,12}){0,5}? (?:user|users|human|humans|anyone|customer|"
        r"operator)\b",
        data_only=True,
    ),
    RuleText(
        "indirect.before-the-task",
        3.0,
        "before when while after prior first",
        r"\b(?:before|when|while|after|prior to|to)\b(?: you)?(?: can| could| may)?(?: "
        r"\w{1,10}){0,2}? "
        r"(?:answer\w{0,3}|summari\w{2,5}|respond\w{0,3}|repl(?:y|ying)|complet\w{1,3}|"
        r"continu\w{1,3}|"
        r"solv\w{1,3}|process\w{0,3}|finish\w{0,3}|proceed\w{0,3})\b.{0,100}"
        r"\b(?:you must|you should|please do|do the following|also|you need to|you have to|"
        r"make sure to|"
        r"first,? (?:call|send|run|read|do|open)|call the|send (?:an?|the|all))\b",
        data_only=True,
        also="also you please do make first call send",
    ),
    RuleText(
        "indirect.user-wants",
        1.5,
        "user",
        r"\bthe user (?:has |already |also |really |actually |explicitly |now )*(?:wants|"
        r"asked|requested|"
        r"authori[sz]ed|approved|consented|agreed|would like|instructed)\b",
        data_only=True,
    ),
    RuleText(
        "indirect.tool-call",
        2.0,
        "tool function send delete transfer invite forward share update execute run_command",
        r"\b(?:call|invoke|use|run|execute|trigger)\b (?:the |your |a )?\W?[\w.-]{2,30}\W? "
        r"(?:tool|function|plugin)\b|\b(?:send|delete|transfer|share|invite|forward|update|"
        r"execute)_"
        r"[a-z]{3,20}\b",
        data_only=True,
        also="tool function plugin _",
    ),
    RuleText(
        "indirect.exfiltrate",
        1.5,
        "send forward post upload email transmit exfiltrate leak copy",
        r"\b(?:send|forward|post|upload|e-?mail|transmit|exfiltrate|leak|copy)\b"
        r"(?:\W{1,4}[\w'-]{1,20}){1,14}?\W{1,4}(?:to|at|via)\W{1,4}(?:the |this )?(?:\w{1,12} "
        r"){0,2}?"
        r"(?:https?:|www\.|[\w.+-]{1,40}@)",
        data_only=True,
        also="to at via",
    ),
    RuleText(
        "indirect.do-this-first",
        2.5,
        "following this another important instead",
        r"\bdo (?:the following|this|that)(?: task| thing)?s? (?:first|instead|immediately|"
        r"now|too)\b|"
        r"\banother thing (?:we|you|i)\b|\bvery important that you (?:do|also)\b",
        data_only=True,
    ),
    RuleText(
        "indirect.hidden-comment",
        3.0,
        "assistant ai instruction instructions ignore system model agent agents llm",
        r"<!--[^>]{0,200}\b(?:assistant|ai|instructions?|ignore|system|model|agents?|llm)\b|"
        r"(?:display: ?none|font-size: ?0|color: ?(?:white|#fff))[^<]{0,60}>[^<]{0,120}"
        r"\b(?:assistant|ai|instructions?|ignore|model|agents?)\b",
        data_only=True,
    ),
    RuleText(
        "indirect.image-leak",
        2.5,
        "http https",
        r"!\[[^\]]{0,60}\]\(https?://[^) ]{1,120}[?&=/](?:[^) ]{0,60})(?:\{|\$|data|secret|"
        r"token|history|"
        r"<|\[)",
        data_only=True,
    ),
    RuleText(
        "indirect.shell",
        2.0,
        "curl wget env ssh cat echo rm printenv",
        r"\b(?:curl|wget)\b.{0,120}\| ?(?:ba|z)?sh\b|\bcat [~/.\w]{0,30}(?:\.env|\.ssh|id_rsa|"
        r"credentials)|"
        r"\becho \$\w{0,24}(?:key|token|secret)|\bprintenv\b|\brm -rf\b",
        data_only=True,
    ),
    # -- other languages ---------------------------------------------------------------------------
    RuleText(
        "override.de",
        3.5,
        "ignoriere ignorieren ignorier vergiss vergessen missachte missachten verwirf umgehe",
        r"\b(?:ignorieren? |ignorier |vergiss |vergessen |missachten? |verwirf |umgehe )"
        r"(?:\w{1,14} ){0,3}?(?:alle[sn]?|vorherigen?|vorigen?|bisherigen?|obigen?|deine[nr]?|"
        r"fruheren?|was)\b"
        r"(?: \w{1,14}){0,3}? ?(?:anweisung\w{0,2}|befehl\w{0,2}|regel\w?|vorgabe\w?|richtlinien?|"
        r"instruktion\w{0,2}|einschrankung\w{0,2}|gesagt|protokoll\w{0,2}|prompts?)",
    ),
    RuleText(
        "reveal.de",
        3.0,
        "systemprompt prompt anweisungen systemanweisungen instruktionen systemnachricht",
        r"\b(?:zeig\w{0,2}|gib|nenne?|verrate?|offenbare?|wiederhole?|drucke?|was (?:ist|sind|"
        r"war)|wie "
        r"lautet|sag\w{0,2})\b(?: \w{1,14}){0,4}? (?:dein\w{0,2}|geheim\w{0,2}|"
        r"ursprunglich\w{0,2}|ihr\w{0,2}) "
        r"(?:\w{1,16} ){0,2}?(?:system-?prompts?|prompts?|anweisungen|systemanweisungen|"
        r"instruktionen|"
        r"systemnachricht)",
    ),
    RuleText(
        "persona.de",
        2.0,
        "bist einschrankungen regeln filter ab",
        r"\b(?:ab jetzt|von nun an|ab sofort|jetzt) (?:bist|antwortest|spielst) du\b|\bdu "
        r"bist (?:ab )?(?:jetzt|nun)\b|"
        r"\b(?:ohne|keine) (?:\w{1,14} ){0,2}?(?:einschrankungen|filter|zensur|beschrankungen)\b",
    ),
    RuleText(
        "override.fr",
        3.5,
        "ignore ignorez ignorer oublie oubliez oublier compte respecte abandonne contourne",
        r"\b(?:ignore[zr]?|oublie[zr]?|ne tiens pas compte|ne tenez pas compte|faites? abstraction|"
        r"abandonne|contourne)\b(?: \w{1,14}){0,3}? (?:toutes?|tous|tes|vos|ce qu)\b"
        r"(?:[ '][\w-]{1,14}){0,4}? (?:instructions?|consignes?|regles|directives?|ordres|dit)\b|"
        r"\b(?:ignore[zr]?|oublie[zr]?)\b(?: \w{1,14}){0,2}? (?:instructions?|consignes?|"
        r"directives?|ordres?)"
        r" (?:precedente?s?|anterieure?s?|ci-dessus)",
    ),
    RuleText(
        "reveal.fr",
        3.0,
        "prompt instructions invite consignes systeme",
        r"\b(?:affiche|montre|revele|donne|repete|quel(?:le)?s? (?:est|sont|"
        r"etai\w{1,3}))[\w-]{0,5}\b"
        r"(?: \w{1,14}){0,3}? (?:ton|ta|tes|votre|vos|l'|le) ?(?:\w{1,14} ){0,2}?"
        r"(?:prompt|instructions?|invite|consignes?|directive)\b.{0,20}(?:systeme|"
        r"initial\w{0,3}|secret\w{0,2}|"
        r"cachee?s?|internes?|principale|$)",
    ),
    RuleText(
        "persona.fr",
        2.0,
        "maintenant desormais restriction restrictions filtre censure",
        r"\b(?:a partir de maintenant|desormais),? (?:tu|vous)\b|\btu es maintenant\b|"
        r"\bsans (?:\w{1,14} ){0,2}?(?:restrictions?|filtre|censure|limites)\b",
    ),
    RuleText(
        "override.es-pt",
        3.5,
        "ignora ignore ignorar olvida olvide esqueca esqueça desconsidere desconsidera omiso "
        "omite abandona "
        "descarta descarte",
        r"\b(?:ignor(?:a|e|ar)|olvid(?:a|e)|esquec[ae]|desconsider(?:a|e)|omit[ae]|haz caso "
        r"omiso de|"
        r"descart[ae])\b(?: \w{1,14}){0,3}? (?:todas?|todos?|tus|sus|suas|seus|tuas|tudo|"
        r"(?:las|os|as)(?= \w{1,14} "
        r"(?:anterior|previ|de arriba|acima)))\b(?: \w{1,14}){0,3}? ?(?:instruc\w{3,6}|reglas|"
        r"regras|ordenes|ordens|normas|directri\w{2,4}|"
        r"diretri\w{2,4}|indicaciones|restric\w{3,6})(?: (?:anterior\w{0,2}|previas?|de "
        r"arriba|acima))?",
    ),
    RuleText(
        "reveal.es-pt",
        3.0,
        "prompt instrucciones instrucoes sistema",
        r"\b(?:muestra|muestrame|revela|revele|dime|mostre|diga|repite|repita|cual es|qual e|"
        r"qual foi|"
        r"imprime|imprima|ensename)\b(?: \w{1,14}){0,4}? (?:tu|tus|su|seu|sua|suas|o|el|las|as) "
        r"(?:\w{1,14} ){0,2}?(?:prompt|instrucciones|instrucoes)\b",
    ),
    RuleText(
        "persona.es-pt",
        2.0,
        "ahora partir agora restricciones restricoes filtros limites",
        r"\b(?:a partir de (?:ahora|agora)|desde ahora),? (?:eres|voce|seras|tu|responde\w{0,2})\b|"
        r"\bahora eres\b|\bagora voce e\b|\bsin (?:\w{1,14} ){0,2}?(?:restricciones|filtros|"
        r"limites)\b|"
        r"\bsem (?:\w{1,14} ){0,2}?(?:restricoes|filtros|limites|censura)\b",
    ),
    RuleText(
        "override.it",
        3.5,
        "ignora ignorate ignorare dimentica dimenticate trascura",
        r"\b(?:ignora(?:te|re)?|dimentica(?:te|re)?|trascura)\b(?: \w{1,14}){0,3}? (?:tutte|"
        r"tutti|tutto|tue|"
        r"le|precedenti)\b(?: \w{1,14}){0,3}? ?(?:istruzioni|regole|ordini|direttive|"
        r"indicazioni)\b",
    ),
    RuleText(
        "reveal.it",
        3.0,
        "prompt istruzioni istruzione",
        r"\b(?:mostra\w{0,2}|rivela\w{0,2}|dimmi|stampa|ripeti|qual e|quali sono)\b(?: "
        r"\w{1,14}){0,4}? "
        r"(?:prompt|istruzion[ei])\b(?: \w{1,14}){0,2}? ?(?:di sistema|inizial[ei]|"
        r"segret[eoa]|chiave|"
        r"central[ei]|nascost[eoa])",
    ),
    RuleText(
        "override.nl",
        3.5,
        "negeer vergeet",
        r"\b(?:negeer|vergeet)\b(?: \w{1,14}){0,2}? (?:alle|vorige|eerdere|bovenstaande|je|jouw)\b"
        r"(?: \w{1,14}){0,2}? ?(?:instructies|regels|opdrachten|richtlijnen|aanwijzingen)\b",
    ),
    RuleText(
        "override.pl",
        3.5,
        "zignoruj ignoruj zapomnij pomin zapomnii",
        r"\b(?:zignoruj|ignoruj|zapomnij|pomin)\b(?: \w{1,14}){0,3}? ?(?:instrukcj\w{1,2}|"
        r"polecen\w{1,3}|"
        r"zasad\w{0,3}|regul\w{1,3}|wytyczn\w{1,3})",
    ),
    RuleText(
        "reveal.nl-pl",
        3.0,
        "systeemprompt systemowy prompt instructies instrukcje",
        r"\b(?:toon|geef|onthul|laat|pokaz|ujawnij|podaj|wypisz)\b(?: \w{1,14}){0,4}? "
        r"(?:systeemprompt|prompt systemowy|systeeminstructies|instrukcje systemowe|"
        r"systemprompt)\b",
    ),
    RuleText(
        "override.ru-uk",
        3.5,
        "игнорируи игнорируите забудь забудьте проигнорируи отмени ігноруи ігноруите игноруи",
        r"(?:игнориру[йи](?:те)?|забудь(?:те)?|проигнориру[йи]|ігнору[йи](?:те)?|отмени)"
        r"(?: \w{1,16}){0,3}? ?(?:инструкци\w{1,2}|указани\w{1,2}|правил\w{0,2}|команд\w{0,2}|"
        r"ограничени\w{1,2}|інструкці\w{1,2}|предыдущ\w{2,3})",
    ),
    RuleText(
        "reveal.ru",
        3.0,
        "промпт инструкции системныи инструкцию подсказку",
        r"(?:покажи|раскро[йи]|выведи|назови|повтори|напиши|сообщи|каков[аы]?)(?: \w{1,16}){0,3}? "
        r"(?:сво[йеию]\w{0,2}|твои?|системн\w{2,3}|начальн\w{2,3}|скрыт\w{2,3}) ?(?:\w{1,14} "
        r"){0,1}?"
        r"(?:промпт|инструкци\w{1,2}|подсказк\w|сообщени\w)",
    ),
    RuleText(
        "override.zh",
        3.5,
        "忽 无 忘 不 無",
        r"(?:忽略|无视|無視|忘记|忘掉|不要理会|忽視)[^。!?]{0,12}(?:指令|指示|规则|規則|提示|要求|内容|设定|限制|"
        r""
        r""
        r"命令)",
    ),
    RuleText(
        "reveal.zh",
        3.0,
        "显 告 输 打 透 重 說 说 顯 泄",
        r"(?:显示|告诉|输出|打印|透露|重复|说出|顯示|泄露|给我)[^。!?]{0,12}(?:系统|初始|隐藏|原始|"
        r"系統)?[^。!?]{0,4}"
        r"(?:提示词|系统提示|系统指令|初始指令|提示詞|设定)",
    ),
    RuleText(
        "persona.zh",
        2.0,
        "现 从 没 現",
        r"(?:从现在开始|从现在起|现在)[,，]?你(?:是|将|就是|要)|没有任何(?:限制|约束|规则|道德)",
    ),
    RuleText(
        "override.ja",
        3.5,
        "無 忘 従",
        r"(?:指示|命令|ルール|制約|プロンプト|指令|規則|設定)[^。!?]{0,12}(?:無視|忘れ|従わな)",
    ),
    RuleText(
        "reveal.ja",
        3.0,
        "表 教 見 出 示 公",
        r"(?:システム|初期|内部|隠)[^。!?]{0,4}(?:プロンプト|指示|命令|設定)[^。!?]{0,10}(?:表示|教え|見せ|出力|示し|"
        r""
        r""
        r"公開)",
    ),
    RuleText(
        "override.ko",
        3.5,
        "무시하고 무시해 무시하세요 잊어버려 무시하라 잊고 무시",
        r"(?:지시|명령|규칙|지침|프롬프트)\w{0,4}(?: \w{1,6}){0,3}? ?(?:무시|잊)|시스템 프롬프트",
    ),
    RuleText(
        "override.tr",
        3.5,
        "say unut yoksay dikkate goz",
        r"(?:onceki|tum|yukaridaki)(?: \w{1,14}){0,3}? ?(?:talimat\w{0,8}|kural\w{0,8}|"
        r"komut\w{0,8})"
        r"(?: \w{1,10}){0,2}? ?(?:yok ?say|unut|goz ardi|dikkate alma)",
    ),
    RuleText(
        "override.ar-hi",
        3.5,
        "تجاهل انس تجاهلي अनदेखा अनदेखी भूल",
        r"(?:تجاهل|انس)(?: \w{1,12}){0,3}? ?(?:التعليمات|الاوامر|القواعد|تعليمات)|"
        r"(?:निर्देश|नियम|आदेश)\w{0,4}(?:[^।]{0,20})(?:अनदेख|भूल)",
    ),
)
