"""The patterns by which ``text_results`` tells an error from a text that speaks of errors."""

from __future__ import annotations

import re


def _any(*alternatives: str, before: str = "", after: str = "", flags: int = 0) -> re.Pattern[str]:
    joined = "|".join(alternatives)
    return re.compile(f"{before}(?:{joined}){after}", re.IGNORECASE | flags)


_LEAD = r"[\s\W_]{0,8}"
# Each sign of a text fits one place of the pattern only: else it would be tried in all ways.
_NAME = r"(?:(?!(?:no|0|zero|without|any)\b)[\w$/'\"`-]{1,60}[\s.:]{1,2}){0,6}?"
_KIND = r"[\w$]{0,60}?(?:error|exception|errno|fault)(?:s(?=\s?:))?\b"
_NONE = r"(?!\s*:\s*(?:0|none|null|no|false|\[\])\s*(?:[,.;]|$))"
_CODE = r"(?:\s{0,3}\bcode\b|\W{0,3}\d+\b|\s?\([^)]{0,60}\)|\s?\[[^\]]{0,60}\]|\*\*){0,4}['\"]?\s*"
_DOING = (
    r"\b(?:in|executing|calling|running|when|while|occurred|during|from|at|near|on|with|making"
    r"|reading|parsing|fetching|connecting|processing|invoking)\b"
)
_REASONS = (
    "bad|unauth|forbidden|not|method|request|conflict|gone|too|unproc|internal|service|gateway"
    "|precond|payload|client|server|error|locked|rate|timeout|<"
)

BEGINS_WITH_ERROR_NAME = _any(
    rf"{_NAME}{_KIND}{_NONE}{_CODE}(?:[:\u2013\u2014>|=!-]|\.?$|\.\s|{_DOING})",
    before=_LEAD,
)
"""An error for sure, however long the text is: it names one."""

BEGINS_AS_FAILURE = _any(
    r"fatal\b",
    r"panic:",
    r"traceback\b",
    r"curl:\s*\(\d+\)",
    r"npm\s(?:err|error)",
    r"e(?:conn|noent|acces|perm|timedout|notfound|exist|pipe|hostunreach|ai_|busy|addr)\w*\b",
    r"(?:failed|failure)\s*(?:to\b|[:\u2014-]|with\b|while\b|during\b|due\b|because\b)",
    r"(?:tool|request|call|query|operation|command|execution|validation|connection|fetch|search"
    r"|lookup|\w+ing)\s(?:\w+\s)?"
    r"(?:failed|error|errored|rejected|aborted|denied|refused|timed\sout)\b",
    r"(?:unable|could\snot|couldn['\u2019]?t|cannot|can['\u2019]?t)\s",
    r"(?:http(?:/[\d.]+)?(?:\s?(?:status|error))?|error|(?:status|error|response)\scode"
    r"|(?:status|code)(?=\s?[:=]))(?:\s?code)?\W{0,3}[45]\d\d\b",
    rf"[45]\d\d\W{{1,3}}(?:{_REASONS})",
    r"(?:\w{1,60}\.){1,6}(?:errors?|exceptions?|exc)\.\w{1,60}\s?(?::|$)",
    r"ora-\d+",
    r"sqlstate",
    r"\w*sh:\s",
    r"[\w./-]+:\s(?:line\s\d+:|command\snot\sfound|permission\sdenied|cannot\b|no\ssuch)",
    before=_LEAD,
)
"""The same: it tells a failure."""

BEGINS_AS_SHORT_ERROR = _any(
    r"(?:invalid|unknown|unsupported|unrecogni[sz]ed|malformed|illegal|undefined|unexpected"
    r"|incorrect|expired|duplicate|insufficient|exceeded|bad|wrong)\s\w",
    r"unauthori[sz]ed",
    r"unauthenticated",
    r"forbidden",
    r"(?:permission|access)\sdenied",
    r"not\s(?:found|authori[sz]ed|permitted|allowed|implemented)",
    r"internal\s(?:server\s)?error",
    r"(?:service|temporarily)\sunavailable",
    r"bad\sgateway",
    r"gateway\stime",
    r"too\smany\srequests",
    r"no\ssuch\s",
    r"(?:sorry|oops|unfortunately)\b",
    r"(?:denied|rejected|refused|aborted)\b",
    r"[45]\d\d:\s|conflict:\s",
    r"(?:time[d\s-]*out|conflict|throttled|overloaded|rate[\s-]?limit(?:ed)?|quota|unavailable)\W*$",
    before=_LEAD,
)
"""For sure, where the text is no longer than a message."""

