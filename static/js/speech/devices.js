/** Which microphones there are, and which one is meant. */

/** @typedef {{id: string, label: string}} Microphone */

/** @returns {Promise<Microphone[]>} empty ids and labels before the permission */
export async function listMicrophones() {
  const devices = (await navigator.mediaDevices?.enumerateDevices()) ?? [];
  return devices.filter(({ kind }) => kind === "audioinput").map(({ deviceId: id, label }) => ({ id, label }));
}

/**
 * Opens the microphone that the options name: by id, by label, or else (unless strict) the default one.
 * @param {import("./options.js").Options} options
 * @returns {Promise<MediaStream>}
 */
export async function openMicrophone({ deviceId, deviceLabel, strictDevice, constraints }) {
  const ask = (/** @type {string} */ id) =>
    navigator.mediaDevices.getUserMedia({ audio: id ? { ...constraints, deviceId: { exact: id } } : { ...constraints } });
  if (!deviceId && !deviceLabel) return ask("");
  if (deviceId) {
    try {
      return await ask(deviceId);
    } catch (error) {
      if (!isMissing(error)) throw error;
    }
  }
  const labelled = deviceLabel && (await listMicrophones()).find(({ label }) => label === deviceLabel)?.id;
  if (labelled) return ask(labelled);
  if (strictDevice) throw new DOMException("the microphone is not there", "NotFoundError");
  console.warn(`SpeechRecognition: no microphone "${deviceLabel || deviceId}"; the default one is used`);
  return ask("");
}

/** @param {unknown} error */
function isMissing(error) {
  return error instanceof Error && (error.name === "OverconstrainedError" || error.name === "NotFoundError");
}
