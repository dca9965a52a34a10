// The words beside the pointer. Text only: whatever a name holds, it is shown and never read as markup.

const box = document.createElement("div");
box.className = "tip";
box.setAttribute("aria-hidden", "true");
box.hidden = true;
document.body.append(box);

function show(lines, event) {
  box.replaceChildren(...lines.map((text) => {
    const line = document.createElement("div");
    line.textContent = text;
    return line;
  }));
  box.hidden = false;
  const { clientX, clientY } = event;
  const left = Math.min(clientX + 14, window.innerWidth - box.offsetWidth - 8);
  const top = clientY + 18 + box.offsetHeight > window.innerHeight ? clientY - box.offsetHeight - 10 : clientY + 18;
  box.style.left = `${Math.max(left, 4)}px`;
  box.style.top = `${Math.max(top, 4)}px`;
}

function hide() { box.hidden = true; }

window.addEventListener("scroll", hide, { passive: true });

export { show, hide };
