"""
Spans for the SDK's processors and exporters, at a fraction of what the SDK's own cost to make.

The SDK's have locks, containers and checks for whatever a span may meet; those of an exchange
mostly meet nothing: they get their attributes from us, checked, in one go. What else is done to
them by the API works as it does there; sampler, ids, processors and resource are the provider's.
"""

from __future__ import annotations

import threading
import traceback
from collections.abc import Mapping
from copy import deepcopy
from time import time_ns
from typing import TYPE_CHECKING, Any

from opentelemetry.attributes import BoundedAttributes
from opentelemetry.sdk import trace as sdk
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, ParentBased
from opentelemetry.sdk.util import BoundedList
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
)

from plano_asgi.telemetry.attribute_values import Attributes

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.util.types import AnyValue
    from opentelemetry.util.types import Attributes as Given

_SAMPLED, _RANDOM = 1, 2  # of trace flags
_UNSET = Status(StatusCode.UNSET)
_PLAIN = frozenset((str, int, float, bool))
_CHANGING = threading.RLock()
"""
Of all spans: it is held for about a microsecond. One that its holder may take once more: the SDK
logs of what it does not take, and whoever hears of that may have something to say on a span.
"""
_new_context: Any = tuple.__new__
"""What ``SpanContext`` does once it has looked at the ids."""
_FIELDS = {
    *("_name", "_context", "_parent", "_kind", "_status", "_start_time", "_end_time"),
    *("_attributes", "_events", "_links"),
    *("_resource", "_instrumentation_info", "_instrumentation_scope"),
}


def light_tracer(
    tracer: object, name: str, schema_url: str, version: str = ""
) -> LightTracer | None:
    """
    A maker of lighter spans, if *tracer* is the SDK's and works as is known here; ``None`` for one
    of another make, one that cuts values, or tells metrics of its own workings.

    Args:
        name, schema_url, version: What *tracer* was asked for with.
    """
    if type(tracer) is not sdk.Tracer or vars(sdk.ReadableSpan("")).keys() != _FIELDS:
        return None
    is_known = (
        hasattr(tracer, "_is_enabled")
        and hasattr(TraceFlags, "RANDOM_TRACE_ID")
        and type(getattr(tracer, "_tracer_metrics", None)).__name__ == "NoOpTracerMetrics"
        and (limits := getattr(tracer, "_span_limits", None)) is not None
        and limits.max_span_attribute_length is None
        and limits.max_attribute_length is None
    )
    return (
        LightTracer(tracer, InstrumentationScope(name, version, schema_url)) if is_known else None
    )


def are_plain(attributes: Mapping[str, Any]) -> bool:
    """Whether the SDK would take all of these as they are."""
    for name, value in attributes.items():
        if type(value) not in _PLAIN or type(name) is not str or not name:
            return False
    return True


class LightTracer:
    """
    Starts spans as the SDK's *tracer* does.

    A sampler that lets spans below a local, sampled one be as that is, as the usual ones do, is
    not asked again about each of them.
    """

    __slots__ = ("_follows", "_make", "_tracer")

    def __init__(self, tracer: sdk.Tracer, scope: InstrumentationScope) -> None:
        self._tracer = tracer
        self._make = _spans_of(tracer, scope)
        sampler = tracer.sampler
        self._follows = (
            type(sampler).should_sample is ParentBased.should_sample
            and getattr(sampler, "_local_parent_sampled", None) is ALWAYS_ON
        )

    def start(
        self, name: str, parent: Span, context: Context, kind: SpanKind, attributes: Attributes
    ) -> Span:
        """
        Start a span below *parent*, the current one of *context*. *attributes* become its own:
        names and values that every exporter can write.
        """
        tracer = self._tracer
        above = parent.get_span_context()
        trace_id, _, is_remote, flags, state, is_valid = above
        if not tracer._is_enabled():
            return NonRecordingSpan(above)
        if is_valid and flags & _SAMPLED and self._follows and not is_remote:
            span_id = tracer.id_generator.generate_span_id()
            own = _new_context(SpanContext, (trace_id, span_id, False, flags, state, span_id > 0))
        else:
            sampled = self._sampled(name, above if is_valid else None, context, kind, attributes)
            if isinstance(sampled, Span):
                return sampled
            own, attributes = sampled
        span = self._make(name, own, above if is_valid else None, kind, attributes)
        tracer.span_processor.on_start(span, context)  # type: ignore[arg-type]
        return span

    def _sampled(
        self,
        name: str,
        above: SpanContext | None,
        context: Context,
        kind: SpanKind,
        attributes: Attributes,
    ) -> Span | tuple[SpanContext, Any]:
        """What the sampler decides: the span itself if it is not to be recorded."""
        tracer, ids = self._tracer, self._tracer.id_generator
        trace_id = ids.generate_trace_id() if above is None else above.trace_id
        result = tracer.sampler.should_sample(context, trace_id, name, kind, attributes, ())
        is_sampled = result.decision.is_sampled()  # type: ignore[no-untyped-call]
        is_random = ids.is_trace_id_random() if above is None else above.trace_flags & _RANDOM
        flags = TraceFlags((is_sampled and _SAMPLED) | (is_random and _RANDOM))
        span_id = ids.generate_span_id()
        own = SpanContext(trace_id, span_id, False, flags, result.trace_state)
        if not result.decision.is_recording():  # type: ignore[no-untyped-call]
            return NonRecordingSpan(own)
        told = dict(result.attributes or ())
        if told == attributes:
            return own, attributes
        # What the sampler adds, nobody has checked.
        return own, BoundedAttributes(self._make.most_attributes, told, immutable=False)


