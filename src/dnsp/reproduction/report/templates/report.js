// Without this script a before/after pair stands side by side; with it one lies over the other and the slider cuts them.
for (const pair of document.querySelectorAll(".before-after")) {
  const slider = pair.querySelector("input");
  const cut = () => pair.style.setProperty("--cut", slider.value + "%");
  pair.classList.add("live");
  slider.hidden = false;
  slider.addEventListener("input", cut);
  cut();
}
