// Pictures drawn by Python, controls drawn here. A change is written to the model; Python answers with new pictures.

/** The value of the picked trait under a point of a montage (both in the montage's own pixels); null on free places. */
export function picked({ columns, tile: [height, width], gap, span, count }, x, y) {
  const column = Math.min(Math.floor(x / (width + gap)), columns - 1);
  const value = Math.floor(y / (height + gap) / span) * columns + column;
  return value >= 0 && value < count ? value : null;
}

/** The frame around the tiles of one value: x, y, width, height in the montage's own pixels. */
export function frame({ columns, tile: [height, width], gap, span }, value) {
  return {
    x: (value % columns) * (width + gap), y: Math.floor(value / columns) * span * (height + gap),
    width, height: span * (height + gap) - gap,
  };
}

/** How many times a picture is enlarged: whole pixels, so that every value is a square, unless it must shrink. */
export function enlargement({ width, height, size }) {
  const scale = size / Math.max(width, height);
  return scale >= 1 ? Math.floor(scale) : scale;
}

function figureOf(panel, value, write) {
  const scale = enlargement(panel);
  const picture = element("img", { src: panel.source, alt: panel.alt, draggable: "false" });
  const sheet = element("div", { class: "cnnviz-sheet", style: `width: ${panel.width * scale}px` }, picture);
  if (panel.pick) {
    const { x, y, width, height } = frame(panel.pick, value);
    const share = (part, whole) => `${(100 * part) / whole}%`;
    sheet.append(element("div", {
      class: "cnnviz-frame",
      style: `left: ${share(x, panel.width)}; top: ${share(y, panel.height)}; `
        + `width: ${share(width, panel.width)}; height: ${share(height, panel.height)}`,
    }));
    sheet.classList.add("cnnviz-pick");
    sheet.addEventListener("click", ({ clientX, clientY }) => {
      const box = picture.getBoundingClientRect();
      const hit = picked(panel.pick, ((clientX - box.left) / box.width) * panel.width,
        ((clientY - box.top) / box.height) * panel.height);
      if (hit !== null) write(panel.pick.trait, hit);
    });
  }
  return element("figure", {}, sheet, element("figcaption", { text: panel.title }));
}

function render({ model, el }) {
  const names = model.get("_controls").map(({ name }) => name);
  const speech = announcer();
  const waiting = element("div", { class: "cnnviz-why", role: "status" });
  const problem = element("div", { class: "cnnviz-warning", role: "alert" });
  const figures = element("div", { class: "cnnviz-panels" });
  let timer = null;

  const link = connect(model, [...names, "_controls", "_panels", "_problem", "_drawn"], draw);
  const write = (name, value) => {
    link.write({ [name]: value });
    clearTimeout(timer);
    timer = setTimeout(() => {
      waiting.textContent = "No answer from Python yet: these pictures belong to the choice before. "
        + "It is busy, or this page has no kernel.";
    }, 2000);
    draw();
  };
  const controls = Object.fromEntries(model.get("_controls").map((control) => [control.name, {
    choice: () => choice({ ...control, onChange: (value) => write(control.name, value) }),
    slider: () => slider({ ...control, onChange: (value) => write(control.name, value) }),
  }[control.kind]()]));
  const root = element("div", { class: "cnnviz", role: "group" },
    element("div", { class: "cnnviz-controls" }, ...names.map((name) => controls[name].root)),
    waiting, problem, figures, speech.root);

  let drawn = null;
  function draw() {
    const state = link.read();
    for (const { name, kind, min, max, step, options } of state._controls) {
      if (kind === "choice") controls[name].set({ value: state[name], options });
      else {
        Object.assign(controls[name].input, { min, max, step });
        controls[name].set({ value: state[name], low: min, high: max, disabled: max === min && "there is only one" });
      }
    }
    problem.textContent = state._problem;
    problem.hidden = !state._problem;
    if (drawn !== state._drawn || state._problem) {
      clearTimeout(timer);
      waiting.textContent = "";
    }
    figures.replaceChildren(...state._panels.map((panel) => figureOf(panel, state[panel.pick?.trait], write)));
    if (drawn !== null && drawn !== state._drawn) speech.say(model.get("_description"));
    drawn = state._drawn;
    root.setAttribute("aria-label", model.get("_description"));
  }
  draw();
  el.append(root);
  return () => { clearTimeout(timer); link.close(); };
}

const widget = { render };
export default widget;
