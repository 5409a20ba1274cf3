for (const section of document.querySelectorAll(".layers")) {
  const figure = section.querySelector("figure");
  const images = [...figure.querySelectorAll("img")];
  const slider = figure.querySelector("input");
  const left = section.querySelector("select.left");
  const right = section.querySelector("select.right");
  const pixels = section.querySelector("input.pixels");

  const show = () => {
    figure.style.setProperty("--at", slider.value + "%");
    slider.setAttribute("aria-valuetext", Math.round(slider.value) + " % " + left.value + ", the rest " + right.value);
  };
  const choose = () => {
    images.forEach((image, index) => {
      image.className = index === right.selectedIndex ? "right" : index === left.selectedIndex ? "left" : "";
    });
    show();
  };
  const steps = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1 };
  slider.addEventListener("keydown", (event) => {
    if (event.key in steps) slider.value = Number(slider.value) + steps[event.key];
    else if (event.key === " ") slider.value = slider.value >= 50 ? 0 : 100;
    else return;
    event.preventDefault();
    show();
  });
  slider.addEventListener("input", show);
  left.addEventListener("change", choose);
  right.addEventListener("change", choose);
  pixels.addEventListener("change", () => figure.classList.toggle("pixels", pixels.checked));
  right.selectedIndex = images.length - 1;
  choose();
}
