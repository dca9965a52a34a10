// The open line to the server: told of each change, back by itself when the line was cut.

const WORDS = { live: "live", lost: "connection lost, trying again", out: "logged out: load the page again" };

/** Calls `changed(pulse)` for each change told at an address; keeps the lamp of the page up to date. */
function follow(address, changed) {
  const lamp = document.getElementById("live");
  const said = lamp?.querySelector("[data-live]");
  let source = null, wait = 1000, timer = 0;

  function state(name) {
    if (!lamp || lamp.dataset.state === name) return;
    lamp.dataset.state = name;
    said.textContent = WORDS[name];
  }

  function open() {
    source = new EventSource(address);
    source.onopen = () => { state("live"); wait = 1000; };
    source.onmessage = (event) => { state("live"); changed(JSON.parse(event.data)); };
    source.onerror = () => {
      state("lost");
      if (source.readyState === EventSource.CLOSED) {
        clearTimeout(timer);
        timer = setTimeout(open, wait);
        wait = Math.min(wait * 2, 15000);
      }
    };
  }

  open();
  window.addEventListener("pagehide", () => source?.close());
  window.addEventListener("pageshow", (event) => { if (event.persisted) open(); });
}

export { follow };
