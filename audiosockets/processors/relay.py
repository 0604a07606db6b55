"""Prints the final results, and posts each to a web address: captions, minutes, a chat room."""

import http.client
import json
import logging
import urllib.request
from collections.abc import Sequence
from typing import Any

from audiosockets import Event, Processor, Stream

log = logging.getLogger("audiosockets.relay")


class Relay(Processor):
    """With `url`, each final is posted there as JSON: {"stream", "start_s", "end_s", "text"}."""

    layers: Sequence[str] = ("results",)
    url = ""
    timeout_s = 10.0
    show = True

    def setup(self, stream: Stream) -> None:
        if self.url and not self.url.startswith(("http://", "https://")):
            raise ValueError(f"url is {self.url!r}; it must begin with http:// or https://")

    def process_event(self, event: Event) -> None:
        result = event.data
        if result.get("type") != "result" or not result["final"] or not result["alternatives"]:
            return
        assert self.stream is not None, "events come after their stream"
        line = {
            "stream": self.stream.name,
            "start_s": round(self.stream.seconds(event.start), 3),
            "end_s": round(self.stream.seconds(event.end), 3),
            "text": result["alternatives"][0]["transcript"],
        }
        if self.show:
            print(f"{line['start_s']:8.2f} s  {line['text']}", flush=True)
        if self.url:
            self._post(line)

    def _post(self, line: dict[str, Any]) -> None:
        """What cannot be delivered is logged; the captions go on."""
        body = json.dumps(line, ensure_ascii=False).encode()
        request = urllib.request.Request(self.url, body, {"Content-Type": "application/json; charset=utf-8"})
        try:
            with urllib.request.urlopen(request, timeout=self.timeout_s):
                pass
        except (OSError, http.client.HTTPException) as error:
            log.error("the result at %.2f s was not posted: %s", line["start_s"], error)
