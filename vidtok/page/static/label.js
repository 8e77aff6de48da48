// Labelling: one clip after the other, a key for each class; every answer is in the list when the server has said so.
import {ask, byId, make, sentence} from "./common.js";

const view = {told: null, clip: 0, busy: false, fitted: null, events: null};

export function startLabel(fitted) {
  view.fitted = fitted;
  ask("labels").then(told => {
    take(told);
    byId("label-lead").textContent = `${told.clips.length} clips in ${told.folder}. Each answer is written to ${told.file}.`;
    go(firstWithout(0));
    if (told.fit !== "none") followFit();
  }).catch(problem);
  byId("back").addEventListener("click", () => go(view.clip - 1));
  byId("skip").addEventListener("click", () => go(view.clip + 1));
  byId("clear").addEventListener("click", () => give(null));
  byId("class-form").addEventListener("submit", event => { event.preventDefault(); addClass(); });
  byId("clip").addEventListener("error", () => {
    const video = byId("clip"), preview = `labels/${view.clip}/preview.mp4`;
    if (!video.src || video.src.endsWith(preview)) { if (video.src) problem(new Error("This clip cannot be shown: it cannot be decoded.")); return; }
    video.src = preview;
  });
  document.addEventListener("keydown", pressed);
  byId("fit").addEventListener("click", startFit);
  byId("fit-stop").addEventListener("click", () => ask("fit", {method: "DELETE"}).catch(problem));
}

function problem(error) { byId("label-problem").textContent = error ? sentence(error.message) : ""; }

function pressed(event) {
  if (byId("label").hidden || !byId("keys-on").checked || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest("input[type=text], select, textarea, pre, video")) return;
  const arrows = {ArrowLeft: 0, ArrowRight: 1}, key = event.key.toLowerCase();
  const number = event.key in arrows ? arrows[event.key] : /^[1-9]$/.test(event.key) ? Number(event.key) - 1 : -1;
  if (number >= 0 && number < view.told.classes.length) give(view.told.classes[number].name);
  else if (key === "s") go(view.clip + 1);
  else if (key === "b") go(view.clip - 1);
  else return;
  event.preventDefault();
}

async function give(label) {
  if (view.busy) return;
  view.busy = true;
  const clip = view.clip;
  try {
    take(await ask(`labels/${clip}`, {method: "PUT", json: {label}}));
    problem(null);
    if (label !== null) {
      const next = firstWithout(clip + 1);
      const left = view.told.clips.filter(each => !each.label).length;
      byId("label-said").textContent = `${label}. ${left ? `${left} clips left` : "All clips have a class"}.`;
      if (next !== clip) go(next);
    }
  } catch (error) {
    problem(error);
  } finally {
    view.busy = false;
  }
}

function firstWithout(start) {
  const clips = view.told.clips, order = clips.map((_, place) => (start + place) % clips.length);
  const next = order.find(place => !clips[place].label);
  return next === undefined ? Math.min(start, clips.length - 1) : next;
}

function go(clip) {
  if (clip < 0 || clip >= view.told.clips.length) return;
  view.clip = clip;
  byId("clip").src = `labels/${clip}/video`;
  draw();
}

function take(told) { view.told = {...view.told, ...told}; draw(); }

function draw() {
  const {clips, classes} = view.told, current = clips[view.clip], has = clips.filter(each => each.label).length;
  byId("clip-name").textContent = current.name;
  byId("clip-place").textContent = `${view.clip + 1} of ${clips.length}`;
  byId("done-title").textContent = `${has} of ${clips.length} clips have a class`;
  byId("done").max = clips.length;
  byId("done").value = has;
  const focused = document.activeElement && document.activeElement.dataset.class;
  byId("keys").replaceChildren(...classes.map(({name}, number) => {
    const keys = number < 2 ? `${"←→"[number]} ${number + 1}` : String(number + 1);
    const button = make("button", {type: "button", "aria-pressed": String(current.label === name), "data-class": name},
      make("span", {text: name}), make("kbd", {text: keys, "aria-hidden": "true"}));
    button.addEventListener("click", () => give(name));
    return button;
  }));
  if (!classes.length) byId("keys").append(make("p", {className: "note", text: "Add two classes to begin."}));
  if (focused) [...byId("keys").children].find(each => each.dataset.class === focused)?.focus();
  drawClips(clips);
  drawClasses(classes);
  const used = classes.filter(each => each.clips);
  byId("fit").disabled = used.length < 2 || used.some(each => each.clips < 2) || view.events !== null;
  byId("fit").textContent = has ? `Fit on ${has} clips` : "Start a fit";
}

function drawClips(clips) {
  const list = byId("clips");
  if (list.children.length !== clips.length) list.replaceChildren(...clips.map((each, place) => {
    const button = make("button", {type: "button"}, make("span", {text: each.name, title: each.name}), make("span"));
    button.addEventListener("click", () => go(place));
    return make("li", {}, button);
  }));
  clips.forEach((each, place) => {
    const button = list.children[place].firstChild, mark = button.lastChild;
    mark.textContent = each.label || "–";
    mark.className = each.label ? "has" : "note";
    if (place === view.clip) {
      button.setAttribute("aria-current", "true");
      list.scrollTop = Math.max(0, button.offsetTop - list.offsetTop - list.clientHeight / 2);
    } else button.removeAttribute("aria-current");
  });
}

function drawClasses(classes) {
  byId("class-list").replaceChildren(...classes.map(({name, clips}, number) => {
    const row = make("li", {}, make("kbd", {text: number + 1}), make("span", {text: name}), make("span", {className: "note", text: `${clips} ${clips === 1 ? "clip" : "clips"}`}));
    if (!clips) {
      const remove = make("button", {type: "button", className: "quiet", text: "Remove", "aria-label": `Remove the class ${name}`});
      remove.addEventListener("click", () => setClasses(classes.map(each => each.name).filter(each => each !== name)));
      row.append(remove);
    }
    return row;
  }));
}

async function addClass() {
  const input = byId("new-class"), name = input.value.trim();
  if (name && await setClasses([...view.told.classes.map(each => each.name), name])) input.value = "";
}

async function setClasses(classes) {
  try {
    take(await ask("labels/classes", {method: "PUT", json: {classes}}));
    problem(null);
    return true;
  } catch (error) {
    problem(error);
    return false;
  }
}

async function startFit() {
  problem(null);
  try { await ask("fit", {method: "POST"}); } catch (error) { return problem(error); }
  followFit();
}

function followFit() {
  const log = byId("fit-log"), state = byId("fit-state");
  let text = "";
  view.events = new EventSource("fit/events");
  byId("fit-stop").hidden = false;
  log.hidden = false;
  state.textContent = "The fit is at work …";
  draw();
  view.events.onmessage = event => {
    const told = JSON.parse(event.data);
    text = text.slice(0, told.start) + told.log;
    log.textContent = text;
    log.scrollTop = log.scrollHeight;
    if (told.state === "running" || told.log) return;
    view.events.close();
    view.events = null;
    byId("fit-stop").hidden = true;
    const last = text.trim().split("\n").pop() || "";
    state.textContent = {
      done: `Done: ${last.replace(/^fit ok: /, "").split(" | ")[0]}. The model can be chosen under Look.`,
      failed: `The fit has failed. ${sentence(last.replace(/^error: /, ""))}`,
      stopped: "Stopped.",
    }[told.state] || "";
    draw();
    view.fitted();
  };
  view.events.onerror = () => {
    if (view.events && view.events.readyState === EventSource.CLOSED) { view.events = null; state.textContent = "The server does not answer."; draw(); }
  };
}