class LightSpan(Span, sdk.ReadableSpan):
    """
    One span, handed over as it is when it has ended. Nothing changes it after that.

    What all spans of a tracer have in common, and what most never come to have, is on the class.

    Args:
        attributes: Its own from now on.
    """

    most_attributes: int | None
    """The tracer's limit."""
    _limits: sdk.SpanLimits
    _processor: sdk.SpanProcessor
    _end_time: int | None = None
    _events: Any = ()
    _links: Any = ()
    _status = _UNSET

    def __init__(
        self,
        name: str,
        context: SpanContext,
        parent: SpanContext | None,
        kind: SpanKind,
        attributes: Attributes,
    ) -> None:
        self._name = name
        self._context = context
        self._parent = parent
        self._kind = kind
        self._attributes: Any = attributes
        self._start_time = time_ns()

    def __deepcopy__(self, memo: dict[int, Any]) -> sdk.ReadableSpan:
        """What it says, for whoever changes it before it is exported."""
        return sdk.ReadableSpan(
            name=self._name,
            context=self._context,
            parent=self._parent,
            resource=self._resource,
            attributes=deepcopy(self._attributes, memo),
            events=deepcopy(list(self._events), memo),
            links=deepcopy(list(self._links), memo),
            kind=self._kind,
            instrumentation_info=self._instrumentation_info,
            status=self._status,
            start_time=self._start_time,
            end_time=self._end_time,
            instrumentation_scope=self._instrumentation_scope,
        )

    def get_span_context(self) -> SpanContext:
        """Its ids."""
        return self._context  # type: ignore[return-value]

    def is_recording(self) -> bool:
        """Until it has ended."""
        return self._end_time is None

    def put_checked(self, attributes: Mapping[str, Any]) -> None:
        """Add *attributes*, which need no check."""
        with _CHANGING:
            if self._end_time is None:
                self._attributes.update(attributes)

    def set_attributes(self, attributes: Mapping[str, AnyValue]) -> None:
        """Add what of *attributes* an exporter can write."""
        if type(self._attributes) is dict and are_plain(attributes):
            self.put_checked(attributes)
            return
        with _CHANGING:
            if not isinstance(self._attributes, BoundedAttributes):
                most = self.most_attributes
                self._attributes = BoundedAttributes(most, self._attributes, immutable=False)
        self.put_checked(attributes)

    def set_attribute(self, key: str, value: AnyValue) -> None:
        """Add one."""
        attributes = self._attributes
        if not (type(attributes) is dict and type(value) in _PLAIN and type(key) is str and key):
            self.set_attributes({key: value})
            return
        with _CHANGING:
            if self._end_time is None:
                attributes[key] = value

    def add_event(self, name: str, attributes: Given = None, timestamp: int | None = None) -> None:
        """Add an event, now or at *timestamp* (nanoseconds)."""
        limits = self._limits
        told = BoundedAttributes(limits.max_event_attributes, attributes)
        event = sdk.Event(name, told, timestamp)
        with _CHANGING:
            if self._end_time is None:
                if not isinstance(self._events, BoundedList):
                    self._events = BoundedList(limits.max_events)
                self._events.append(event)

    def add_link(self, context: SpanContext, attributes: Given = None) -> None:
        """Add a link to the span of *context*, if it is one."""
        if context is None or not (context.is_valid or attributes or context.trace_state):
            return
        limits = self._limits
        link = Link(context, BoundedAttributes(limits.max_link_attributes, attributes))
        with _CHANGING:
            if self._end_time is None:
                if not isinstance(self._links, BoundedList):
                    self._links = BoundedList(limits.max_links)
                self._links.append(link)

    def record_exception(
        self,
        exception: BaseException,
        attributes: Given = None,
        timestamp: int | None = None,
        escaped: bool = False,
    ) -> None:
        """Add the event that the conventions have for *exception*: its text and trace, too."""
        kind = type(exception)
        told = {
            "exception.type": f"{kind.__module__}.{kind.__qualname__}".removeprefix("builtins."),
            "exception.message": str(exception),
            "exception.stacktrace": "".join(traceback.format_exception(exception)),
            "exception.escaped": str(escaped),
        }
        self.add_event("exception", told | dict(attributes or ()), timestamp)

    def update_name(self, name: str) -> None:
        """Give it another name."""
        if self._end_time is None:
            self._name = name

    def set_status(self, status: Status | StatusCode, description: str | None = None) -> None:
        """Say how it went; OK is final, and UNSET says nothing."""
        if isinstance(status, StatusCode):
            status = Status(status, description)
        is_final = self._end_time is not None or self._status.status_code is StatusCode.OK
        if not is_final and status.status_code is not StatusCode.UNSET:
            self._status = status

    def end(self, end_time: int | None = None) -> None:
        """End it, now or at *end_time* (nanoseconds), and hand it over; once."""
        self.end_checked({}, end_time)

    def end_checked(self, attributes: Mapping[str, Any], end_time: int | None = None) -> None:
        """``put_checked`` *attributes*, and ``end``."""
        with _CHANGING:
            if self._end_time is not None:
                return
            if attributes:
                self._attributes.update(attributes)
            self._end_time = time_ns() if end_time is None else end_time
        most = self.most_attributes
        if most is not None and len(self._attributes) > most:  # those that need no check
            self._attributes = BoundedAttributes(most, self._attributes)
        self._processor.on_end(self)


def _spans_of(tracer: sdk.Tracer, scope: InstrumentationScope) -> type[LightSpan]:
    """The spans of *tracer*."""
    limits = tracer._span_limits
    return type(
        "LightSpan",
        (LightSpan,),
        {
            "most_attributes": limits.max_span_attributes,
            "_limits": limits,
            "_processor": tracer.span_processor,
            "_resource": tracer.resource,
            "_instrumentation_info": tracer.instrumentation_info,
            "_instrumentation_scope": scope,
        },
    )
