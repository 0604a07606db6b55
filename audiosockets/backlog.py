"""What was recorded and may not have arrived yet: the memory that lets a recorder run on without a network."""

from collections import deque
from dataclasses import dataclass


@dataclass(frozen=True)
class Chunk:
    """Interleaved PCM of consecutive frames; a frame is one sample of each channel."""

    start: int  # frames since the start of the recording
    end: int
    pcm: bytes


class Backlog:
    """Chunks in order: sent ones until they are acknowledged, then those to send. Bounded; what had to go is counted.

    Positions are frames since the start of the recording and never go back, whatever happens to the connection.
    """

    def __init__(self, capacity: int, frame_bytes: int, start: int = 0) -> None:
        """`capacity` in frames; `start` is the position of the first frame that will be appended."""
        if capacity < 1 or frame_bytes < 1:
            raise ValueError("a backlog holds at least one frame of at least one byte")
        self._capacity = capacity
        self._frame_bytes = frame_bytes
        self._sent = deque[Chunk]()
        self._unsent = deque[Chunk]()
        self.start = start  # the oldest frame that is kept
        self.end = start  # where the next frame goes
        self.dropped = 0  # frames that were given up unsent or unacknowledged

    def __len__(self) -> int:
        return self.end - self.start

    @property
    def room(self) -> int:
        """Frames that can be appended without dropping any."""
        return self._capacity - len(self)

    @property
    def unsent(self) -> int:
        return self.end - self._unsent[0].start if self._unsent else 0

    def append(self, pcm: bytes) -> None:
        """Frames that were just recorded; the oldest go when there is no room."""
        frames, rest = divmod(len(pcm), self._frame_bytes)
        if rest:
            raise ValueError(f"{len(pcm)} bytes are no whole number of frames of {self._frame_bytes} bytes")
        if frames:
            self._unsent.append(Chunk(self.end, self.end + frames, pcm))
            self.end += frames
            if self.room < 0:
                self.dropped += -self.room
                self._forget(self.end - self._capacity)

    def take(self, max_frames: int) -> Chunk | None:
        """The next frames to send, joined to at most `max_frames`; they are kept until they are acknowledged."""
        parts = list[bytes]()
        start = end = self._unsent[0].start if self._unsent else self.end
        while self._unsent and end - start < max_frames:
            chunk = self._part(self._unsent.popleft(), max_frames - (end - start))
            parts.append(chunk.pcm)
            end = chunk.end
        if not parts:
            return None
        taken = Chunk(start, end, parts[0] if len(parts) == 1 else b"".join(parts))
        self._sent.append(taken)
        return taken

    def acknowledge(self, position: int) -> None:
        """Everything before `position` has arrived. Raises ValueError for a position that was not recorded yet."""
        if position > self.end:
            raise ValueError(f"position {position} was acknowledged, but only {self.end} frames were recorded")
        if position > self.start:
            self._forget(position)

    def rewind(self) -> None:
        """The connection was lost: what was sent and not acknowledged is to be sent again."""
        self._unsent.extendleft(reversed(self._sent))
        self._sent.clear()

    def _part(self, chunk: Chunk, max_frames: int) -> Chunk:
        """The first `max_frames` of `chunk`; the rest stays to be sent."""
        cut = chunk.start + max_frames
        if cut >= chunk.end:
            return chunk
        at = max_frames * self._frame_bytes
        self._unsent.appendleft(Chunk(cut, chunk.end, chunk.pcm[at:]))
        return Chunk(chunk.start, cut, chunk.pcm[:at])

    def _forget(self, position: int) -> None:
        for chunks in (self._sent, self._unsent):
            while chunks and chunks[0].end <= position:
                chunks.popleft()
            if chunks and chunks[0].start < position:
                first = chunks[0]
                pcm = first.pcm[(position - first.start) * self._frame_bytes :]
                chunks[0] = Chunk(position, first.end, pcm)
        self.start = position
