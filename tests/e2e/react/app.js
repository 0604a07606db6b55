/** A page as users of react-speech-recognition write it. */

import React from "react";
import { createRoot } from "react-dom/client";
import Speech, { useSpeechRecognition } from "react-speech-recognition";
import { SpeechRecognition } from "/static/js/speech-recognition.js";

SpeechRecognition.defaults.serverUrl = new URLSearchParams(location.search).get("line");
Speech.applyPolyfill(SpeechRecognition);

const e = React.createElement;

function Dictation() {
  const speech = useSpeechRecognition();
  const { listening, transcript, interimTranscript, finalTranscript, resetTranscript } = speech;
  const texts = { transcript, interim: interimTranscript, final: finalTranscript, listening: String(listening) };
  texts.supported = String(speech.browserSupportsSpeechRecognition);
  texts.microphone = String(speech.isMicrophoneAvailable);
  const buttons = {
    start: () => Speech.startListening(),
    continuous: () => Speech.startListening({ continuous: true }),
    japanese: () => Speech.startListening({ continuous: true, language: "ja-JP" }),
    stop: () => Speech.stopListening().then(() => (document.title = "stopped")),
    abort: () => Speech.abortListening().then(() => (document.title = "aborted")),
    reset: resetTranscript,
  };
  return e("main", null,
    ...Object.entries(buttons).map(([name, onClick]) => e("button", { key: name, onClick }, name)),
    ...Object.entries(texts).map(([id, text]) => e("p", { key: id, id }, text)));
}

createRoot(document.getElementById("root")).render(e(Dictation));
