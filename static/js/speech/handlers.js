/** `on…` attributes as a browser's own classes have them: enumerable accessors on the prototype. */

/**
 * The handler keeps its place among the listeners when it is replaced, and loses it when it is nulled.
 * @param {Function} target
 * @param {readonly string[]} types
 */
export function defineHandlers(target, types) {
  for (const type of types) {
    /** @type {WeakMap<EventTarget, {handler: unknown, listener: EventListener}>} */
    const handlers = new WeakMap();
    Object.defineProperty(target.prototype, `on${type}`, {
      enumerable: true,
      configurable: true,
      get() {
        return handlers.get(this)?.handler ?? null;
      },
      set(value) {
        const handler = typeof value === "function" || (typeof value === "object" && value !== null) ? value : null;
        const known = handlers.get(this);
        if (known && handler) known.handler = handler;
        else if (known) {
          this.removeEventListener(type, known.listener);
          handlers.delete(this);
        } else if (handler) {
          const entry = { handler, listener: (/** @type {Event} */ event) => call(this, entry.handler, event) };
          handlers.set(this, entry);
          this.addEventListener(type, entry.listener);
        }
      },
    });
  }
}

/** An object that is no function is kept, and not called. @param {EventTarget} target @param {unknown} handler @param {Event} event */
function call(target, handler, event) {
  if (typeof handler === "function") handler.call(target, event);
}