SPEAKS_OF_ERRORS = _any(
    r"^\W*(?:title|subject|summary|description|name|from|to|date|author|question|topic|note|tip"
    r"|abstract|headline|warning|results?|status|found|here\b|the\sfollowing)\s*(?:[:#]|\d|\bare\b)",
    r"\bfound\s\d+\s(?:\w+\s)?(?:results?|matches|articles?|files?|items?|records?|pages?)",
    r"^\W*(?:found\s\d|deleted|created|updated|removed|sent|saved|added|set|wrote|listed|moved|copied"
    r"|renamed|uploaded|downloaded|scheduled|booked|fetched|retrieved|enabled|disabled|restarted"
    r"|started|stopped|renewed|rotated|revoked|archived|merged|emailed?|done|ok)\b",
    r"\b(?:how\sto|guides?|tutorials?|articles?|chapter|faq|learn|overview|explain(?:s|ed)?"
    r"|means\b|refers\sto|definition|indicates?\sthat|best\spractices?|handling|troubleshoot\w*"
    r"|(?:occurs?|happens?|returned|raised|thrown|used)\s(?:when|if|whenever)"
    r"|changelog|release\snotes|documentation\son|fix(?:ed|es)\b|resolved|recovered|succeeded"
    r"|successful(?:ly)?|success\b|tickets?\s\#?\d|issue\s\#\d|bug\s\#?\d|search\sresults?"
    r"|results?\sfor|passed|stack\s?overflow|wikipedia|blog|posts?\b|podcast|book\b"
    r"|lyrics|novel|policy\b|weather|forecast"
    r"|yesterday|last\s(?:night|week|month|year)|(?:minutes?|hours?|days?|weeks?|months?)\sago"
    r"|(?:was|were)\s(?:\w+\s){1,3}?(?:on|until|between|from\s\d|for\s\d)\b|status\spage|post-?mortem"
    r"|(?:customers?|users?)\s(?:says?|said|reports?|reported|complain\w*))",
    r"^\W*(?:\w+\s){1,3}?(?!\w*(?:status|address|access)\b)\w+s\s*[:=]\s*\d[\d.,]*%?(?:\s(?:out\s)?of\s\d+)?\W*$",
)
"""Words of texts about errors; they take the meaning from a short text that might be one."""

IS_TITLE = _any(
    r"^\W*(?:title|subject|headline|topic|name|question|description|summary)\s*:",
    r"\b(?:how\sto|guides?|tutorials?|articles?|chapter|best\spractices?|explained"
    r"|handling\s(?:of\s)?(?:errors|exceptions|timeouts|http)|(?:error|exception)\shandling"
    r"|troubleshoot\w*|glossary|cheat\s?sheet|stack\s?overflow)\b",
    before=r"\A(?!\W*error\s?:).*?",
)
"""A first line that is a heading."""

NOTHING_WRONG = _any(
    r"\b(?:no|0|zero|without(?:\sany)?|never)\s(?:\w+\s){0,2}?(?:errors?|conflicts?|timeouts?"
    r"|failures?|failed|issues?|problems?|warnings?|exceptions?)\b",
    r"\b(?:has|have|was|were|is|are)\s(?:been\s)?(?:fixed|resolved|renewed|granted|restored|reset\b(?!\sby))",
    r"\b(?:errors?|failures?|failed|conflicts?|timeouts?)\s*[:=]\s*(?:0|none|no|false|null)\s*"
    r"(?:$|[,.;\n])",
)

