// Looking: a video goes up, what becomes of it is told by events, and the result is shown.
import {ask, byId, clock, make, sentence} from "./common.js";

const view = {limits: null, models: [], job: null, shown: "", upload: null, events: null, told: null};

export function startLook(offered) {
  view.limits = offered.limits;
  fillModels(offered);
  fillSamples(offered.samples);
  const input = byId("file"), drop = byId("drop");
  input.addEventListener("change", () => { if (input.files.length) sendFile(input.files[0]); input.value = ""; });
  for (const name of ["dragenter", "dragover"]) document.addEventListener(name, event => {
    if (!byId("look").hidden) { event.preventDefault(); drop.classList.add("over"); }
  });
  for (const name of ["dragleave", "drop"]) document.addEventListener(name, event => {
    if (name === "drop" || !event.relatedTarget) drop.classList.remove("over");
  });
  document.addEventListener("drop", event => {
    if (byId("look").hidden) return;
    event.preventDefault();
    if (event.dataTransfer.files.length) sendFile(event.dataTransfer.files[0]);
  });
  byId("model").addEventListener("change", chosen);
  byId("again").addEventListener("click", () => begin(() => post({again: view.job})));
  byId("stop").addEventListener("click", stop);
  byId("forget").addEventListener("click", forget);
  byId("player").addEventListener("timeupdate", moveHead);
  byId("player").addEventListener("error", () => {
    if (!byId("film").hidden) problem("The attention video is not here any more: your session has ended.");
  });
}

export function fillModels({models}) {
  const select = byId("model"), before = select.value;
  view.models = models;
  select.replaceChildren(...models.map(each => make("option", {text: each.name, value: each.name})));
  const fresh = models.find(each => each.name === before);
  if (fresh) select.value = before;
  chosen();
}

function chosen() {
  const model = view.models.find(each => each.name === byId("model").value);
  const names = model ? model.classes : [];
  byId("classes").textContent = names.length
    ? `${names.length} classes: ${names.slice(0, 12).join(", ")}${names.length > 12 ? " …" : ""}`
    : view.models.length ? "" : "There is no model yet: give clips their classes, and start a fit.";
  byId("file").disabled = !view.models.length;
  const again = byId("again");
  again.hidden = !(view.told && view.told.state === "done" && model && model.name !== view.told.model);
  again.textContent = model ? `Look with ${model.name}` : "";
}

function fillSamples(samples) {
  byId("sampling").hidden = !samples.length;
  byId("samples").replaceChildren(...samples.map((title, number) => {
    const picture = make("video", {src: `samples/${number}#t=0.4`, preload: "metadata", tabindex: "-1", "aria-hidden": "true"});
    picture.muted = true;
    const button = make("button", {type: "button"}, picture, make("span", {text: title}));
    button.addEventListener("click", () => begin(() => post({sample: number})));
    return make("li", {}, button);
  }));
}

const post = more => ask(`jobs?${new URLSearchParams({model: byId("model").value, ...more})}`, {method: "POST"});

function sendFile(file) {
  if (file.size > view.limits.bytes)
    return refuse(`${file.name} has ${(file.size / 1e6).toFixed(1)} MB; up to ${view.limits.megabytes} MB are taken.`);
  if (!file.size) return refuse(`${file.name} is empty.`);
  begin(() => new Promise((done, fail) => {
    const request = view.upload = new XMLHttpRequest();
    request.open("POST", `jobs?${new URLSearchParams({model: byId("model").value, name: file.name})}`);
    request.setRequestHeader("content-type", "application/octet-stream");
    request.upload.addEventListener("progress", event => stage("Sending the video", event.loaded / event.total));
    request.addEventListener("load", () => {
      let told = {};
      try { told = JSON.parse(request.responseText); } catch { /* told below */ }
      if (request.status === 202) done(told);
      else fail(new Error(sentence(told.error || `the server said ${request.status}`)));
    });
    request.addEventListener("error", () => fail(new Error("The video could not be sent: the server does not answer, or it refused a file of this size.")));
    request.addEventListener("abort", () => fail(new Error("Stopped.")));
    request.send(file);
  }));
}

async function begin(post) {
  stop();
  problem("");
  byId("result").hidden = true;
  view.told = null;
  stage("Sending the video", null);
  try {
    const told = await post();
    view.upload = null;
    follow(told);
  } catch (error) {
    view.upload = null;
    refuse(error.message);
  }
}

function follow(told) {
  view.job = told.job;
  view.shown = "";
  show(told);
  const events = view.events = new EventSource(`jobs/${told.job}/events`);
  events.onmessage = event => {
    const told = JSON.parse(event.data);
    if (["done", "failed", "dropped"].includes(told.state)) events.close();
    show(told);
  };
  events.onerror = () => {
    if (events.readyState === EventSource.CLOSED) refuse("The server does not answer any more.");
  };
}

function stop() {
  if (view.upload) view.upload.abort();
  if (view.events) view.events.close();
  if (view.job && view.told && !["done", "failed"].includes(view.told.state))
    ask(`jobs/${view.job}`, {method: "DELETE"}).catch(() => {});
  view.events = view.upload = null;
  byId("progress").hidden = true;
}

async function forget() {
  stop();
  try { await ask("session", {method: "DELETE"}); } catch (error) { return refuse(error.message); }
  byId("player").removeAttribute("src");
  byId("result").hidden = byId("film").hidden = true;
  view.job = view.told = null;
  say("Your videos have been removed.");
}

