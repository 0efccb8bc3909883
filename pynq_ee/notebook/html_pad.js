// The pad without anywidget. What pad.js takes for a widget's model is a page's own object here, which hands the picture
// to the kernel in a text field of ipywidgets that is not shown. Nothing comes back that way, so a picture is handed
// over once the pen has rested for a moment, and not at every move.
function connect(el, key, side, pen) {
  const REST_MILLISECONDS = 150;
  const state = { side, pen, drawn: 0, answered: 0 };
  let resting = null;

  function handOver() {
    const field = document.querySelector(`.${key} textarea`);
    field.value = btoa(String.fromCharCode(...new Uint8Array(state.ink.buffer)));
    for (const kind of ["input", "change"]) field.dispatchEvent(new Event(kind, { bubbles: true }));
  }

  const model = {
    get: (name) => state[name],
    set: (changes) => Object.assign(state, changes, { answered: changes.drawn }),
    save_changes: () => {
      clearTimeout(resting);
      resting = setTimeout(handOver, REST_MILLISECONDS);
    },
    on: () => {},
    off: () => {},
  };
  render({ model, el });
}
