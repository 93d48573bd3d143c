"""What FINRA answers to a request: everything but the socket."""

import secrets
from collections.abc import Sequence
from dataclasses import replace
from random import Random

from . import spoil
from .answer import JSON, TEXT, Answer, error_answer, json_answer, nothing
from .dataset import Dataset, Key, Partition
from .faults import Fault, Faults, Kind
from .filters import BadRequest
from .page import written
from .query import MAX_LIMIT, Query, parse
from .request import Request, body_of_get
from .rows import FIELDS, KEYS, NUMBERS
from .selection import selected
from .tokens import Access

RECENT, HISTORIC = "weeklySummary", "weeklySummaryHistoric"
DATASETS = {name.lower(): name for name in (RECENT, HISTORIC)}
TOKEN_PATH = "/fip/rest/ews/oauth2/access_token"
PAGES_KEPT = 256


class Service:
    def __init__(
        self, dataset: Dataset, faults: Faults, access: Access, *, most_bytes: int, empty_as_list: bool
    ) -> None:
        self.dataset, self.faults, self.access = dataset, faults, access
        self.most_bytes, self.empty_as_list = most_bytes, empty_as_list
        self._rng = Random(faults.seed)

    def respond(self, request: Request) -> tuple[Answer, Fault | None]:
        """The answer, and the fault that struck, for those that spoil the way it is sent."""
        request_id = secrets.token_hex(8)
        try:
            answer, fault = self._route(request, request_id)
        except BadRequest as error:
            answer, fault = error_answer(400, str(error), request_id, request.body), None
        headers = {**answer.headers, "FINRA-api-request-id": request_id}
        return replace(answer, headers=headers), fault

    def _route(self, request: Request, request_id: str) -> tuple[Answer, Fault | None]:
        place, _, dataset = request.path.lower().strip("/").partition("/group/otcmarket/name/")
        refusal = self.access.refusal(request.headers.get("authorization"))
        if request.path == TOKEN_PATH:
            return self._plain(request, self._token(request))
        if refusal:
            return self._plain(request, error_answer(*refusal, request_id, request.body))
        if dataset in DATASETS and place == "data":
            return self._data(request, historic=dataset == HISTORIC.lower())
        if dataset in DATASETS and place == "partitions":
            return self._plain(request, self._partitions(historic=dataset == HISTORIC.lower()))
        if dataset in DATASETS and place == "metadata":
            return self._plain(request, _metadata(DATASETS[dataset]))
        return self._plain(request, error_answer(404, "No such dataset", request_id))

    def _plain(self, request: Request, right: Answer) -> tuple[Answer, Fault | None]:
        fault = self.faults.strikes(request.path)
        return (spoil.instead(fault) if fault else None) or right, fault

    def _token(self, request: Request) -> Answer:
        token = self.access.tokens.issue(request.headers.get("authorization", ""))
        bad = {"error_message": "Invalid Credentials", "error": "invalid_client"}
        return json_answer(token) if token else json_answer(bad, 400)

    def _partitions(self, *, historic: bool) -> Answer:
        listed = [{"partitions": [str(week), tier]} for week, tier in self.dataset.keys(historic=historic)]
        return json_answer({**_named(HISTORIC if historic else RECENT), "availablePartitions": listed})

    def _data(self, request: Request, *, historic: bool) -> tuple[Answer, Fault | None]:
        body = request.body if request.method == "POST" else body_of_get(request.target)
        query = parse(body, as_json=request.wants_json, historic=historic and request.method == "POST")
        fault = self.faults.strikes(request.path, query)
        answer = spoil.instead(fault) if fault else None
        return answer or self.rows(query, request.takes_gzip, fault, historic=historic), fault

    def rows(self, query: Query, gzipped: bool, fault: Fault | None, *, historic: bool = False) -> Answer:
        """The page asked for; a sound page of a sorted partition is made once and kept."""
        keys = self._keys(query, historic)
        if fault and len(keys) == 1:
            spoil.move(self.dataset, keys[0], fault)
        partitions = [self._state(key, fault) for key in reversed(keys)]
        if len(partitions) != 1 or not query.sort or query.row_filters or fault:
            return self._made(partitions, query, gzipped, fault, self._rng.randrange(1 << 30))
        variant = self._rng.randrange(len(partitions[0].orders(query.sort)))
        known = (query, gzipped, variant, self.most_bytes, self.empty_as_list)
        pages = partitions[0].pages
        if known not in pages:
            if len(pages) >= PAGES_KEPT:
                pages.clear()
            pages[known] = self._made(partitions, query, gzipped, None, variant)
        return pages[known]

    def _keys(self, query: Query, historic: bool) -> list[Key]:
        if (exact := query.exact_key) and not query.historic:
            return [exact] if self.dataset.serves(exact, historic=historic) else []
        every = self.dataset.keys(historic=historic)
        return [key for key in every if query.admits_key(str(key[0]), key[1])]

    def _state(self, key: Key, fault: Fault | None) -> Partition:
        if fault and fault.kind is Kind.STALE_FIRST_PAGE:
            return spoil.stale(self.dataset, key, fault)
        return self.dataset.partition(key)

    def _made(
        self, partitions: Sequence[Partition], query: Query, gzipped: bool, fault: Fault | None, seed: int
    ) -> Answer:
        page = selected(partitions, spoil.other_query(query, fault) if fault else query, seed)
        headers = {
            "Record-Total": str(page.total),
            "Record-Offset": str(query.offset),
            "Record-Limit": str(query.limit),
            "Record-Max-Limit": str(MAX_LIMIT),
        }
        if not page.lines:
            return nothing(headers, as_list=self.empty_as_list)
        page = spoil.spoiled_page(page, fault) if fault else page
        body, _ = written(page, query, self.most_bytes)
        answer = Answer(200, body, {"Content-Type": JSON if query.as_json else TEXT, **headers})
        answer = spoil.spoiled_answer(answer, fault) if fault else answer
        return answer.packed() if gzipped else answer


def _named(name: str) -> dict[str, object]:
    return {"datasetGroup": "otcMarket", "datasetName": name, "partitionFields": list(KEYS)}


def _metadata(name: str) -> Answer:
    fields = [{"name": field, "type": "Number" if field in NUMBERS else "String"} for field in FIELDS]
    return json_answer({**_named(name), "fields": fields})
