
// A model without a kernel: holds the state, tells the listeners, sends nothing.
const state = __STATE__;
for (const [name, value] of Object.entries(state))
  if (value?.base64 !== undefined)
    state[name] = new DataView(Uint8Array.from(atob(value.base64), (letter) => letter.charCodeAt(0)).buffer);
const listeners = new Map();
const model = {
  kernel: false,
  get: (name) => state[name],
  set(name, value) {
    state[name] = value;
    for (const listener of [...(listeners.get(`change:${name}`) ?? [])]) listener();
  },
  save_changes() {},
  send() {},
  on: (event, listener) => listeners.set(event, [...(listeners.get(event) ?? []), listener]),
  off: (event, listener) => listeners.set(event, (listeners.get(event) ?? []).filter((other) => other !== listener)),
};
widget.render({ model, el: document.getElementById("widget") });
