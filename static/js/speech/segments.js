/** Numbers the utterances of a session over all its connections, and lets nothing through twice. Pure. */

/**
 * @typedef {import("./protocol.js").Speech | import("./protocol.js").Result | import("./protocol.js").Failure} Message
 * @typedef {{message: Message, settledMs: number}} Passed settledMs: audio before this is answered; 0: nothing new is
 */

export class Segments {
  #answered = 0; // segments of the session below this one have their final
  #base = 0; // what the connection calls 0
  #started = 0;
  #finished = 0;
  /** @type {Map<number, number>} where each unanswered segment ends, in ms */
  #ends = new Map();

  /** A new connection counts from 0 again, from the first segment that has no answer. */
  reconnected() {
    this.#base = this.#answered;
  }

  /**
   * @param {Message} received
   * @returns {Passed | null} null: it was said before the connection broke
   */
  receive(received) {
    const message = { ...received, segment: received.segment + this.#base };
    const { segment } = message;
    if (segment < this.#answered) return null;
    switch (message.type) {
      case "speech_start":
        if (segment < this.#started) return null;
        this.#started = segment + 1;
        return { message, settledMs: 0 };
      case "speech_end":
        this.#ends.set(segment, message.at_ms);
        if (segment < this.#finished) return null;
        this.#finished = segment + 1;
        return { message, settledMs: 0 };
      case "result":
        return { message, settledMs: message.final ? this.#answer(segment, message.end_ms) : 0 };
      case "failure":
        return { message, settledMs: this.#answer(segment, this.#ends.get(segment) ?? 0) };
    }
  }

  /** @param {number} segment @param {number} endMs */
  #answer(segment, endMs) {
    this.#ends.delete(segment);
    this.#answered = segment + 1;
    return endMs;
  }
}
