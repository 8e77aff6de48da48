// What all parts of the page need: elements, requests whose errors are words, times.

export const byId = id => document.getElementById(id);

export function make(tag, {text, className, ...attributes} = {}, ...children) {
  const element = document.createElement(tag);
  if (text !== undefined) element.textContent = text;
  if (className) element.className = className;
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

export async function ask(path, {method = "GET", json} = {}) {
  let answer;
  try {
    const body = json === undefined ? undefined : JSON.stringify(json);
    answer = await fetch(path, {method, body, headers: body ? {"content-type": "application/json"} : {}});
  } catch {
    throw new Error("The server does not answer. Is it still running?");
  }
  if (answer.status === 204) return null;
  const told = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(sentence(told.error || `the server said ${answer.status}`));
  return told;
}

export const sentence = words => words.charAt(0).toUpperCase() + words.slice(1);

export function clock(seconds, whole) {
  if (!whole) return `${seconds.toFixed(1)} s`;
  const minutes = Math.floor(seconds / 60);
  return `${minutes}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;
}