function problem(words) { byId("problem").textContent = words; }
function refuse(words) { byId("progress").hidden = true; problem(words); }
function say(words) { if (byId("said").textContent !== words) byId("said").textContent = words; }

function stage(words, share) {
  byId("progress").hidden = false;
  byId("stage").textContent = share === null ? `${words} …` : `${words}: ${Math.round(share * 100)} %`;
  const bar = byId("share");
  if (share === null) bar.removeAttribute("value");
  else bar.value = share;
  say(`${words} …`);
}

function show(told) {
  view.told = told;
  if (told.state === "failed") return refuse(told.error.startsWith(told.title) ? told.error : sentence(told.error));
  if (told.state === "waiting") {
    const before = told.position;
    stage(before ? `Waiting: ${before} ${before === 1 ? "video comes" : "videos come"} before yours` : "It is your turn", null);
  } else if (told.state === "running") stage(sentence(told.stage || "beginning"), told.share);
  if (told.top) showTop(told);
  if (told.timeline || told.no_timeline) showTimeline(told);
  if (told.film || told.no_film) showFilm(told);
  if (told.state === "done") {
    byId("progress").hidden = true;
    say(`Done. ${told.title} shows ${told.top[0].class}, score ${told.top[0].score.toFixed(2)}.`);
  }
  chosen();
}

function once(part, told) {
  const key = `${told.job} ${part}`;
  if (view.shown.includes(key)) return false;
  view.shown += ` ${key}`;
  return true;
}

function showTop(told) {
  if (!once("top", told)) return;
  const result = byId("result"), {seconds, frames, size} = told.video;
  byId("film").hidden = byId("when").hidden = true;
  byId("no-film").textContent = "";
  byId("result-title").textContent = told.top[0].class;
  byId("facts").textContent = `${told.title} · ${seconds.toFixed(1)} s, ${frames} frames of ${size[0]} × ${size[1]} · ${told.model}`;
  byId("top").replaceChildren(...told.top.map(({class: name, score}) => {
    const bar = make("span");
    bar.style.setProperty("--share", score);
    const meter = make("div", {className: "meter", "aria-hidden": "true"}, bar);
    return make("li", {}, make("span", {className: "name", text: name}), make("span", {className: "number", text: score.toFixed(3)}), meter);
  }));
  result.hidden = false;
  result.focus({preventScroll: true});
  result.scrollIntoView({block: "start", behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth"});
}

function showFilm(told) {
  if (!once("film", told)) return;
  byId("no-film").textContent = told.no_film ? `No attention video: ${told.no_film}.` : "";
  if (!told.film) return;
  const player = byId("player");
  player.src = `jobs/${told.job}/film.mp4`;
  byId("notes").replaceChildren(...told.film.notes.map(text => make("li", {text})));
  byId("film").hidden = false;
  player.setAttribute("aria-label", `Where the model looks in ${told.title}`);
  player.play().catch(() => {});
}

function showTimeline(told) {
  if (!once("when", told)) return;
  const note = byId("when-note"), box = byId("timeline");
  byId("when").hidden = false;
  box.replaceChildren();
  note.textContent = told.no_timeline ? `No timeline: ${told.no_timeline}.` : "";
  if (!told.timeline) return;
  const {begin, end, segments} = told.timeline, long = end - begin > 20;
  const part = seconds => (seconds - begin) / (end - begin);
  const names = [...new Set(segments.map(each => each.class))];
  names.forEach((name, row) => {
    const head = make("div", {className: "head", "aria-hidden": "true"});
    const lane = make("div", {className: "lane", role: "group", "aria-label": name}, head);
    for (const each of segments.filter(each => each.class === name)) {
      const words = `${name}, ${clock(each.start, long)} to ${clock(each.end, long)}, score ${each.score.toFixed(2)}`;
      const button = make("button", {type: "button", title: words, "aria-label": words});
      const values = {"--from": part(each.start), "--to": part(each.end), "--score": each.score, "--colour": `var(--c${row % 8})`};
      for (const [key, value] of Object.entries(values)) button.style.setProperty(key, value);
      button.addEventListener("click", () => seek(each.start));
      lane.append(button);
    }
    box.append(make("div", {className: "class", text: name, title: name}), lane);
  });
  const axis = make("div", {className: "axis", "aria-hidden": "true"});
  for (const at of [0, .25, .5, .75, 1]) {
    const tick = make("span", {text: clock(begin + at * (end - begin), long)});
    tick.style.setProperty("--at", at);
    axis.append(tick);
  }
  box.append(axis);
}

function seek(seconds) {
  const film = view.told && view.told.film, player = byId("player");
  if (!film) return;
  let frame = film.seconds.findIndex(each => each >= seconds - 1e-3);
  if (frame < 0) frame = film.seconds.length - 1;
  player.currentTime = (frame + .5) / film.fps;
  player.play().catch(() => {});
}

function moveHead() {
  const told = view.told;
  if (!told || !told.film || !told.timeline) return;
  const frame = Math.min(Math.floor(byId("player").currentTime * told.film.fps), told.film.seconds.length - 1);
  const {begin, end} = told.timeline;
  const at = Math.min(1, Math.max(0, (told.film.seconds[frame] - begin) / (end - begin)));
  for (const head of document.querySelectorAll("#timeline .head")) head.style.setProperty("--at", at);
}
