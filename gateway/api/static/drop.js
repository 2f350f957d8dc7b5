// A file that is dropped is chosen and sent; without this the form works by itself.
const zone = document.getElementById("drop");
const field = document.getElementById("file");
const form = document.getElementById("verify");

for (const name of ["dragenter", "dragover"]) {
  document.addEventListener(name, (event) => {
    event.preventDefault();
    zone.classList.add("over");
  });
}
document.addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) zone.classList.remove("over");
});
document.addEventListener("drop", (event) => {
  event.preventDefault();
  zone.classList.remove("over");
  if (event.dataTransfer.files.length) {
    field.files = event.dataTransfer.files;
    form.requestSubmit();
  }
});
form.addEventListener("submit", () => form.setAttribute("aria-busy", "true"));
window.addEventListener("pageshow", () => form.removeAttribute("aria-busy"));
