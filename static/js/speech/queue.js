/** Events of one recogniser, dispatched in order and never inside the call that caused them. */

const channel = new MessageChannel(); // not a timer: those are slowed down in pages that nobody looks at
/** @type {(() => void)[]} */
const tasks = [];
channel.port1.onmessage = () => tasks.shift()?.();

/** @param {() => void} task */
function queueTask(task) {
  tasks.push(task);
  channel.port2.postMessage(null);
}

export class EventQueue {
  #target;
  #before;
  /** @type {Event[]} */
  #events = [];

  /**
   * @param {EventTarget} target
   * @param {(event: Event) => void} before called just before each event is dispatched
   */
  constructor(target, before) {
    this.#target = target;
    this.#before = before;
  }

  /** @param {Event} event */
  add(event) {
    this.#events.push(event);
    queueTask(() => this.#dispatch());
  }

  /** @param {string[]} types that are not wanted any more */
  forget(...types) {
    this.#events = this.#events.filter(({ type }) => !types.includes(type));
  }

  #dispatch() {
    const event = this.#events.shift();
    if (!event) return;
    this.#before(event);
    this.#target.dispatchEvent(event);
  }
}
