/** Dictation with react-speech-recognition as it comes from npm, on our own server. / npm のままの react-speech-recognition を自前のサーバーで。 */

import React from "react";
import ReactDOM from "react-dom/client";
import Speech, { useSpeechRecognition } from "react-speech-recognition";
import { SpeechRecognition } from "speech-recognition";

Speech.applyPolyfill(SpeechRecognition);

const TEXTS = {
  en: { start: "Start", stop: "Stop", reset: "Clear", unsupported: "This browser gives no microphone.", silent: "The microphone is not allowed." },
  ja: { start: "開始", stop: "停止", reset: "消去", unsupported: "このブラウザーではマイクを使えません。", silent: "マイクの使用が許可されていません。" },
};
const LANGUAGES = { en: "English", ja: "日本語" };
const h = React.createElement;

function Dictation() {
  const [language, setLanguage] = React.useState(navigator.language.startsWith("ja") ? "ja" : "en");
  const speech = useSpeechRecognition();
  const text = TEXTS[language];
  if (!speech.browserSupportsSpeechRecognition) return h("p", null, text.unsupported);
  const options = Object.entries(LANGUAGES).map(([value, name]) => h("option", { key: value, value }, name));
  return h(React.Fragment, null,
    h("p", null,
      h("select", { "aria-label": "Language / 言語", value: language, disabled: speech.listening, onChange: (event) => setLanguage(event.target.value) }, options),
      h("button", { disabled: speech.listening, onClick: () => Speech.startListening({ continuous: true, language }) }, text.start),
      h("button", { disabled: !speech.listening, onClick: () => Speech.stopListening() }, text.stop),
      h("button", { onClick: speech.resetTranscript }, text.reset)),
    speech.isMicrophoneAvailable ? null : h("p", { role: "alert" }, text.silent),
    h("p", { id: "final", lang: language }, speech.finalTranscript),
    h("p", { id: "interim", lang: language }, h("i", null, speech.interimTranscript)));
}

ReactDOM.createRoot(document.getElementById("root")).render(h(Dictation));
