import assert from "node:assert/strict";
import test from "node:test";
import { Subscription } from "../../static/js/listen/subscription.js";

class Socket {
  /** @type {Socket[]} */
  static made = [];
  closed = false;
  /** @type {((event: {data: string}) => void) | null} */
  onmessage = null;
  /** @type {((event: {code: number}) => void) | null} */
  onclose = null;

  constructor() {
    Socket.made.push(this);
  }

  close() {
    this.closed = true;
  }

  /** @param {string} type */
  say(type) {
    this.onmessage?.({ data: JSON.stringify({ type }) });
  }
}

/** @param {import("node:test").TestContext} context @param {boolean} comesBack */
function subscribe(context, comesBack) {
  context.mock.timers.enable({ apis: ["setTimeout", "setInterval"] });
  Socket.made = [];
  globalThis.WebSocket = /** @type {any} */ (Socket);
  /** @type {number[]} */
  const codes = [];
  const subscription = new Subscription(() => "ws://host/", "", {
    onMessage: () => {},
    onClose: (code) => {
      codes.push(code);
      return comesBack;
    },
  });
  return { subscription, codes, pass: (/** @type {number} */ ms) => context.mock.timers.tick(ms) };
}

test("a link that is silent for twenty seconds is given up and opened again", (context) => {
  const { codes, pass } = subscribe(context, true);
  Socket.made[0]?.say("subscribed");
  for (let n = 0; n < 20; n++) {
    pass(5_000);
    Socket.made[0]?.say("alive");
  }
  assert.deepEqual(codes, []);
  pass(20_000);
  assert.deepEqual([codes, Socket.made[0]?.closed], [[1006], true]);
  pass(500);
  assert.equal(Socket.made.length, 2);
});

test("one that never opens is given up as well", (context) => {
  const { codes, pass } = subscribe(context, true);
  pass(20_000);
  assert.deepEqual(codes, [1006]);
});

test("whoever is back does not wait for the pause, but for a refused one there is nothing to wait for", (context) => {
  const lost = subscribe(context, true);
  lost.subscription.hurry();
  assert.equal(Socket.made.length, 1);
  Socket.made[0]?.onclose?.({ code: 1006 });
  lost.subscription.hurry();
  assert.equal(Socket.made.length, 2);
  context.mock.timers.reset();
  const refused = subscribe(context, false);
  Socket.made[0]?.onclose?.({ code: 4403 });
  refused.subscription.hurry();
  refused.pass(60_000);
  assert.deepEqual([Socket.made.length, refused.codes], [1, [4403]]);
});
