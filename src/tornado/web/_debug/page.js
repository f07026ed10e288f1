// Copies the plain traceback. Without JavaScript, the button is hidden.
const button = document.getElementById("copy");
const plain = document.getElementById("plain");
button.hidden = false;
async function copy() {
  try {
    await navigator.clipboard.writeText(plain.textContent);
  } catch {
    // navigator.clipboard exists in secure contexts only; elsewhere select the text and use execCommand.
    plain.closest("details").open = true;
    getSelection().selectAllChildren(plain);
    if (!document.execCommand("copy")) return "Press Ctrl+C";
  }
  return "Copied";
}
button.addEventListener("click", async () => {
  const label = button.textContent;
  button.textContent = await copy();
  setTimeout(() => { button.textContent = label; }, 2000);
});