_CODE_LINES = (
    r"(?-i:(?:def|const|let|var|raise|throw)\s)",
    r"(?-i:class\s\w)",
    r"(?-i:(?:return|except|catch)\b\s)",
    r"(?-i:import\s[\w.{}, *]+(?:$|;|\sfrom))",
    r"(?-i:from\s[\w.]+\simport)",
    r"function\s\w*\(",
    r"try\s*[:{]",
    r"if\s*\(",
    r"\#include",
    r"\#!/",
    r"<\?xml",
    r"diff\s--git|commit\s[0-9a-f]{7}",
    r"\d+(?:[\t|]|\u2192)",
    r"[\w./-]+\.\w{1,5}:\d+:(?!\d*:?\s*(?:fatal\s)?error)",
)
IS_CODE = _any(*_CODE_LINES, before=r"\s*")
"""How code, or a numbered file, begins."""

IS_TERSE = re.compile(r"(?!done|ok\b)[a-z][^.!?\n]*$")

IS_CONTENT = _any(
    *_CODE_LINES,
    r"\d+\s*[:.]\s(?!\s*\d)",
    r"//|/\*|@\w|>\s|\#{1,6}\s|[-*\u2022]\s|\|\s?\w",
    r"<!doctype|<html",
    r"\[?\d{4}-\d\d-\d\d[T ]\d\d:",
    r"\[?\d\d:\d\d:\d\d",
    r"\w{3}\s+\d+\s\d\d:\d\d:\d\d",
    r"(?=[a-f]*\d)[0-9a-f]{6,40}\s+[a-z]",
    r"[\w.-]+\s*=\s*\S",
    r"[\w./-]+\.\w{1,5}:\d+:",
    before=r"^[^\S\n]*",
    flags=re.MULTILINE,
)
"""How lines of code, logs, commits, lists, settings and documents begin."""

ERROR_PAGE = re.compile(
    r"<(?:!doctype|html|head)[\s\S]{0,240}?<(?:title|h1)>\s*((?:error\s*)?[45]\d\d\b[^<]{0,80})",
    re.IGNORECASE,
)
WRAPPED = re.compile(r"\A<(\w*error\w*)>(.*?)(?:</\1>|\Z)", re.IGNORECASE | re.DOTALL)
EXIT_CODE = re.compile(
    r"\b(?:exit(?:ed)?|return(?:ed)?)(?:\swith)?[\s_]*(?:code|status)\W{0,3}(?:code\W{0,3})?"
    r"(-?\d{1,3})\b",
    re.IGNORECASE,
)
_STATUS = (
    r"(?:\b(?:http|status|error|code|returned|response|got|failed\swith|received|mcp\serror)"
    r"(?:/[\d.]+)?(?:\s?(?:status|error|response))?(?:\s?code)?\W{0,3}"
)
_STATUS_NUMBER = (
    r"([45]\d\d|-32[67]\d\d)"
    r"(?![\d.,%]\d|\d|\s?(?:ms|px|kb|mb|items|results|rows|lines|files)\b)"
)
STATUS = re.compile(rf"{_STATUS}|\A\W{{0,3}}){_STATUS_NUMBER}", re.IGNORECASE)
NAMED_STATUS = re.compile(rf"{_STATUS}){_STATUS_NUMBER}", re.IGNORECASE)
"""Where the text may be no error: a number that it begins with may count anything."""
QUOTED = re.compile(
    r"\"[^\"\n]*\s[^\"\n]*\"|\u201c[^\u201d\n]*\u201d|(?<!\w)'[^'\n]*\s[^'\n]*'(?!\w)"
)
NOTHING_FOUND = _any(
    r"no\s(?:\w+\s){0,3}?(?:results?|match(?:es)?|records?|rows?|documents?|items?|entries|hits"
    r"|data|files?|products?|flights?|hotels?|events?|articles?)\b",
    r"(?:0|zero)\s(?:\w+\s)?(?:results?|match(?:es)?|records?|rows?|hits|items?|documents?)\b",
    r"nothing\s(?:was\s)?found",
    r"not\sfound",
    r"(?:none|null)\W*$",
    r"empty(?:\s(?:page|results?|response|list|body|set))?\W*$",
    r"(?:could\snot|couldn't|didn't|did\snot)\sfind",
    r"(?:\w+\s){1,4}(?:returned|found)\s(?:no|0|zero|nothing)\b",
    before=r"\W*",
)
"""How a result begins that brings nothing."""
