// What a person may do: each is sent as JSON, and the server's answer is shown where it was asked.

async function send(address, body, output) {
  output.textContent = "\u2026";
  try {
    const answer = await fetch(address, {
      method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body),
    });
    const found = (answer.headers.get("Content-Type") ?? "").includes("json")
      ? await answer.json() : { error: await answer.text() };
    output.textContent = found.done ?? found.error ?? "";
    output.classList.toggle("bad", !answer.ok);
    return answer.ok;
  } catch {
    output.textContent = "The dashboard does not answer. Nothing was sent.";
    output.classList.add("bad");
    return false;
  }
}

function wire(key) {
  const base = `/s/${key}`;
  document.querySelectorAll("[data-steer]").forEach((button) => {
    const output = button.parentElement.querySelector("output");
    button.addEventListener("click", () => send(`${base}/steer`, { wish: button.dataset.steer }, output));
  });
  document.querySelectorAll("form[data-act]").forEach((form) => {
    const output = form.querySelector("output");
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      const given = Object.fromEntries(new FormData(form));
      let body;
      if (form.dataset.act === "note") {
        body = { text: given.text, trial: given.trial === "" ? null : Number(given.trial) };
      } else {
        let config;
        try { config = JSON.parse(given.config); } catch (error) {
          output.textContent = `This is no JSON: ${error.message}`;
          output.classList.add("bad");
          return;
        }
        body = { config, note: given.note };
      }
      if (await send(`${base}/${form.dataset.act}`, body, output)) form.reset();
    });
  });
}

export { wire };
