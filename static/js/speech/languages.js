/** Which languages a server has: what `available()` and a page's menu ask. */

import { siblingUrl } from "./protocol.js";

/**
 * @typedef {{id: string, langs: string[]}} Model
 */

/**
 * @param {string} socket the server's /ws
 * @returns {Promise<Model[]>}
 */
export async function listModels(socket) {
  const answer = await fetch(siblingUrl(socket, "v1/models"));
  if (!answer.ok) throw new Error(`the server answers ${answer.status}`);
  return (await answer.json()).data;
}

/** The part of a language tag that chooses the model. @param {string} tag */
export function primary(tag) {
  return (tag.split("-")[0] ?? "").toLowerCase();
}

/**
 * @param {string} socket
 * @param {readonly string[]} langs BCP 47
 * @returns {Promise<boolean>} the server can be reached and has all of them
 */
export async function serverHas(socket, langs) {
  try {
    const offered = new Set((await listModels(socket)).flatMap((model) => model.langs));
    return langs.length > 0 && langs.every((tag) => offered.has(primary(tag)));
  } catch {
    return false;
  }
}

/**
 * @param {unknown} wish SpeechRecognitionOptions of the standard
 * @returns {{langs: string[], processLocally: boolean}}
 */
export function checkedWish(wish) {
  const { langs, processLocally = false, quality = "command" } = /** @type {Record<string, any>} */ (Object(wish));
  if (langs === null || typeof langs !== "object" || !(Symbol.iterator in langs)) throw new TypeError("langs must be a list of language tags");
  if (!["command", "dictation", "conversation"].includes(`${quality}`)) throw new TypeError(`quality "${quality}" is not known`);
  const tags = Array.from(langs, String);
  for (const tag of tags) {
    try {
      Intl.getCanonicalLocales(tag);
    } catch {
      throw new DOMException(`"${tag}" is no BCP 47 language tag`, "SyntaxError");
    }
  }
  return { langs: tags, processLocally: Boolean(processLocally) };
}
