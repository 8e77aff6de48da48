// The page: what the server offers, and which part of it is shown.
import {ask, byId} from "./common.js";
import {fillModels, startLook} from "./look.js";
import {startLabel} from "./label.js";

async function start() {
  const offered = await ask("state");
  const {megabytes, seconds, minutes} = offered.limits;
  const length = seconds < 120 ? `${seconds} seconds` : `${+(seconds / 60).toFixed(1)} minutes`;
  byId("limits").textContent = `mp4, mov, mkv, webm, avi …, up to ${megabytes} MB and ${length}`;
  byId("promise").textContent =
    `Videos stay on the server that shows this page. They are removed ${minutes} minutes after your last visit, and when it ends.`;
  startLook(offered);
  if (offered.labels) startLabel(() => ask("state").then(fillModels));
  byId("parts").hidden = !offered.labels;
  if (offered.labels && !offered.models.length) location.hash = "#label";
  const show = () => {
    const part = location.hash === "#label" && offered.labels ? "label" : "look";
    for (const name of ["look", "label"]) byId(name).hidden = name !== part;
    for (const link of document.querySelectorAll("#parts a")) {
      if (link.hash === `#${part}`) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
  };
  addEventListener("hashchange", show);
  show();
}

start().catch(error => { byId("problem").textContent = error.message; });
