/** Every word of the page of captions, in its two languages. */

const en = {
  level: "Level",
  keywords: "Keywords",
  captions: "Captions",
  size: "Text size",
  smaller: "Smaller text",
  larger: "Larger text",
  newest: "Newest ↓",
  empty: "Captions appear here.",
  missing: "[some words are missing here]",
  connecting: "Connecting …",
  live: "Live",
  away: "The speaker's connection is interrupted …",
  ended: "This has ended. If it begins again, the captions go on here.",
  waiting: "Reconnecting …",
  refused: "This link cannot be used.",
  lost: "Connection lost. Reconnecting …",
  token_needed: "Nothing here yet, or the link is incomplete: it ends in # and a long code.",
  not_found: "It has not begun yet, or the link is an old one. Waiting …",
  forbidden: "This link does not allow reading along.",
  too_many: "All places are taken. Waiting for one …",
  protocol: "This link is broken.",
};

/** @type {Record<keyof typeof en, string>} */
const ja = {
  level: "音量",
  keywords: "キーワード",
  captions: "字幕",
  size: "文字の大きさ",
  smaller: "文字を小さく",
  larger: "文字を大きく",
  newest: "最新へ ↓",
  empty: "字幕がここに表示されます。",
  missing: "［ここは抜けています］",
  connecting: "接続しています…",
  live: "配信中",
  away: "話者との接続が途切れています…",
  ended: "終了しました。再開すると、続きがここに表示されます。",
  waiting: "再接続しています…",
  refused: "このリンクは使えません。",
  lost: "接続が切れました。再接続しています…",
  token_needed: "まだ始まっていないか、リンクが不完全です。リンクの末尾には # と長い文字列が必要です。",
  not_found: "まだ始まっていないか、リンクが古くなっています。待っています…",
  forbidden: "このリンクでは字幕を読めません。",
  too_many: "満員です。空くのを待っています…",
  protocol: "リンクが壊れています。",
};

/** @param {readonly string[]} wanted of the browser, the best first @returns {"ja" | "en"} */
export function pageLanguage(wanted) {
  const found = wanted.map((tag) => tag.toLowerCase().split("-")[0]).find((tag) => tag === "ja" || tag === "en");
  return found === "ja" ? "ja" : "en";
}

/** @param {"ja" | "en"} language @returns {(name: string) => string} the text, or the name where there is none */
export function texts(language) {
  /** @type {Record<string, string>} */
  const table = language === "ja" ? ja : en;
  return (name) => table[name] ?? name;
}
