/** Every word of the page, in its two languages. */

import { primary } from "./speech/languages.js";

const en = {
  microphone: "Microphone",
  language: "Language",
  level: "Level",
  start: "Start",
  stop: "Stop",
  give_up: "Give up",
  transcript: "Transcript",
  copy: "Copy",
  clear: "Clear",
  copied: "Copied",
  uncopied: "The browser did not allow copying.",
  saving: "This server keeps recordings of what is said.",
  unnamed: "Microphone",
  standard: "Default microphone",
  idle: "Ready",
  opening: "Waiting for the microphone …",
  connecting: "Connecting …",
  listening: "Listening",
  draining: "Finishing …",
  waiting: "Waiting for the server …",
  empty: "What you say appears here.",
  more: "More",
  phrases: "Words and names to expect, one a line",
  processing: "Sound processing by the browser",
  echo: "Cancel echo",
  noise: "Suppress noise",
  gain: "Level the volume",
  keep: "Keep the transcript and these choices in this browser",
  full: "The browser has no room to keep the transcript.",
  format: "File format",
  download: "Download",
  alternatives: "Alternatives",
  confidence: "confidence",
  unsure: "unsure, confidence",
  reconnecting: "Reconnecting …",
  away: "The connection is interrupted. What you say is kept and will be recognised. Seconds kept:",
  behind: "The network is slow; nothing is lost. Seconds waiting:",
  forbidden: "The server does not let this page in: it wants a token, or another address.",
  phrases_not_supported: "The server does not support expected words. Empty that box, then press Start again.",
  insecure: "The browser gives the microphone only to a secure page: open it over https, or on this machine as http://127.0.0.1.",
  refused: "The microphone is not allowed. Allow it in the address bar of the browser, then press Start again.",
  no_microphone: "No microphone was found, or another program is using it.",
  microphone_lost: "The microphone was unplugged or taken away.",
  unreachable: "The server cannot be reached. Check the network, then press Start again.",
  busy: "The server is too busy, or still starting. Press Start again in a moment.",
  lost: "The server stayed away for too long. What was said since the last line is lost; press Start to go on.",
  overloaded: "The server is too busy: one sentence was skipped.",
  timeout: "The server took too long for one sentence and skipped it.",
  recognizer_failed: "One sentence could not be recognised.",
  language_not_supported: "The server does not know this language.",
  server: "The server reported a fault and ended the conversation.",
};

/** @typedef {keyof typeof en} TextName */

/** @type {Record<TextName, string>} */
const ja = {
  microphone: "マイク",
  language: "言語",
  level: "音量",
  start: "開始",
  stop: "停止",
  give_up: "あきらめる",
  transcript: "認識結果",
  copy: "コピー",
  clear: "消去",
  copied: "コピーしました",
  uncopied: "ブラウザーがコピーを許可しませんでした。",
  saving: "このサーバーは発話の録音を保存しています。",
  unnamed: "マイク",
  standard: "既定のマイク",
  idle: "準備完了",
  opening: "マイクを待っています…",
  connecting: "接続しています…",
  listening: "聞いています",
  draining: "仕上げています…",
  waiting: "サーバーを待っています…",
  empty: "話した言葉がここに表示されます。",
  more: "詳細",
  phrases: "出てきそうな語句や名前（1行に1つ）",
  processing: "ブラウザーの音声処理",
  echo: "エコーを除去",
  noise: "雑音を抑制",
  gain: "音量を自動調整",
  keep: "認識結果とこの設定をこのブラウザーに残す",
  full: "ブラウザーに空きがなく、認識結果を残せません。",
  format: "ファイル形式",
  download: "ダウンロード",
  alternatives: "ほかの候補",
  confidence: "確信度",
  unsure: "不確か・確信度",
  reconnecting: "再接続しています…",
  away: "接続が途切れています。話した内容は保持され、あとで認識されます。保持している秒数：",
  behind: "回線が遅れていますが、何も失われていません。待っている秒数：",
  forbidden: "サーバーがこのページの利用を許可していません。トークンか、別のアドレスが必要です。",
  phrases_not_supported: "サーバーは語句の指定に対応していません。その欄を空にして、もう一度「開始」を押してください。",
  insecure: "マイクは安全なページでしか使えません。https で開くか、このマシン上なら http://127.0.0.1 で開いてください。",
  refused: "マイクの使用が許可されていません。アドレスバーで許可してから、もう一度「開始」を押してください。",
  no_microphone: "マイクが見つからないか、ほかのプログラムが使用中です。",
  microphone_lost: "マイクが外されたか、使えなくなりました。",
  unreachable: "サーバーに接続できません。ネットワークを確認してから、もう一度「開始」を押してください。",
  busy: "サーバーが混み合っているか、起動中です。少し待ってから、もう一度「開始」を押してください。",
  lost: "サーバーと長い間つながりませんでした。最後の行より後の発話は失われました。「開始」を押すと続けられます。",
  overloaded: "サーバーが混み合っているため、一文を飛ばしました。",
  timeout: "一文の認識に時間がかかりすぎたため、飛ばしました。",
  recognizer_failed: "一文を認識できませんでした。",
  language_not_supported: "サーバーはこの言語に対応していません。",
  server: "サーバーで問題が起きたため、終了しました。",
};

/**
 * The page's language: the first of the browser's that we have.
 * @param {readonly string[]} wanted
 * @returns {"ja" | "en"}
 */
export function pageLanguage(wanted) {
  const found = wanted.map(primary).find((tag) => tag === "ja" || tag === "en");
  return found === "ja" ? "ja" : "en";
}

/**
 * The language to recognise: the page's, where the server offers it.
 * @param {string} page
 * @param {readonly string[]} offered
 * @param {string} otherwise
 */
export function spokenLanguage(page, offered, otherwise) {
  return offered.find((tag) => primary(tag) === page) ?? otherwise;
}

/**
 * @param {"ja" | "en"} language
 * @returns {(name: string) => string} the text, or the name itself where there is none
 */
export function texts(language) {
  /** @type {Record<string, string>} */
  const table = language === "ja" ? ja : en;
  return (name) => table[name] ?? name;
}
