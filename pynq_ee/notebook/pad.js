// A square to draw on. Strokes are drawn here, in the browser, so that ink follows the pen however slow the board is;
// only the picture travels to the kernel, and the next one not before the kernel has answered the one before it.
function render({ model, el }) {
  const side = model.get("side");
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = side;
  canvas.className = "pynq-ee-pad";
  const clear = document.createElement("button");
  clear.textContent = "Clear";
  clear.className = "pynq-ee-clear";
  el.replaceChildren(canvas, document.createElement("br"), clear);

  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.lineWidth = side * model.get("pen");
  context.lineCap = context.lineJoin = "round";
  context.strokeStyle = "white";

  function wipe() {
    context.fillStyle = "black";
    context.fillRect(0, 0, side, side);
  }

  // True while the kernel has not yet seen what is drawn.
  let changed = false;

  function send() {
    if (!changed || model.get("answered") !== model.get("drawn")) return;
    changed = false;
    const { data } = context.getImageData(0, 0, side, side);
    const ink = new Uint8Array(side * side);
    for (let pixel = 0; pixel < ink.length; pixel++) ink[pixel] = data[4 * pixel]; // red: the ink is grey
    model.set({ ink: new DataView(ink.buffer), drawn: model.get("drawn") + 1 });
    model.save_changes();
  }

  // In pixels of the canvas, whatever its size on the page.
  function place(event) {
    const box = canvas.getBoundingClientRect();
    return [((event.clientX - box.left) * side) / box.width, ((event.clientY - box.top) * side) / box.height];
  }

  let last = null;

  function stroke(event) {
    const next = place(event);
    context.beginPath();
    context.moveTo(...last);
    context.lineTo(...next);
    context.stroke();
    last = next;
    changed = true;
    send();
  }

  canvas.addEventListener("pointerdown", (event) => {
    event.preventDefault();
    canvas.setPointerCapture(event.pointerId);
    last = place(event);
    stroke(event);
  });
  canvas.addEventListener("pointermove", (event) => last && stroke(event));
  for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, () => (last = null));

  clear.addEventListener("click", () => {
    wipe();
    changed = true;
    send();
  });

  model.on("change:answered", send);
  wipe();
  return () => model.off("change:answered", send);
}

export default { render };
